-- The sinks: other programs that get every event. Does not follow from the log.
create table sink (
    id bigint generated always as identity primary key,
    kind text collate "C" not null check (kind in ('amqp', 'webhook')),
    name text collate "C" not null unique,
    -- The follower that reads the log for it, and has its cursor and its lease.
    follower text collate "C" not null generated always as ('sink:' || name) stored,
    -- What its kind requires beside the secret.
    settings jsonb not null,
    -- The address of the broker, encrypted; null if the settings name a variable of the environment that holds it.
    secret_sealed bytea,
    -- The selected types and channels; null for all.
    types text[],
    channels text[],
    -- What the server that runs it saw last; "off" while it is paused.
    state text collate "C" not null default 'waiting' check (state in ('ok', 'waiting', 'blocked', 'off')),
    problem text,
    failing_since timestamptz,
    -- Messages that the broker dropped, since no queue was bound.
    dropped bigint not null default 0
);
