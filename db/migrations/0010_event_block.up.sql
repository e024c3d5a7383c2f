-- Between what times the events with the ids from block * 1024 on occurred, 1024 ids each. Ids and times grow together
-- only roughly, and clocks are not to be trusted: this says for certain where a time can be in the log. An index on
-- occurred_at could not, since pages are in the order of the ids.
create table event_block (
    block bigint primary key,
    earliest timestamptz not null,
    latest timestamptz not null
) with (fillfactor = 50);

insert into event_block
select id / 1024, min(occurred_at), max(occurred_at) from event group by id / 1024 order by id / 1024;

create function note_event_blocks() returns trigger language plpgsql as $$
begin
    insert into event_block as known
    select id / 1024, min(occurred_at), max(occurred_at) from appended group by id / 1024
    on conflict (block) do update set
        earliest = least(known.earliest, excluded.earliest),
        latest = greatest(known.latest, excluded.latest);
    return null;
end
$$;

-- A trigger, so that it holds for every event, whoever appends it.
create trigger note_event_blocks after insert on event
referencing new table as appended
for each statement execute function note_event_blocks();

drop index event_occurred_at_idx;

-- What a channel had of one type: neither of the other two finds that in a busy channel and a frequent type.
create index event_channel_type_idx on event (channel_id, type, id);
