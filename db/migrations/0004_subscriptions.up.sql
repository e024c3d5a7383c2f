-- The channels to serve, the credentials for them, and the EventSub subscriptions they need. Does not follow from the log.

create table served_channel (
    -- Twitch's id.
    id text collate "C" primary key,
    login text collate "C" not null,
    display_name text not null,
    -- When it was added, or `init` was last run for it: what waits for a person is then tried again.
    requested_at timestamptz not null,
    -- How Twitch is to deliver its messages; null for what the setting says.
    transport text collate "C" check (transport in ('webhook', 'websocket')),
    -- How it delivers them now, or will after the switch that is under way; null until a server has seen the channel.
    current_transport text collate "C" check (current_transport in ('webhook', 'websocket'))
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

-- The subscriptions that each served channel should have, and the progress of their creation. A channel that moves from one
-- transport to another should have all of them over both for a while.
create table desired_subscription (
    type text collate "C" not null,
    version text collate "C" not null,
    channel_id text collate "C" not null references served_channel on delete cascade,
    transport text collate "C" not null check (transport in ('webhook', 'websocket')),
    -- Twitch's id; null until the subscription is created.
    subscription_id text collate "C",
    -- The fingerprint of the webhook secret that it was created with; null if that is not known, or if it has none.
    secret_fingerprint text collate "C",
    -- Twitch's status, or "missing", or "needs_consent" (Twitch refuses to create it without the user's consent), or
    -- "no_session" (there is no WebSocket session to create it on).
    status text not null,
    since timestamptz not null,
    -- Why it could not be created, as text.
    problem text,
    -- The number of consecutive failures, and the times of the last and of the next attempt.
    attempts integer not null default 0,
    attempted_at timestamptz,
    next_attempt_at timestamptz,
    primary key (channel_id, type, version, transport)
);

-- The last comparison of what Twitch has with what it should have: one row, by the database's clock. Not logged, since
-- `init` waits for the next one only.
create unlogged table reconciler (
    is_only boolean primary key default true check (is_only),
    -- The start of the last complete comparison.
    compared_at timestamptz not null
);

-- The heartbeats of the servers on this database, by the database's clock. Not logged, since they are worth nothing after a
-- crash; so a heartbeat costs no flush of the write-ahead log.
create unlogged table server (
    -- Random, another one at each start.
    id bigint primary key,
    -- Of the webhook secret with which it verifies messages.
    secret_fingerprint text collate "C" not null,
    -- Whether it has what it needs to create subscriptions.
    creates_subscriptions boolean not null,
    beat_at timestamptz not null,
    -- Since when no two of its heartbeats were further apart than a lease.
    since timestamptz not null
);

-- The servers that run: each heartbeat is a lease of 15 seconds.
create view living_server as
select * from server where beat_at > now() - interval '15 seconds';

create view desired_subscription_state as
select
    desired_subscription.*,
    -- Whether a server that runs refuses its messages, as far as is known.
    transport = 'webhook' and status in ('enabled', 'webhook_callback_verification_pending') and exists (
        select from living_server
        where living_server.secret_fingerprint is distinct from desired_subscription.secret_fingerprint
    ) as has_other_secret
from desired_subscription;
