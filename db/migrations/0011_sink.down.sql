drop table delivery;
drop table sink;
