-- Tracking for bots of Discord: who wants to know of which channels, and what was posted. Does not follow from the log.

create table discord_bot (
    -- Random, so that a token of a bot that was removed never names another one.
    id bigint primary key,
    name text collate "C" not null unique,
    -- Argon2id, in the PHC format.
    secret_hash text not null,
    -- Grows when the secret is rotated or the bot is switched off: tokens of an older one are refused.
    generation integer not null default 1,
    created_at timestamptz not null,
    disabled_at timestamptz,
    -- Whether a channel of Discord and its tracks are kept or dropped when its webhook was deleted.
    on_webhook_gone text collate "C" not null default 'keep' check (on_webhook_gone in ('keep', 'drop')),
    -- How many days they are kept then.
    keep_gone_days integer not null default 30 check (keep_gone_days between 1 and 365),
    -- How its tracks are announced, but for what a channel of Discord or a track sets itself.
    defaults jsonb not null default '{}'
);

-- The keys that sign the tokens of bots. The newest signs.
create table signing_key (
    id text collate "C" primary key,
    -- Encrypted.
    key_sealed bytea not null,
    created_at timestamptz not null
);

-- A channel of Discord to which a bot has posts made. It has one webhook, and no webhook serves two channels.
create table destination (
    id bigint generated always as identity primary key,
    bot_id bigint not null references discord_bot on delete cascade,
    channel_id bigint not null,
    guild_id bigint,
    webhook_id bigint not null,
    -- Encrypted.
    token_sealed bytea not null,
    application_id bigint,
    -- Whether the webhook is there, was deleted, or posts into another channel; in words, and since when.
    state text collate "C" not null default 'ok' check (state in ('ok', 'gone', 'moved')),
    state_reason text,
    state_at timestamptz not null,
    -- Where the webhook posts to, if it was moved.
    moved_to bigint,
    -- When Discord last said that the webhook is there; null if it was not asked yet.
    verified_at timestamptz,
    created_at timestamptz not null,
    -- How its tracks are announced, but for what a track sets itself.
    settings jsonb not null default '{}',
    -- When a test was last posted.
    tested_at timestamptz,
    -- When its first request is due, or the lease of the server that makes one ends; null if none is due. Posts go before
    -- edits.
    next_at timestamptz,
    is_edit_next boolean not null default false,
    -- Until when Discord wants no request.
    not_before timestamptz,
    -- The server that makes a request, and until when no other makes one.
    leased_by bigint,
    leased_until timestamptz,
    unique (bot_id, channel_id),
    unique (bot_id, webhook_id)
);

create index destination_due_idx on destination (is_edit_next, next_at) where next_at is not null and state = 'ok';
create index destination_guild_idx on destination (bot_id, guild_id);
create index destination_unusable_idx on destination (id) where state <> 'ok';

-- A channel of Twitch that is announced in a channel of Discord.
create table track (
    id bigint generated always as identity primary key,
    destination_id bigint not null references destination on delete cascade,
    twitch_id text collate "C" not null,
    -- The login when it was asked for, for channels that the log does not know.
    login text collate "C" not null,
    settings jsonb not null default '{}',
    created_at timestamptz not null,
    -- When Twitch said that the channel does not exist any more, until something happens on it.
    vanished_at timestamptz,
    unique (destination_id, twitch_id)
);

create index track_twitch_idx on track (twitch_id, id);
create index track_login_idx on track (twitch_id, login);
create index track_vanished_idx on track (twitch_id) where vanished_at is not null;

-- The channels that are tracked and not served of which Twitch is to send streams and titles, as far as its limit of cost
-- allows. All others are looked up.
create table watched_channel (
    twitch_id text collate "C" primary key,
    -- Whether Twitch sends all of it. Until then the channel is looked up, too.
    is_enabled boolean not null default false,
    -- Of the webhook secret with which its subscriptions were created.
    secret_fingerprint text collate "C",
    -- Attempts to create subscriptions since all of them were enabled, when the next one may be made, and why the last failed.
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    problem text
);

-- What bots are told. Ids are handed out in commit order. Kept for seven days.
create table bot_event (
    id bigint generated always as identity primary key,
    bot_id bigint not null references discord_bot on delete cascade,
    -- The server of Discord, if it is about one that is known: it decides on the shard.
    guild_id bigint,
    kind text collate "C" not null,
    body jsonb not null,
    at timestamptz not null
);

