//! Chats over IRC, against the mock: lines, connections, who is there, and their settings.

mod connections;
mod eventsub;
mod hostile;
mod lines;
mod presence;
mod rules;
mod settings;

use serde_json::{Value, json};
use showtime::config::{Config, EncryptionKey};
use showtime::twitch::oauth::UserToken;
use sqlx::postgres::{PgConnectOptions, PgPool};

use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, serve_channel};
use crate::support::until;

/// Another user, who exists at the mock.
const VIEWER: &str = "quietotter";

/// The bot of [`Place::connect_bot`].
const BOT: &str = "showbot";

/// A mock, and a database of servers that serve its channel.
struct Place {
    twitch: Twitch,
    database: PgConnectOptions,
    pool: PgPool,
    key: EncryptionKey,
}

impl Place {
    async fn new() -> Self {
        let (twitch, database) = (Twitch::start().await, fresh_database().await);
        let pool = PgPool::connect_lazy_with(database.clone());
        let place = Self { twitch, database, pool, key: EncryptionKey::generate() };
        serve_channel(&place.pool, CHANNEL_ID, CHANNEL).await;
        place.twitch.mock.world.add_channel(VIEWER).unwrap();
        place
    }

    /// A bot whose consent has these scopes. Returns its token.
    async fn connect_bot(&self, scopes: &[&str]) -> UserToken {
        let (id, token) = self.consent(BOT, scopes).await;
        let statement = "insert into bot (user_id, login) values ($1, $2)";
        sqlx::query(statement).bind(id).bind(BOT).execute(&self.pool).await.unwrap();
        token
    }

    /// A user consents to these scopes, and the token is kept. Returns the user's id and the token.
    async fn consent(&self, login: &str, scopes: &[&str]) -> (String, UserToken) {
        let id = self.twitch.mock.world.add_channel(login).unwrap().id;
        let token = self.twitch.consent_as(login, scopes).await;
        self.twitch.keep(&self.pool, &self.key, &id, login, &token).await;
        (id, token)
    }

    fn configure(&self, config: &mut Config) {
        self.twitch.configure(config);
        config.encryption_key = Some(self.key.clone());
        config.twitch.websocket_url = self.twitch.mock.websocket_url();
        config.twitch.irc_url = self.twitch.mock.irc_url();
    }

    /// A server with the mock's clock.
    async fn serve(&self) -> Server {
        self.serve_as(|_| {}).await
    }

    /// A server with some settings changed.
    async fn serve_as(&self, change: impl FnOnce(&mut Config)) -> Server {
        let configure = |config: &mut Config| {
            self.configure(config);
            change(config);
        };
        Server::at(self.twitch.clock.clone(), self.database.clone(), configure).await
    }

    /// The mock's connections of IRC.
    async fn connections(&self) -> Vec<Value> {
        let url = format!("{}/mock/irc", self.twitch.mock.base_url());
        let mut shown: Value = self.twitch.browser.get(url).send().await.unwrap().json().await.unwrap();
        shown["data"].as_array_mut().map(std::mem::take).unwrap()
    }

    /// Waits until so many channels are joined, over all connections.
    async fn until_joined(&self, channels: usize) {
        let joined = async || {
            let connections = self.connections().await;
            let counts = connections.iter().map(|it| it["channels"].as_array().map_or(0, Vec::len));
            counts.sum::<usize>() == channels
        };
        until("the channels are joined", joined).await;
    }

    async fn control(&self, path: &str, body: &Value) {
        let url = format!("{}/mock/irc/{path}", self.twitch.mock.base_url());
        let answer = self.twitch.browser.post(url).json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}");
    }
}

/// Sets how the chat of the channel is read.
async fn set(server: &Server, chat: &str, membership: bool) {
    let body = json!({ "chat": chat, "membership": membership });
    let answer = server.patch_json(&format!("/channels/{CHANNEL}/chat"), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The events of this type, oldest first.
async fn events(server: &Server, kind: &str) -> Vec<Value> {
    let mut page = server.json(&format!("/events?type={kind}&limit=100")).await;
    page["data"].as_array_mut().map(std::mem::take).unwrap()
}

/// Waits for so many events of this type.
async fn until_events(server: &Server, kind: &str, count: usize) -> Vec<Value> {
    until(kind, async || events(server, kind).await.len() >= count).await;
    let events = events(server, kind).await;
    assert_eq!(events.len(), count, "{events:#?}");
    events
}
