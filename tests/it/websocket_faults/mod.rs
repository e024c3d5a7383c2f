//! The real server reads a fake Twitch's WebSocket, 50 events a second, while something fails: every event is in the log once,
//! or happened within a recorded gap.
//!
//! `LONG_FAULTS=1` makes the faults last as long as they would: a minute, ten minutes.

mod bad_day;
mod database;
mod ends;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use showtime::clock::Clock;
use showtime::config::EncryptionKey;
use showtime::mock::{MockConfig, World};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use time::OffsetDateTime;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::process::{Place, Serving};
use crate::reconcile::SCOPES;
use crate::support::postgres::fresh_database;
use crate::support::proxy::Proxy;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch};
use crate::support::{PATIENCE, until};

/// The key that encrypts tokens, and messages in the spool.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The time between two events.
const INTERVAL: Duration = Duration::from_millis(20);

/// `short` in the suite, `long` with `LONG_FAULTS=1`.
fn lasting(short: u64, long: u64) -> Duration {
    Duration::from_secs(if std::env::var_os("LONG_FAULTS").is_some() { long } else { short })
}

/// A fake Twitch with one channel, which has consented, and a database that can be cut off.
struct Scene {
    twitch: Twitch,
    proxy: Proxy,
    /// Leads to the database without the proxy.
    pool: PgPool,
    settings: Vec<(&'static str, String)>,
    events: Events,
}

/// When each event happened: a cheer of as many bits as its number.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<OffsetDateTime>>>);

impl Events {
    fn happen(&self, world: &Arc<World>) -> usize {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(Clock::default().now());
        let bits = u32::try_from(events.len()).unwrap();
        world.cheer(CHANNEL, "quietotter", bits).unwrap();
        events.len()
    }
}

/// Events that go on until this is stopped.
struct Traffic {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Traffic {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// What became of the events.
#[derive(Debug)]
struct Outcome {
    sent: usize,
    logged: usize,
    /// When those happened that are not in the log. Each is within a gap.
    missing: Vec<OffsetDateTime>,
    /// How many the fake Twitch wrote to a socket that are not in the log.
    unread: usize,
    /// Cause, beginning and end.
    gaps: Vec<(String, OffsetDateTime, OffsetDateTime)>,
}

impl Outcome {
    /// For how long before this time events are missing.
    fn missing_before(&self, at: OffsetDateTime) -> time::Duration {
        let first = self.missing.iter().filter(|missing| **missing < at).min();
        first.map_or(time::Duration::ZERO, |first| at - *first)
    }

    #[track_caller]
    fn assert_complete(&self) {
        assert_eq!((&self.missing[..], self.unread, &self.gaps[..]), (&[][..], 0, &[][..]));
    }
}

impl Scene {
    async fn start() -> Self {
        let (twitch, database) = (Twitch::start().await, fresh_database().await);
        let proxy = Proxy::start(&database).await;
        let through = proxy.options(&database);
        let (user, port, name) = (through.get_username(), through.get_port(), through.get_database().unwrap());
        let mock = MockConfig::default();
        let settings = vec![
            ("DATABASE_URL", format!("postgres://{user}@127.0.0.1:{port}/{name}?sslmode=disable")),
            ("SHOWTIME_ENCRYPTION_KEY", KEY.to_owned()),
            ("TWITCH_API_URL", twitch.mock.api_url().to_string()),
            ("TWITCH_AUTH_URL", twitch.mock.auth_url().to_string()),
            ("TWITCH_CHANNEL_NAME", CHANNEL.to_owned()),
            ("TWITCH_CLIENT_ID", mock.client_id),
            ("TWITCH_CLIENT_SECRET", mock.client_secret),
            ("TWITCH_EVENTSUB_WEBSOCKET_URL", twitch.mock.websocket_url().to_string()),
        ];
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE).connect_lazy_with(database);
        let (key, token) = (EncryptionKey::new(KEY).unwrap(), twitch.consent(&SCOPES).await);
        twitch.keep(&pool, &key, CHANNEL_ID, CHANNEL, &token).await;
        Self { twitch, proxy, pool, settings, events: Events::default() }
    }

