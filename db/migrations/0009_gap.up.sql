-- Spans of time in which messages of a channel may have been lost: there was no connection, or no room. Does not follow from
-- the log.
create table gap (
    id bigint generated always as identity primary key,
    -- Twitch's id of the channel.
    channel_id text collate "C" not null,
    -- The time of the last message before it that was kept.
    began_at timestamptz not null,
    -- When messages came again.
    ended_at timestamptz not null,
    -- Why: a close code, or a word such as `io`, `keepalive` or `spool`.
    cause text not null,
    -- When Twitch's API was last asked what had happened; null if it still has to be.
    looked_up_at timestamptz,
    -- How many missed events it showed.
    found bigint not null default 0,
    check (began_at <= ended_at)
);
create index gap_channel on gap (channel_id, began_at desc, id desc);
create index gap_ended on gap (ended_at desc, id desc);

-- Spans of time in which a part of a server did not work, as that server saw it. Does not follow from the log.
create table outage (
    id bigint generated always as identity primary key,
    -- database, feeds, subscriptions; or server, while none ran.
    part text collate "C" not null,
    began_at timestamptz not null,
    ended_at timestamptz not null,
    -- In words.
    cause text not null,
    check (began_at <= ended_at)
);
create index outage_ended on outage (ended_at desc, id desc);
