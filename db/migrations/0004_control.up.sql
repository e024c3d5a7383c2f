-- What showtime needs to act for a channel. None of it follows from the log.

-- The channels that showtime is to serve, by Twitch's id.
create table served_channel (
    id text collate "C" primary key,
    login text collate "C" not null,
    display_name text not null,
    added_at timestamptz not null
);

-- The application's own token (holder "app"), and those of the users who consented (by user id).
create table token (
    holder text collate "C" primary key,
    login text collate "C",
    -- Encrypted; the holder is authenticated with them, so that rows can't be exchanged.
    access_token bytea not null,
    refresh_token bytea,
    scopes text[] not null,
    expires_at timestamptz,
    obtained_at timestamptz not null,
    validated_at timestamptz,
    -- Why only the person can help, by consenting again; null while the token is good.
    needs_consent text
);

-- Every subscription that each served channel should have, and how far it has got.
create table wanted_subscription (
    type text collate "C" not null,
    version text collate "C" not null,
    channel_id text collate "C" not null references served_channel on delete cascade,
    -- Twitch's id for it, once created.
    subscription_id text collate "C",
    -- Twitch's status, "missing", or "needs_consent": Twitch refused to create it without.
    status text not null,
    since timestamptz not null,
    -- Why it could not be created, in words.
    problem text,
    -- Failures in a row, and when to try again.
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    primary key (channel_id, type, version)
);

-- When Twitch's API was first seen not to show the stream any more: the latest time of its end, as
-- long as no stream.offline told that. This one does follow from the log.
alter table stream add column gone_at timestamptz;
