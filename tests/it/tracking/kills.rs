//! Servers and their Postgres are killed while they post to many Discord channels, and what arrived there is compared with the
//! promise: of each broadcast every channel has a message, and at most one of them notifies.
//!
//! The suite has a short run. Variables of the environment make it longer: `POST_KILLS`, `POST_FANOUT` (Discord channels),
//! `POST_SEED`, and `POST_SERVER`, another server program than the one that was built for the tests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use showtime::cli::note;
use showtime::clock::Clock;
use showtime::config::EncryptionKey;
use showtime::mock::discord::{
    DiscordConfig, DiscordFault, DiscordFaults, DiscordMessage, FakeDiscord, Limits, NewChannel, NewWebhook,
};
use showtime::postgres::{Durability, LocalError, LocalPostgres, postmaster};
use showtime::tracking::bots;
use showtime::twitch::eventsub::outgoing::Outgoing;
use showtime::twitch::signature::WebhookSecret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool};
use tempfile::TempDir;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::posts::{is_notifying, offline, online, until_settled, update};
use super::setting;
use crate::process::{Place, SERVER, Serving};
use crate::support::postgres::{until_disconnected, url};
use crate::support::until;

const SECRET: &str = "the secret of the kills";

/// What the server, or its Postgres, is killed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// The stream is in the log, and the follower is in its transaction.
    Following,
    /// The announcement is there, and the spreader is in its transaction.
    Spreading,
    /// It is committed that Discord is about to be called, and the calls have no effect.
    AfterSending,
    /// Discord has messages, and its answers are on their way.
    AfterEffect,
    /// Discord has answered, and that is not recorded.
    BeforeSettle,
    /// Any.
    AnyTime,
    /// Postgres is killed when Discord has messages, and its answers are on their way.
    PostgresAfterEffect,
    /// Postgres is killed at any time.
    PostgresAnyTime,
}

impl Point {
    const ALL: [Self; 8] = [
        Self::Following,
        Self::Spreading,
        Self::AfterSending,
        Self::AfterEffect,
        Self::BeforeSettle,
        Self::AnyTime,
        Self::PostgresAfterEffect,
        Self::PostgresAnyTime,
    ];
}

/// What was counted.
#[derive(Debug, Default)]
struct Tally {
    kills: BTreeMap<Point, usize>,
    posts: usize,
    missing: usize,
    second_pings: usize,
    /// Silent messages beside the one that notified.
    extra: usize,
    /// Posts whose only message is silent.
    silent: usize,
}

struct Ledger {
    discord: FakeDiscord,
    database: PgConnectOptions,
    pool: PgPool,
    key: EncryptionKey,
    /// The directory of a Postgres that no other test uses.
    postgres: TempDir,
    _supervised: AbortOnDropHandle<LocalError>,
}

