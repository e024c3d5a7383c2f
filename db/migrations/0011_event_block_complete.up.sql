-- A block is written when it is complete, that is when an event behind it is there, as appends take turns. To keep the
-- newest one up to date with each append took a quarter of a millisecond, most of it for the trigger's copy of the rows.
drop trigger note_event_blocks on event;
drop function note_event_blocks();
delete from event_block where block >= (select max(id) / 1024 from event);
alter table event_block reset (fillfactor);

-- Most appends complete none, and cost two looks at the end of an index.
create function complete_event_blocks() returns trigger language plpgsql as $$
declare
    next bigint := coalesce((select max(block) + 1 from event_block), 0);
    newest bigint := (select max(id) / 1024 from event);
begin
    if newest > next then
        insert into event_block
        select id / 1024, min(occurred_at), max(occurred_at) from event
        where id >= next * 1024 and id < newest * 1024
        group by id / 1024 order by id / 1024;
    end if;
    return null;
end
$$;

-- A trigger, so that it holds for every event, whoever appends it.
create trigger complete_event_blocks after insert on event for each statement execute function complete_event_blocks();