    async fn serve<'a>(&self, place: &'a Place) -> Serving<'a> {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        place.serve(&settings).await
    }

    /// Starts a server, and waits until it is subscribed.
    async fn serve_live<'a>(&self, place: &'a Place) -> Serving<'a> {
        let server = self.serve(place).await;
        until("the session is subscribed on", async || self.holder().await.is_some()).await;
        server
    }

    /// The server whose session is subscribed on.
    async fn holder(&self) -> Option<i64> {
        let holder = "select holder from websocket_session where subscribed_at is not null";
        sqlx::query_scalar(holder).fetch_optional(&self.pool).await.unwrap()
    }

    /// Lets events happen from now on.
    fn traffic(&self) -> Traffic {
        let stop = CancellationToken::new();
        let (stopped, events, world) = (stop.clone(), self.events.clone(), self.twitch.mock.world.clone());
        let task = tokio::spawn(async move {
            let mut tick = interval(INTERVAL);
            while stopped.run_until_cancelled(tick.tick()).await.is_some() {
                events.happen(&world);
            }
        });
        Traffic { stop, task }
    }

    async fn logged(&self) -> i64 {
        let logged = "select count(*) from event where type = 'channel.cheer'";
        sqlx::query_scalar(logged).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until so many more events are in the log.
    async fn until_more(&self, count: i64) {
        let before = self.logged().await;
        until("events get into the log", async || self.logged().await >= before + count).await;
    }

    /// Waits until events get into the log and nothing is waiting any more, and compares the log with what happened.
    async fn outcome(&self) -> Outcome {
        until("an event gets into the log", async || {
            let number = self.events.happen(&self.twitch.mock.world);
            sleep(Duration::from_millis(500)).await;
            self.cheers().await.contains_key(&number)
        })
        .await;
        for _ in 0..300 {
            if self.uncovered(&self.look().await).is_empty() {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        let outcome = self.look().await;
        let uncovered = self.uncovered(&outcome);
        assert!(uncovered.is_empty(), "neither in the log nor within a gap: {uncovered:?} {outcome:#?}");
        outcome
    }

    /// The message ids of the cheers in the log, by their bits. None is there twice.
    async fn cheers(&self) -> BTreeMap<usize, String> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "select (payload -> 'event' ->> 'bits')::bigint, message_id from event where type = 'channel.cheer'",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let mut cheers = BTreeMap::new();
        for (bits, id) in rows {
            assert_eq!(cheers.insert(usize::try_from(bits).unwrap(), id), None, "cheer {bits} is there twice");
        }
        cheers
    }

    async fn look(&self) -> Outcome {
        let delivered: HashSet<String> = self.twitch.mock.world.delivered_to_sockets().into_iter().collect();
        let cheers = self.cheers().await;
        assert!(cheers.values().all(|id| delivered.contains(id)), "all came over a socket");
        let gaps = "select cause, began_at, ended_at from gap order by began_at";
        let gaps = sqlx::query_as(gaps).fetch_all(&self.pool).await.unwrap();
        let events = self.events.0.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = (1..).zip(events.iter()).filter(|(bits, _)| !cheers.contains_key(bits)).map(|(_, at)| *at);
        Outcome {
            sent: events.len(),
            logged: cheers.len(),
            missing: missing.collect(),
            unread: delivered.len() - cheers.len(),
            gaps,
        }
    }

    /// Events that are neither in the log nor within a gap.
    fn uncovered(&self, outcome: &Outcome) -> Vec<OffsetDateTime> {
        let is_within = |at: &OffsetDateTime| outcome.gaps.iter().any(|(_, began, ended)| began <= at && at <= ended);
        outcome.missing.iter().filter(|at| !is_within(at)).copied().collect()
    }
}

/// Kills a server. Returns when it was.
async fn kill(server: Serving<'_>) -> OffsetDateTime {
    let at = Clock::default().now();
    server.signal(Signal::SIGKILL);
    server.ended().await;
    at
}

/// The bytes of messages in a server's spool.
fn spooled(place: &Place) -> u64 {
    let entries = std::fs::read_dir(place.path().join(".showtime/spool")).into_iter().flatten().flatten();
    entries.map(|entry| entry.metadata().map_or(0, |data| data.len())).sum()
}