impl Ledger {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut postgres = LocalPostgres::start(&dir.path().join("data"), Durability::Durable).await.unwrap();
        let database = postgres.connect_options();
        let supervised = AbortOnDropHandle::new(tokio::spawn(async move { postgres.supervise().await }));
        let config = DiscordConfig { limits: Limits::NONE, ..DiscordConfig::default() };
        let discord = FakeDiscord::start(config).await.unwrap();
        let pool = PgPool::connect_lazy_with(database.clone());
        Self { discord, database, pool, key: EncryptionKey::generate(), postgres: dir, _supervised: supervised }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", url(&self.database, "x")),
            ("SHOWTIME_ENCRYPTION_KEY", self.key.expose_secret().to_owned()),
            ("TWITCH_WEBHOOK_SECRET", SECRET.to_owned()),
            ("DISCORD_API_URL", self.discord.api_url().to_string()),
            ("SHOWTIME_DISCORD_RATE", "0".to_owned()),
        ]
    }

    /// Adds a bot with so many Discord channels.
    async fn prepare(&self, server: &Serving<'_>, channels: usize) {
        self.deliver(server, &update("500", "Run", "Chess", Clock::default().now())).await;
        let mut connection = self.pool.acquire().await.unwrap();
        let secret = bots::add(&mut connection, "tatsu", Clock::default().now()).await.unwrap();
        let body = json!({ "name": "tatsu", "shard": 0, "secret": secret.expose_secret() });
        let answer = server.client.post(server.url("/v1/token")).json(&body).send().await.unwrap();
        let token = answer.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        for number in 0..channels {
            let name = format!("channel-{number}");
            self.discord.world.add_channel(&NewChannel { name: name.clone(), ..NewChannel::default() }).unwrap();
            let new = NewWebhook { channel: name, ..NewWebhook::default() };
            let webhook = self.discord.world.add_webhook(&new).unwrap();
            let path = server.url(&format!("/v1/api/{}/500", webhook.channel_id));
            let body = json!({ "id": webhook.id, "token": webhook.token });
            let tracked = server.client.post(path).bearer_auth(&token).json(&body).send().await.unwrap();
            assert_eq!(tracked.status(), 201);
        }
    }

    /// Delivers a message, as often as Twitch would while the server has no database.
    async fn deliver(&self, server: &Serving<'_>, message: &Outgoing) {
        let signature = message.sign(&WebhookSecret::new(SECRET).unwrap());
        until("the message is acknowledged", async || {
            let request = server.client.post(server.url("/callback")).body(message.body.clone());
            let headers = message.headers(Some(&signature));
            let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
            request.send().await.unwrap().status() == 204
        })
        .await;
    }

    async fn holds(&self, statement: &'static str) -> bool {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap()
    }

    fn faults(&self, fault: DiscordFault, delay_ms: u64) {
        let faults = DiscordFaults { delay_ms, chances: [(fault, 1.0)].into(), ..DiscordFaults::default() };
        self.discord.world.set_faults(faults).unwrap();
    }

    /// Kills Postgres, and waits until it has been started again.
    async fn kill_postgres(&self) {
        let dir = self.postgres.path().join("data");
        let killed = postmaster(&dir).await.unwrap();
        nix::sys::signal::kill(killed, Signal::SIGKILL).unwrap();
        until("Postgres is another process", async || postmaster(&dir).await.is_ok_and(|pid| pid != killed)).await;
        until("Postgres answers", async || PgConnection::connect_with(&self.database).await.is_ok()).await;
    }

    /// Tracks a channel everywhere, with these settings.
    async fn track(&self, channel: &str, settings: &Value) {
        let statement = "insert into track (destination_id, twitch_id, login, settings, created_at)
            select id, $1, 'x', $2, now() from destination";
        sqlx::query(statement).bind(channel).bind(settings).execute(&self.pool).await.unwrap();
    }

    /// Lets this happen, and kills the server or its Postgres at this point of what follows. Returns a server that lives.
    async fn kill<'a>(
        &self,
        point: Point,
        server: Serving<'a>,
        random: Duration,
        cause: impl AsyncFn(&Serving<'_>),
    ) -> Option<Serving<'a>> {
        let mut holder = PgConnection::connect_with(&self.database).await.unwrap();
        let mut lock = holder.begin().await.unwrap();
        // Of changes, too, the fake Discord keeps only so many.
        let last = || self.discord.world.changes().pop().map(|change| (change.at, change.message_id, change.kind));
        let before = last();
        let begin = async || cause(&server).await;
        let is_sending = "select exists (select from destination where leased_until > now())";
        let waits = "select exists (select from pg_stat_activity where datname = current_database()
            and application_name = 'showtime followers' and wait_event_type = 'Lock')";
        let has_changed = async || last() != before;
        match point {
            Point::Following | Point::Spreading => {
                let statement = match point {
                    Point::Following => "lock table announcement in exclusive mode",
                    _ => "lock table post in exclusive mode",
                };
                sqlx::query(statement).execute(&mut *lock).await.unwrap();
                begin().await;
                until("it waits in its transaction", async || self.holds(waits).await).await;
            }
            Point::AfterSending => {
                self.faults(DiscordFault::HangBefore, 0);
                begin().await;
                until("a message is sent", async || self.holds(is_sending).await).await;
            }
            Point::AfterEffect => {
                self.faults(DiscordFault::HangAfter, 0);
                begin().await;
                until("Discord has a message", has_changed).await;
            }
            Point::BeforeSettle => {
                self.faults(DiscordFault::Delay, 300);
                begin().await;
                until("a message is sent", async || self.holds(is_sending).await).await;
                sqlx::query("select from destination for update").execute(&mut *lock).await.unwrap();
                until("Discord has a message", has_changed).await;
            }
            Point::PostgresAfterEffect => {
                self.faults(DiscordFault::Delay, 300);
                begin().await;
                until("Discord has a message", has_changed).await;
            }
            Point::AnyTime | Point::PostgresAnyTime => {
                begin().await;
                sleep(random).await;
            }
        }
        let server = if matches!(point, Point::PostgresAfterEffect | Point::PostgresAnyTime) {
            drop(lock);
            self.kill_postgres().await;
            Some(server)
        } else {
            server.signal(Signal::SIGKILL);
            server.ended().await;
            until_disconnected(&self.pool).await;
            lock.rollback().await.unwrap();
            None
        };
        self.discord.world.set_faults(DiscordFaults::default()).unwrap();
        // The leases of what was killed, so that it need not be waited for their end.
        let leases = "update destination set leased_until = now(), next_at = now() where leased_until > now()";
        sqlx::query(leases).execute(&self.pool).await.unwrap();
        sqlx::query("update follower set leased_until = now()").execute(&self.pool).await.unwrap();
        server
    }

    /// Lets the messages about the end of a stream be due, which are so a quarter of an hour after it.
    async fn end_is_due(&self) {
        for statement in [
            "update announcement set ended_at = ended_at - interval '16 minutes' where ended_at > now() - interval '15 minutes'",
            "update post set next_at = now() where kind = 'end' and state = 'pending'",
            "update destination set next_at = now(), is_edit_next = true where state = 'ok'",
        ] {
            sqlx::query(statement).execute(&self.pool).await.unwrap();
        }
    }

    /// Compares what arrived of a stream with the promise, and forgets it: the fake Discord keeps only so many messages.
    fn verify(&self, channel: &str, tally: &mut Tally) {
        let name = json!(format!("User{channel}"));
        let messages = self.discord.world.messages();
        let mut by_webhook = BTreeMap::<_, Vec<bool>>::new();
        for message in messages.iter().filter(|message| message.embeds[0]["author"]["name"] == name) {
            by_webhook.entry(message.webhook_id).or_default().push(is_notifying(message));
            self.discord.world.delete_message(&message.id.to_string()).unwrap();
        }
        // The mock's own webhook is not tracked.
        for webhook in self.discord.world.webhooks().iter().skip(1) {
            let messages = by_webhook.remove(&webhook.id).unwrap_or_default();
            let pings = messages.iter().filter(|is_notifying| **is_notifying).count();
            tally.posts += 1;
            tally.missing += usize::from(messages.is_empty());
            tally.second_pings += pings.saturating_sub(1);
            tally.silent += usize::from(pings == 0 && !messages.is_empty());
            tally.extra += messages.len().saturating_sub(1);
        }
        assert_eq!((tally.missing, tally.second_pings), (0, 0), "{tally:?}");
    }
}

