//! The control API under `/mock`, in JSON.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::{Value, json};
use time::Duration;

use super::faults::{DiscordFaults, InvalidDiscordFaults};
use super::world::{ChannelEdit, DiscordError, DiscordWorld, NewWebhook};
use crate::mock::control::parse;

/// How many calls and changes the state shows.
const SHOWN: usize = 100;

/// Limit of the seconds that the clock moves at once.
const MAX_SECONDS: u32 = 10 * 365 * 86_400;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/mock/state", web::get().to(state))
        .route("/mock/ledger", web::get().to(ledger))
        .route("/mock/channels", web::post().to(add_channel))
        .route("/mock/channels/{name}", web::patch().to(edit_channel))
        .route("/mock/channels/{name}", web::delete().to(delete_channel))
        .route("/mock/channels/{name}/messages", web::get().to(messages))
        .route("/mock/webhooks", web::post().to(add_webhook))
        .route("/mock/webhooks/{id}", web::patch().to(move_webhook))
        .route("/mock/webhooks/{id}", web::delete().to(delete_webhook))
        .route("/mock/messages/{id}", web::delete().to(delete_message))
        .route("/mock/roles", web::post().to(add_role))
        .route("/mock/members", web::post().to(add_member))
        .route("/mock/faults", web::get().to(faults))
        .route("/mock/faults", web::put().to(set_faults))
        .route("/mock/bans", web::delete().to(lift_bans))
        .route("/mock/clock", web::post().to(advance));
}

/// Why the control API refused a call.
#[derive(Debug, thiserror::Error)]
enum ControlError {
    #[error(transparent)]
    Discord(#[from] DiscordError),
    #[error(transparent)]
    Faults(#[from] InvalidDiscordFaults),
    #[error("invalid body: {0}")]
    Body(#[from] serde_json::Error),
    #[error("`seconds` must be at most {MAX_SECONDS}")]
    TooFar,
}

impl ResponseError for ControlError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Discord(DiscordError::Unknown(..)) => StatusCode::NOT_FOUND,
            Self::Discord(_) | Self::Faults(_) | Self::Body(_) | Self::TooFar => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({ "error": self.to_string() }))
    }
}

type World = web::Data<DiscordWorld>;
type JsonResult = Result<web::Json<Value>, ControlError>;

async fn state(world: World) -> web::Json<Value> {
    let bans = world.bans();
    let state = world.state();
    let (calls, changes) = (state.ledger.calls.iter().rev(), state.ledger.changes.iter().rev());
    web::Json(json!({
        "channels": state.channels.values().collect::<Vec<_>>(),
        "webhooks": state.webhooks.values().collect::<Vec<_>>(),
        "roles": state.roles.values().collect::<Vec<_>>(),
        "members": state.members.values().collect::<Vec<_>>(),
        "messages": state.messages.len(),
        "calls": calls.take(SHOWN).collect::<Vec<_>>(),
        "changes": changes.take(SHOWN).collect::<Vec<_>>(),
        "counts": state.ledger.counts,
        "faults": state.faults.settings,
        "bans": bans,
    }))
}

async fn ledger(world: World) -> web::Json<Value> {
    let state = world.state();
    web::Json(json!({
        "calls": state.ledger.calls,
        "changes": state.ledger.changes,
        "counts": state.ledger.counts,
    }))
}

async fn add_channel(world: World, body: web::Bytes) -> JsonResult {
    Ok(web::Json(json!(world.add_channel(&parse(&body)?)?)))
}

async fn edit_channel(world: World, name: web::Path<String>, body: web::Bytes) -> JsonResult {
    let edit: ChannelEdit = parse(&body)?;
    Ok(web::Json(json!(world.edit_channel(&name, edit)?)))
}

async fn delete_channel(world: World, name: web::Path<String>) -> JsonResult {
    Ok(web::Json(json!(world.delete_channel(&name)?)))
}

async fn messages(world: World, name: web::Path<String>) -> JsonResult {
    let channel = world.channel(&name)?;
    Ok(web::Json(json!({ "data": world.shown_messages(&channel) })))
}

async fn add_webhook(world: World, body: web::Bytes) -> JsonResult {
    let new: NewWebhook = parse(&body)?;
    Ok(web::Json(json!(world.add_webhook(&new)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    channel: String,
}

async fn move_webhook(world: World, id: web::Path<String>, body: web::Bytes) -> JsonResult {
    let Move { channel } = parse(&body)?;
    Ok(web::Json(json!(world.move_webhook(&id, &channel)?)))
}

async fn delete_webhook(world: World, id: web::Path<String>) -> JsonResult {
    Ok(web::Json(json!(world.delete_webhook(&id)?)))
}

async fn delete_message(world: World, id: web::Path<String>) -> JsonResult {
    Ok(web::Json(json!(world.delete_message(&id)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRole {
    name: String,
    #[serde(default)]
    mentionable: bool,
}

async fn add_role(world: World, body: web::Bytes) -> JsonResult {
    let NewRole { name, mentionable } = parse(&body)?;
    Ok(web::Json(json!(world.add_role(&name, mentionable)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMember {
    name: String,
}

async fn add_member(world: World, body: web::Bytes) -> JsonResult {
    let NewMember { name } = parse(&body)?;
    Ok(web::Json(json!(world.add_member(&name)?)))
}

async fn faults(world: World) -> web::Json<DiscordFaults> {
    web::Json(world.faults())
}

async fn set_faults(world: World, body: web::Bytes) -> JsonResult {
    world.set_faults(parse(&body)?)?;
    Ok(web::Json(json!(world.faults())))
}

async fn lift_bans(world: World) -> web::Json<Value> {
    world.lift_bans();
    web::Json(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u32,
}

async fn advance(world: World, body: web::Bytes) -> JsonResult {
    let Advance { seconds } = parse(&body)?;
    if seconds > MAX_SECONDS {
        return Err(ControlError::TooFar);
    }
    world.config().clock.advance(Duration::seconds(seconds.into()));
    Ok(web::Json(json!({ "now": world.config().clock.now().to_string() })))
}
