//! Events of the log.

use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::scan::{self, LogFilter, Range, Times};
use crate::message::MessageType;
use crate::store::{LogId, Order};
use crate::twitch::catalogue::pattern;
use crate::twitch::id::ChannelId;

/// A row of `event`, with the names of its channel.
#[derive(Debug)]
#[expect(missing_docs, reason = "the columns of event and twitch_user, which db/migrations describes")]
pub struct LoggedEvent {
    pub id: LogId,
    pub message_id: String,
    pub message_type: String,
    pub kind: Option<String>,
    pub version: Option<String>,
    pub channel_id: Option<ChannelId>,
    pub subscription_id: Option<String>,
    pub occurred_at: OffsetDateTime,
    pub received_at: OffsetDateTime,
    pub is_test: bool,
    pub payload: Json<Box<RawValue>>,
    pub channel_login: Option<String>,
    pub channel_name: Option<String>,
    pub repeats: Option<LogId>,
    /// The channels of the earlier events that told the same or took it back; `None` for news.
    pub repeated_on: Option<Vec<ChannelId>>,
    /// Whether it tells what came over another transport, too, while the channel changed its transport.
    pub is_echo: bool,
}

impl LoggedEvent {
    /// Whether Twitch did not send it: its API showed that it happened.
    #[must_use]
    pub fn is_inferred(&self) -> bool {
        self.message_type == MessageType::Inferred.as_str()
    }

    /// Whether it is of the demo show, which no output but the live feeds gets.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.message_type == MessageType::Demo.as_str()
    }
}

/// The selected events behind `after` in this order: with greater ids, or with smaller ones. `None` is the beginning. If not
/// all could be read for one page, also the id to continue behind.
///
/// # Errors
/// If the database fails.
pub async fn page(
    db: &mut PgConnection,
    filter: &LogFilter,
    times: Times,
    order: Order,
    after: Option<LogId>,
    limit: i64,
) -> sqlx::Result<(Vec<LoggedEvent>, Option<LogId>)> {
    let range = match order {
        Order::Asc => Range { after: after.unwrap_or_default(), last: LogId::MAX },
        Order::Desc => Range { after: LogId::START, last: after.map_or(LogId::MAX, LogId::previous) },
    };
    let found = scan::page(&mut *db, filter, times, range, order, limit).await?;
    let mut rows = with_ids(db, &found.ids).await?;
    if order == Order::Desc {
        rows.reverse();
    }
    Ok((rows, found.read_to))
}

/// The types of events in the log that a list with [patterns](pattern) selects, with the empty one for events without a type, if it
/// selects these; `None` if it has names only, which are the types.
///
/// # Errors
/// If the database fails.
pub async fn matching(db: impl PgExecutor<'_>, patterns: &[String]) -> sqlx::Result<Option<Vec<String>>> {
    if pattern::are_names(patterns) {
        return Ok(None);
    }
    let mut types = types(db).await?;
    types.push(String::new());
    types.retain(|kind| pattern::selects(patterns, kind));
    Ok(Some(types))
}

/// The types of the events in the log: the index is asked for one after the other, however many events each has.
async fn types(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"with recursive known as (
            (select type from event where type is not null order by type limit 1)
            union all
            select (select e.type from event e where e.type > known.type order by e.type limit 1)
            from known where known.type is not null
        )
        select type as "type!" from known where type is not null"#
    )
    .fetch_all(db)
    .await
}

/// The event with this id.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, id: LogId) -> sqlx::Result<Option<LoggedEvent>> {
    Ok(with_ids(db, &[id]).await?.pop())
}

/// The events with these ids.
///
/// # Errors
/// If the database fails.
pub async fn with_ids(db: impl PgExecutor<'_>, ids: &[LogId]) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as!(
        LoggedEvent,
        r#"select e.id as "id: LogId", e.message_id, e.message_type, e.type as kind, e.version, e.channel_id as "channel_id: ChannelId", e.subscription_id,
            e.occurred_at, e.received_at, e.is_test, e.payload as "payload: Json<Box<RawValue>>",
            u.login as "channel_login?", u.display_name as "channel_name?", e.repeats as "repeats: LogId",
            case when e.repeats is null then null when e.type like 'channel.chat.%' then array(
                select channel_id from event where id = e.repeats and channel_id is not null
                union select channel_id from event where repeats = e.repeats and id < e.id and channel_id is not null
            ) else array[e.channel_id] end as "repeated_on: Vec<ChannelId>", e.is_echo
        from event e left join twitch_user u on u.id = e.channel_id
        where e.id = any($1)
        order by e.id"#,
        ids as &[LogId]
    )
    .fetch_all(db)
    .await
}

/// The first events with an id greater than `after` and at most `last`, of these types or of all.
///
/// # Errors
/// If the database fails.
pub async fn between(
    db: impl PgExecutor<'_>,
    after: LogId,
    last: LogId,
    types: Option<&[&str]>,
    limit: i64,
) -> sqlx::Result<Vec<LoggedEvent>> {
    sqlx::query_as!(
        LoggedEvent,
        r#"select e.id as "id: LogId", e.message_id, e.message_type, e.type as kind, e.version, e.channel_id as "channel_id: ChannelId", e.subscription_id,
            e.occurred_at, e.received_at, e.is_test, e.payload as "payload: Json<Box<RawValue>>",
            u.login as "channel_login?", u.display_name as "channel_name?", e.repeats as "repeats: LogId",
            case when e.repeats is null then null when e.type like 'channel.chat.%' then array(
                select channel_id from event where id = e.repeats and channel_id is not null
                union select channel_id from event where repeats = e.repeats and id < e.id and channel_id is not null
            ) else array[e.channel_id] end as "repeated_on: Vec<ChannelId>", e.is_echo
        from event e left join twitch_user u on u.id = e.channel_id
        where e.id > $1 and e.id <= $2 and ($3::text[] is null or e.type = any($3))
        order by e.id
        limit $4"#,
        after.0,
        last.0,
        types as Option<&[&str]>,
        limit
    )
    .fetch_all(db)
    .await
}