#[tokio::test]
async fn kills_at_random_points_of_a_fan_out_lose_no_post_and_ping_no_channel_twice() {
    let (kills, channels, seed, program) = (
        setting("POST_KILLS", 10),
        setting("POST_FANOUT", 60),
        setting("POST_SEED", 20_261_126),
        setting("POST_SERVER", SERVER.to_owned()),
    );
    let (dir, began, ledger) = (Place::new(), Instant::now(), Ledger::start().await);
    let owned = ledger.settings();
    let settings: Vec<_> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (mut rng, mut tally) = (SmallRng::seed_from_u64(seed), Tally::default());

    let mut server = dir.serve_program(&program, &settings).await;
    ledger.prepare(&server, channels).await;
    for number in 0..kills {
        // Each once at first.
        let point = Point::ALL.get(number).or_else(|| Point::ALL.choose(&mut rng)).copied().unwrap();
        let channel = (1_000 + number).to_string();
        ledger.track(&channel, &json!({ "mentions": { "everyone": true } })).await;
        let begin = async |server: &Serving<'_>| {
            let now = Clock::default().now();
            ledger.deliver(server, &online(&channel, &format!("{channel}01"), now)).await;
        };
        let lives = ledger.kill(point, server, Duration::from_millis(rng.random_range(0..300)), begin).await;
        *tally.kills.entry(point).or_default() += 1;
        server = match lives {
            Some(server) => server,
            None => dir.serve_program(&program, &settings).await,
        };
        until_settled(&ledger.pool, soon).await;
        ledger.verify(&channel, &mut tally);
    }
    server.stop().await;
    ledger.discord.stop().await.unwrap();
    note(format_args!("{kills} kills, seed {seed}, {:.0} s: {tally:?}", began.elapsed().as_secs_f64()));
}

