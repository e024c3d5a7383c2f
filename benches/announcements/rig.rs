//! A fake Discord with many channels, a server, and a bot that tracks streams in them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::mock::discord::{
    ChangeKind, DiscordConfig, DiscordFault, DiscordFaults, FakeDiscord, Limits, NewChannel, NewWebhook, Webhook,
};
use showtime::tracking::bots;
use showtime::twitch::catalogue;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use showtime::twitch::signature::WebhookSecret;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{sleep, timeout};

use super::server::{Database, SECRET, Server};

/// The bot's secret and a token of it.
pub(crate) struct Bot {
    pub(crate) secret: String,
    pub(crate) token: String,
}

pub(crate) struct Rig {
    pub(crate) discord: FakeDiscord,
    pub(crate) database: Database,
    pub(crate) server: Server,
    pub(crate) bot: Bot,
    pub(crate) clock: Clock,
    /// How many Discord channels were made.
    made: AtomicUsize,
    program: PathBuf,
    rate: u32,
}

/// Channels of Discord in one server of it, which may have 1,000 webhooks.
const CHANNELS_PER_GUILD: usize = 900;

/// Limit of tracks in a request.
const BATCH: usize = 1_000;

/// Time limit for what is waited for.
const PATIENCE: Duration = Duration::from_secs(300);

impl Rig {
    /// Starts all, with so many requests per second to Discord; 0 for any number.
    pub(crate) async fn start(program: &Path, rate: u32) -> Self {
        let clock = Clock::default();
        let config = DiscordConfig { limits: Limits::NONE, ..DiscordConfig::default() };
        let discord = FakeDiscord::start(config).await.expect("the fake Discord starts");
        let database = Database::start().await;
        let server = serve(program, &database, &discord, rate).await;
        let mut connection = database.pool.acquire().await.expect("a connection");
        let secret = bots::add(&mut connection, "tatsu", clock.now()).await.expect("a bot");
        drop(connection);
        let bot = Bot { secret: secret.expose_secret().to_owned(), token: String::new() };
        let (made, program) = (AtomicUsize::new(0), program.to_owned());
        let rig = Self { discord, database, server, bot, clock, made, program, rate };
        let token = rig.new_token(0).await;
        Self { bot: Bot { token, ..rig.bot }, ..rig }
    }

    /// Stops the server and starts it again. Returns how long that took from its start until it was ready.
    pub(crate) async fn restart(self) -> (Self, Duration) {
        let Self { discord, database, server, bot, clock, made, program, rate } = self;
        drop(server);
        let began = clock.instant();
        let server = serve(&program, &database, &discord, rate).await;
        let took = clock.instant() - began;
        (Self { discord, database, server, bot, clock, made, program, rate }, took)
    }

    /// Gets a token as a process of the bot.
    pub(crate) async fn new_token(&self, shard: u32) -> String {
        let body = json!({ "name": "tatsu", "shard": shard, "secret": self.bot.secret });
        let answer = self.server.client.post(self.server.url("/v1/token")).json(&body).send().await;
        let answer: Value = answer.expect("an answer").json().await.expect("a token");
        answer["token"].as_str().expect("a token").to_owned()
    }

