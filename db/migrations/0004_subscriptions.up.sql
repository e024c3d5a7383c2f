-- The channels to serve, the credentials for them, and the EventSub subscriptions they need. Does not follow from the log.

create table served_channel (
    -- Twitch's id.
    id text collate "C" primary key,
    login text collate "C" not null,
    display_name text not null,
    -- When it was added, or `init` was last run for it: what waits for a person is then tried again.
    requested_at timestamptz not null
);

-- Tokens that Twitch issued: the application's own (holder "app") and those of users who consented (holder: user id).
create table token (
    holder text collate "C" primary key,
    login text collate "C",
    -- Encrypted. The holder is part of what is authenticated, so that tokens can't be swapped between rows.
    access_token bytea not null,
    refresh_token bytea,
    scopes text[] not null,
    expires_at timestamptz,
    obtained_at timestamptz not null,
    validated_at timestamptz,
    -- Why the user must consent again; null while the token can be used or refreshed.
    needs_consent text
);

-- The subscriptions that each served channel should have, and the progress of their creation.
create table desired_subscription (
    type text collate "C" not null,
    version text collate "C" not null,
    channel_id text collate "C" not null references served_channel on delete cascade,
    -- Twitch's id; null until the subscription is created.
    subscription_id text collate "C",
    -- Twitch's status, or "missing", or "needs_consent" (Twitch refuses to create it without the user's consent).
    status text not null,
    since timestamptz not null,
    -- Why it could not be created, as text.
    problem text,
    -- The number of consecutive failures, and the times of the last and of the next attempt.
    attempts integer not null default 0,
    attempted_at timestamptz,
    next_attempt_at timestamptz,
    primary key (channel_id, type, version)
);

-- The sign of life of the servers that keep the subscriptions: one row, by the database's clock. Not logged, since it is
-- worth nothing after a crash; so a heartbeat costs no flush of the write-ahead log.
create unlogged table reconciler (
    is_only boolean primary key default true check (is_only),
    beat_at timestamptz not null,
    -- The start of the last complete comparison of what Twitch has with what it should have.
    compared_at timestamptz
);
