-- State that is derived from several messages of a channel at once: streams, broadcasts, segments. Follows from the log,
-- except missed_stream. No foreign keys, as in 0002.

create table stream (
    -- Twitch's id.
    id text collate "C" primary key,
    channel_id text collate "C" not null,
    -- From stream.online; null while only the end is known.
    type text collate "C",
    started_at timestamptz,
    -- When the last stream.online was sent, and every stream.offline with this stream's id. The stream ended with the first
    -- stream.offline since it was last known to be live.
    online_at timestamptz,
    offline_at timestamptz[] not null,
    -- When Twitch's API was last found not to show the stream, and when it was last found to show a stream that had been
    -- taken for ended. As long as no stream.offline counts, the newest of these and online_at decides.
    gone_at timestamptz,
    shown_at timestamptz,
    -- The last event of the log about it.
    last_event_id bigint not null,
    -- Derived from the columns above, the channel's other streams and stream_end.
    ended_at timestamptz,
    -- True if ended_at does not come from a stream.offline.
    is_end_estimated boolean not null,
    -- The id of the broadcast's first stream.
    broadcast_id text collate "C"
);

create index stream_channel_idx on stream (channel_id, started_at, id);
create index stream_broadcast_idx on stream (broadcast_id);

-- Times of stream.offline messages without a stream id, as Twitch sent them before June 2026.
create table stream_end (
    channel_id text collate "C" not null,
    at timestamptz not null,
    primary key (channel_id, at)
);

-- Live streams that the last look at Twitch's API did not show, and since when. The next look decides whether they ended.
create table missed_stream (
    stream_id text collate "C" primary key,
    since timestamptz not null
);

-- A part of a broadcast that the broadcaster marked: a recording, a game, a guest.
create table segment (
    -- Made by the server that received the mark.
    id text collate "C" primary key,
    channel_id text collate "C" not null,
    -- Its title, and the stamp of the message that said so: the mark of its begin, or a change.
    title text,
    title_at timestamptz,
    title_by text collate "C",
    -- The same for the broadcaster's reference, which may be none.
    reference text,
    reference_at timestamptz,
    reference_by text collate "C",
    -- From the begin mark; null while only later ones are known.
    started_at timestamptz,
    -- When the broadcaster marked the end.
    end_marked_at timestamptz,
    -- When the broadcaster removed it. It is not shown, and ends no other one.
    removed_at timestamptz,
    -- Derived from the columns above, the channel's other segments and its broadcasts.
    ended_at timestamptz,
    broadcast_id text collate "C"
);

create index segment_channel_idx on segment (channel_id, started_at, id);
create index segment_broadcast_idx on segment (broadcast_id);

-- Streams of a channel with at most 15 minutes between them. The id is that of the first stream.
create view broadcast as
select
    broadcast_id as id,
    channel_id,
    min(started_at) as started_at,
    case when bool_and(ended_at is not null) then max(ended_at) end as ended_at,
    bool_or(is_end_estimated) as is_end_estimated,
    array_agg(id order by started_at, id) as stream_ids
from stream
where broadcast_id is not null
group by broadcast_id, channel_id;

-- Channels with their names, their live stream and their current segment.
create view channel_now as
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
-- The newest stream, unless it has ended.
left join lateral (
    select id, type, started_at, ended_at, broadcast_id from stream
    where stream.channel_id = channel.id and stream.started_at is not null
    order by stream.started_at desc, stream.id desc
    limit 1
) live on live.ended_at is null
-- The first stream of its broadcast.
left join stream first on first.id = live.broadcast_id
-- The newest segment, unless it has ended.
left join lateral (
    select id, title, reference, started_at, ended_at from segment
    where segment.channel_id = channel.id and segment.started_at is not null and segment.removed_at is null
    order by segment.started_at desc, segment.id desc
    limit 1
) running on running.ended_at is null;