/// What waits to be tried again is not settled, and what waits for an edit is.
fn soon() -> time::OffsetDateTime {
    Clock::default().now() + time::Duration::seconds(8)
}

/// The first message says it by an edit, and the second one is posted: the server is killed in both.
#[tokio::test]
async fn kills_around_the_end_of_a_stream_lose_no_message_about_it() {
    let (kills, channels, seed, program) = (
        setting("POST_KILLS", 4),
        setting("POST_FANOUT", 30),
        setting("POST_SEED", 20_261_127),
        setting("POST_SERVER", SERVER.to_owned()),
    );
    let (dir, ledger) = (Place::new(), Ledger::start().await);
    let owned = ledger.settings();
    let settings: Vec<_> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (mut rng, mut counted) = (SmallRng::seed_from_u64(seed), BTreeMap::<_, usize>::new());
    let points = [Point::AfterSending, Point::AfterEffect, Point::BeforeSettle, Point::AnyTime];
    let mut server = dir.serve_program(&program, &settings).await;
    ledger.prepare(&server, channels).await;
    for number in 0..kills {
        let point = points.get(number).or_else(|| points.choose(&mut rng)).copied().unwrap();
        let channel = (1_000 + number).to_string();
        ledger.track(&channel, &json!({ "on_end": "post", "mentions": { "everyone": true } })).await;
        let (stream, now) = (format!("{channel}01"), || Clock::default().now());
        ledger.deliver(&server, &online(&channel, &stream, now())).await;
        until_settled(&ledger.pool, soon).await;
        sleep(Duration::from_millis(5)).await;
        let end = async |server: &Serving<'_>| {
            ledger.deliver(server, &offline(&channel, &stream, now())).await;
            // An edit comes ten seconds after what has changed.
            let changed = "select exists (select from announcement where twitch_id = $1 and ended_at is not null)";
            until("it is known that it has ended", async || {
                sqlx::query_scalar(changed).bind(&channel).fetch_one(&ledger.pool).await.unwrap()
            })
            .await;
            let at_once = "update announcement set spread_at = now() where spread_at is not null";
            sqlx::query(at_once).execute(&ledger.pool).await.unwrap();
        };
        ledger.kill(point, server, Duration::from_millis(rng.random_range(0..300)), end).await;
        server = dir.serve_program(&program, &settings).await;
        until_settled(&ledger.pool, soon).await;
        ledger
            .kill(point, server, Duration::from_millis(rng.random_range(0..300)), async |_| ledger.end_is_due().await)
            .await;
        server = dir.serve_program(&program, &settings).await;
        until_settled(&ledger.pool, soon).await;

        let name = json!(format!("User{channel}"));
        let messages: Vec<_> =
            ledger.discord.world.messages().into_iter().filter(|it| it.embeds[0]["author"]["name"] == name).collect();
        for webhook in ledger.discord.world.webhooks().iter().skip(1) {
            let of: Vec<_> = messages.iter().filter(|message| message.webhook_id == webhook.id).collect();
            let has_ended = |message: &&&DiscordMessage| message.content.contains("was live");
            let ends = of.iter().filter(|message| !is_notifying(message)).count();
            let problem = format!("{point:?}: {of:?}");
            assert!(of.iter().filter(|message| is_notifying(message)).all(|message| has_ended(&message)), "{problem}");
            assert!(ends >= 1 && of.len() == ends + 1, "{problem}");
            *counted.entry((point, ends)).or_default() += 1;
        }
    }
    server.stop().await;
    ledger.discord.stop().await.unwrap();
    note(format_args!("kills around the end, seed {seed}: messages about it {counted:?}"));
}
