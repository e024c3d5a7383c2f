//! `/sinks/{name}/deliveries`, `/sinks/{name}/resend` and `/sinks/{name}/dismiss`.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::body::Body;
use super::error::Error;
use super::page::Page;
use super::query::{Limit, Nothing, Parsed, Query};
use super::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use super::sinks::SinkPath;
use crate::outputs::sink::service;
use crate::store::deliveries as store;
use crate::store::{LogId, Order};

/// An event that a webhook has not delivered.
#[derive(Debug, Serialize, ToSchema)]
pub struct Delivery {
    /// The event's id in the log.
    event_id: i64,
    /// Its type; `null` if the log no longer has it.
    r#type: Option<String>,
    /// Attempts so far.
    attempts: i32,
    /// When it is tried again; `null` if no attempts are left.
    #[serde(with = "time::serde::rfc3339::option")]
    next_at: Option<OffsetDateTime>,
    /// The status of the last answer; `null` if there was none.
    last_status: Option<i32>,
    /// What was wrong with the last attempt.
    problem: String,
}

impl From<store::Delivery> for Delivery {
    fn from(row: store::Delivery) -> Self {
        let store::Delivery { event_id, kind, attempts, next_at, last_status, problem } = row;
        Self { event_id: event_id.0, r#type: kind, attempts, next_at, last_status, problem }
    }
}

impl Delivery {
    fn example() -> Self {
        Self {
            event_id: 42,
            r#type: Some("channel.cheer".into()),
            attempts: 3,
            next_at: Some(datetime!(2026-07-01 18:50:00 UTC)),
            last_status: Some(500),
            problem: "hooks.example.org answered 500".into(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListDeliveries {
    /// The order of the events.
    #[serde(default)]
    #[param(inline, required = false)]
    order: Order,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// Which events.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Undelivered {
    /// The id of one; without it, all that have no attempts left.
    #[schema(minimum = 1)]
    event_id: Option<i64>,
}

impl Undelivered {
    fn event(&self) -> Result<Option<LogId>, Error> {
        match self.event_id {
            Some(..1) => {
                Err(Error::InvalidField { name: "event_id".to_owned(), reason: "must be at least 1".to_owned() })
            }
            id => Ok(id.map(LogId)),
        }
    }
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
struct EventCount {
    /// How many events.
    events: u64,
}

/// List the undelivered events of a webhook
///
/// Events that failed while others were delivered, oldest first or with `order=desc` newest first. They are tried again, up to ten
/// times in three days.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath, ListDeliveries),
    responses(
        (status = OK, description = "A page of deliveries", body = Page<Delivery>,
            example = json!(Page::example(Delivery::example(), "42"))),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/sinks/{name}/deliveries")]
pub(super) async fn list_deliveries(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    query: Query<ListDeliveries>,
) -> Result<Json<Page<Delivery>>, Error> {
    let Query(ListDeliveries { order, after, limit }) = query;
    let (name, after) = (path.name.as_str(), after.map(|Parsed(after)| after));
    let rows = ctx.query(async |db| service::undelivered(db, name, order, after, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| row.event_id.to_string(), Delivery::from)))
}

/// Resend undelivered events of a webhook
///
/// At once, and with ten more attempts: one event, or all that have no attempts left.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    request_body(content = Undelivered, example = json!({ "event_id": 42 })),
    responses(
        (status = OK, description = "They are sent again", body = EventCount, example = json!(EventCount { events: 1 })),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/sinks/{name}/resend")]
pub(super) async fn resend_deliveries(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
    body: Body<Undelivered>,
) -> Result<Json<EventCount>, Error> {
    let (name, event) = (path.name.as_str(), body.0.event()?);
    Ok(Json(EventCount { events: ctx.query(async |db| service::resend(db, name, event).await).await? }))
}

/// Give up undelivered events of a webhook
///
/// One event that has no attempts left, or all of them: they are not sent again, and no longer listed.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    request_body(content = Undelivered, example = json!({ "event_id": 42 })),
    responses(
        (status = OK, description = "They are given up", body = EventCount, example = json!(EventCount { events: 1 })),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/sinks/{name}/dismiss")]
pub(super) async fn dismiss_deliveries(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
    body: Body<Undelivered>,
) -> Result<Json<EventCount>, Error> {
    let (name, event) = (path.name.as_str(), body.0.event()?);
    Ok(Json(EventCount { events: ctx.query(async |db| service::dismiss(db, name, event).await).await? }))
}
