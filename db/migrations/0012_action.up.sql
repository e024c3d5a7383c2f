-- Actions: what showtime does on Twitch, each at most once if it must not be repeated. Does not follow from the log.
create table action (
    id bigint generated always as identity primary key,
    -- The rule that decided it, and its revision; 0 if a client requested it.
    rule_id bigint not null default 0,
    revision integer not null default 0,
    -- The event that the rule reacted to; null for a request, a timer or a batch.
    event_id bigint,
    -- What it follows from: of each rule, subject and step there is one action. For a request: the key that the client gave,
    -- or a made-up one.
    subject text collate "C" not null,
    -- Its place among the steps of the rule. Steps of one subject are done in this order.
    step smallint not null default 0,
    -- Whether the steps behind it are done although this one has not happened.
    continues boolean not null default false,
    -- The name of the step, such as "say", and what it says.
    kind text collate "C" not null,
    params jsonb not null,
    -- Whether it may be repeated. What was done in the transaction that decided it is "planning".
    class text collate "C" not null check (class in ('idempotent', 'once', 'stable_id', 'planning')),
    channel_id text collate "C" not null,
    -- The user who acts.
    as_user text collate "C" not null,
    -- The user that it is about; null if there is none.
    target text collate "C",
    -- Which of Twitch's limits it counts for.
    bucket text collate "C" not null,
    -- Of what is due, the lowest goes first.
    priority smallint not null,
    -- Actions of a channel on the same lane go one after the other.
    lane text collate "C" not null,
    state text collate "C" not null default 'pending'
        check (state in ('pending', 'sending', 'done', 'dropped', 'failed', 'uncertain', 'stale', 'dry', 'off')),
    created_at timestamptz not null,
    -- When it is due, and when it is too late.
    not_before timestamptz not null,
    expires_at timestamptz not null,
    attempts integer not null default 0,
    -- When it is tried again; null before it was tried.
    retry_at timestamptz,
    -- When the last attempt began, and when it is known to have ended.
    sending_at timestamptz,
    settled_at timestamptz,
    -- What Twitch answered, and in words why the last attempt failed.
    result jsonb,
    problem text,
    -- Whether the author of a chat message is the broadcaster, a moderator or a VIP, as its echo said.
    is_privileged boolean,
    unique (rule_id, subject, step)
);

create index action_open_idx on action (channel_id, lane, priority, id) where state in ('pending', 'sending');
create index action_sending_idx on action (bucket, sending_at);
create index action_unsettled_idx on action (as_user, channel_id) where state in ('pending', 'sending', 'uncertain');
create index action_privileged_idx on action (as_user, channel_id, id desc) where is_privileged is not null;
create index action_state_idx on action (state, id);
create index action_settled_idx on action (settled_at);
create index action_subject_idx on action (subject) where rule_id <> 0;
create index action_rule_idx on action (rule_id, id) where rule_id <> 0;

-- The server that executes the actions.
create table action_lease (
    is_only boolean primary key default true check (is_only),
    -- Grows with every change of the holder.
    epoch bigint not null default 0,
    leased_until timestamptz not null default now()
);

insert into action_lease default values;

-- The account that acts where a channel's own need not.
create table bot (
    is_only boolean primary key default true check (is_only),
    user_id text collate "C" not null,
    login text collate "C" not null
);

-- Links by which people elsewhere consent. Of a link and of the state of OAuth only the SHA-256 is kept.
create table consent_link (
    id bytea primary key,
    -- The channel whose broadcaster is asked; null for the account that is the bot, or becomes it.
    channel_id text collate "C",
    -- The scopes to ask for, beside those that are granted and those that subscriptions need.
    scopes text[] not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    -- The state that the browser was sent to Twitch with last; null once it has come back.
    state bytea unique,
    used_at timestamptz
);
