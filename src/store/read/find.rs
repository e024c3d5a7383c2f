//! Finds the events that are wanted, by id: each filter is a range of one index, however rare or frequent what it asks
//! for is, and whatever the planner thinks of that.
//!
//! A condition `channel_id = $1` leaves the planner free to walk along the ids until it has met enough events of the
//! channel, and it does so where it thinks them frequent: through the whole log, if the channel has had none lately. The
//! range of a pair, in the order of that pair, can be read from its own index only. (The channel's two bounds beside the
//! range of three say nothing new; the planner counts them where it compares that index with the one by channel.)

use sqlx::PgExecutor;
use time::OffsetDateTime;

/// Which events are of interest; `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Those of these channels, by id.
    pub channel_ids: Option<Vec<String>>,
    /// Those of these subscription types.
    pub kinds: Option<Vec<String>>,
}

/// When events have to have occurred; `None` does not restrict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Then or later.
    pub since: Option<OffsetDateTime>,
    /// Earlier.
    pub until: Option<OffsetDateTime>,
}

/// Ids, all of them if it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Those greater.
    pub after: i64,
    /// Those not greater.
    pub last: i64,
}

impl Range {
    /// What of it can have occurred then. Reads one row for each 1024 events (the size of a block, in the migration
    /// `event_block`): 10,000 for ten million.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn within(self, db: impl PgExecutor<'_>, times: Times) -> sqlx::Result<Self> {
        if times == Times::default() {
            return Ok(self);
        }
        let found = sqlx::query!(
            "select (select block * 1024 - 1 from event_block where latest >= $1 order by block limit 1) as after,
                (select block * 1024 + 1023 from event_block where earliest < $2 order by block desc limit 1) as last",
            times.since,
            times.until
        )
        .fetch_one(db)
        .await?;
        // No block has any such event, nor is there one without a block.
        let after = found.after.unwrap_or(if times.since.is_some() { i64::MAX } else { 0 });
        let last = found.last.unwrap_or(if times.until.is_some() { 0 } else { i64::MAX });
        Ok(Self { after: self.after.max(after), last: self.last.min(last) })
    }
}

/// The first so many in a range, oldest first. The caller has taken care that the range holds [little
/// else](Range::within) than what occurred at these times. That is why the statement hides the times in a difference: the
/// planner would take them for rare in the whole log, and sort all that a channel had to spare itself a walk.
///
/// # Errors
/// When the database fails.
pub async fn first(
    db: impl PgExecutor<'_>,
    interest: &Interest,
    times: Times,
    range: Range,
    limit: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"select id as "id!" from (
            (select id from event
            where $1::text[] is null and $2::text[] is null and id > $3 and id <= $4
                and ($5::timestamptz is null or occurred_at - $5 >= '0') and ($6::timestamptz is null or occurred_at - $6 < '0')
            order by id limit $7)
            union all
            select found.id from (select distinct unnest($1) as id) channel cross join lateral (
                select id from event
                where $2 is null and (channel_id, id) > (channel.id, $3) and (channel_id, id) <= (channel.id, $4)
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by channel_id, id limit $7
            ) found
            union all
            select found.id from (select distinct unnest($2) as name) kind cross join lateral (
                select id from event
                where $1 is null and (type, id) > (kind.name, $3) and (type, id) <= (kind.name, $4)
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by type, id limit $7
            ) found
            union all
            select found.id from (select distinct unnest($1) as id) channel
            cross join (select distinct unnest($2) as name) kind
            cross join lateral (
                select id from event
                where channel_id >= channel.id and channel_id <= channel.id
                    and (channel_id, type, id) > (channel.id, kind.name, $3)
                    and (channel_id, type, id) <= (channel.id, kind.name, $4)
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by channel_id, type, id limit $7
            ) found
        ) found
        order by id limit $7"#,
        interest.channel_ids.as_deref(),
        interest.kinds.as_deref(),
        range.after,
        range.last,
        times.since,
        times.until,
        limit
    )
    .fetch_all(db)
    .await
}

/// The last so many with an id below `before`, newest first.
///
/// # Errors
/// When the database fails.
pub async fn last(db: impl PgExecutor<'_>, interest: &Interest, before: i64, limit: i64) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"select id as "id!" from (
            (select id from event
            where $1::text[] is null and $2::text[] is null and id < $3
            order by id desc limit $4)
            union all
            select found.id from (select distinct unnest($1) as id) channel cross join lateral (
                select id from event
                where $2 is null and (channel_id, id) >= (channel.id, 0) and (channel_id, id) < (channel.id, $3)
                order by channel_id desc, id desc limit $4
            ) found
            union all
            select found.id from (select distinct unnest($2) as name) kind cross join lateral (
                select id from event
                where $1 is null and (type, id) >= (kind.name, 0) and (type, id) < (kind.name, $3)
                order by type desc, id desc limit $4
            ) found
            union all
            select found.id from (select distinct unnest($1) as id) channel
            cross join (select distinct unnest($2) as name) kind
            cross join lateral (
                select id from event
                where channel_id >= channel.id and channel_id <= channel.id
                    and (channel_id, type, id) >= (channel.id, kind.name, 0)
                    and (channel_id, type, id) < (channel.id, kind.name, $3)
                order by channel_id desc, type desc, id desc limit $4
            ) found
        ) found
        order by id desc limit $4"#,
        interest.channel_ids.as_deref(),
        interest.kinds.as_deref(),
        before,
        limit
    )
    .fetch_all(db)
    .await
}
