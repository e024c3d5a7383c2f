//! Finds the ids of the events that match a filter. Each kind of filter is one range of one index, so that a page costs
//! the same however rare or frequent the events are, and however many there are before and after it.
//!
//! The planner could also scan all ids until it has found enough events of a channel. It would where it takes them for
//! frequent, and read the whole log if the channel has had no event lately. So it is told that a channel or a type is
//! always a small part of the log (`n_distinct` in `db/migrations/0001_event.up.sql`), and by [`SETTINGS`] not to
//! collect a range before it sorts it.
//!
//! The bounds are conditions of the columns, and not of rows like `(channel_id, id) <= ($1, $2)`: Postgres finds where
//! such a range begins, but does not stop at its end. It goes on to the end of the channel.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::store::{LogId, Order};
use crate::twitch::id::ChannelId;

/// Settings of a connection on which pages are read. A generic plan for all filters would read the whole log for most of
/// them. A bitmap collects all of a range, where the first few events are wanted. To compile a plan takes longer than to
/// execute it.
///
/// Without bitmaps, an `or` of two indexed columns reads the whole table: use `union all`.
pub const SETTINGS: [(&str, &str); 3] =
    [("plan_cache_mode", "force_custom_plan"), ("enable_bitmapscan", "off"), ("jit", "off")];

/// Selects events of the log. `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only events of these channels, by id.
    pub channel_ids: Option<Vec<ChannelId>>,
    /// Only events of these subscription types; an empty one stands for events without a type.
    pub types: Option<Vec<String>>,
}

/// A period of time. `None` is an open end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// At this time or later.
    pub since: Option<OffsetDateTime>,
    /// Before this time.
    pub until: Option<OffsetDateTime>,
}

/// A range of log ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The id before the first one.
    pub after: LogId,
    /// The last id.
    pub last: LogId,
}

impl Range {
    /// The parts of the range that can contain events of these times, in this order: one among the complete blocks (see
    /// `db/migrations/0001_event.up.sql`), and everything after them.
    async fn within(self, db: impl PgExecutor<'_>, times: Times, order: Order) -> sqlx::Result<Vec<Self>> {
        if times == Times::default() {
            return Ok(vec![self]);
        }
        let found = sqlx::query!(
            r#"select
                (select block * 1024 - 1 from event_block
                where latest_so_far >= coalesce($1::timestamptz, '-infinity')
                order by latest_so_far, block limit 1) as "after: LogId",
                (select block * 1024 + 1023 from event_block
                where earliest_from_here < coalesce($2::timestamptz, 'infinity')
                order by earliest_from_here desc, block desc limit 1) as "last: LogId",
                coalesce((select max(block) * 1024 + 1023 from event_block), -1) as "end!: LogId""#,
            times.since,
            times.until
        )
        .fetch_one(db)
        .await?;
        let complete = found.after.zip(found.last).map(|(after, last)| Self { after, last });
        let rest = Self { after: found.end, last: LogId::MAX };
        let parts = complete.into_iter().chain([rest]);
        let parts = parts.map(|part| Self { after: self.after.max(part.after), last: self.last.min(part.last) });
        Ok(match order {
            Order::Asc => parts.flat_map(|part| part.split(order)).collect(),
            Order::Desc => parts.rev().flat_map(|part| part.split(order)).collect(),
        })
    }

    /// The ids that are read first, which are usually enough for a page, and the others.
    fn split(self, order: Order) -> [Self; 2] {
        match order {
            Order::Asc => self.cut(self.last.min(LogId(self.after.0.saturating_add(MAX_READ))), order),
            Order::Desc => self.cut(self.after.max(LogId(self.last.0.saturating_sub(MAX_READ))), order),
        }
    }

    /// The ids up to `middle` and those behind it, in the order of reading.
    fn cut(self, middle: LogId, order: Order) -> [Self; 2] {
        let (lower, upper) = (Self { last: middle, ..self }, Self { after: middle, ..self });
        match order {
            Order::Asc => [lower, upper],
            Order::Desc => [upper, lower],
        }
    }

