-- The chats that are read over IRC, and who is in them. Does not follow from the log.
create table chat (
    channel_id text collate "C" primary key references served_channel on delete cascade,
    -- When it is read: off, live (while the channel is live, and 15 minutes longer), always.
    mode text collate "C" not null check (mode in ('off', 'live', 'always')),
    -- Whether it is told who comes and leaves.
    membership boolean not null,
    -- Until when messages may come both over IRC and from EventSub; null if they never came over IRC.
    lines_until timestamptz
);

-- Who is in a chat, as far as IRC tells.
create table presence (
    channel_id text collate "C" not null references chat on delete cascade,
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
