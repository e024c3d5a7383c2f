-- The channels to serve, the credentials for them, and the EventSub subscriptions they need. Does not follow from the log.

create table served_channel (
    -- Twitch's id.
    id text collate "C" primary key,
    login text collate "C" not null,
    display_name text not null,
    added_at timestamptz not null
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
    -- The number of consecutive failures, and the time of the next attempt.
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    primary key (channel_id, type, version)
);
