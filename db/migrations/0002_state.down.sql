drop table subscription;
drop table told;
drop table viewer;
drop table channel;
drop table channel_login;
drop table twitch_user;
