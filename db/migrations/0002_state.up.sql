-- What the log adds up to. A pair of columns …_at, …_by is the stamp (time and message id) of the
-- message that a value came from: the newest stamp wins, in whatever order the messages arrive.

create table twitch_user (
    id text collate "C" primary key,
    login text collate "C" not null,
    display_name text not null,
    named_at timestamptz not null,
    named_by text collate "C" not null
);

create index twitch_user_login_idx on twitch_user (login, named_at);

create table channel (
    id text collate "C" primary key references twitch_user,
    title text,
    language text,
    category_id text,
    category_name text,
    content_classification_labels text[],
    updated_at timestamptz,
    updated_by text collate "C",
    -- What people gave who did not want to be named, and so appear as no viewer.
    anonymous_bits bigint not null,
    anonymous_gifts bigint not null
);

create table stream (
    id text collate "C" primary key,
    channel_id text collate "C" not null references channel,
    -- Not known yet when the end was told before the beginning.
    type text collate "C",
    started_at timestamptz,
    -- What a stream.offline with this stream's id said.
    offline_at timestamptz,
    -- Derived from these, from the channel's other streams and from stream_end.
    ended_at timestamptz,
    is_end_estimated boolean not null,
    broadcast_id text collate "C"
);

create index stream_channel_idx on stream (channel_id, started_at, id);
create index stream_broadcast_idx on stream (broadcast_id);

-- Ends told without a stream id, as Twitch did before June 2026.
create table stream_end (
    channel_id text collate "C" not null references channel,
    at timestamptz not null,
    primary key (channel_id, at)
);

-- One show: the streams of a channel with at most 15 minutes between them. Its id is that of its
-- first stream.
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

create table viewer (
    channel_id text collate "C" not null references channel,
    user_id text collate "C" not null references twitch_user,
    first_followed_at timestamptz,
    first_bits_at timestamptz,
    bits bigint not null,
    cheers bigint not null,
    first_gift_at timestamptz,
    gifts bigint not null,
    gift_events bigint not null,
    first_raid_at timestamptz,
    raids bigint not null,
    raid_viewers bigint not null,
    -- The newest word about their subscription, and when it last began and ended.
    is_subscribed boolean,
    subscription_tier text,
    subscription_at timestamptz,
    subscription_by text collate "C",
    subscription_began_at timestamptz,
    subscription_ended_at timestamptz,
    subscription_months bigint,
    primary key (channel_id, user_id)
);

-- The EventSub subscriptions through which messages came.
create table subscription (
    id text collate "C" primary key,
    type text collate "C" not null,
    version text collate "C" not null,
    condition json not null,
    transport json,
    cost integer not null,
    created_at timestamptz,
    -- A dead subscription's status is the reason of its death.
    status text not null,
    status_at timestamptz not null,
    status_by text collate "C" not null
);