    /// Sends a request as the bot, which must succeed.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let request = self.server.client.request(method, self.server.url(path)).timeout(PATIENCE);
        let request = body.into_iter().fold(request, |request, body| request.json(body));
        serde_json::from_str(&Server::send_as(&self.bot.token, request).await).unwrap_or_default()
    }

    /// Makes so many Discord channels, each with a webhook.
    pub(crate) fn new_webhooks(&self, count: usize, prefix: &str) -> Vec<Webhook> {
        let world = &self.discord.world;
        let make = |number: usize| {
            let name = format!("{prefix}-{number}");
            let guild = self.made.fetch_add(1, Ordering::Relaxed) / CHANNELS_PER_GUILD;
            let guild_id = Some((500_000 + guild as u64) << 40);
            world
                .add_channel(&NewChannel { name: name.clone(), guild_id, ..NewChannel::default() })
                .expect("a channel");
            world.add_webhook(&NewWebhook { channel: name, ..NewWebhook::default() }).expect("a webhook")
        };
        (0..count).map(make).collect()
    }

    /// Tracks a Twitch channel that showtime knows over all of these webhooks.
    pub(crate) async fn track(&self, webhooks: &[Webhook], twitch_id: &str) {
        let item = |webhook: &Webhook| {
            json!({
                "channel_id": webhook.channel_id, "guild_id": webhook.guild_id, "name": twitch_id,
                "webhook": { "id": webhook.id, "token": webhook.token }
            })
        };
        for batch in webhooks.chunks(BATCH) {
            self.track_all(&batch.iter().map(item).collect::<Vec<_>>()).await;
        }
    }

    /// Adds these tracks, which must all be new.
    pub(crate) async fn track_all(&self, items: &[Value]) {
        let answer = self.send(Method::POST, "/v2/tracks/batch", Some(&json!({ "tracks": items }))).await;
        let results = answer["results"].as_array().expect("results");
        let refused = results.iter().find(|result| result["result"] != "created");
        assert!(results.len() == items.len() && refused.is_none(), "{refused:?}");
    }

    /// Tells the server a channel's title.
    pub(crate) async fn update(&self, channel: &str) {
        let event = json!({ "title": "Run", "language": "en", "category_id": "7", "category_name": "Chess" });
        self.deliver("channel.update", channel, event).await;
    }

    /// Lets a stream begin.
    pub(crate) async fn online(&self, channel: &str, stream: &str) {
        let started_at = text(self.clock.now());
        self.deliver("stream.online", channel, json!({ "id": stream, "type": "live", "started_at": started_at })).await;
    }

    /// Lets a stream end.
    pub(crate) async fn offline(&self, channel: &str) {
        self.deliver("stream.offline", channel, json!({})).await;
    }

    async fn deliver(&self, kind: &str, channel: &str, mut event: Value) {
        event["broadcaster_user_id"] = channel.into();
        event["broadcaster_user_login"] = format!("user{channel}").into();
        event["broadcaster_user_name"] = format!("User{channel}").into();
        let kind = catalogue::find(kind, None).expect("a type");
        let subscription = Subscription::new(kind, &event, "https://hooks.example.org/callback");
        let message = Outgoing::notification(Stamp::new(text(self.clock.now())), &subscription, &event);
        let signature = message.sign(&WebhookSecret::new(SECRET).expect("a secret"));
        let request = self.server.client.post(self.server.url("/callback")).body(message.body.clone());
        let headers = message.headers(Some(&signature));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        request.send().await.expect("an answer").error_for_status().expect("it is taken");
    }

    /// Lets Discord answer after this time.
    pub(crate) fn delay(&self, milliseconds: u64) {
        let chances = [(DiscordFault::Delay, 1.0)].into();
        let faults = DiscordFaults { delay_ms: milliseconds, chances, ..DiscordFaults::default() };
        self.discord.world.set_faults(faults).expect("faults");
    }

    /// When each webhook posted for the first time since then.
    pub(crate) fn posted_since(&self, since: OffsetDateTime) -> HashMap<String, OffsetDateTime> {
        let mut posted = HashMap::new();
        for change in self.discord.world.changes() {
            if change.kind == ChangeKind::Created && change.at >= since {
                posted.entry(change.webhook_id.to_string()).or_insert(change.at);
            }
        }
        posted
    }

    /// Waits until this webhook has posted since then. Returns when that was.
    pub(crate) async fn until_posted(&self, since: OffsetDateTime, webhook: &str) -> OffsetDateTime {
        let posting = async {
            loop {
                if let Some(at) = self.posted_since(since).remove(webhook) {
                    return at;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, posting).await.expect("a message")
    }

    /// Waits until this query is true.
    pub(crate) async fn until(&self, query: &'static str) {
        let holding = async {
            while !sqlx::query_scalar::<_, bool>(query).fetch_one(&self.database.pool).await.expect("a row") {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, holding).await.expect(query);
    }

    pub(crate) async fn execute(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.database.pool).await.expect(statement);
    }
}

async fn serve(program: &Path, database: &Database, discord: &FakeDiscord, rate: u32) -> Server {
    let (url, rate) = (discord.api_url().to_string(), rate.to_string());
    // The key of the sealed webhooks is the same for all servers.
    let key = ("SHOWTIME_ENCRYPTION_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    Server::start(program, database, &[("DISCORD_API_URL", &url), ("SHOWTIME_DISCORD_RATE", &rate), key]).await
}

fn text(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).expect("a time")
}
