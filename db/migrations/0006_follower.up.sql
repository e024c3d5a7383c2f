-- The followers of the log: how far each has got, and which server runs it. Does not follow from the log.
create table follower (
    name text collate "C" primary key,
    -- The id of the last event handled, committed together with what follows from it; 0 is before the first.
    cursor bigint not null,
    -- When that event was received: after the log was emptied, another event may have its id. Null if there was no event
    -- with this id at the start.
    received_at timestamptz,
    -- Grows with every change of the holder. Writes with an older epoch fail.
    epoch bigint not null default 0,
    leased_until timestamptz not null default now(),
    -- Why the last batch failed, and since when they do; null while they succeed.
    last_error text,
    failing_since timestamptz
);

create view follower_state as
select
    name,
    epoch,
    cursor,
    leased_until > clock_timestamp() as is_leased,
    last_error,
    failing_since,
    -- Whether the log still has what is behind the cursor.
    case
        when received_at is not null
            then exists (select from event where event.id = cursor and event.received_at = follower.received_at)
        else cursor = 0 or cursor between (select min(id) from event) and (select max(id) from event)
            and not exists (select from log_gap where cursor between first_id and last_id)
    end is true as is_reachable,
    -- Ids, of which events that were sent twice leave some unused: no more events than this.
    greatest((select max(id) from event) - cursor
        - (select coalesce(sum(last_id - first_id + 1), 0)::bigint from log_gap where first_id > cursor), 0) as events_behind,
    -- The age of the oldest event that is not handled.
    greatest(extract(epoch from clock_timestamp() - (
        select event.received_at from event where event.id > cursor order by event.id limit 1
    )), 0)::float8 as seconds_behind
from follower;
