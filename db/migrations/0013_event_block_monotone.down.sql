drop index event_block_earliest_idx;
drop index event_block_latest_idx;
alter table event_block rename column earliest_from_here to earliest;
alter table event_block rename column latest_so_far to latest;

update event_block set earliest = known.earliest, latest = known.latest
from (select id / 1024 as block, min(occurred_at) as earliest, max(occurred_at) as latest from event group by id / 1024) as known
where event_block.block = known.block;
