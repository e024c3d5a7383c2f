//! `/status/history`.

use actix_web::get;
use actix_web::web::{Data, Json};
use serde::Serialize;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::Context;
use super::error::Error;
use super::query::{Nothing, Query};
use super::responses::{BadRequest, ServerErrors};
use crate::incidents::outages as lasting;
use crate::store::gaps::{self, Gap};
use crate::store::outages::{self, OutageRow};
use crate::store::read::delivery::{self, Deliveries};

/// The length of a span.
const SPAN: Duration = Duration::minutes(15);

/// The length of all.
const DAY: Duration = Duration::hours(24);

/// Outages and gaps that are shown, at most so many of each.
const MAX_OUTAGES: i64 = 100;

/// The latencies and outages of the last 24 hours.
#[derive(Debug, Serialize, ToSchema)]
struct StatusHistory {
    /// When the first span begins.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// When the last span ends, which is still running.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// How long a span is, in seconds.
    span_seconds: i64,
    /// One in so many events of the log was sampled: 1, unless there were more than 20,000.
    sampled_every: i64,
    /// The latencies of EventSub messages, by when Twitch sent them first: the spans in which it sent some, oldest first.
    /// A message that had to be sent again counts with the time until it was stored.
    delivery: Vec<DeliverySpan>,
    /// What did not work, the latest beginning first; at most 100 gaps and 100 others.
    outages: Vec<Outage>,
}

/// The latencies of the messages that Twitch sent in a span of time.
#[derive(Debug, Serialize, ToSchema)]
struct DeliverySpan {
    /// When it begins.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The number of messages that were sampled.
    messages: i64,
    /// The median latency in seconds.
    median_seconds: f64,
    /// The 95th percentile in seconds.
    p95_seconds: f64,
    /// The longest latency of the sample, in seconds.
    worst_seconds: f64,
}

/// A span of time in which a part did not work.
#[derive(Debug, Serialize, ToSchema)]
struct Outage {
    /// `database` (nothing could be stored), `feeds` (they were not updated), `subscriptions` (they could not be compared with those
    /// at Twitch), `websocket` (messages of a channel may have been lost), or `server` (none ran).
    part: String,
    /// The channel of a gap of a WebSocket; `null` for all others.
    channel_id: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    began_at: OffsetDateTime,
    /// When it ended; `null` if it lasts.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Why.
    cause: String,
}

impl From<OutageRow> for Outage {
    fn from(row: OutageRow) -> Self {
        let OutageRow { part, began_at, ended_at, cause } = row;
        Self { part, channel_id: None, began_at, ended_at: Some(ended_at), cause }
    }
}

impl From<Gap> for Outage {
    fn from(gap: Gap) -> Self {
        let Gap { channel_id, began_at, ended_at, cause, .. } = gap;
        let (part, ended_at) = ("websocket".to_owned(), Some(ended_at));
        Self { part, channel_id: Some(channel_id.into()), began_at, ended_at, cause }
    }
}

impl From<lasting::Outage> for Outage {
    fn from(outage: lasting::Outage) -> Self {
        let lasting::Outage { part, began_at, ended_at, cause } = outage;
        let part: &str = part.into();
        Self { part: part.to_owned(), channel_id: None, began_at, ended_at, cause }
    }
}

impl StatusHistory {
    fn new(since: OffsetDateTime, found: Deliveries, mut outages: Vec<Outage>) -> Self {
        let delivery = found.spans.into_iter().map(|it| DeliverySpan {
            at: it.at,
            messages: it.messages,
            median_seconds: it.median_seconds,
            p95_seconds: it.p95_seconds,
            worst_seconds: it.worst_seconds,
        });
        outages.sort_by_key(|outage| std::cmp::Reverse(outage.began_at));
        Self {
            since,
            until: since + DAY,
            span_seconds: SPAN.whole_seconds(),
            sampled_every: found.every,
            delivery: delivery.collect(),
            outages,
        }
    }

    fn example() -> Self {
        let span = delivery::Delivery {
            at: datetime!(2026-07-01 18:15:00 UTC),
            messages: 812,
            median_seconds: 0.21,
            p95_seconds: 0.48,
            worst_seconds: 31.4,
        };
        let outage = Outage {
            part: "database".into(),
            channel_id: None,
            began_at: datetime!(2026-07-01 18:20:03 UTC),
            ended_at: Some(datetime!(2026-07-01 18:20:33.5 UTC)),
            cause: "the database can't be reached: check that it runs and what the log says".into(),
        };
        let found = Deliveries { every: 1, spans: vec![span] };
        Self::new(datetime!(2026-06-30 18:30:00 UTC), found, vec![outage])
    }
}

/// When the first of the spans begins whose last one is running now.
fn begin(now: OffsetDateTime) -> OffsetDateTime {
    let into_span = now.unix_timestamp().rem_euclid(SPAN.whole_seconds());
    now.replace_nanosecond(0).unwrap_or(now) - Duration::seconds(into_span) + SPAN - DAY
}

/// Get the status of the last 24 hours
///
/// The last 24 hours: how long messages took from Twitch to the log, by the quarter of an hour, and what did not work. The
/// servers of a database store their outages when these are over; one that lasts is shown by the server that has it.
#[utoipa::path(
    tag = "health",
    responses(
        (status = OK, description = "The last 24 hours", body = StatusHistory, example = json!(StatusHistory::example())),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/status/history")]
pub(super) async fn get_status_history(
    ctx: Data<Context>,
    _query: Query<Nothing>,
) -> Result<Json<StatusHistory>, Error> {
    let since = begin(ctx.clock.now());
    let lasting = ctx.incidents.outages.lasting();
    let history = ctx.query(async |db| {
        let found = delivery::spans(&mut *db, SPAN.as_seconds_f64(), since, since + DAY).await?;
        let ended = outages::since(&mut *db, since, MAX_OUTAGES).await?.into_iter().map(Outage::from);
        let gaps = gaps::recent(db, MAX_OUTAGES).await?.into_iter().map(Outage::from);
        let all = lasting.into_iter().map(Outage::from).chain(ended).chain(gaps).collect();
        Ok::<_, sqlx::Error>(StatusHistory::new(since, found, all))
    });
    Ok(Json(history.await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_begin_at_quarters_of_an_hour_and_the_last_one_is_running() {
        let day_before = datetime!(2026-07-01 18:15:00 UTC);
        for now in [
            datetime!(2026-07-02 18:00:00 UTC),
            datetime!(2026-07-02 18:07:30.5 UTC),
            datetime!(2026-07-02 18:14:59.999 UTC),
        ] {
            assert_eq!(begin(now), day_before, "{now}");
        }
        assert_eq!(begin(datetime!(2026-07-02 18:15:00 UTC)), day_before + SPAN);
    }
}
