-- What is asked of the blocks is the first one that reaches to a time, and the last one that begins before a time. With what
-- all before it and all behind it reached, instead of itself alone, both columns grow with the block, and an index finds it.
-- To read the blocks from the beginning took milliseconds with ten million events.
alter table event_block rename column latest to latest_so_far;
alter table event_block rename column earliest to earliest_from_here;

update event_block set latest_so_far = known.latest, earliest_from_here = known.earliest
from (
    select block, max(latest_so_far) over (order by block) as latest, min(earliest_from_here) over (order by block desc) as earliest
    from event_block
) as known
where event_block.block = known.block;

create index event_block_latest_idx on event_block (latest_so_far, block);
create index event_block_earliest_idx on event_block (earliest_from_here, block);
