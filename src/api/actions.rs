//! `/actions` and `/channels/{channel}/actions`.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Context;
use super::body::{Body, Line};
use super::channels::ChannelPath;
use super::error::Error;
use super::page::Page;
use super::query::{Limit, Name, NewestFirst, Nothing, Parsed, Query};
use super::responses::{ActionConflict, ActionKeyReused, BadBody, BadRequest, NotFound, ServerErrors};
use crate::outputs::reactions::service::{self, ActionError, Requested};
use crate::outputs::reactions::step::Step;
use crate::store::LogId;
use crate::store::actions as store;
use crate::store::actions::{ActionClass, ActionState};
use crate::store::rules;

/// The header with the client's own key.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

impl From<ActionError> for Error {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Step(error) => Self::InvalidField { name: error.field, reason: error.reason },
            ActionError::KeyReused(_) => Self::KeyReused(error.to_string()),
            ActionError::NotFound(id) => Self::NotFound { what: "action", name: id.to_string() },
            ActionError::WrongState { .. } => Self::WrongState(error.to_string()),
            ActionError::TwitchSilent | ActionError::Twitch(_) => {
                tracing::warn!(%error, "a user can't be looked up");
                Self::TwitchUnavailable
            }
            ActionError::Database(error) => error.into(),
        }
    }
}

/// An action on Twitch, or a request to a webhook, and its state.
#[derive(Debug, Serialize, ToSchema)]
struct Action {
    /// Its id; ids increase.
    id: i64,
    /// The key that the client gave, or a made-up one; of a rule's action, what the rule reacted to.
    key: String,
    /// The step that it is.
    step: Value,
    /// Whether it is repeated until it is known to be so (`idempotent`), never once it may have happened (`once`), with the same
    /// id until the receiver has it (`stable_id`), or was done by the rule that decided it (`planning`).
    class: ActionClass,
    /// The name of the rule that it follows from; `null` if a client requested it, or the rule was removed.
    rule: Option<String>,
    /// The event of the log that the rule reacted to; `null` if there is none.
    #[schema(value_type = Option<i64>)]
    event_id: Option<LogId>,
    /// The channel.
    channel_id: String,
    /// The user whose account does it.
    as_user_id: String,
    /// `pending` (it waits for its turn, or to be tried again), `sending`, `done`, `dropped` (Twitch took the message and does
    /// not show it), `failed` (it has not happened, and will not), `uncertain` (it may have happened: the answer was lost),
    /// `stale` (it was too late for it), `dry` (its rule is only tried out) or `off` (a step before it has not happened).
    state: ActionState,
    /// Why it is not done, or why the last attempt failed, and what to do; `null` if nothing is wrong.
    problem: Option<String>,
    /// What Twitch answered, by step: `message_id`, or the `url` of a clip; `null` before that.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Attempts so far.
    attempts: i32,
    /// When it was requested.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it is tried, at the earliest.
    #[serde(with = "time::serde::rfc3339")]
    not_before: OffsetDateTime,
    /// When it is too late for it.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// When its state became final; `null` before that.
    #[serde(with = "time::serde::rfc3339::option")]
    settled_at: Option<OffsetDateTime>,
}

impl From<store::Action> for Action {
    fn from(row: store::Action) -> Self {
        Self {
            id: row.id,
            key: row.subject,
            step: json!({ row.kind: row.params }),
            class: row.class,
            rule: row.rule,
            event_id: row.event_id,
            channel_id: row.channel_id.into(),
            as_user_id: row.as_user.into(),
            state: row.state,
            problem: row.problem,
            result: row.result,
            attempts: row.attempts,
            created_at: row.created_at,
            not_before: row.not_before,
            expires_at: row.expires_at,
            settled_at: row.settled_at,
        }
    }
}

impl Action {
    fn example() -> Self {
        Self {
            id: 7,
            key: "7f9c24e8-3b12-4fef-91e2-a11b2c3d4e5f".into(),
            step: json!({ "say": "Welcome!" }),
            class: ActionClass::Once,
            rule: None,
            event_id: None,
            channel_id: "141981764".into(),
            as_user_id: "141981764".into(),
            state: ActionState::Done,
            problem: None,
            result: Some(json!({ "message_id": "77b7f3f4-5d20-4a5a-9d40-1b6c6e9c0a11" })),
            attempts: 1,
            created_at: datetime!(2026-07-01 18:20:00 UTC),
            not_before: datetime!(2026-07-01 18:20:00 UTC),
            expires_at: datetime!(2026-07-01 18:21:00 UTC),
            settled_at: Some(datetime!(2026-07-01 18:20:00.042 UTC)),
        }
    }