    fn is_empty(self) -> bool {
        self.after >= self.last
    }

    fn is_long(self) -> bool {
        self.last.0.saturating_sub(self.after.0) > MAX_READ
    }
}

/// Events that are read for one page by time, at most so many for each of two parts of a range. Times are nearly in the order
/// of the ids, but one event with a wrong time can make the range long.
const MAX_READ: i64 = 10_000;

/// Events that are read before so many: nearly all in a part of a range are of these times.
const FEW: i64 = 500;

/// What was found in a range.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of reading.
    pub ids: Vec<LogId>,
    /// If there was more to read, and fewer were found than wanted: the last one that was read.
    pub read_to: Option<LogId>,
}

/// The first so many in a range, in this order.
///
/// # Errors
/// When the database fails.
pub async fn page(
    db: &mut PgConnection,
    filter: &LogFilter,
    times: Times,
    range: Range,
    order: Order,
    limit: i64,
) -> sqlx::Result<Found> {
    let mut found = Found::default();
    for part in range.within(&mut *db, times, order).await? {
        let wanted = limit - count(&found.ids);
        if part.is_empty() || wanted <= 0 {
            continue;
        }
        if times == Times::default() || !part.is_long() {
            found.ids.extend(read(&mut *db, filter, times, part, order, 0..wanted).await?);
            continue;
        }
        let of_part = page_of_long(&mut *db, filter, times, part, order, wanted).await?;
        found.ids.extend(of_part.ids);
        if of_part.read_to.is_some() {
            return Ok(Found { read_to: of_part.read_to, ..found });
        }
    }
    Ok(found)
}

/// [`page`] of a part of a range that may have more events at other times than can be read for one page.
async fn page_of_long(
    db: &mut PgConnection,
    filter: &LogFilter,
    times: Times,
    mut part: Range,
    order: Order,
    limit: i64,
) -> sqlx::Result<Found> {
    let mut found = Found::default();
    for most in [FEW, MAX_READ] {
        // The last one to read, and whether there is another.
        let end = read(&mut *db, filter, Times::default(), part, order, most - 1..most + 1).await?;
        let [end, _] = end[..] else {
            found.ids.extend(read(&mut *db, filter, times, part, order, 0..limit - count(&found.ids)).await?);
            return Ok(Found { read_to: None, ..found });
        };
        let [near, far] = part.cut(if order == Order::Asc { end } else { end.previous() }, order);
        found.ids.extend(read(&mut *db, filter, times, near, order, 0..limit - count(&found.ids)).await?);
        if count(&found.ids) >= limit {
            return Ok(Found { read_to: None, ..found });
        }
        (part, found.read_to) = (far, Some(end));
    }
    Ok(found)
}

fn count(ids: &[LogId]) -> i64 {
    i64::try_from(ids.len()).unwrap_or(i64::MAX)
}

/// Those with these places in the order of reading, of a range that is short, or in which nearly all events occurred at these times.
async fn read(
    db: &mut PgConnection,
    filter: &LogFilter,
    times: Times,
    range: Range,
    order: Order,
    places: std::ops::Range<i64>,
) -> sqlx::Result<Vec<LogId>> {
    match order {
        Order::Asc => first_of(db, filter, times, range, places).await,
        Order::Desc => last_of(db, filter, times, range, places).await,
    }
}

