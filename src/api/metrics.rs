//! `/metrics`.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use tokio::time::timeout;

use super::Context;
use super::query::{Nothing, Query};
use super::responses::BadRequest;
use crate::metrics::{CONTENT_TYPE, Gauges};
use crate::store::read::metrics as store;

/// Time limit of the query; without its answer, the rest is sent.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Metrics for Prometheus
///
/// In the text format OpenMetrics 1.0. While the database is away, its series are left out.
#[utoipa::path(
    tag = "health",
    responses(
        (status = OK, description = "The metrics", body = String,
            content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
            example = "# TYPE showtime_ingest_queue_depth gauge\nshowtime_ingest_queue_depth 0\n# EOF\n"),
        BadRequest,
    ),
)]
#[get("/metrics")]
pub(super) async fn get_metrics(ctx: Data<Context>, _query: Query<Nothing>) -> HttpResponse {
    let counts = timeout(TIMEOUT, ctx.query(async |db| store::counts(db).await)).await.ok().and_then(Result::ok);
    let has_database = counts.is_some();
    let store::Counts { subscriptions, twitch_tokens, access_tokens, followers, sinks, actions, rules_resting, posts } =
        counts.unwrap_or_default();
    // A follower without a lease was switched off.
    let followers = followers.into_iter().filter(|follower| follower.is_leased);
    let sinks = sinks.into_iter().filter(|sink| sink.is_leased);
    let gauges = Gauges {
        queue_depth: ctx.ingest.queue_depth(),
        has_database,
        is_writable: ctx.ingest.write_error().is_none(),
        incidents: ctx.incidents.totals(),
        subscriptions,
        twitch_tokens,
        access_tokens,
        follower_lags: followers.map(|it| (it.name, it.events_behind, it.seconds_behind)).collect(),
        sink_lags: sinks.map(|it| (it.name, it.events_behind, it.seconds_behind)).collect(),
        actions_waiting: actions,
        rules_resting,
        posts_waiting: posts,
        resident_memory: resident_memory().await,
    };
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(ctx.metrics.encode(&gauges))
}

/// In bytes, from `/proc`; `None` on other systems than Linux.
async fn resident_memory() -> Option<i64> {
    let status = tokio::fs::read_to_string("/proc/self/status").await.ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()? * 1_024)
}
