//! The control API under `/mock`, in JSON, and the page at `/` that uses it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::actions::rooms::Role;
use super::faults::{Faults, InvalidFaults};
use super::scenario::{ChannelEdit, Notify, Only, ScenarioError};
use super::schedule::ScheduleError;
use super::websocket::SessionError;
use super::world::World;

const PAGE: &str = include_str!("page.html");

/// How many deliveries and how many actions the state shows.
const MAX_SHOWN: usize = 100;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/", web::get().to(page))
        .route("/mock/state", web::get().to(state))
        .route("/mock/channels", web::post().to(add_channel))
        .route("/mock/channels/{login}", web::patch().to(update_channel))
        .route("/mock/channels/{login}/{action}", web::post().to(act))
        .route("/mock/events", web::post().to(emit))
        .route("/mock/consents/{login}/withdraw", web::post().to(withdraw_consent))
        .route("/mock/subscriptions/{id}/end", web::post().to(end_subscription))
        .route("/mock/subscriptions/{id}/status", web::post().to(set_status))
        .route("/mock/tokens/{kind}/end", web::post().to(end_tokens))
        .route("/mock/rate-limit", web::post().to(use_up_rate_limit))
        .route("/mock/say", web::post().to(say))
        .route("/mock/actions", web::get().to(actions))
        .route("/mock/channels/{login}/chat", web::get().to(room))
        .route("/mock/channels/{login}/roles", web::put().to(set_role))
        .route("/mock/faults", web::get().to(faults))
        .route("/mock/faults", web::put().to(set_faults))
        .route("/mock/schedule", web::post().to(start_schedule));
}

/// Why the control API refused a call.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Chance(#[from] InvalidFaults),
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error("invalid body: {0}")]
    Body(#[from] serde_json::Error),
    #[error("unknown action: {0}")]
    UnknownAction(String),
}

impl ResponseError for ControlError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::UnknownAction(_)
            | Self::Scenario(
                ScenarioError::UnknownChannel(_)
                | ScenarioError::UnknownSubscription(_)
                | ScenarioError::Session(SessionError::None | SessionError::Unknown(..)),
            ) => StatusCode::NOT_FOUND,
            Self::Scenario(ScenarioError::Already(..) | ScenarioError::NotSent(..)) => StatusCode::CONFLICT,
            Self::Scenario(_) | Self::Chance(_) | Self::Schedule(_) | Self::Body(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({ "error": self.to_string() }))
    }
}

type JsonResult = Result<web::Json<Value>, ControlError>;

/// Parses a body. An empty one counts as `{}`.
pub(super) fn parse<T: DeserializeOwned>(body: &web::Bytes) -> Result<T, serde_json::Error> {
    serde_json::from_slice(if body.is_empty() { b"{}" } else { body })
}

async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(PAGE)
}

