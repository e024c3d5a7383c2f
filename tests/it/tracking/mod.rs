//! Tracking for Discord bots, against the fake Discord.

mod admin;
mod batch;
mod curl;
mod events;
mod grpc;
mod kills;
mod names;
mod payloads;
mod polling;
mod posts;
mod previews;
mod refusals;
mod tokens;
mod v1;
mod v2;
mod watch;
mod watched;

use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::config::Config;
use showtime::mock::discord::{
    Channel, ChannelKind, DiscordConfig, FakeDiscord, Limits, NewChannel, NewWebhook, Webhook,
};
use sqlx::postgres::PgConnectOptions;

use crate::support::bots;
use crate::support::postgres::fresh_database;
use crate::support::server::{Answer, Server};
use crate::support::setting;

/// The login of [`CHANNEL`](crate::support::messages::CHANNEL), once the log has an event of it.
const LOGIN: &str = "user90210441";

/// A fake Discord, a server that posts to it, and a bot.
struct Stage {
    discord: FakeDiscord,
    clock: Clock,
    database: PgConnectOptions,
    server: Server,
    /// The secret of the bot `tatsu`, and a token of it.
    secret: SecretString,
    token: String,
}

impl Stage {
    /// Without limits of Discord.
    async fn start() -> Self {
        Self::with(Limits::NONE, |config| config.tracking.discord_rate = 0).await
    }

    async fn with(limits: Limits, change: impl FnOnce(&mut Config)) -> Self {
        let (clock, database) = (Clock::default(), fresh_database().await);
        let config = DiscordConfig { clock: clock.clone(), limits, ..DiscordConfig::default() };
        let discord = FakeDiscord::start(config).await.unwrap();
        let url = discord.api_url();
        let server = Server::at(clock.clone(), database.clone(), |config| {
            config.tracking.discord_url = url;
            config.grpc_port = Some(0);
            change(config);
        });
        let server = server.await;
        let secret = bots::add(&server, "tatsu").await;
        let token = bots::token_of(&server, "tatsu", &secret).await;
        Self { discord, clock, database, server, secret, token }
    }

    /// Another token, for when the first has expired.
    async fn new_token(&self) -> String {
        bots::token_of(&self.server, "tatsu", &self.secret).await
    }

    /// The first channel of the fake Discord, and its webhook.
    fn webhook(&self) -> Webhook {
        self.discord.world.webhooks().remove(0)
    }

    /// A new channel of the fake Discord, and a webhook in it.
    fn new_webhook(&self, name: &str) -> Webhook {
        let channel = self.new_channel(name);
        self.discord.world.add_webhook(&NewWebhook { channel: channel.name, ..NewWebhook::default() }).unwrap()
    }

    /// Another webhook in the channel of this one.
    fn second_webhook(&self, first: &Webhook) -> Webhook {
        let channel = self.discord.world.channel(&first.channel_id.to_string()).unwrap();
        self.discord.world.add_webhook(&NewWebhook { channel: channel.name, ..NewWebhook::default() }).unwrap()
    }

    fn new_channel(&self, name: &str) -> Channel {
        let new = NewChannel { name: name.to_owned(), kind: ChannelKind::Text, ..NewChannel::default() };
        self.discord.world.add_channel(&new).unwrap()
    }

    /// Lets the log know the channel of the tests.
    async fn know_streamer(&self) {
        use crate::support::messages::{at, notification};
        let update = json!({ "title": "First run", "language": "en", "category_id": "1", "category_name": "Chess" });
        assert_eq!(self.server.deliver(&notification("channel.update", at(0), update)).await.status, 204);
    }

    /// Tracks a Twitch channel over a webhook.
    async fn track(&self, webhook: &Webhook, name: &str) -> Answer {
        let path = format!("/v1/api/{}/{name}", webhook.channel_id);
        self.post(&path, &json!({ "id": webhook.id, "token": webhook.token })).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.server.send_json_as(&self.token, Method::POST, path, body).await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.server.send_json_as(&self.token, Method::PUT, path, body).await
    }

    async fn send(&self, method: Method, path: &str) -> Answer {
        self.server.send_as(&self.token, method, path).await
    }

    async fn stop(self) {
        self.server.stop().await;
        self.discord.stop().await.unwrap();
    }
}
