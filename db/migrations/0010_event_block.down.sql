drop index event_channel_type_idx;
create index event_occurred_at_idx on event (occurred_at);
drop trigger note_event_blocks on event;
drop function note_event_blocks();
drop table event_block;
