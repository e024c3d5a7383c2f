drop table log_gap;
drop table log_epoch;
drop table event_block;
drop table event;