async fn state(world: web::Data<World>) -> web::Json<Value> {
    let subscriptions = world.subscriptions();
    let state = world.state();
    let deliveries: Vec<_> = state.log.iter().rev().take(MAX_SHOWN).collect();
    let actions: Vec<_> = state.ledger.iter().rev().take(MAX_SHOWN).collect();
    // The channels that were named come first: the page begins with the first one.
    let named = &world.config.channels;
    let place = |login: &str| named.iter().position(|name| name.eq_ignore_ascii_case(login)).unwrap_or(named.len());
    let mut channels: Vec<_> = state.accounts.values().collect();
    channels.sort_by_key(|account| place(&account.login));
    web::Json(json!({
        "channels": channels,
        "consents": state.consents,
        "actions": actions,
        "sessions": state.shown_sessions(),
        "subscriptions": subscriptions,
        "deliveries": deliveries,
        "faults": state.faults.settings(),
        "rate_limit_remaining": state.points.remaining,
        "calls": state.calls,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewChannel {
    name: String,
}

async fn add_channel(world: web::Data<World>, body: web::Bytes) -> JsonResult {
    let NewChannel { name } = parse(&body)?;
    Ok(web::Json(json!(world.add_channel(&name)?)))
}

async fn update_channel(world: web::Data<World>, login: web::Path<String>, body: web::Bytes) -> JsonResult {
    let edit: ChannelEdit = parse(&body)?;
    world.into_inner().update_channel(&login, edit, Notify::Yes)?;
    Ok(web::Json(json!({})))
}

/// Parameters of an action; each action uses some of them.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Details {
    user: String,
    from: String,
    viewers: u32,
    bits: u32,
    tier: String,
    silent: bool,
}

impl Default for Details {
    fn default() -> Self {
        Self {
            user: "quietotter".to_owned(),
            from: "copperkite".to_owned(),
            viewers: 42,
            bits: 100,
            tier: "1000".to_owned(),
            silent: false,
        }
    }
}

async fn act(world: web::Data<World>, path: web::Path<(String, String)>, body: web::Bytes) -> JsonResult {
    let (world, (channel, action)) = (world.into_inner(), path.into_inner());
    let Details { user, from, viewers, bits, tier, silent } = parse(&body)?;
    let notify = if silent { Notify::No } else { Notify::Yes };
    let sent = |messages: usize| json!({ "messages": messages });
    let answer = match action.as_str() {
        "live" => json!({ "stream_id": world.go_live(&channel, notify)? }),
        "offline" => json!({ "stream_id": world.go_offline(&channel, notify)? }),
        "viewers" => {
            world.set_viewers(&channel, viewers)?;
            json!({})
        }
        "follow" => sent(world.follow(&channel, &user)?),
        "raid" => sent(world.raid(&channel, &from, viewers)?),
        "cheer" => sent(world.cheer(&channel, &user, bits)?),
        "subscribe" => sent(world.subscribe(&channel, &user, &tier)?),
        _ => return Err(ControlError::UnknownAction(action)),
    };
    Ok(web::Json(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEvent {
    r#type: String,
    version: Option<String>,
    channel: Option<String>,
    user: Option<String>,
    /// The id of the only WebSocket session that gets it, or its first characters.
    session: Option<String>,
    /// The id of the only subscription that gets it.
    subscription: Option<String>,
    /// In the form of `simulate --set`: `bits=500`, `new_field:={"any": "json"}`.
    #[serde(default)]
    set: Vec<String>,
}

async fn emit(world: web::Data<World>, body: web::Bytes) -> JsonResult {
    let NewEvent { r#type, version, channel, user, session, subscription, set } = parse(&body)?;
    let edits: Result<Vec<_>, _> = set.iter().map(|text| text.parse()).collect();
    let edits = edits.map_err(ScenarioError::from)?;
    let world: Arc<World> = world.into_inner();
    let channel = channel.or_else(|| world.default_channel(&r#type, version.as_deref()));
    let only = Only { session, subscription };
    let messages = world.emit_to(&only, &r#type, version.as_deref(), channel.as_deref(), user.as_deref(), &edits)?;
    Ok(web::Json(json!({ "messages": messages })))
}

async fn withdraw_consent(world: web::Data<World>, login: web::Path<String>) -> JsonResult {
    world.into_inner().withdraw_consent(&login)?;
    Ok(web::Json(json!({})))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct End {
    status: String,
}

impl Default for End {
    fn default() -> Self {
        Self { status: "user_removed".to_owned() }
    }
}

async fn end_subscription(world: web::Data<World>, id: web::Path<String>, body: web::Bytes) -> JsonResult {
    let End { status } = parse(&body)?;
    world.into_inner().end_subscription(&id, &status)?;
    Ok(web::Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    status: String,
}

async fn set_status(world: web::Data<World>, id: web::Path<String>, body: web::Bytes) -> JsonResult {
    let NewStatus { status } = parse(&body)?;
    world.set_status(&id, &status)?;
    Ok(web::Json(json!({})))
}

async fn end_tokens(world: web::Data<World>, kind: web::Path<String>) -> JsonResult {
    match kind.as_str() {
        "app" => world.end_app_tokens(),
        "user" => world.end_user_tokens(),
        _ => return Err(ControlError::UnknownAction(kind.into_inner())),
    }
    Ok(web::Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    seconds: u32,
}

async fn use_up_rate_limit(world: web::Data<World>, body: web::Bytes) -> JsonResult {
    let Pause { seconds } = parse(&body)?;
    world.use_up_rate_limit(seconds);
    Ok(web::Json(json!({})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    user: String,
    text: String,
    channel: Option<String>,
}

async fn say(world: web::Data<World>, body: web::Bytes) -> JsonResult {
    let NewMessage { user, text, channel } = parse(&body)?;
    let world: Arc<World> = world.into_inner();
    let channel = channel.or_else(|| world.first_channel()).unwrap_or_default();
    let message_id = world.say(&channel, &user, &text)?;
    Ok(web::Json(json!({ "channel": channel, "message_id": message_id })))
}

async fn actions(world: web::Data<World>) -> web::Json<Value> {
    web::Json(json!({ "data": world.actions() }))
}

async fn room(world: web::Data<World>, login: web::Path<String>) -> JsonResult {
    Ok(web::Json(json!(world.room(&login)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRole {
    user: String,
    /// `null` takes all roles away.
    role: Option<Role>,
}

async fn set_role(world: web::Data<World>, login: web::Path<String>, body: web::Bytes) -> JsonResult {
    let NewRole { user, role } = parse(&body)?;
    world.set_role(&login, &user, role)?;
    Ok(web::Json(json!({})))
}

async fn faults(world: web::Data<World>) -> web::Json<Faults> {
    web::Json(world.faults())
}

async fn set_faults(world: web::Data<World>, body: web::Bytes) -> JsonResult {
    world.set_faults(parse(&body)?)?;
    Ok(web::Json(json!(world.faults())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schedule {
    name: String,
    #[serde(default = "real_time")]
    speed: f64,
}

fn real_time() -> f64 {
    1.0
}

async fn start_schedule(world: web::Data<World>, body: web::Bytes) -> JsonResult {
    let Schedule { name, speed } = parse(&body)?;
    world.into_inner().start_schedule(&name, speed)?;
    Ok(web::Json(json!({})))
}
