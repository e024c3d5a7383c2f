//! The fake Discord: state, limits, errors, pings, threads, faults, the control API and the commands.

mod commands;
mod faults;
mod limits;
mod messages;
mod threads;
mod webhooks;

use reqwest::{Client, Method, Response};
use serde_json::Value;
use showtime::clock::Clock;
use showtime::mock::discord::{
    DiscordConfig, DiscordFault, DiscordFaults, DiscordMessage, FakeDiscord, Limits, Webhook,
};

use crate::support::PATIENCE;

/// A running fake Discord, its first webhook, and a client.
struct Fixture {
    discord: FakeDiscord,
    clock: Clock,
    webhook: Webhook,
    client: Client,
}

impl Fixture {
    /// Without limits on calls.
    async fn start() -> Self {
        Self::with(Limits::NONE).await
    }

    async fn with(limits: Limits) -> Self {
        let clock = Clock::default();
        let config = DiscordConfig { clock: clock.clone(), limits, ..DiscordConfig::default() };
        let discord = FakeDiscord::start(config).await.unwrap();
        let webhook = discord.world.webhooks().remove(0);
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { discord, clock, webhook, client }
    }

    fn url_of(&self, webhook: &Webhook, rest: &str) -> String {
        format!("{}/webhooks/{}/{}{rest}", self.discord.api_url(), webhook.id, webhook.token)
    }

    async fn call(&self, method: Method, rest: &str, body: Option<&Value>) -> Response {
        let mut request = self.client.request(method, self.url_of(&self.webhook, rest));
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    /// Posts a message, and returns status and body.
    async fn post(&self, body: Value) -> (u16, Value) {
        read(self.call(Method::POST, "?wait=true", Some(&body)).await).await
    }

    async fn post_to(&self, query: &str, body: Value) -> (u16, Value) {
        read(self.call(Method::POST, &format!("?wait=true&{query}"), Some(&body)).await).await
    }

    async fn edit(&self, id: &str, query: &str, body: Value) -> (u16, Value) {
        read(self.call(Method::PATCH, &format!("/messages/{id}{query}"), Some(&body)).await).await
    }

    async fn bot(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.discord.api_url()));
        let token = &self.discord.world.config().bot_token;
        read(request.header("Authorization", format!("Bot {token}")).json(body).send().await.unwrap()).await
    }

    fn next(&self, fault: DiscordFault, count: u32) {
        self.discord.world.set_faults(DiscordFaults::next(fault, count)).unwrap();
    }

    fn messages(&self) -> Vec<DiscordMessage> {
        self.discord.world.messages()
    }

    /// Makes the first webhook one of this channel.
    async fn move_to(&mut self, channel: &str) {
        self.webhook = self.discord.world.move_webhook(&self.webhook.id.to_string(), channel).unwrap();
    }

    async fn stop(self) {
        self.discord.stop().await.unwrap();
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

/// Status and code of an error.
fn error(answer: &(u16, Value)) -> (u16, u64) {
    (answer.0, answer.1["code"].as_u64().unwrap_or_else(|| panic!("{answer:?}")))
}

/// The code of the first error of a form at this path.
fn form_error(answer: &(u16, Value), path: &str) -> String {
    assert_eq!(error(answer), (400, 50_035), "{answer:?}");
    let pointer = format!("/errors/{}/_errors/0/code", path.replace('.', "/")).replace("//", "/");
    answer.1.pointer(&pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{path} in {}", answer.1)).to_owned()
}

fn long(characters: usize) -> String {
    "é".repeat(characters)
}
