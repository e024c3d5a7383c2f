-- What an append does in the database. Servers of two versions run side by side during an upgrade: a function that changes gets
-- another name, and the old one stays until the next version.

-- What events told with these keys, and which of these messages and users they took back in these chats: messages that were
-- deleted, or the chat that was cleared, since a time each. However little the planner knows of the tables, each key is looked up
-- in their index, and what was taken back in a chat since a time is a range of told_chat_idx.
create function told_v1(
    key_kinds text[], key_channels text[], key_subjects text[], chat_channels text[], chats_deleted_since timestamptz[],
    chats_cleared_since timestamptz[], chat_subjects text[]
) returns table (kind text, channel_id text, subject text, id bigint, at timestamptz)
language plpgsql stable as $$
#variable_conflict use_column
begin
    if cardinality(key_kinds) = 0 and cardinality(chat_channels) = 0 then
        return;
    end if;
    return query
    select key.kind, key.channel_id, key.subject, found.id, found.at
    from unnest(key_kinds, key_channels, key_subjects) as key (kind, channel_id, subject)
    cross join lateral (
        (select follow_event_id as id, null::timestamptz as at from viewer
        where key.kind = 'channel.follow' and viewer.channel_id = key.channel_id and viewer.user_id = key.subject
            and follow_event_id is not null
        limit 1)
        union all
        (select id, at from told
        where key.kind <> 'channel.follow'
            and told.kind = key.kind and told.channel_id = key.channel_id and told.subject = key.subject
        limit 1)
    ) found
    union all
    select found.kind, chat.channel_id, found.subject, found.id, found.at
    from unnest(chat_channels, chats_deleted_since, chats_cleared_since) as chat (channel_id, deleted_since, cleared_since)
    cross join lateral (
        select kind, subject, id, at from told
        where kind in ('channel.chat.message_delete', 'channel.chat.clear')
            and told.channel_id = chat.channel_id and told.at >= chat.deleted_since
        order by told.channel_id, told.at
        limit 10000
    ) found
    where (found.kind = 'channel.chat.message_delete' or found.at >= chat.cleared_since)
        and (found.subject = '' or found.subject in (select unnest(chat_subjects)));
end
$$;

-- Merges changes into the tables whose rows do not depend on each other, and returns what told_v1 finds before. The ids of events
-- are counted from `base`. With `are_first`, the follows must be the first of their users in their channels: otherwise fails with
-- unique_violation. Parameters are one array for each column. Channels that changed come as rows in JSON, since labels are arrays;
-- activities do, too, since they are few. A column of `viewer` in which all is missing may be an empty array.
--
-- Arrays become rows by `select unnest(a), unnest(b)`. By `from unnest(a, b)` each of them would be kept in a tuplestore first.
create function merge_state_v1(
    base bigint, are_first boolean,
    user_ids text[], user_logins text[], user_names text[], users_named_at timestamptz[], users_named_by text[],
    viewer_channels text[], viewer_users text[], first_follows_at timestamptz[], follow_event_ids bigint[],
    first_cheers_at timestamptz[], bits_cheered bigint[], cheer_counts bigint[], first_gifts_at timestamptz[],
    gifts_given bigint[], gift_counts bigint[], first_raids_at timestamptz[], raid_counts bigint[],
    viewers_raided bigint[], are_subscribed boolean[], subscription_tiers text[], subscriptions_at timestamptz[],
    subscriptions_by text[], subscriptions_began_at timestamptz[], subscriptions_ended_at timestamptz[],
    months_subscribed bigint[], logins_of_channels text[], login_channels text[], logins_named_at timestamptz[],
    logins_named_by text[], channels_named text[], channels_changed jsonb,
    told_kinds text[], told_channels text[], told_subjects text[],
    told_ids bigint[], told_at timestamptz[], activities jsonb, eventsub_ids text[], eventsub_types text[],
    eventsub_versions text[], eventsub_conditions text[], eventsub_transports text[], eventsub_costs integer[],
    eventsub_created_at timestamptz[], eventsub_statuses text[], eventsub_statuses_at timestamptz[],
    eventsub_statuses_by text[], key_kinds text[], key_channels text[], key_subjects text[], chat_channels text[],
    chats_deleted_since timestamptz[], chats_cleared_since timestamptz[], chat_subjects text[]
) returns table (kind text, channel_id text, subject text, id bigint, at timestamptz)
language plpgsql as $$
#variable_conflict use_column
declare
    first_follows bigint;
