drop table reconciler;
drop table desired_subscription;
drop table token;
drop table served_channel;
