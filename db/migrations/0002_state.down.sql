drop table subscription;
drop table viewer;
drop view broadcast;
drop table stream_end;
drop table stream;
drop table channel;
drop table twitch_user;
