-- State that is merged row by row from the log: users, channels, viewers, EventSub subscriptions.
--
-- A pair of columns …_at, …_by is a stamp: the time and the id of the message that a value comes from. The newest stamp
-- wins, in whatever order the messages arrive.
--
-- No foreign keys: only the projection writes these tables, and it adds a row for every id that another row refers to. The
-- checks by Postgres took longer than the writes.

-- Users by id, with their newest names. Channels are users.
create table twitch_user (
    id text collate "C" primary key,
    -- Lower-case ASCII.
    login text collate "C" not null,
    display_name text not null,
    named_at timestamptz not null,
    named_by text collate "C" not null
);

-- Without named_at, which changes with every message that names the user: while no indexed column changes, an update stays
-- in its page and touches no index.
create index twitch_user_login_idx on twitch_user (login);

-- The logins that channels have had, each with the newest message that named the channel by it: links and overlays that
-- were made with an earlier login go on working.
create table channel_login (
    login text collate "C" not null,
    channel_id text collate "C" not null,
    named_at timestamptz not null,
    named_by text collate "C" not null,
    primary key (login, channel_id)
);

create table channel (
    id text collate "C" primary key,
    -- The newest channel.update; null before the first one.
    title text,
    language text,
    category_id text,
    category_name text,
    content_classification_labels text[],
    updated_at timestamptz,
    updated_by text collate "C",
    -- Sums of the gifts by anonymous users, who have no row in viewer.
    anonymous_bits bigint not null,
    anonymous_gifts bigint not null
);

-- A user's activity in a channel.
create table viewer (
    channel_id text collate "C" not null,
    user_id text collate "C" not null,
    first_followed_at timestamptz,
    -- The first event that told of a follow.
    follow_event_id bigint,
    -- Cheers: the first one, the sum of bits, their number.
    first_bits_at timestamptz,
    bits bigint not null,
    cheers bigint not null,
    -- Gift subscriptions: the first gift, the sum of subscriptions given, the number of gifts.
    first_gift_at timestamptz,
    gifts bigint not null,
    gift_events bigint not null,
    -- Raids into the channel: the first one, their number, the sum of viewers brought.
    first_raid_at timestamptz,
    raids bigint not null,
    raid_viewers bigint not null,
    -- The subscription to the channel, from the newest message about it; when it last began and ended.
    is_subscribed boolean,
    subscription_tier text,
    subscription_at timestamptz,
    subscription_by text collate "C",
    subscription_began_at timestamptz,
    subscription_ended_at timestamptz,
    subscription_months bigint,
    primary key (channel_id, user_id)
);

-- For the followers that a channel gained in a span of time.
create index viewer_follow_idx on viewer (channel_id, first_followed_at) where first_followed_at is not null;

-- What happened on a channel, by the minute, as Twitch's times say. Totals of a broadcast are sums over its minutes.
create table activity (
    channel_id text collate "C" not null,
    -- When the minute began.
    minute timestamptz not null,
    -- Subscriptions that began, without those that were given away; renewals that subscribers announced.
    subscriptions bigint not null,
    resubscriptions bigint not null,
    -- Subscriptions given away, and bits cheered.
    gifts bigint not null,
    bits bigint not null,
    -- Raids into the channel, and the viewers that they brought.
    raids bigint not null,
    raid_viewers bigint not null,
    redemptions bigint not null,
    -- Chat messages written in this channel, without the copies of a shared chat.
    messages bigint not null,
    -- Samples of the number of viewers: their sum, how many there are, the greatest.
    viewers bigint not null default 0,
    viewer_samples bigint not null default 0,
    viewers_peak bigint not null default 0,
    primary key (channel_id, minute)
);

-- What happened on a channel from the minute of one time to that of another.
create function channel_totals(channel text, since timestamptz, until timestamptz) returns table (
    followers bigint, subscriptions bigint, resubscriptions bigint, gifts bigint, bits bigint, raids bigint, raid_viewers bigint,
    redemptions bigint, messages bigint, viewers_average bigint, viewers_peak bigint
) language sql stable as $$
    select
        (select count(*) from viewer
        where channel_id = channel and first_followed_at >= first and first_followed_at < last + interval '1 minute'),
        coalesce(sum(activity.subscriptions), 0)::bigint,
        coalesce(sum(activity.resubscriptions), 0)::bigint,
        coalesce(sum(activity.gifts), 0)::bigint,
        coalesce(sum(activity.bits), 0)::bigint,
        coalesce(sum(activity.raids), 0)::bigint,
        coalesce(sum(activity.raid_viewers), 0)::bigint,
        coalesce(sum(activity.redemptions), 0)::bigint,
        coalesce(sum(activity.messages), 0)::bigint,
        round(sum(activity.viewers) / nullif(sum(activity.viewer_samples), 0))::bigint,
        max(activity.viewers_peak) filter (where activity.viewer_samples > 0)
    from (values (date_bin('1 minute', since, 'epoch'), case when isfinite(until) then date_bin('1 minute', until, 'epoch') else until end))
        as span (first, last)
    left join activity on channel_id = channel and minute between first and last
    group by first, last
$$;

-- What events told that others may tell again or come too late for: by it, event.repeats is found. First follows are in
-- viewer.
create table told (
    -- A subscription type.
    kind text collate "C" not null,
    channel_id text collate "C" not null,
    -- The id of what it is about: a user, a message, a poll. Empty if it is about the channel as a whole.
    subject text collate "C" not null,
    -- The first event that told it; where at is not null, the newest.
    id bigint not null,
    at timestamptz,
    primary key (kind, channel_id, subject)
);

-- For what was taken back in a chat since a time.
create index told_chat_idx on told (channel_id, at)
    where kind in ('channel.chat.message_delete', 'channel.chat.clear');

-- EventSub subscriptions through which messages were received, as the newest message describes them.
create table subscription (
    id text collate "C" primary key,
    type text collate "C" not null,
    version text collate "C" not null,
    condition json not null,
    transport json,
    cost integer not null,
    created_at timestamptz,
    -- enabled, or the reason given in the revocation.
    status text not null,
    status_at timestamptz not null,
    status_by text collate "C" not null
);
