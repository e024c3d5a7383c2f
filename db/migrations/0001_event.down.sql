drop table event_block;
drop table event;