begin
    if cardinality(key_kinds) > 0 or cardinality(chat_channels) > 0 then
        return query select * from told_v1(
            key_kinds, key_channels, key_subjects, chat_channels, chats_deleted_since, chats_cleared_since, chat_subjects
        );
    end if;
    -- The newest names win.
    if cardinality(user_ids) > 0 then
        insert into twitch_user as stored (id, login, display_name, named_at, named_by)
        select unnest(user_ids), unnest(user_logins), unnest(user_names), unnest(users_named_at), unnest(users_named_by)
        on conflict (id) do update set
            login = excluded.login, display_name = excluded.display_name,
            named_at = excluded.named_at, named_by = excluded.named_by
        where (excluded.named_at, excluded.named_by) > (stored.named_at, stored.named_by);
    end if;
    -- The newest message wins.
    if cardinality(login_channels) > 0 then
        insert into channel_login as stored (login, channel_id, named_at, named_by)
        select unnest(logins_of_channels), unnest(login_channels), unnest(logins_named_at), unnest(logins_named_by)
        on conflict (login, channel_id) do update set named_at = excluded.named_at, named_by = excluded.named_by
        where (excluded.named_at, excluded.named_by) > (stored.named_at, stored.named_by);
    end if;
    -- Most messages only name their channel, and change nothing there.
    if cardinality(channels_named) > 0 then
        insert into channel (id, anonymous_bits, anonymous_gifts) select unnest(channels_named), 0, 0
        on conflict (id) do nothing;
    end if;
    if channels_changed <> '[]' then
        insert into channel as stored select * from jsonb_populate_recordset(null::channel, channels_changed)
        on conflict (id) do update set
            -- The newest channel.update wins.
            (title, language, category_id, category_name, content_classification_labels, updated_at, updated_by) = (
                select newest.* from (values
                    (stored.title, stored.language, stored.category_id, stored.category_name,
                        stored.content_classification_labels, stored.updated_at, stored.updated_by),
                    (excluded.title, excluded.language, excluded.category_id, excluded.category_name,
                        excluded.content_classification_labels, excluded.updated_at, excluded.updated_by)
                ) as newest (title, language, category_id, category_name, labels, at, by)
                order by newest.at desc nulls last, newest.by desc
                limit 1
            ),
            anonymous_bits = stored.anonymous_bits + excluded.anonymous_bits,
            anonymous_gifts = stored.anonymous_gifts + excluded.anonymous_gifts;
    end if;
    if cardinality(viewer_users) > 0 then
        with merged as (
            insert into viewer as stored (
                channel_id, user_id, first_followed_at, follow_event_id,
                first_bits_at, bits, cheers,
                first_gift_at, gifts, gift_events,
                first_raid_at, raids, raid_viewers,
                is_subscribed, subscription_tier, subscription_at, subscription_by,
                subscription_began_at, subscription_ended_at, subscription_months
            )
            select channel_id, user_id, first_followed_at, base + follow_id,
                first_cheer_at, coalesce(bits, 0), coalesce(cheers, 0),
                first_gift_at, coalesce(gifts, 0), coalesce(gift_events, 0),
                first_raid_at, coalesce(raids, 0), coalesce(raid_viewers, 0),
                is_subscribed, tier, subscribed_at, subscribed_by, began_at, ended_at, months
            from (
                select unnest(viewer_channels) as channel_id, unnest(viewer_users) as user_id,
                    unnest(first_follows_at) as first_followed_at, unnest(follow_event_ids) as follow_id,
                    unnest(first_cheers_at) as first_cheer_at, unnest(bits_cheered) as bits, unnest(cheer_counts) as cheers,
                    unnest(first_gifts_at) as first_gift_at, unnest(gifts_given) as gifts, unnest(gift_counts) as gift_events,
                    unnest(first_raids_at) as first_raid_at, unnest(raid_counts) as raids, unnest(viewers_raided) as raid_viewers,
                    unnest(are_subscribed) as is_subscribed, unnest(subscription_tiers) as tier,
                    unnest(subscriptions_at) as subscribed_at, unnest(subscriptions_by) as subscribed_by,
                    unnest(subscriptions_began_at) as began_at, unnest(subscriptions_ended_at) as ended_at,
                    unnest(months_subscribed) as months
            ) as v
            on conflict (channel_id, user_id) do update set
                -- The earliest time wins; least() ignores nulls.
                first_followed_at = least(stored.first_followed_at, excluded.first_followed_at),
                follow_event_id = least(stored.follow_event_id, excluded.follow_event_id),
                first_bits_at = least(stored.first_bits_at, excluded.first_bits_at),
                first_gift_at = least(stored.first_gift_at, excluded.first_gift_at),
                first_raid_at = least(stored.first_raid_at, excluded.first_raid_at),
                -- Amounts and numbers of times are added.
                bits = stored.bits + excluded.bits,
                cheers = stored.cheers + excluded.cheers,
                gifts = stored.gifts + excluded.gifts,
                gift_events = stored.gift_events + excluded.gift_events,
                raids = stored.raids + excluded.raids,
                raid_viewers = stored.raid_viewers + excluded.raid_viewers,
                -- The newest message about the subscription wins.
                (is_subscribed, subscription_tier, subscription_at, subscription_by) = (
                    select newest.* from (values
                        (stored.is_subscribed, stored.subscription_tier, stored.subscription_at, stored.subscription_by),
                        (excluded.is_subscribed, excluded.subscription_tier, excluded.subscription_at, excluded.subscription_by)
                    ) as newest (is_subscribed, tier, at, by)
                    order by newest.at desc nulls last, newest.by desc
                    limit 1
                ),
                -- The latest time and the greatest number win; greatest() ignores nulls.
                subscription_began_at = greatest(stored.subscription_began_at, excluded.subscription_began_at),
                subscription_ended_at = greatest(stored.subscription_ended_at, excluded.subscription_ended_at),
                subscription_months = greatest(stored.subscription_months, excluded.subscription_months)
            returning follow_event_id
        )
        -- The id of an earlier follow is lower.
        select count(*) filter (where follow_event_id > base) into first_follows from merged;
        if are_first and first_follows < cardinality(array_remove(follow_event_ids, null)) then
            raise unique_violation using message = 'a follow is not the first of its user';
        end if;
    end if;
    -- The first event wins; where at is not null, the newest.
    if cardinality(told_kinds) > 0 then
        insert into told as stored (kind, channel_id, subject, id, at)
        select unnest(told_kinds), unnest(told_channels), unnest(told_subjects), base + unnest(told_ids), unnest(told_at)
        on conflict (kind, channel_id, subject) do update set id = excluded.id, at = excluded.at
        where excluded.at > stored.at or stored.at is null and excluded.id < stored.id;
    end if;
    -- Amounts are added, and the greatest peak wins.
    if activities <> '[]' then
        insert into activity as stored select * from jsonb_populate_recordset(null::activity, activities)
        on conflict (channel_id, minute) do update set
            subscriptions = stored.subscriptions + excluded.subscriptions,
            resubscriptions = stored.resubscriptions + excluded.resubscriptions,
            gifts = stored.gifts + excluded.gifts,
            bits = stored.bits + excluded.bits,
            raids = stored.raids + excluded.raids,
            raid_viewers = stored.raid_viewers + excluded.raid_viewers,
            redemptions = stored.redemptions + excluded.redemptions,
            messages = stored.messages + excluded.messages,
            viewers = stored.viewers + excluded.viewers,
            viewer_samples = stored.viewer_samples + excluded.viewer_samples,
            viewers_peak = greatest(stored.viewers_peak, excluded.viewers_peak);
    end if;
    -- The newest message that describes an EventSub subscription wins.
    if cardinality(eventsub_ids) > 0 then
        insert into subscription as stored
            (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        select unnest(eventsub_ids), unnest(eventsub_types), unnest(eventsub_versions),
            unnest(eventsub_conditions)::json, unnest(eventsub_transports)::json, unnest(eventsub_costs),
            unnest(eventsub_created_at), unnest(eventsub_statuses), unnest(eventsub_statuses_at), unnest(eventsub_statuses_by)
        on conflict (id) do update set
            type = excluded.type, version = excluded.version, condition = excluded.condition,
            transport = excluded.transport, cost = excluded.cost, created_at = excluded.created_at,
            status = excluded.status, status_at = excluded.status_at, status_by = excluded.status_by
        where (excluded.status_at, excluded.status_by) > (stored.status_at, stored.status_by);
    end if;
end
$$;

-- Records the earliest and latest time of the events of each block that is now complete, because an event behind it exists. The
-- caller holds the append lock, so no event with a lower id can follow.
create function complete_blocks_v1() returns void
language sql as $$
    with complete as (
        select id / 1024 as block, min(occurred_at) as earliest, max(occurred_at) as latest from event
        where id >= coalesce((select max(block) + 1 from event_block), 0) * 1024
            and id < (select max(id) / 1024 from event) * 1024
        group by id / 1024
    ), overlapping as (
        update event_block set earliest_from_here = (select min(earliest) from complete)
        where earliest_from_here > (select min(earliest) from complete)
    )
    insert into event_block (block, earliest_from_here, latest_so_far)
    select block, min(earliest) over (order by block desc),
        greatest(max(latest) over (order by block), (select max(latest_so_far) from event_block))
    from complete
$$;

-- Appends messages, and merges the state that they add up to, if none of them has been told before, be it with the same message
-- id or by another message, and nothing has to be read first; returns whether it did. Otherwise does nothing. The state counts the
-- ids of its events from the first of these messages.
--
-- Each statement sees what was committed when it began, so those behind the lock see all that was appended before. Message ids and
-- follows are not looked up before they are inserted, which would look for each of them twice: a unique index tells, and
-- merge_state_v1; then all is undone.
create function append_v1(
    append_lock bigint, has_turn boolean, received timestamptz, signal text,
    message_ids text[], message_types text[], types text[], versions text[], subscription_ids text[],
    channel_ids text[], times timestamptz[], are_tests boolean[], payloads text[], line_channels text[],
    user_ids text[], user_logins text[], user_names text[], users_named_at timestamptz[], users_named_by text[],
    viewer_channels text[], viewer_users text[], first_follows_at timestamptz[], follow_event_ids bigint[],
    first_cheers_at timestamptz[], bits_cheered bigint[], cheer_counts bigint[], first_gifts_at timestamptz[],
    gifts_given bigint[], gift_counts bigint[], first_raids_at timestamptz[], raid_counts bigint[],
    viewers_raided bigint[], are_subscribed boolean[], subscription_tiers text[], subscriptions_at timestamptz[],
    subscriptions_by text[], subscriptions_began_at timestamptz[], subscriptions_ended_at timestamptz[],
    months_subscribed bigint[], logins_of_channels text[], login_channels text[], logins_named_at timestamptz[],
    logins_named_by text[], channels_named text[], channels_changed jsonb,
    told_kinds text[], told_channels text[], told_subjects text[],
    told_ids bigint[], told_at timestamptz[], activities jsonb, eventsub_ids text[], eventsub_types text[],
    eventsub_versions text[], eventsub_conditions text[], eventsub_transports text[], eventsub_costs integer[],
    eventsub_created_at timestamptz[], eventsub_statuses text[], eventsub_statuses_at timestamptz[],
    eventsub_statuses_by text[], key_kinds text[], key_channels text[], key_subjects text[], chat_channels text[],
    chats_deleted_since timestamptz[], chats_cleared_since timestamptz[], chat_subjects text[],
    out is_appended boolean, out has_waited boolean
)
language plpgsql as $$
declare
    first_id bigint;
    last_id bigint;
begin
    is_appended := false;
    has_waited := not pg_try_advisory_xact_lock(append_lock);
    if has_waited then
        perform pg_advisory_xact_lock(append_lock);
    end if;
    if has_turn then
        -- From here on, the transaction holds the lock.
        perform pg_advisory_unlock(append_lock), set_config('idle_session_timeout', null, false);
    end if;
    if exists (select from transport_switch where channel_id = any(channel_ids))
        or cardinality(line_channels) > 0
            and exists (select from chat where channel_id = any(line_channels) and lines_until > received)
        or exists (
            select from told_v1(
                key_kinds, key_channels, key_subjects, chat_channels, chats_deleted_since, chats_cleared_since, chat_subjects
            )
        )
    then
        return;
    end if;
    begin
        with appended as (
            insert into event
                (message_id, message_type, type, version, subscription_id, channel_id, occurred_at, received_at, is_test, payload)
            select unnest(message_ids), unnest(message_types), unnest(types), unnest(versions), unnest(subscription_ids),
                unnest(channel_ids), unnest(times), received, unnest(are_tests), unnest(payloads)::json
            returning id
        )
        select min(id), max(id) into first_id, last_id from appended;
        if last_id - first_id >= cardinality(message_ids) then
            raise exception 'ids from % to % are not those of % messages', first_id, last_id, cardinality(message_ids);
        end if;
        perform from merge_state_v1(
            first_id - 1, true,
            user_ids, user_logins, user_names, users_named_at, users_named_by, viewer_channels, viewer_users,
            first_follows_at, follow_event_ids, first_cheers_at, bits_cheered, cheer_counts, first_gifts_at,
            gifts_given, gift_counts, first_raids_at, raid_counts, viewers_raided, are_subscribed,
            subscription_tiers, subscriptions_at, subscriptions_by, subscriptions_began_at,
            subscriptions_ended_at, months_subscribed, logins_of_channels, login_channels, logins_named_at,
            logins_named_by, channels_named, channels_changed, told_kinds, told_channels, told_subjects, told_ids, told_at,
            activities, eventsub_ids, eventsub_types, eventsub_versions, eventsub_conditions,
            eventsub_transports, eventsub_costs, eventsub_created_at, eventsub_statuses,
            eventsub_statuses_at, eventsub_statuses_by, '{}', '{}', '{}', '{}', '{}', '{}', '{}'
        );
        -- Lost ids may hide that a block is complete; the next append that completes one makes up for it.
        if (first_id - 1) / 1024 < last_id / 1024 then
            perform complete_blocks_v1();
        end if;
    exception when unique_violation then
        return;
    end;
    perform pg_notify(signal, last_id::text);
    is_appended := true;
end
$$;
