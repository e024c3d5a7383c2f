drop view channel_now;
drop view broadcast;
drop table segment;
drop table missed_stream;
drop table stream_end;
drop table stream;
