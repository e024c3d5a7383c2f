-- What a broadcaster marked as being on: a tape, a game, a guest.
create table segment (
    -- Made by the server that took the mark.
    id text collate "C" primary key,
    channel_id text collate "C" not null references channel,
    -- Not known yet when the end was told before the beginning.
    title text,
    reference text,
    started_at timestamptz,
    -- When the broadcaster said that it was over.
    end_told_at timestamptz,
    -- Derived from these, from the channel's other segments and from its broadcasts.
    ended_at timestamptz,
    broadcast_id text collate "C"
);

create index segment_channel_idx on segment (channel_id, started_at, id);
create index segment_broadcast_idx on segment (broadcast_id);

-- As before, with the segment that is on, if any: the newest one, unless that has ended.
create or replace view channel_now as
select
    channel.id,
    twitch_user.login,
    twitch_user.display_name,
    channel.title,
    channel.language,
    channel.category_id,
    channel.category_name,
    channel.content_classification_labels,
    channel.updated_at,
    channel.anonymous_bits,
    channel.anonymous_gifts,
    live.id is not null as is_live,
    live.id as stream_id,
    live.type as stream_type,
    live.started_at as stream_started_at,
    first.id as broadcast_id,
    first.started_at as broadcast_started_at,
    running.id as segment_id,
    running.title as segment_title,
    running.reference as segment_reference,
    running.started_at as segment_started_at
from channel
join twitch_user on twitch_user.id = channel.id
left join lateral (
    select id, type, started_at, ended_at, broadcast_id from stream
    where stream.channel_id = channel.id and stream.started_at is not null
    order by stream.started_at desc, stream.id desc
    limit 1
) live on live.ended_at is null
-- A broadcast's id is that of its first stream.
left join stream first on first.id = live.broadcast_id
left join lateral (
    select id, title, reference, started_at, ended_at from segment
    where segment.channel_id = channel.id and segment.started_at is not null
    order by segment.started_at desc, segment.id desc
    limit 1
) running on running.ended_at is null;
