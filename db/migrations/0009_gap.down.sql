drop table outage;
drop table gap;
