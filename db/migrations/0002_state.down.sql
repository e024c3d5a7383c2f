drop table subscription;
drop table told;
drop function channel_totals;
drop table activity;
drop table viewer;
drop table channel;
drop table channel_login;
drop table twitch_user;
