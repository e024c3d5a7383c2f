//! `/channels/{channel}/series`.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::channels::ChannelPath;
use super::error::Error;
use super::query::{Query, Timestamp};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::store::read::activity::{self as store, Metric, Point};

/// Buckets that a series has at most.
const MAX_BUCKETS: i32 = 1_500;

/// Buckets of a series without `since`.
const BUCKETS: i32 = 100;

/// How long one bucket is. Each begins on the full minute, hour or day in UTC.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "hour")]
enum Bucket {
    Minute,
    #[default]
    Hour,
    Day,
}

impl Bucket {
    fn duration(self) -> Duration {
        match self {
            Self::Minute => Duration::MINUTE,
            Self::Hour => Duration::HOUR,
            Self::Day => Duration::DAY,
        }
    }

    /// The beginning of the bucket that a time is in.
    fn begin(self, at: OffsetDateTime) -> OffsetDateTime {
        let length = self.duration().whole_seconds();
        at.replace_nanosecond(0).unwrap_or(at) - Duration::seconds(at.unix_timestamp().rem_euclid(length))
    }
}

/// What happened on a channel, in equal spans of time.
#[derive(Debug, Serialize, ToSchema)]
struct Series {
    /// What is counted.
    metric: Metric,
    /// The span of each point.
    bucket: Bucket,
    /// The beginning of the first bucket.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// The end of the last bucket, which may still be running; earlier than asked for where there were more than 1,500, to go
    /// on from.
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// The buckets in which something happened, oldest first: the others are 0.
    points: Vec<Point>,
}

impl Series {
    fn example() -> Self {
        Self {
            metric: Metric::Messages,
            bucket: Bucket::Hour,
            since: datetime!(2026-07-01 18:00:00 UTC),
            until: datetime!(2026-07-01 22:00:00 UTC),
            points: vec![
                Point { at: datetime!(2026-07-01 18:00:00 UTC), value: 812 },
                Point { at: datetime!(2026-07-01 19:00:00 UTC), value: 955 },
                Point { at: datetime!(2026-07-01 21:00:00 UTC), value: 604 },
            ],
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct GetSeries {
    /// What to count.
    #[param(inline)]
    metric: Metric,
    /// The span of each point.
    #[serde(default)]
    #[param(inline, required = false)]
    bucket: Bucket,
    /// From the bucket with this time; by default 100 buckets.
    #[param(value_type = String, required = false, format = DateTime)]
    since: Option<Timestamp>,
    /// To the bucket with this time; by default now.
    #[param(value_type = String, required = false, format = DateTime)]
    until: Option<Timestamp>,
}

/// Get a series
///
/// Sums of what happened on a channel, by the minute, hour or day: the first 1,500 of them.
#[utoipa::path(
    tag = "channels",
    params(ChannelPath, GetSeries),
    responses(
        (status = OK, description = "The series", body = Series, example = json!(Series::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/series")]
pub(super) async fn get_series(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    query: Query<GetSeries>,
) -> Result<Json<Series>, Error> {
    let Query(GetSeries { metric, bucket, since, until }) = query;
    let length = bucket.duration();
    let last = bucket.begin(until.map_or_else(|| ctx.clock.now(), |until| until.0));
    let since = since.map_or_else(|| last.saturating_sub(length * (BUCKETS - 1)), |since| bucket.begin(since.0));
    let until = last.saturating_add(length).clamp(since, since.saturating_add(length * MAX_BUCKETS));
    let channel = path.resolve(&ctx).await?;
    let seconds = length.as_seconds_f64();
    let points = ctx.query(async |db| store::series(db, &channel, metric, seconds, since, until).await).await?;
    Ok(Json(Series { metric, bucket, since, until, points }))
}
