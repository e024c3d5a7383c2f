drop view channel_now;
-- With columns by name, so that those which came later can be dropped.
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
    first.started_at as broadcast_started_at
from channel
join twitch_user on twitch_user.id = channel.id
left join lateral (
    select id, type, started_at, ended_at, broadcast_id from stream
    where stream.channel_id = channel.id and stream.started_at is not null
    order by stream.started_at desc, stream.id desc
    limit 1
) live on live.ended_at is null
-- A broadcast's id is that of its first stream.
left join stream first on first.id = live.broadcast_id;

drop table segment;
