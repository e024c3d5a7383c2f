-- The append-only log of messages. The state (0002 and 0003) can be rebuilt from it.
create table event (
    -- The readers' cursor. Ids are handed out in commit order, so reading after N misses no event.
    id bigint generated always as identity primary key,
    message_id text collate "C" not null unique,
    -- notification, revocation, inferred, segment, or a type that Twitch adds later.
    message_type text collate "C" not null,
    -- The subscription's type, version and id. Message types that Twitch adds later may have none.
    type text collate "C",
    version text collate "C",
    subscription_id text collate "C",
    -- The channel, or the user for subscription types without a channel.
    channel_id text collate "C",
    -- When Twitch sent the message, and when this server received it.
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    -- A test event is stored and delivered like any other, but changes no state.
    is_test boolean not null default false,
    -- The earlier event that told the same, or that took this one back before it arrived; null for news. Found by the
    -- append.
    repeats bigint,
    -- Whether it tells what another subscription of the same type and condition told (repeats): then it changes no state.
    is_echo boolean not null default false,
    -- The body as it was received, but without the e-mail address of an account. Type json, because jsonb reorders keys and
    -- refuses \u0000.
    payload json not null
);

-- For lists of one channel's events, of one type, and of one type in one channel. The last one is needed where both the
-- channel and the type have many events, but few in common.
create index event_channel_idx on event (channel_id, id);
create index event_type_idx on event (type, id);
create index event_channel_type_idx on event (channel_id, type, id);

-- For the planner, a channel and a type are a small part of the log, even where there is only one. Otherwise a list of a
-- channel without events would scan the whole log. Counts from the first analyze on; before, Postgres assumes 200.
alter table event
    alter column channel_id set (n_distinct = 1000),
    alter column type set (n_distinct = 1000);

-- For the other repeats of the same event.
create index event_repeats_idx on event (repeats, id) where repeats is not null;

-- The time range of each complete block of 1,024 ids, from which a range of times is turned into a range of ids. Ids and
-- times grow together only roughly, since messages arrive late and clocks differ. An index on event.occurred_at would find
-- events in the order of time, while pages are in the order of ids.
--
-- Both columns grow with the block, so that an index finds the first block that reaches a time and the last block that
-- begins before a time. The append that completes a block inserts its row; updating the newest block with every append
-- would cost a quarter of a millisecond.
create table event_block (
    -- id / 1024
    block bigint primary key,
    -- The earliest occurred_at in this block and all later complete blocks.
    earliest_from_here timestamptz not null,
    -- The latest occurred_at in this block and all earlier blocks.
    latest_so_far timestamptz not null
);

create index event_block_earliest_idx on event_block (earliest_from_here, block);
create index event_block_latest_idx on event_block (latest_so_far, block);

-- One row about the whole log.
create table log_epoch (
    is_only boolean primary key default true check (is_only),
    -- Grows when the log begins again far above its old ids, because it was restored from a backup.
    epoch integer not null default 0,
    -- Grows when events were emptied or deleted, so that servers drop them from memory.
    revision bigint not null default 0,
    -- The greatest id that was pruned. A reader behind it has missed something.
    pruned_through bigint not null default 0,
    -- The database and the table as Postgres knows them. A copy that was restored has others. Null before the first start.
    identity text
);

insert into log_epoch default values;

-- Ids that were used before a restore, or lie between two epochs. No cursor is among them.
create table log_gap (
    first_id bigint primary key,
    last_id bigint not null,
    begun_at timestamptz not null default now()
);
