drop table missed_stream;
alter table stream drop column shown_at;
