//! The fake Twitch's chat, moderation and channel: state, scopes, limits, faults, and the ledger.

mod channel;
mod chat;
mod faults;
mod moderation;

use reqwest::{Method, RequestBuilder};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use showtime::mock::{Faults, MockConfig};

use crate::support::recorder::Recorder;
use crate::support::twitch::{CHANNEL_ID, Twitch};

/// Another user.
const VIEWER: &str = "quietotter";

/// The scopes that the calls require.
const SCOPES: [&str; 15] = [
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
    "moderator:read:chatters",
    "user:manage:whispers",
    "user:write:chat",
    "user:bot",
];

/// Another account, with a token.
struct Bot {
    id: String,
    token: SecretString,
}

struct Fixture {
    twitch: Twitch,
    /// Of the channel's broadcaster, with all scopes.
    token: SecretString,
    viewer_id: String,
}

impl Fixture {
    async fn start() -> Self {
        let twitch = Twitch::start().await;
        let token = twitch.consent(&SCOPES).await.access_token;
        let viewer_id = twitch.mock.world.add_channel(VIEWER).unwrap().id;
        Self { twitch, token, viewer_id }
    }

    /// A token of another user, who is added.
    async fn consent_as(&self, login: &str, scopes: &[&str]) -> Bot {
        let id = self.twitch.mock.world.add_channel(login).unwrap().id;
        let config = MockConfig::default();
        let parameters = [
            ("client_id", config.client_id.as_str()),
            ("client_secret", &config.client_secret),
            ("grant_type", "user_token"),
            ("user_id", &id),
            ("scope", &scopes.join(" ")),
        ];
        let url = format!("{}/auth/authorize", self.twitch.mock.base_url());
        let answer = self.twitch.browser.post(url).query(&parameters).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        Bot { id, token: answer["access_token"].as_str().unwrap().into() }
    }

    /// Subscribes for the channel; `user_field` of the condition is the broadcaster, too.
    async fn subscribe(&self, callback: &Recorder, kind: &str, user_field: &str) {
        let fields = ["broadcaster_user_id", user_field].into_iter().filter(|field| !field.is_empty());
        let condition = fields.map(|field| (field.to_owned(), CHANNEL_ID.to_owned())).collect();
        let subscription = self.twitch.subscribe_to(kind, "1", &condition, &callback.url("/callback")).await;
        self.twitch.until_status(&subscription.unwrap().id, "enabled").await;
    }

    fn request(&self, token: &SecretString, method: Method, path: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}{path}", self.twitch.mock.api_url());
        let request = self.twitch.browser.request(method, url).bearer_auth(token.expose_secret());
        request.header("Client-Id", MockConfig::default().client_id).json(body)
    }

    async fn call_with(&self, token: &SecretString, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let response = self.request(token, method, path, body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Makes a call as the broadcaster.
    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.call_with(&self.token, method, path, &body).await
    }

    async fn say(&self, text: &str) -> (u16, Value) {
        let body = json!({ "broadcaster_id": CHANNEL_ID, "sender_id": CHANNEL_ID, "message": text });
        self.call(Method::POST, "/chat/messages", body).await
    }

    /// A path with the channel as broadcaster and moderator.
    fn moderated(path: &str) -> String {
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{path}{sign}broadcaster_id={CHANNEL_ID}&moderator_id={CHANNEL_ID}")
    }

    async fn ban(&self, user_id: &str, duration: Option<u32>) -> (u16, Value) {
        let body = json!({ "data": { "user_id": user_id, "duration": duration, "reason": "spam" } });
        self.call(Method::POST, &Self::moderated("/moderation/bans"), body).await
    }

    fn faults(&self, faults: Faults) {
        self.twitch.mock.world.set_faults(faults).unwrap();
    }
}
