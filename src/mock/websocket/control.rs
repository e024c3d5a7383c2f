//! The control API of WebSocket sessions, under `/mock/websocket`.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::close::{Ending, UnknownCode};
use super::handover::GRACE;
use super::{Command, Session};
use crate::mock::control::parse;
use crate::mock::state::{State, rfc3339};
use crate::mock::world::World;

/// The longest time that a client can be given to reconnect, in seconds.
const MAX_GRACE: f64 = 3_600.0;

pub(in crate::mock) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/mock/websocket", web::get().to(list))
        .route("/mock/websocket/reconnect", web::post().to(reconnect))
        .route("/mock/websocket/{session}/close", web::post().to(close))
        .route("/mock/websocket/{session}", web::put().to(change));
}

/// Why a session can't be controlled.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no session at all.
    #[error("there is no session")]
    None,
    /// There is none of this name.
    #[error("there is no session {0}; there are: {1}")]
    Unknown(String, String),
    /// Several ids begin like this.
    #[error("{0} begins the ids of several sessions; there are: {1}")]
    Ambiguous(String, String),
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Code(#[from] UnknownCode),
    #[error("grace_s must be a number from 0 to {MAX_GRACE}")]
    Grace,
    #[error("invalid body: {0}")]
    Body(#[from] serde_json::Error),
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Session(SessionError::Ambiguous(..)) => StatusCode::CONFLICT,
            Self::Session(_) => StatusCode::NOT_FOUND,
            Self::Code(_) | Self::Grace | Self::Body(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({ "error": self.to_string() }))
    }
}

type JsonResult = Result<web::Json<Value>, Error>;

async fn list(world: web::Data<World>) -> web::Json<Value> {
    web::Json(json!({ "sessions": world.state().shown_sessions() }))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Reconnect {
    session: Option<String>,
    /// Seconds.
    grace_s: f64,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self { session: None, grace_s: GRACE.as_secs_f64() }
    }
}

async fn reconnect(world: web::Data<World>, body: web::Bytes) -> JsonResult {
    let Reconnect { session, grace_s } = parse(&body)?;
    if !(0.0..=MAX_GRACE).contains(&grace_s) {
        return Err(Error::Grace);
    }
    let asked = world.ask_to_reconnect(session.as_deref(), Duration::from_secs_f64(grace_s))?;
    Ok(web::Json(json!({ "sessions": asked })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    code: Ending,
}

async fn close(world: web::Data<World>, session: web::Path<String>, body: web::Bytes) -> JsonResult {
    let close = parse::<End>(&body)?.code.close()?;
    world.command(&session, close.map_or(Command::Abort, Command::Close))?;
    Ok(web::Json(json!({})))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Change {
    keepalive: Option<bool>,
    pongs: Option<bool>,
    delivery: Option<bool>,
}

async fn change(world: web::Data<World>, session: web::Path<String>, body: web::Bytes) -> JsonResult {
    let Change { keepalive, pongs, delivery } = parse(&body)?;
    let commands = [keepalive.map(Command::Keepalive), pongs.map(Command::Pongs)];
    for command in commands.into_iter().flatten() {
        world.command(&session, command)?;
    }
    let mut state = world.state();
    let id = state.sessions.resolve(&session)?;
    if let (Some(session), Some(delivers)) = (state.sessions.by_id.get_mut(&id), delivery) {
        session.delivers = delivers;
    }
    Ok(web::Json(json!({})))
}

impl World {
    /// Gives the socket of a session a command.
    fn command(&self, named: &str, command: Command) -> Result<(), SessionError> {
        let state = self.state();
        let id = state.sessions.resolve(named)?;
        if let Some(session) = state.sessions.by_id.get(&id) {
            session.socket.give(command);
        }
        Ok(())
    }
}

impl State {
    pub(in crate::mock) fn shown_sessions(&self) -> Vec<Value> {
        let alive = self.subscriptions.iter().filter(|held| held.shown.status.is_alive());
        let mut subscriptions = BTreeMap::<_, usize>::new();
        for id in alive.filter_map(|held| held.shown.transport.session_id()) {
            *subscriptions.entry(id).or_default() += 1;
        }
        let count = |id: &String| subscriptions.get(id.as_str()).copied().unwrap_or_default();
        self.sessions.by_id.iter().map(|(id, session)| session.shown(id, count(id))).collect()
    }
}

impl Session {
    fn shown(&self, id: &str, subscriptions: usize) -> Value {
        json!({
            "id": id,
            "connected_at": rfc3339(self.connected_at),
            "keepalive_timeout_seconds": self.keepalive.as_secs(),
            "user_id": self.user_id,
            "subscriptions": subscriptions,
            "sockets": 1 + usize::from(self.next.is_some()) + usize::from(self.old.is_some()),
            "is_reconnecting": self.challenge.is_some(),
            "delivery": self.delivers,
        })
    }
}
