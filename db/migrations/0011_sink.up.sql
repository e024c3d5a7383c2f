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

-- Events that a webhook failed to deliver while others passed; they are tried again out of order. A delivered one has no
-- row. That the event is still in the log is not required: without it the row means nothing, and goes.
create table delivery (
    sink_id bigint not null references sink on delete cascade,
    event_id bigint not null,
    attempts integer not null,
    -- When it is tried again; null if it is out of attempts.
    next_at timestamptz,
    -- The status of the last answer; null if there was none.
    last_status integer,
    -- What was wrong with the last attempt; nothing that the receiver wrote.
    problem text not null,
    primary key (sink_id, event_id)
);

create index delivery_next_idx on delivery (sink_id, next_at);
create index delivery_event_idx on delivery (event_id);
