-- Parameters: one array per column, in the order of the columns below.
insert into viewer as stored (
    channel_id, user_id, first_followed_at,
    first_bits_at, bits, cheers,
    first_gift_at, gifts, gift_events,
    first_raid_at, raids, raid_viewers,
    is_subscribed, subscription_tier, subscription_at, subscription_by,
    subscription_began_at, subscription_ended_at, subscription_months
)
select * from unnest(
    $1::text[], $2::text[], $3::timestamptz[],
    $4::timestamptz[], $5::bigint[], $6::bigint[],
    $7::timestamptz[], $8::bigint[], $9::bigint[],
    $10::timestamptz[], $11::bigint[], $12::bigint[],
    $13::bool[], $14::text[], $15::timestamptz[], $16::text[],
    $17::timestamptz[], $18::timestamptz[], $19::bigint[]
)
on conflict (channel_id, user_id) do update set
    -- The earliest time wins; least() ignores nulls.
    first_followed_at = least(stored.first_followed_at, excluded.first_followed_at),
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
