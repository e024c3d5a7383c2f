//! `/sinks`.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::body::Body;
use super::error::Error;
use super::page::Page;
use super::query::{Limit, Name, Nothing, Query, Timestamp};
use super::responses::{BadBody, BadRequest, NotFound, ServerErrors, SinkExists, SinkFailed, SinkWithoutKey};
use crate::outputs::sink::service::{self, SinkChange, SinkError, SinkReport};
use crate::outputs::webhook::secret::ROTATION;
use crate::store::followers::Start;
use crate::store::sinks::{self as store, SinkKind};
use crate::store::{LogId, Order};

impl From<SinkError> for Error {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Exists(name) => Self::SinkExists(name),
            SinkError::NotFound(name) => Self::NotFound { what: "sink", name },
            SinkError::NoKey(name) => Self::SinkWithoutKey(name),
            SinkError::Settings(error) => Self::InvalidField { name: error.field.into_owned(), reason: error.reason },
            SinkError::Undelivered(problem) => Self::SinkFailed(problem),
            SinkError::Database(error) => error.into(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListSinks {
    /// The order of the names.
    #[serde(default)]
    #[param(inline, required = false)]
    order: Order,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    after: Option<Name>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SinkPath {
    /// The sink's name.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "amqp")]
    pub(super) name: Name,
}

/// A sink that was added.
#[derive(Debug, Serialize, ToSchema)]
struct AddedSink {
    #[serde(flatten)]
    sink: SinkReport,
    /// The key of a webhook, which is not shown again; `null` for RabbitMQ.
    key: Option<String>,
}

/// A new key of a webhook.
#[derive(Debug, Serialize, ToSchema)]
struct NewKey {
    /// The key, which is not shown again.
    key: String,
    /// Until when the key before it signs as well.
    #[serde(with = "time::serde::rfc3339")]
    previous_until: OffsetDateTime,
}

/// The key in examples: a published one.
const EXAMPLE_KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A sink to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSink {
    /// Its name: 1 to 64 letters, digits, `.`, `_` or `-`.
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]
    name: String,
    /// `amqp` for RabbitMQ, which is the default, or `webhook` for signed requests.
    #[serde(default)]
    kind: SinkKind,
    /// The URL of the broker or the webhook, which is kept encrypted and never shown; not needed with `settings.url_env`.
    #[schema(value_type = Option<String>)]
    url: Option<SecretString>,
    /// The types to select, such as `channel.cheer`, `stream.*`, `-channel.chat.message`; the last that matches decides. With an
    /// empty list only rules and actions send to the sink.
    #[schema(max_items = 100)]
    types: Option<Vec<String>>,
    /// The channels to select, by id or login.
    #[schema(max_items = 100)]
    channels: Option<Vec<String>>,
    /// What its kind requires: fields of `AmqpSettings` or `WebhookSettings`; those that are left out have their defaults.
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    /// Start after the event with this id, `0` for everything; without it, with the next event.
    #[schema(minimum = 0)]
    after: Option<i64>,
}

/// Changes to a sink; what is left out or `null` stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeSink {
    /// The URL of the broker or the webhook.
    #[schema(value_type = Option<String>)]
    url: Option<SecretString>,
    /// The types to select; `["*"]` for all, an empty list for none, so that only rules and actions send to the sink.
    #[schema(max_items = 100)]
    types: Option<Vec<String>>,
    /// The channels to select; an empty list for all.
    #[schema(max_items = 100)]
    channels: Option<Vec<String>>,
    /// The settings to change; those that are left out stay, and those that are `null` take their default.
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
}

/// Where a sink is to go on: one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1, max_properties = 1)]
struct Rewind {
    /// After the event with this id; `0` for everything.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = i64, required = false, minimum = 0)]
    after: Option<i64>,
    /// At the first event that was received at this time or later.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, format = "date-time")]
    at: Option<Timestamp>,
}

/// A field that may be left out, and is not `null`.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

/// The result of a test message.
#[derive(Debug, Serialize, ToSchema)]
struct SinkTested {
    /// Whether a queue got it; always so for a webhook.
    is_routed: bool,
}

fn position(field: &str, id: i64) -> Result<Start, Error> {
    let reason = || "must be the id of an event, or 0".to_owned();
    if id < 0 {
        return Err(Error::InvalidField { name: field.to_owned(), reason: reason() });
    }
    Ok(Start::After(LogId(id)))
}

/// List the sinks
///
/// By name, with the state of each.
#[utoipa::path(
    tag = "sinks",
    params(ListSinks),
    responses(
        (status = OK, description = "A page of sinks", body = Page<SinkReport>,
            example = json!(Page::example(SinkReport::example(), "amqp"))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/sinks")]
pub(super) async fn list_sinks(ctx: Data<Context>, query: Query<ListSinks>) -> Result<Json<Page<SinkReport>>, Error> {
    let Query(ListSinks { order, after, limit }) = query;
    let mut sinks = ctx.query(async |db| service::list(db).await).await?;
    sinks.retain(|sink| after.as_ref().is_none_or(|after| order.is_behind(&sink.name.as_str(), &after.as_str())));
    if order == Order::Desc {
        sinks.reverse();
    }
    Ok(Json(Page::new(sinks, limit, |sink| sink.name.clone(), std::convert::identity)))
}

/// Add a sink
///
/// For RabbitMQ, or a webhook, whose key only this answer shows. It starts with the next event, or after the one that `after`
/// names. The sink `amqp` is added by the setting `SHOWTIME_AMQP_URL`.
#[utoipa::path(
    tag = "sinks",
    request_body(content = NewSink,
        example = json!({ "name": "audit", "url": "amqp://me:secret@127.0.0.1:5672/%2f", "types": ["channel.cheer", "stream.*"] })),
    responses(
        (status = CREATED, description = "The sink, and the key of a webhook", body = AddedSink,
            headers(("Location" = String, description = "The path of the sink")),
            example = json!(AddedSink { sink: SinkReport::example(), key: Some(EXAMPLE_KEY.into()) })),
        BadBody,
        SinkExists,
        ServerErrors,
    ),
)]
#[post("/sinks")]
pub(super) async fn add_sink(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<NewSink>,
) -> Result<HttpResponse, Error> {
    let Body(NewSink { name, kind, url, types, channels, settings, after }) = body;
    let start = after.map_or(Ok(Start::Now), |after| position("after", after))?;
    let sink = SinkChange { url, types, channels, settings: settings.unwrap_or_default() };
    let added = ctx.query(async |db| {
        let key = service::add(&mut *db, &ctx.config, (kind, &name), sink, start).await?;
        let key = key.map(|key| key.expose_secret().to_owned());
        Ok::<_, SinkError>(AddedSink { sink: service::get(db, &name).await?, key })
    });
    let added = added.await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, format!("/sinks/{name}"))).json(added))
}

