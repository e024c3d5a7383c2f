drop view desired_subscription_state;
drop view living_server;
drop table server;
drop table reconciler;
drop table desired_subscription;
drop table token;
drop table served_channel;
