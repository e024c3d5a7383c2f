//! Helix calls that change something: chat, moderation and the channel (<https://dev.twitch.tv/docs/api/reference/>).
//!
//! What they do is kept: a sent message can be deleted, a banned user can't write, a clip can be read a few seconds later.
//! Limits are enforced. Every call is in the ledger, which the control API shows.

mod announcements;
mod bans;
mod caller;
mod channel;
mod chat;
mod clips;
mod control;
mod drops;
mod events;
mod irc;
pub(super) mod ledger;
mod limits;
mod moderation;
mod pins;
pub(super) mod rooms;
mod settings;
mod shoutouts;
mod whispers;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::ledger::{Effect, PerformedAction};
use super::cut::Cut;
use super::helix::{Refusal, bad_request, bearer};
use super::state::{State, Token};
use super::world::World;

/// The longest reason of a ban or warning, in characters.
const MAX_REASON: usize = 500;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    chat::routes(cfg);
    announcements::routes(cfg);
    shoutouts::routes(cfg);
    whispers::routes(cfg);
    pins::routes(cfg);
    settings::routes(cfg);
    bans::routes(cfg);
    moderation::routes(cfg);
    channel::routes(cfg);
    clips::routes(cfg);
}

/// A call that was performed.
struct Performed {
    effect: Effect,
    response: HttpResponse,
}

impl Performed {
    fn new(effect: Effect, response: HttpResponse) -> Result<Self, Refusal> {
        Ok(Self { effect, response })
    }

    /// 204.
    fn no_content(effect: Effect) -> Result<Self, Refusal> {
        Self::new(effect, HttpResponse::NoContent().finish())
    }

    /// 200 with `data`.
    fn data(effect: Effect, data: Value) -> Result<Self, Refusal> {
        Self::new(effect, HttpResponse::Ok().json(serde_json::json!({ "data": [data] })))
    }
}

impl World {
    /// Answers a call that changes something, with its faults, and keeps it in the ledger.
    async fn perform(
        self: &Arc<Self>,
        request: &HttpRequest,
        action: &'static str,
        perform: impl FnOnce(&Arc<Self>, &mut State, &Token) -> Result<Performed, Refusal>,
    ) -> HttpResponse {
        let fault = self.state().faults.draw_action_fault();
        self.config.clock.sleep(fault.delay).await;
        if fault.ends_token {
            self.state().access_tokens.remove(bearer(request));
        }
        let response = self.answer(request, |state, token| {
            let performed = match fault.fails_before {
                Some(status) => Err((status, "Twitch failed before the call had an effect".to_owned())),
                None => perform(self, state, token),
            };
            let violation = state.rooms.windows.take_exceeded();
            let (channel, effect, status, refusal) = match &performed {
                Ok(Performed { effect: Effect { channel, what }, response }) => {
                    (Some(channel.clone()), what.clone(), response.status(), None)
                }
                Err((status, message)) => (None, Value::Null, *status, Some(message.clone())),
            };
            let (at, as_user, status) = (self.config.clock.now(), token.user_id.clone(), status.as_u16());
            let fault_name = fault.name();
            state.ledger.push(PerformedAction {
                at,
                action,
                as_user,
                channel,
                effect,
                status,
                refusal,
                violation,
                fault: fault_name,
            });
            match (performed, fault.fails_after) {
                (Ok(_), Some(status)) => Err((status, "Twitch failed after the call had its effect".to_owned())),
                (performed, _) => performed.map(|performed| performed.response),
            }
        });
        if fault.resets_after
            && let Some(cut) = request.conn_data::<Cut>()
        {
            cut.end();
        }
        self.config.clock.sleep(fault.answer_delay).await;
        response
    }
}

/// Twitch wraps some bodies in `data`.
#[derive(Deserialize)]
struct Wrapped<T> {
    data: T,
}

/// The JSON body of a call.
fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| bad_request(format!("The request body is not valid: {error}")))
}

/// The first `limit` characters of a text.
fn cut(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
