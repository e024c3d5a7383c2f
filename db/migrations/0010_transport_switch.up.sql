-- Channels that move from one transport to another. In between both deliver, so that nothing is lost, and each event comes
-- twice. Does not follow from the log.
create table transport_switch (
    -- Twitch's id of the channel.
    channel_id text collate "C" primary key,
    from_transport text collate "C" not null,
    to_transport text collate "C" not null,
    -- creating, overlapping, deleting, lingering, done; or aborted.
    state text collate "C" not null,
    began_at timestamptz not null,
    -- Since when it has been in this state.
    since timestamptz not null,
    -- Why it was aborted.
    problem text
);

-- The notifications of these channels since the switch began, so that an echo is found: the same event through another
-- subscription. They go with the switch, which stays for ten minutes after its end.
create table transport_switch_message (
    -- Id in the log.
    event_id bigint primary key,
    channel_id text collate "C" not null references transport_switch on delete cascade,
    -- Hash of the subscription's type, version and condition, and of what happened.
    fingerprint bytea not null,
    subscription_id text collate "C" not null,
    -- When the subscription was created, if the message says so.
    subscribed_at timestamptz,
    -- When Twitch sent the message.
    sent_at timestamptz not null
);
create index transport_switch_message_fingerprint_idx on transport_switch_message (fingerprint);
