-- Merges changes into the tables whose rows do not depend on each other, and looks up what was told before. All in one
-- statement, because nearly every batch of messages touches all tables, and each round trip delays the answers to all
-- messages of the batch.
--
-- Parameters: one array per column, in the order of the columns; for channels rows in JSON, since labels are arrays, and for
-- activities, since they are few.
with users as (
    -- The newest names win.
    insert into twitch_user as stored (id, login, display_name, named_at, named_by)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
    on conflict (id) do update set
        login = excluded.login, display_name = excluded.display_name,
        named_at = excluded.named_at, named_by = excluded.named_by
    where (excluded.named_at, excluded.named_by) > (stored.named_at, stored.named_by)
), logins as (
    -- The newest message wins.
    insert into channel_login as stored (login, channel_id, named_at, named_by)
    select * from unnest($36::text[], $37::text[], $38::timestamptz[], $39::text[])
    on conflict (login, channel_id) do update set named_at = excluded.named_at, named_by = excluded.named_by
    where (excluded.named_at, excluded.named_by) > (stored.named_at, stored.named_by)
), channels as (
    insert into channel as stored select * from jsonb_populate_recordset(null::channel, $6)
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
        anonymous_gifts = stored.anonymous_gifts + excluded.anonymous_gifts
    -- Most messages only name the channel, and change nothing here.
    where excluded.updated_at is not null or excluded.anonymous_bits > 0 or excluded.anonymous_gifts > 0
), viewers as (
    insert into viewer as stored (
        channel_id, user_id, first_followed_at, follow_event_id,
        first_bits_at, bits, cheers,
        first_gift_at, gifts, gift_events,
        first_raid_at, raids, raid_viewers,
        is_subscribed, subscription_tier, subscription_at, subscription_by,
        subscription_began_at, subscription_ended_at, subscription_months
    )
    select * from unnest(
        $7::text[], $8::text[], $9::timestamptz[], $40::bigint[],
        $10::timestamptz[], $11::bigint[], $12::bigint[],
        $13::timestamptz[], $14::bigint[], $15::bigint[],
        $16::timestamptz[], $17::bigint[], $18::bigint[],
        $19::bool[], $20::text[], $21::timestamptz[], $22::text[],
        $23::timestamptz[], $24::timestamptz[], $25::bigint[]
    )
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
), events as (
    -- The first event wins; where at is not null, the newest.
    insert into told as stored (kind, channel_id, subject, id, at)
    select * from unnest($41::text[], $42::text[], $43::text[], $44::bigint[], $45::timestamptz[])
    on conflict (kind, channel_id, subject) do update set id = excluded.id, at = excluded.at
    where excluded.at > stored.at or stored.at is null and excluded.id < stored.id
), activities as (
    -- Amounts are added, and the greatest peak wins.
    insert into activity as stored select * from jsonb_populate_recordset(null::activity, $51)
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
        viewers_peak = greatest(stored.viewers_peak, excluded.viewers_peak)
), subscriptions as (
    -- The newest message that describes an EventSub subscription wins.
    insert into subscription as stored
        (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
    select id, type, version, condition::json, transport::json, cost, created_at, status, status_at, status_by
    from unnest($26::text[], $27::text[], $28::text[], $29::text[], $30::text[], $31::int[], $32::timestamptz[],
            $33::text[], $34::timestamptz[], $35::text[])
        as s (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
    on conflict (id) do update set
        type = excluded.type, version = excluded.version, condition = excluded.condition,
        transport = excluded.transport, cost = excluded.cost, created_at = excluded.created_at,
        status = excluded.status, status_at = excluded.status_at, status_by = excluded.status_by
    where (excluded.status_at, excluded.status_by) > (stored.status_at, stored.status_by)
)
-- What had been told before this statement. However little the planner knows of the tables, each key is looked up in their
-- index, and what was taken back in a chat since a time is a range of told_chat_idx.
select key.kind as "kind!", key.channel_id as "channel_id!", key.subject as "subject!", found.id as "id!", found.at
from unnest($46::text[], $47::text[], $48::text[]) as key (kind, channel_id, subject)
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
from unnest($49::text[], $50::timestamptz[]) as chat (channel_id, since)
cross join lateral (
    select kind, subject, id, at from told
    where kind in ('channel.chat.message_delete', 'channel.chat.clear')
        and told.channel_id = chat.channel_id and told.at >= chat.since
    order by told.channel_id, told.at
    limit 10000
) found
