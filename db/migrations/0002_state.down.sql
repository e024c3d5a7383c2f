drop table subscription;
drop table viewer;
drop table channel;
drop table twitch_user;
