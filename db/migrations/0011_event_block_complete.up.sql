-- The append that completes a block writes it. To keep the newest one up to date with each append took a quarter of a
-- millisecond, most of it for the copy of the rows that a trigger gets.
drop trigger note_event_blocks on event;
drop function note_event_blocks();
delete from event_block where block >= (select max(id) / 1024 from event);
alter table event_block reset (fillfactor);
