-- Rules: what follows from what happens. Does not follow from the log.

-- What all rules have in common.
create table rule_set (
    is_only boolean primary key default true check (is_only),
    -- Grows with every change of this row or of a rule.
    revision bigint not null default 0,
    -- The login of the account that acts; null for the bot that is connected, or else each broadcaster's own.
    bot text collate "C",
    -- Logins or ids of users that no rule reacts to; null for the bots that the program knows.
    ignore_users text[],
    -- Whether all rules only record what they would do.
    is_dry boolean not null default false
);

insert into rule_set default values;

create table rule (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique,
    -- Grows with every change of the body.
    revision integer not null default 1,
    -- The rules see an event in this order.
    position integer not null,
    -- The rule as a tree, as the API takes it.
    body jsonb not null,
    -- The types of the events that it needs, which follow from the body; none if it is turned off.
    types text[] collate "C" not null,
    -- The logins and ids of the channels on which it needs them; null for all.
    channels text[] collate "C",
    changed_at timestamptz not null
);

-- Each revision of a rule. The body is null where it was removed.
create table rule_history (
    id bigint generated always as identity primary key,
    rule_id bigint not null,
    name text collate "C" not null,
    revision integer not null,
    body jsonb,
    changed_by text not null,
    changed_at timestamptz not null
);

create index rule_history_name_idx on rule_history (name, id);

-- When a rule last reacted, and when and why it last did not though it waits for such an event.
create table rule_outcome (
    rule_id bigint primary key references rule on delete cascade,
    fired_at timestamptz,
    refused_at timestamptz,
    refusal text
);

-- Until when a rule does not react to a user, or to all (an empty user).
create table rule_cooldown (
    rule_id bigint not null references rule on delete cascade,
    channel_id text collate "C" not null,
    -- The id, or the login of a user whose id is not known.
    user_id text collate "C" not null,
    until timestamptz not null,
    primary key (rule_id, channel_id, user_id)
);

create index rule_cooldown_until_idx on rule_cooldown (until);

-- The reactions of the last minute, and until when a rule rests that had too many.
create table rule_pace (
    rule_id bigint not null references rule on delete cascade,
    channel_id text collate "C" not null,
    recent timestamptz[] not null,
    rests_until timestamptz,
    primary key (rule_id, channel_id)
);

-- How often a rule has timed a user out, so that the next time is longer.
create table rule_strike (
    rule_id bigint not null references rule on delete cascade,
    channel_id text collate "C" not null,
    user_id text collate "C" not null,
    count integer not null,
    -- When that is forgotten; null for never.
    until timestamptz,
    primary key (rule_id, channel_id, user_id)
);

create table rule_timer (
    rule_id bigint not null references rule on delete cascade,
    channel_id text collate "C" not null,
    next_at timestamptz not null,
    -- Messages of others since the last time.
    lines integer not null,
    primary key (rule_id, channel_id)
);

-- Events that become one reaction when the batch is due.
create table rule_batch (
    rule_id bigint not null references rule on delete cascade,
    channel_id text collate "C" not null,
    -- The event that began it.
    first_event_id bigint not null,
    due_at timestamptz not null,
    -- How many joined, also without a user; less the members who were forgotten.
    events integer not null,
    -- The users: [{id, login, name}].
    members jsonb not null,
    primary key (rule_id, channel_id)
);

-- What rules count and remember.
create table counter (
    channel_id text collate "C" not null,
    name text collate "C" not null,
    value bigint not null,
    primary key (channel_id, name)
);

create table variable (
    channel_id text collate "C" not null,
    name text collate "C" not null,
    value text not null,
    primary key (channel_id, name)
);

-- Lets the next messages of a user through the rules with permits.
create table permit (
    channel_id text collate "C" not null,
    login text collate "C" not null,
    until timestamptz not null,
    uses integer not null,
    primary key (channel_id, login)
);
