drop table wanted_subscription;
drop table token;
drop table served_channel;
alter table stream drop column gone_at;
