//! `/demo`.

use actix_web::web::Data;
use actix_web::{HttpResponse, delete, post};
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use super::Context;
use super::error::Error;
use super::query::{Nothing, Query};
use super::responses::{BadRequest, ServerErrors};
use crate::simulate::demo::{CHANNEL_ID, LENGTH, LOGIN};
use crate::sources::demo::DemoError;

/// The demo show that is running.
#[derive(Debug, Serialize, ToSchema)]
struct DemoShow {
    /// The id of its channel.
    channel_id: &'static str,
    /// The login of its channel.
    login: &'static str,
    /// When its stream began.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    /// When its stream ends.
    #[serde(with = "time::serde::rfc3339")]
    ends_at: OffsetDateTime,
}

impl DemoShow {
    fn new(started_at: OffsetDateTime) -> Self {
        Self { channel_id: CHANNEL_ID, login: LOGIN, started_at, ends_at: started_at + LENGTH }
    }
}

impl From<DemoError> for Error {
    fn from(error: DemoError) -> Self {
        match error {
            DemoError::Ingest(error) => error.into(),
            DemoError::Database(error) => error.into(),
            DemoError::Busy => Self::Unavailable(None),
            DemoError::Script(_) | DemoError::Unreadable(_) | DemoError::Channel(_) => Self::Broken(error.to_string()),
        }
    }
}

/// Start a demo show
///
/// A minute of invented events by invented people, on a channel of its own, which has `is_demo`. They change the state, and
/// feeds and overlays show them; rules, sinks and Discord announcements ignore them. An earlier show is deleted first; a show
/// that is running continues.
#[utoipa::path(
    tag = "events",
    responses(
        (status = ACCEPTED, description = "The show is on", body = DemoShow,
            example = json!(DemoShow::new(datetime!(2026-07-01 18:00:00 UTC)))),
        BadRequest,
        ServerErrors,
    ),
)]
#[post("/demo")]
pub(super) async fn start_demo(ctx: Data<Context>, _query: Query<Nothing>) -> Result<HttpResponse, Error> {
    let started_at = ctx.demo.start().await?;
    Ok(HttpResponse::Accepted().json(DemoShow::new(started_at)))
}

/// Remove the demo
///
/// Ends a running show, removes its channel from the state, and empties its events. After the answer the feeds of this server no
/// longer contain them.
#[utoipa::path(
    tag = "events",
    responses((status = NO_CONTENT, description = "There is no demo"), BadRequest, ServerErrors),
)]
#[delete("/demo")]
pub(super) async fn remove_demo(ctx: Data<Context>, _query: Query<Nothing>) -> Result<HttpResponse, Error> {
    ctx.demo.remove().await?;
    ctx.hub.forget_deleted().await?;
    Ok(HttpResponse::NoContent().finish())
}
