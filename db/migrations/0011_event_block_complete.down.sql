alter table event_block set (fillfactor = 50);
insert into event_block
select id / 1024, min(occurred_at), max(occurred_at) from event
where id >= coalesce((select max(block) + 1 from event_block), 0) * 1024
group by id / 1024 order by id / 1024;

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

create trigger note_event_blocks after insert on event
referencing new table as appended
for each statement execute function note_event_blocks();
