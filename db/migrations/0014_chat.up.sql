-- How the chats of channels are read, as far as it was set. Does not follow from the log.
create table chat (
    channel_id text collate "C" primary key references served_channel on delete cascade,
    -- When it is read: off, live (while the channel is live, and 15 minutes longer), always; null as the rules need it.
    mode text collate "C" check (mode in ('off', 'live', 'always')),
    -- Whether it is told who comes and leaves; null as the rules need it.
    membership boolean,
    -- Until when messages may come both over IRC and from EventSub; null if they never came over IRC.
    lines_until timestamptz
);

-- The types of events that the rules need of each served channel.
create view needed_type as
    select distinct served.id as channel_id, kind as type
    from served_channel served
    join rule on rule.channels is null or served.id = any (rule.channels) or served.login = any (rule.channels)
    cross join unnest(rule.types) as kind;

-- How each chat is read: as it was set, or else while the channel is live if a rule needs it.
create view chat_reading as
    select served.id as channel_id,
        coalesce(chat.mode, case when needs.chat then 'live' else 'off' end) as mode,
        coalesce(chat.membership, needs.presence) as membership,
        chat.mode is null as is_default
    from served_channel served
    left join chat on chat.channel_id = served.id
    cross join lateral (
        select coalesce(bool_or(type like 'channel.chat.%' or type = 'showtime.chat.presence'), false) as chat,
            coalesce(bool_or(type = 'showtime.chat.presence'), false) as presence
        from needed_type where channel_id = served.id
    ) as needs;

-- Who is in a chat, as far as IRC tells.
create table presence (
    channel_id text collate "C" not null references served_channel on delete cascade,
    login text collate "C" not null,
    since timestamptz not null,
    -- When the user last wrote or came.
    last_seen timestamptz not null,
    -- Since when the user is gone; null while there.
    absent_since timestamptz,
    primary key (channel_id, login)
);

-- The messages of chats that came over IRC or could have, for some minutes: what comes over IRC and from EventSub is told once.
create table chat_line (
    channel_id text collate "C" not null,
    -- Twitch's id of the message.
    message_id text collate "C" not null,
    event_id bigint not null,
    told_at timestamptz not null,
    primary key (channel_id, message_id)
);

create index chat_line_told_idx on chat_line (told_at);