    fn uncertain_example() -> Self {
        let problem = "api.twitch.tv did not answer within 10 s".to_owned();
        Self { state: ActionState::Uncertain, problem: Some(problem), result: None, ..Self::example() }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListActions {
    /// Only actions in this state.
    #[param(value_type = ActionState, required = false, inline)]
    state: Option<ActionState>,
    /// Only actions that follow from the rule of this name.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9 _-]{1,100}$")]
    rule: Option<Line<1, 100>>,
    /// Only actions on this channel: its id or login.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    channel: Option<Name>,
    /// The order: newest or oldest first.
    #[serde(default)]
    #[param(inline, required = false)]
    order: NewestFirst,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct ActionPath {
    /// The action's id.
    #[param(value_type = i64, minimum = 1, example = 7)]
    id: i64,
}

/// Whether an uncertain action has happened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Settle {
    /// `true` if it has.
    has_happened: bool,
}

/// List actions
///
/// Newest first, or oldest first with `order=asc`. Those that were settled are kept for 30 days.
#[utoipa::path(
    tag = "actions",
    params(ListActions),
    responses(
        (status = OK, description = "A page of actions", body = Page<Action>,
            example = json!(Page::example(Action::example(), "7"))),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/actions")]
pub(super) async fn list_actions(ctx: Data<Context>, query: Query<ListActions>) -> Result<Json<Page<Action>>, Error> {
    let Query(ListActions { state, rule, channel, order, after, limit }) = query;
    let channel = match channel {
        Some(name) => Some(ctx.served_channel(&name).await?.id),
        None => None,
    };
    let rule_id = match rule {
        Some(rule) => {
            let id = ctx.query(async |db| rules::id(db, rule.as_str()).await).await?;
            Some(id.ok_or_else(|| Error::NotFound { what: "rule", name: rule.as_str().to_owned() })?)
        }
        None => None,
    };
    let selection = store::Selection {
        state,
        channel_id: channel.as_ref(),
        rule_id,
        order: order.into(),
        after: after.map(|Parsed(LogId(after))| after),
    };
    let rows = ctx.query(async |db| store::page(db, &selection, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| row.id.to_string(), Action::from)))
}

/// Get an action
///
/// By its id.
#[utoipa::path(
    tag = "actions",
    params(ActionPath),
    responses(
        (status = OK, description = "The action", body = Action, example = json!(Action::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/actions/{id}")]
pub(super) async fn get_action(
    ctx: Data<Context>,
    path: Path<ActionPath>,
    _query: Query<Nothing>,
) -> Result<Json<Action>, Error> {
    Ok(Json(ctx.query(async |db| service::get(db, path.id).await).await?.into()))
}

/// Request an action on Twitch
///
/// The action is stored and done soon after; `GET /actions/{id}` shows its state. A repeated request with the same
/// `Idempotency-Key` and the same body is answered with the action that the first one made, so that nothing is done twice.
/// Moderation goes first, then replies and whispers. An action waits for Twitch's limits, and becomes `stale` if it waits too
/// long: messages after a minute, actions that can be repeated, such as a ban or a title, after an hour, requests to a webhook
/// after three days.
///
/// The account of the bot acts, if there is one, and else that of the broadcaster, who alone can change the title, the
/// category, the tags and the VIPs, mark the stream and start a commercial. An action whose account has not consented to the
/// scope that it needs fails, and names that scope.
#[utoipa::path(
    tag = "actions",
    params(
        ChannelPath,
        ("Idempotency-Key" = Option<String>, Header, pattern = "^[!-~]{1,256}$",
            description = "Your own key for the action: 1 to 256 visible ASCII characters"),
    ),
    request_body(content = Step, examples(
        ("say" = (value = json!({ "say": "Welcome!" }))),
        ("ban" = (value = json!({ "ban": { "user": "spammer", "reason": "spam" } }))),
        ("delete" = (value = json!({ "delete": { "message_id": "77b7f3f4-5d20-4a5a-9d40-1b6c6e9c0a11" } }))),
        ("title" = (value = json!({ "title": "Speedrun" }))),
    )),
    responses(
        (status = ACCEPTED, description = "The new action", body = Action,
            headers(("Location" = String, description = "The path of the action")),
            example = json!(Action::example())),
        (status = OK, description = "The action that an earlier request with this key made", body = Action,
            example = json!(Action::example())),
        BadBody,
        NotFound,
        ActionKeyReused,
        ServerErrors,
    ),
)]
#[post("/channels/{channel}/actions")]
pub(super) async fn request_action(
    ctx: Data<Context>,
    request: HttpRequest,
    path: Path<ChannelPath>,
    _query: Query<Nothing>,
    body: Body<Step>,
) -> Result<HttpResponse, Error> {
    let key = key(&request)?;
    let channel = ctx.served_channel(&path.channel).await?.id;
    let application = ctx.application.as_ref().ok_or(Error::NoApplication)?;
    let requested = service::request(&ctx.pool, application, &channel, &key, body.0, ctx.clock.now()).await?;
    let Requested { action, is_new } = requested;
    let mut response = if is_new { HttpResponse::Accepted() } else { HttpResponse::Ok() };
    let location = format!("/actions/{}", action.id);
    Ok(response.insert_header((LOCATION, location)).json(Action::from(action)))
}

/// Says of a step that it has exactly one field, which utoipa does not say of an enum.
pub(super) fn describe(spec: &mut OpenApi) {
    let schemas = spec.components.as_mut().map(|components| &mut components.schemas);
    let Some(RefOr::T(Schema::OneOf(steps))) = schemas.and_then(|schemas| schemas.get_mut("Step")) else { return };
    for step in &mut steps.items {
        if let RefOr::T(Schema::Object(step)) = step {
            step.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// The key of a request, or a made-up one.
fn key(request: &HttpRequest) -> Result<String, Error> {
    let mut given = request.headers().get_all(IDEMPOTENCY_KEY);
    let wrong = |reason: &str| Error::InvalidParameter { name: IDEMPOTENCY_KEY.to_owned(), reason: reason.to_owned() };
    match (given.next(), given.next()) {
        (None, _) => Ok(Uuid::new_v4().to_string()),
        (Some(key), None) => {
            let name = key.to_str().ok().and_then(|key| Name::try_from(key.to_owned()).ok());
            name.map(Name::into_string).ok_or_else(|| wrong("it must have 1 to 256 visible ASCII characters"))
        }
        (Some(_), Some(_)) => Err(wrong("given more than once")),
    }
}

/// Retry an action
///
/// One that is `dropped`, `failed`, `uncertain`, `stale` or `off`. An uncertain one may then happen a second time.
#[utoipa::path(
    tag = "actions",
    params(ActionPath),
    responses(
        (status = OK, description = "The action, which waits again", body = Action, example = json!(Action::example())),
        BadRequest,
        NotFound,
        ActionConflict,
        ServerErrors,
    ),
)]
#[post("/actions/{id}/retry")]
pub(super) async fn retry_action(
    ctx: Data<Context>,
    path: Path<ActionPath>,
    _query: Query<Nothing>,
) -> Result<Json<Action>, Error> {
    Ok(Json(ctx.query(async |db| service::retry(db, path.id, ctx.clock.now()).await).await?.into()))
}

/// Settle an uncertain action
///
/// Says whether it has happened, as a person found out; then it is `done` or `failed`.
#[utoipa::path(
    tag = "actions",
    params(ActionPath),
    request_body(content = Settle, example = json!({ "has_happened": true })),
    responses(
        (status = OK, description = "The action", body = Action, example = json!(Action::uncertain_example())),
        BadBody,
        NotFound,
        ActionConflict,
        ServerErrors,
    ),
)]
#[post("/actions/{id}/settle")]
pub(super) async fn settle_action(
    ctx: Data<Context>,
    path: Path<ActionPath>,
    _query: Query<Nothing>,
    body: Body<Settle>,
) -> Result<Json<Action>, Error> {
    let settled = ctx.query(async |db| service::settle(db, path.id, body.0.has_happened, ctx.clock.now()).await);
    Ok(Json(settled.await?.into()))
}
