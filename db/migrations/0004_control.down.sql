drop table wanted_subscription;
drop table token;
drop table served_channel;
