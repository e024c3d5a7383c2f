drop table sink;
