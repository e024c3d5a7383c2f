//! Helix calls that change something: chat, moderation and the channel (<https://dev.twitch.tv/docs/api/reference/>).
//!
//! What they do is kept: a sent message can be deleted, a banned user can't write, a clip can be read a few seconds later.
//! Limits are enforced. Every call is in the ledger, which the control API shows.

mod caller;
mod channel;
mod chat;
mod clips;
mod control;
pub(super) mod ledger;
mod limits;
mod moderation;
mod pins;
pub(super) mod rooms;
mod settings;
mod shoutouts;
mod whispers;

use std::sync::Arc;

use actix_web::body::BodyStream;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::ledger::{Effect, PerformedAction};
use super::faults::ActionFault;
use super::helix::{Refusal, bad_request, error_answer};
use super::state::{State, Token};
use super::world::World;
use crate::simulate::edit::Edit;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    chat::routes(cfg);
    shoutouts::routes(cfg);
    whispers::routes(cfg);
    pins::routes(cfg);
    settings::routes(cfg);
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
        if !fault.delay.is_zero() {
            self.config.clock.sleep(fault.delay).await;
        }
        self.answer(request, |state, token| {
            if fault.fails_before {
                return Err((
                    StatusCode::SERVICE_UNAVAILABLE,
                    "Twitch failed before the call had an effect".to_owned(),
                ));
            }
            let performed = perform(self, state, token);
            let (channel, effect, status, refusal) = match &performed {
                Ok(Performed { effect: Effect { channel, what }, response }) => {
                    (Some(channel.clone()), what.clone(), response.status(), None)
                }
                Err((status, message)) => (None, Value::Null, *status, Some(message.clone())),
            };
            let (at, as_user, status) = (self.config.clock.now(), token.user_id.clone(), status.as_u16());
            state.ledger.push(PerformedAction { at, action, as_user, channel, effect, status, refusal });
            performed.map(|performed| spoiled(performed.response, fault))
        })
    }

    /// Something happened: the subscribers are notified. What the samples can't show is left out.
    fn happen(
        self: &Arc<Self>,
        state: &mut State,
        (kind, variant): (&str, Option<&str>),
        channel: &str,
        user: Option<&str>,
        fields: &[(&str, Value)],
    ) {
        let Ok(kind) = super::scenario::subscription_type(kind, None) else { return };
        let edits = fields.iter().map(|(field, value)| Edit::field(field, value.clone())).collect();
        if let Ok(event) = self.event_of(state, kind, variant, Some(channel), user, edits) {
            self.notify(state, kind, &event);
        }
    }
}

/// The answer of a call that had its effect.
fn spoiled(response: HttpResponse, fault: ActionFault) -> HttpResponse {
    if fault.resets_after {
        let broken = stream::once(async { Err::<web::Bytes, _>(std::io::Error::other("the connection is reset")) });
        return HttpResponse::Ok().body(BodyStream::new(broken));
    }
    if fault.fails_after {
        return error_answer(StatusCode::INTERNAL_SERVER_ERROR, "Twitch failed after the call had its effect");
    }
    response
}

/// The JSON body of a call.
fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| bad_request(format!("The request body is not valid: {error}")))
}

/// The first `limit` characters of a text.
fn cut(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