create index bot_event_bot_idx on bot_event (bot_id, id);
create index bot_event_at_idx on bot_event (at);

-- A broadcast to tell of, and what is to be said of it now.
create table announcement (
    -- The id of the stream that began it.
    stream_id text collate "C" primary key,
    twitch_id text collate "C" not null,
    login text collate "C" not null,
    display_name text not null,
    title text,
    category_id text,
    category_name text,
    started_at timestamptz not null,
    ended_at timestamptz,
    created_at timestamptz not null,
    -- Titles and categories in their order, each with the time from which it counts: an array of objects.
    segments jsonb not null default '[]',
    -- What events do not tell, and Twitch's API does: the tags, and the video of the stream that began it.
    tags text[],
    video_id text,
    video_picture_url text,
    -- When Twitch's API is asked next; null if it is not.
    look_up_at timestamptz,
    -- Grows with each change of what is to be said.
    revision integer not null default 1,
    -- When the posts are next made or marked for an edit; null if nothing has changed since.
    spread_at timestamptz,
    -- The last of the tracks that have a post, or of the posts that are marked in this pass, and how many these are.
    spread_to bigint not null default 0,
    spread_count integer not null default 0,
    -- Whether all tracks have their post.
    is_expanded boolean not null default false
);

create index announcement_spread_idx on announcement (spread_at) where spread_at is not null;
create index announcement_look_up_idx on announcement (look_up_at) where look_up_at is not null;
create index announcement_twitch_idx on announcement (twitch_id, started_at desc);
create index announcement_created_idx on announcement (created_at);

-- The message about a broadcast in a channel of Discord: one of both. If a track wants it, a second one is about the end.
create table post (
    id bigint generated always as identity primary key,
    stream_id text collate "C" not null references announcement on delete cascade,
    destination_id bigint not null references destination on delete cascade,
    kind text collate "C" not null default 'start' check (kind in ('start', 'end')),
    state text collate "C" not null default 'pending'
        check (state in
            ('pending', 'sending', 'posted', 'uncertain', 'skipped', 'failed', 'dismissed', 'expired', 'filtered')),
    -- When the message was wanted, before what the track says of a delay.
    wanted_at timestamptz not null default now(),
    -- How many answers of Discord to a new message were lost: each may have arrived.
    lost_answers integer not null default 0,
    -- All requests, and those that failed since the last one that did not.
    attempts integer not null default 0,
    failures integer not null default 0,
    -- Whether Discord has refused the name that the message was to have: it is posted under that of the webhook.
    is_name_refused boolean not null default false,
    attempt_at timestamptz,
    message_id bigint,
    -- The message that was posted again, if the bot has found the first one: it is deleted once that one was edited.
    extra_message_id bigint,
    -- Where the message is: not where it was meant to be if the webhook was moved.
    posted_channel_id bigint,
    posted_at timestamptz,
    -- When the first of the broadcasts began that the message is about, if it went on with another one.
    began_at timestamptz,
    -- The revision of the announcement that the message shows.
    have_revision integer not null default 0,
    -- Whether an edit has said that the broadcast has ended.
    is_end_shown boolean not null default false,
    edited_at timestamptz,
    -- When it is posted or edited; null if it is not.
    next_at timestamptz,
    problem text,
    unique (stream_id, destination_id, kind)
);

create index post_due_idx on post (destination_id, next_at) where next_at is not null;
create index post_sending_idx on post (destination_id) where state = 'sending';
create index post_open_idx on post (state, id) where state in ('pending', 'uncertain', 'failed');

-- The limits of the address that calls Discord.
create table egress (
    name text collate "C" primary key,
    -- Requests per second after Discord's global limit was met, and since when; null if it was not.
    rate double precision,
    rate_at timestamptz,
    -- Requests that may be made at once, and as of when.
    tokens double precision not null default 0,
    tokens_at timestamptz not null default now(),
    not_before timestamptz,
    -- Requests of the current ten minutes that Discord counts as invalid, and since when they are counted.
    invalid_count integer not null default 0,
    invalid_since timestamptz not null default now()
);

insert into egress (name) values ('default');
