//! Actions on Twitch, against the mock: each of them, faults, limits, kills, and their API.

mod api;
mod consent;
mod echo;
mod faults;
mod hour;
mod kill;
mod ledger;
mod limits;
mod links;
mod order;
mod rules;
mod steps;
mod webhooks;

use serde_json::{Value, json};
use showtime::config::{Config, EncryptionKey};
use showtime::mock::{Faults, Notify, PerformedAction};
use showtime::twitch::oauth::UserToken;
use sqlx::postgres::PgConnectOptions;

use crate::support::postgres::{fresh_database, pool};
use crate::support::server::{Answer, Server};
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, serve_channel};
use crate::support::until;

/// Another user, who exists at the mock.
pub(crate) const VIEWER: &str = "quietotter";

/// The scopes of all steps.
const SCOPES: [&str; 13] = [
    "channel:edit:commercial",
    "channel:manage:broadcast",
    "channel:manage:vips",
    "clips:edit",
    "moderator:manage:announcements",
    "moderator:manage:banned_users",
    "moderator:manage:chat_messages",
    "moderator:manage:chat_settings",
    "moderator:manage:shield_mode",
    "moderator:manage:shoutouts",
    "moderator:manage:warnings",
    "user:manage:whispers",
    "user:write:chat",
];

/// A mock, and a database of a server that may act on it.
pub(crate) struct Place {
    twitch: Twitch,
    database: PgConnectOptions,
    key: EncryptionKey,
    viewer_id: String,
}

impl Place {
    /// A channel that is live, and whose broadcaster has consented to these scopes.
    pub(crate) async fn with(scopes: &[&str]) -> Self {
        let twitch = Twitch::start().await;
        let place = Self {
            viewer_id: twitch.mock.world.add_channel(VIEWER).unwrap().id,
            database: fresh_database().await,
            key: EncryptionKey::generate(),
            twitch,
        };
        place.twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
        let token = place.twitch.consent(scopes).await;
        place.keep(CHANNEL_ID, CHANNEL, &token).await;
        serve_channel(&pool(&place.database), CHANNEL_ID, CHANNEL).await;
        place
    }

    pub(crate) async fn new() -> Self {
        Self::with(&SCOPES).await
    }

    /// Keeps the token of a user, as `init` does.
    async fn keep(&self, id: &str, login: &str, token: &UserToken) {
        self.twitch.keep(&pool(&self.database), &self.key, id, login, token).await;
    }

    fn configure(&self, config: &mut Config) {
        self.twitch.configure(config);
        config.encryption_key = Some(self.key.clone());
        config.twitch.websocket_url = self.twitch.mock.websocket_url();
    }

    /// A server with the mock's clock.
    pub(crate) async fn serve(&self) -> Server {
        Server::at(self.twitch.clock.clone(), self.database.clone(), |config| self.configure(config)).await
    }

    pub(crate) fn faults(&self, faults: Faults) {
        self.twitch.mock.world.set_faults(faults).unwrap();
    }

    /// The calls of this name that Twitch has performed.
    pub(crate) fn performed(&self, action: &str) -> Vec<PerformedAction> {
        let calls = self.twitch.mock.world.actions();
        calls.into_iter().filter(|call| call.action == action && call.refusal.is_none()).collect()
    }
}

/// Requests an action, and returns the answer.
async fn post(server: &Server, step: &Value) -> Answer {
    server.post_json(&format!("/channels/{CHANNEL}/actions"), step).await
}

/// Requests an action, and returns its id.
pub(crate) async fn request(server: &Server, step: &Value) -> i64 {
    let answer = post(server, step).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["id"].as_i64().unwrap()
}

async fn get(server: &Server, id: i64) -> Value {
    server.json(&format!("/actions/{id}")).await
}

/// Waits until an action is in this state, and returns it.
async fn until_state(server: &Server, id: i64, state: &str) -> Value {
    let mut action = Value::Null;
    until(state, async || {
        action = get(server, id).await;
        action["state"] == state
    })
    .await;
    action
}

/// Waits until an action is settled, and returns it. The clock is put forward meanwhile.
pub(crate) async fn settled(server: &Server, id: i64) -> Value {
    let mut action = Value::Null;
    until("the action is settled", async || {
        server.clock.advance(time::Duration::milliseconds(100));
        action = get(server, id).await;
        !["pending", "sending"].contains(&action["state"].as_str().unwrap())
    })
    .await;
    action
}

/// Does an action, and returns it once it is done.
pub(crate) async fn done(server: &Server, step: Value) -> Value {
    let id = request(server, &step).await;
    let action = settled(server, id).await;
    assert_eq!(action["state"], "done", "{action}");
    action
}

pub(crate) fn say(text: &str) -> Value {
    json!({ "say": text })
}
