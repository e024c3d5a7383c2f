-- Channels that change from one transport to another. In between both deliver, so that nothing is lost, and each event comes
-- twice. Does not follow from the log.
create table transport_switch (
    -- Twitch's id of the channel.
    channel_id text collate "C" primary key references served_channel on delete cascade,
    from_transport text collate "C" not null,
    to_transport text collate "C" not null,
    -- opening, creating, overlapping, deleting, lingering, done; or aborted.
    state text collate "C" not null,
    began_at timestamptz not null,
    -- Since when it has been in this state.
    since timestamptz not null,
    -- Why it was aborted.
    problem text,
    -- Twitch's ids of the subscriptions that are to be deleted.
    to_delete text[] not null default '{}',
    -- When one of the two transports had stopped delivering; null while both may.
    gone_at timestamptz
);

-- The notifications of these channels while both transports may deliver, so that an echo is found: the same event over the
-- other transport. They go with the switch, which stays for ten minutes after its end.
create table transport_switch_message (
    -- Id in the log.
    event_id bigint primary key,
    channel_id text collate "C" not null references transport_switch on delete cascade,
    -- Hash of the subscription's type, version and condition, and of what happened.
    fingerprint bytea not null,
    transport text collate "C" not null,
    -- When Twitch sent the message.
    sent_at timestamptz not null
);
create index transport_switch_message_fingerprint_sent_at_idx on transport_switch_message (fingerprint, sent_at);
create index transport_switch_message_channel_id_idx on transport_switch_message (channel_id);

-- The transports over which each served channel has its subscriptions: one, or two during a switch. Null is what the setting
-- says.
create view channel_transport as
select id as channel_id, coalesce(current_transport, transport) as transport
from served_channel
where not exists (select from transport_switch where channel_id = served_channel.id and state = 'opening')
union all
select channel_id, from_transport from transport_switch where state in ('opening', 'creating', 'overlapping');

create view transport_switch_state as
select
    switch.*,
    login,
    -- For how long it has been in this state, in seconds.
    extract(epoch from clock_timestamp() - since)::float8 as age,
    -- Whether everything that the old subscriptions deliver comes over the new ones, too, and all of these were tried.
    coalesce(is_ready, false) as is_ready,
    -- Whether an attempt to create a new one failed.
    coalesce(has_failed, false) as has_failed
from transport_switch switch
join served_channel on served_channel.id = switch.channel_id
cross join lateral (
    select
        bool_and(new.status = 'enabled' or old.status is distinct from 'enabled'
            and (new.attempted_at is not null or new.status = 'needs_consent')) as is_ready,
        bool_or(new.problem is not null or new.attempts > 1 or new.status in ('needs_consent', 'no_session')) as has_failed
    from desired_subscription new
    left join desired_subscription old on old.channel_id = new.channel_id and old.type = new.type
        and old.version = new.version and old.transport = switch.from_transport
    where new.channel_id = switch.channel_id and new.transport = switch.to_transport
) created;
