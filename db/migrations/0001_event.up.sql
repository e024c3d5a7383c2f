-- The append-only log. Everything else can be rebuilt from it.
create table event (
    -- The cursor: handed out in commit order, so "after N" never skips one.
    id bigint generated always as identity primary key,
    message_id text collate "C" not null unique,
    -- notification, revocation, or a kind of message that Twitch added later.
    message_type text collate "C" not null,
    -- The subscription's type, version and id; unknown kinds of messages may have none.
    type text collate "C",
    version text collate "C",
    subscription_id text collate "C",
    -- The channel, or the user where a type has no channel.
    channel_id text collate "C",
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    -- The body as it came; json, because jsonb would reorder it and refuse \u0000.
    payload json not null
);

create index event_channel_idx on event (channel_id, id);
create index event_type_idx on event (type, id);
create index event_occurred_at_idx on event (occurred_at);