/// Get a sink
///
/// With its state.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    responses(
        (status = OK, description = "The sink", body = SinkReport, example = json!(SinkReport::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/sinks/{name}")]
pub(super) async fn get_sink(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
) -> Result<Json<SinkReport>, Error> {
    ctx.query(async |db| service::get(db, path.name.as_str()).await).await.map(Json)
}

/// Change a sink
///
/// It goes on where it was.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    request_body(content = ChangeSink, example = json!({ "types": ["channel.*", "-channel.chat.*"] })),
    responses(
        (status = OK, description = "The sink", body = SinkReport, example = json!(SinkReport::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[patch("/sinks/{name}")]
pub(super) async fn change_sink(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
    body: Body<ChangeSink>,
) -> Result<Json<SinkReport>, Error> {
    let Body(ChangeSink { url, types, channels, settings }) = body;
    let change = SinkChange { url, types, channels, settings: settings.unwrap_or_default() };
    let name = path.name.as_str();
    let changed = ctx.query(async |db| {
        service::change(&mut *db, &ctx.config, name, change).await?;
        service::get(db, name).await
    });
    changed.await.map(Json)
}

/// Remove a sink
///
/// And its place in the log. The sink `amqp` comes back at the next start while `SHOWTIME_AMQP_URL` is set.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    responses(
        (status = NO_CONTENT, description = "It is removed"),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[delete("/sinks/{name}")]
pub(super) async fn remove_sink(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    ctx.query(async |db| service::remove(db, path.name.as_str()).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Test a sink
///
/// Sends a made-up follow with the header `showtime-test`, and answers when the receiver has it.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    responses(
        (status = OK, description = "The receiver has it", body = SinkTested, example = json!(SinkTested { is_routed: true })),
        BadRequest,
        NotFound,
        SinkFailed,
        ServerErrors,
    ),
)]
#[post("/sinks/{name}/test")]
pub(super) async fn test_sink(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
) -> Result<Json<SinkTested>, Error> {
    let sink = ctx.query(async |db| service::definition(db, path.name.as_str()).await).await?;
    Ok(Json(SinkTested { is_routed: service::test(&sink, &ctx.config).await? }))
}

/// Rewind a sink
///
/// Everything behind that place is sent again, with the same ids.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    request_body(content = Rewind, example = json!({ "after": 0 })),
    responses(
        (status = NO_CONTENT, description = "It goes on there"),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/sinks/{name}/rewind")]
pub(super) async fn rewind_sink(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
    body: Body<Rewind>,
) -> Result<HttpResponse, Error> {
    let start = match body.0 {
        Rewind { after: Some(after), at: None } => position("after", after)?,
        Rewind { after: None, at: Some(Timestamp(at)) } => {
            Start::After(ctx.query(async |db| store::last_before(db, at).await).await?)
        }
        _ => {
            let reason = "give either the id `after` or the time `at`".to_owned();
            return Err(Error::InvalidField { name: "after".to_owned(), reason });
        }
    };
    ctx.query(async |db| service::rewind(db, path.name.as_str(), start).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Pause a sink
///
/// It keeps its place in the log.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    responses((status = NO_CONTENT, description = "It is paused"), BadRequest, NotFound, ServerErrors),
)]
#[post("/sinks/{name}/pause")]
pub(super) async fn pause_sink(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    ctx.query(async |db| service::pause(db, path.name.as_str(), true).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Resume a sink
///
/// It goes on where it was.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    responses((status = NO_CONTENT, description = "It goes on"), BadRequest, NotFound, ServerErrors),
)]
#[post("/sinks/{name}/resume")]
pub(super) async fn resume_sink(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    ctx.query(async |db| service::pause(db, path.name.as_str(), false).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Rotate a webhook's key
///
/// It signs with the new key at once, and for 24 hours with the one before it as well, so that the receiver can be given the
/// new one. Rotated twice, only new keys sign.
#[utoipa::path(
    tag = "sinks",
    params(SinkPath),
    responses(
        (status = OK, description = "The new key", body = NewKey,
            example = json!(NewKey { key: EXAMPLE_KEY.into(), previous_until: datetime!(2026-07-02 18:20:00 UTC) })),
        BadRequest,
        NotFound,
        SinkWithoutKey,
        ServerErrors,
    ),
)]
#[post("/sinks/{name}/rotate")]
pub(super) async fn rotate_sink(
    ctx: Data<Context>,
    path: Path<SinkPath>,
    _query: Query<Nothing>,
) -> Result<Json<NewKey>, Error> {
    let name = path.name.as_str();
    let key = ctx.query(async |db| service::rotate(db, &ctx.config, &ctx.clock, name).await).await?;
    Ok(Json(NewKey { key: key.expose_secret().to_owned(), previous_until: ctx.clock.now() + ROTATION }))
}