/// [`read`], oldest first. The statement compares differences of times, whose
/// selectivity the planner can't estimate: seeing the times, it would take such events for rare in the whole log, and sort
/// all events of a channel instead of walking along the index.
async fn first_of(
    db: impl PgExecutor<'_>,
    filter: &LogFilter,
    times: Times,
    range: Range,
    places: std::ops::Range<i64>,
) -> sqlx::Result<Vec<LogId>> {
    sqlx::query_scalar!(
        r#"select id as "id!: LogId" from (
            (select id from event
            where $1::text[] is null and $2::text[] is null and id > $3 and id <= $4
                and ($5::timestamptz is null or occurred_at - $5 >= '0') and ($6::timestamptz is null or occurred_at - $6 < '0')
            order by id limit $7)
            union all
            select found.id from (select distinct unnest($1) as id) channel cross join lateral (
                select id from event
                where $2 is null and channel_id = channel.id and id > $3 and id <= $4
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by id limit $7
            ) found
            union all
            select found.id from (select distinct unnest($2) as name) kind cross join lateral (
                select id from event
                where $1 is null and type = kind.name and id > $3 and id <= $4
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by id limit $7
            ) found
            union all
            select found.id from (select distinct unnest($1) as id) channel
            cross join (select distinct unnest($2) as name) kind
            cross join lateral (
                select id from event
                where channel_id = channel.id and type = kind.name and id > $3 and id <= $4
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by id limit $7
            ) found
            union all
            (select id from event
            where $1 is null and '' = any($2) and type is null and id > $3 and id <= $4
                and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
            order by type, id limit $7)
            union all
            select found.id from (select distinct unnest($1) as id) channel cross join lateral (
                select id from event
                where '' = any($2) and channel_id = channel.id and type is null and id > $3 and id <= $4
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by type, id limit $7
            ) found
        ) found
        order by id limit $7 - $8::bigint offset $8"#,
        filter.channel_ids.as_deref() as Option<&[ChannelId]>,
        filter.types.as_deref(),
        range.after.0,
        range.last.0,
        times.since,
        times.until,
        places.end,
        places.start
    )
    .fetch_all(db)
    .await
}

/// [`read`], newest first; see [`first_of`].
async fn last_of(
    db: impl PgExecutor<'_>,
    filter: &LogFilter,
    times: Times,
    range: Range,
    places: std::ops::Range<i64>,
) -> sqlx::Result<Vec<LogId>> {
    sqlx::query_scalar!(
        r#"select id as "id!: LogId" from (
            (select id from event
            where $1::text[] is null and $2::text[] is null and id > $3 and id <= $4
                and ($5::timestamptz is null or occurred_at - $5 >= '0') and ($6::timestamptz is null or occurred_at - $6 < '0')
            order by id desc limit $7)
            union all
            select found.id from (select distinct unnest($1) as id) channel cross join lateral (
                select id from event
                where $2 is null and channel_id = channel.id and id > $3 and id <= $4
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by id desc limit $7
            ) found
            union all
            select found.id from (select distinct unnest($2) as name) kind cross join lateral (
                select id from event
                where $1 is null and type = kind.name and id > $3 and id <= $4
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by id desc limit $7
            ) found
            union all
            select found.id from (select distinct unnest($1) as id) channel
            cross join (select distinct unnest($2) as name) kind
            cross join lateral (
                select id from event
                where channel_id = channel.id and type = kind.name and id > $3 and id <= $4
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by id desc limit $7
            ) found
            union all
            (select id from event
            where $1 is null and '' = any($2) and type is null and id > $3 and id <= $4
                and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
            order by type desc, id desc limit $7)
            union all
            select found.id from (select distinct unnest($1) as id) channel cross join lateral (
                select id from event
                where '' = any($2) and channel_id = channel.id and type is null and id > $3 and id <= $4
                    and ($5 is null or occurred_at - $5 >= '0') and ($6 is null or occurred_at - $6 < '0')
                order by type desc, id desc limit $7
            ) found
        ) found
        order by id desc limit $7 - $8::bigint offset $8"#,
        filter.channel_ids.as_deref() as Option<&[ChannelId]>,
        filter.types.as_deref(),
        range.after.0,
        range.last.0,
        times.since,
        times.until,
        places.end,
        places.start
    )
    .fetch_all(db)
    .await
}
