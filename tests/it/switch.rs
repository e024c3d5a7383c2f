//! Switches of transports: both deliver for a while, no event is lost, and none counts twice.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use showtime::config::{Config, EncryptionKey};
use showtime::mock::MockConfig;
use showtime::store::served_channels;
use showtime::store::signals::Channel;
use showtime::store::switches::{self, SwitchState};
use showtime::twitch::eventsub::outgoing::Subscription;
use showtime::twitch::id::ChannelId;
use showtime::twitch::transport::TransportKind::{self, Webhook, Websocket};
use sqlx::postgres::PgConnectOptions;
use tokio::time::sleep;
use url::Url;

use crate::reconcile::{SCOPES, configure, own_callback, until_shown};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, Twitch};
use crate::support::{Unused, until};

/// A fake Twitch, and a database for servers.
struct Fixture {
    twitch: Twitch,
    database: PgConnectOptions,
    key: EncryptionKey,
    /// Logins and ids.
    channels: Vec<(String, ChannelId)>,
    /// Where Twitch delivers to; reserved until the first server.
    addr: SocketAddr,
    place: RefCell<Option<Unused>>,
}

impl Fixture {
    async fn start(count: usize) -> Self {
        let more = (1..count).map(|number| format!("channel{number}"));
        let channels: Vec<_> = std::iter::once(CHANNEL.to_owned()).chain(more).collect();
        let config = MockConfig { channels: channels.clone(), rate_limit: 1_000_000, ..MockConfig::default() };
        let twitch = Twitch::with(config).await;
        let id_of = |login: String| {
            let account = twitch.mock.world.add_channel(&login).unwrap();
            (login, account.id.parse().unwrap())
        };
        let channels = channels.into_iter().map(id_of).collect();
        let (database, place) = (fresh_database().await, Unused::new());
        let (key, addr) = (EncryptionKey::generate(), place.addr());
        Self { twitch, database, key, channels, addr, place: RefCell::new(Some(place)) }
    }

    fn configure(&self, config: &mut Config, callback: &str) {
        configure(config, &self.twitch, callback);
        config.twitch.websocket_url = self.twitch.mock.websocket_url();
        config.encryption_key = Some(self.key.clone());
    }

    /// A server that Twitch delivers to.
    async fn serve(&self, change: impl FnOnce(&mut Config)) -> Server {
        Server::with(self.database.clone(), |config| {
            self.configure(config, &own_callback(self.addr));
            config.listen_port = self.addr.port();
            change(config);
            self.place.take();
        })
        .await
    }

    /// The channels consent, and are served by webhooks.
    async fn begin(&self, server: &Server) {
        until("the first channel is served", async || {
            !server.json("/status").await["wanted"].as_array().unwrap().is_empty()
        })
        .await;
        for (login, id) in &self.channels {
            let token = self.twitch.consent_as(login, &SCOPES).await;
            self.twitch.keep(&server.pool, &self.key, id.as_str(), login, &token).await;
            sqlx::query(
                "insert into served_channel (id, login, display_name, requested_at) values ($1, $2, $2, now())
                on conflict (id) do update set requested_at = now()",
            )
            .bind(id.as_str())
            .bind(login)
            .execute(&server.pool)
            .await
            .unwrap();
        }
        server.sql("select pg_notify('showtime_reconcile', '')").await;
        until("all is enabled", async || self.alive(Webhook).len() == 10 * self.channels.len()).await;
        until("the servers know", async || {
            count(server, "select count(*) from desired_subscription where status = 'enabled'").await
                == 10 * self.channels.len()
        })
        .await;
    }

    /// As `init` does it.
    async fn choose(&self, server: &Server, transport: TransportKind) {
        let mut transaction = server.pool.begin().await.unwrap();
        for (_, id) in &self.channels {
            served_channels::set_transport(&mut transaction, id, Some(transport)).await.unwrap();
        }
        transaction.commit().await.unwrap();
        wake(server).await;
    }

    /// The ids of the subscriptions over this transport that are enabled, or about to be.
    fn alive(&self, transport: TransportKind) -> Vec<String> {
        let subscriptions = self.twitch.mock.world.subscriptions().into_iter();
        let is_over = |it: &Subscription| it.transport.session_id().is_some() == (transport == Websocket);
        subscriptions.filter(|it| it.status.is_alive() && is_over(it)).map(|it| it.id).collect()
    }

    /// Waits until all channels are served over this transport alone.
    async fn until_over(&self, transport: TransportKind) {
        let other = if transport == Webhook { Websocket } else { Webhook };
        until("only the new subscriptions are left", async || {
            self.alive(transport).len() == 10 * self.channels.len() && self.alive(other).is_empty()
        })
        .await;
    }
}

async fn count(server: &Server, statement: &'static str) -> usize {
    let count: i64 = sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap();
    usize::try_from(count).unwrap()
}

async fn wake(server: &Server) {
    let db = &mut *server.pool.acquire().await.unwrap();
    Channel::Reconcile.notify(db, "").await.unwrap();
    Channel::Session.notify(db, "").await.unwrap();
}

/// The state of the only switch, if there is one.
async fn state(server: &Server) -> String {
    let state = sqlx::query_scalar("select state from transport_switch").fetch_optional(&server.pool).await.unwrap();
    state.unwrap_or_default()
}

/// Waits for a state, while the pauses of the switch pass faster.
async fn until_state(server: &Server, expected: &str) {
    until(expected, async || {
        server
            .sql(
                "update transport_switch set since = since - interval '5 seconds'
                where state in ('opening', 'overlapping', 'lingering')",
            )
            .await;
        state(server).await == expected
    })
    .await;
}

/// Sends equal cheers to channels at random, and counts them.
struct Load {
    is_over: Arc<AtomicBool>,
    cheers: tokio::task::JoinHandle<Vec<usize>>,
}

impl Load {
    fn start(fixture: &Fixture, per_second: u32) -> Self {
        let (world, is_over) = (Arc::clone(&fixture.twitch.mock.world), Arc::<AtomicBool>::default());
        let logins: Vec<_> = fixture.channels.iter().map(|(login, _)| login.clone()).collect();
        let stop = Arc::clone(&is_over);
        let cheers = tokio::spawn(async move {
            let mut cheers = vec![0; logins.len()];
            let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
            while !stop.load(Ordering::Relaxed) {
                tick.tick().await;
                let channel = rand::random_range(0..logins.len());
                assert!(world.cheer(&logins[channel], "quietotter", 5).unwrap() > 0, "no subscription delivers it");
                cheers[channel] += 1;
            }
            cheers
        });
        Self { is_over, cheers }
    }

    /// How often each channel was cheered.
    async fn stop(self) -> Vec<usize> {
        self.is_over.store(true, Ordering::Relaxed);
        self.cheers.await.unwrap()
    }
}

/// How many cheers of five bits each channel has, and the sum of the bits.
async fn counted(server: &Server, fixture: &Fixture) -> Vec<(usize, usize)> {
    let mut counted = Vec::new();
    for (_, id) in &fixture.channels {
        let viewers = server.get(&format!("/channels/{id}/viewers")).await;
        let bits =
            if viewers.status == 200 { viewers.json()["data"][0]["bits"].clone() } else { serde_json::Value::Null };
        let number = |field: &str| usize::try_from(bits[field].as_u64().unwrap_or_default()).unwrap();
        counted.push((number("count"), number("total")));
    }
    counted
}

/// Compares each channel's bits with what was sent.
#[tokio::test]
async fn channels_that_switch_there_and_back_under_load_count_each_cheer_once() {
    let fixture = Fixture::start(CHANNELS).await;
    let server = fixture.serve(|_| {}).await;
    fixture.begin(&server).await;
    let load = Load::start(&fixture, 25);
    for transport in [Websocket, Webhook] {
        sleep(Duration::from_secs(1)).await;
        fixture.choose(&server, transport).await;
        fixture.until_over(transport).await;
    }
    sleep(Duration::from_secs(1)).await;
    let expected: Vec<_> = load.stop().await.into_iter().map(|cheers| (cheers, 5 * cheers)).collect();
    let sent: usize = expected.iter().map(|(cheers, _)| cheers).sum();
    until("all cheers have arrived", async || {
        count(&server, "select count(*) from event where type = 'channel.cheer' and not is_echo").await >= sent
    })
    .await;
    // An echo that is taken for news would come now.
    sleep(Duration::from_millis(500)).await;
    assert_eq!(counted(&server, &fixture).await, expected);
    assert!(count(&server, "select count(*) from event where is_echo").await > 0, "both delivered for a while");
    server.stop().await;
}

/// As many as are switched there and back within a minute by a build without optimization, beside other tests. `cargo bench
/// --bench websocket` does it with a hundred.
const CHANNELS: usize = 8;

/// A server that ends at any step is no reason to stop there.
#[tokio::test]
async fn switch_goes_on_from_each_state() {
    use SwitchState::{Creating, Deleting, Lingering, Opening, Overlapping};
    let states = [Opening, Creating, Overlapping, Deleting, Lingering];
    let runs = states.map(|last| async move {
        let fixture = Fixture::start(1).await;
        let server = fixture.serve(|_| {}).await;
        fixture.begin(&server).await;
        server.stop().await;

        let database = Server::on(fixture.database.clone()).await;
        fixture.choose(&database, Websocket).await;
        let db = &mut *database.pool.acquire().await.unwrap();
        for next in states.into_iter().skip(1) {
            let switch = switches::pending(db, 1).await.unwrap().remove(0);
            if switch.state != last {
                assert!(switches::advance(db, &switch, next).await.unwrap());
            }
        }
        assert_eq!(state(&database).await, last.as_ref());
        if last == Lingering {
            // They were deleted before.
            for old in fixture.alive(Webhook) {
                fixture.twitch.helix.delete_subscription(&old).await.unwrap();
            }
        }

        let server = fixture.serve(|_| {}).await;
        until_state(&server, "done").await;
        fixture.until_over(Websocket).await;
        until_shown(&server, 10, "enabled").await;
        assert_eq!(server.check("switches").await, ("pass".to_owned(), "no channel changes its transport".to_owned()));
        server.stop().await;
        database.stop().await;
    });
    futures_util::future::join_all(runs).await;
}

#[tokio::test]
async fn setting_that_changes_between_two_runs_switches_channels_without_a_choice() {
    let fixture = Fixture::start(2).await;
    let server = fixture.serve(|_| {}).await;
    fixture.begin(&server).await;
    let chosen = &fixture.channels[1].1;
    let db = &mut *server.pool.acquire().await.unwrap();
    served_channels::set_transport(db, chosen, Some(Webhook)).await.unwrap();
    server.stop().await;

    let server = fixture.serve(|config| config.twitch.transport = Some(Websocket)).await;
    until_state(&server, "done").await;
    until("one of two has moved", async || (fixture.alive(Webhook).len(), fixture.alive(Websocket).len()) == (10, 10))
        .await;
    server.stop().await;
}

#[tokio::test]
async fn switch_that_can_not_create_its_subscriptions_is_given_up_and_can_be_tried_again() {
    let fixture = Fixture::start(1).await;
    let server = fixture.serve(|config| config.twitch.websocket_url = Url::parse("ws://127.0.0.1:1/ws").unwrap()).await;
    fixture.begin(&server).await;
    fixture.choose(&server, Websocket).await;
    until_state(&server, "creating").await;
    until("it fails", async || {
        server.sql("update transport_switch set since = since - interval '4 minutes' where state = 'creating'").await;
        state(&server).await == "aborted"
    })
    .await;
    let (verdict, message) = server.check("switches").await;
    let (stays, why) = ("maplearcade stays on the webhook", "there is no WebSocket session");
    assert!(verdict == "warn" && message.contains(stays) && message.contains(why), "{message}");
    until_shown(&server, 10, "enabled").await;
    assert_eq!(fixture.alive(Webhook).len(), 10);
    server.stop().await;

    // Each start of a server tries again, and so does `init`.
    let server = fixture.serve(|_| {}).await;
    until_state(&server, "done").await;
    fixture.until_over(Websocket).await;
    server.stop().await;
}

#[tokio::test]
async fn switch_to_a_callback_that_does_not_answer_deletes_what_it_created() {
    let fixture = Fixture::start(1).await;
    let server = fixture.serve(|_| {}).await;
    fixture.begin(&server).await;
    fixture.choose(&server, Websocket).await;
    until_state(&server, "done").await;
    fixture.until_over(Websocket).await;
    server.stop().await;

    let server =
        Server::with(fixture.database.clone(), |config| fixture.configure(config, "http://127.0.0.1:9/callback"));
    let server = server.await;
    until_shown(&server, 10, "enabled").await;
    fixture.choose(&server, Webhook).await;
    until_state(&server, "creating").await;
    until("it was tried", async || {
        fixture.twitch.mock.world.subscriptions().iter().any(|it| it.transport.session_id().is_none())
    })
    .await;
    until("it is given up", async || {
        server.sql("update transport_switch set since = since - interval '4 minutes' where state = 'creating'").await;
        state(&server).await == "aborted"
    })
    .await;
    until("what was created is gone", async || {
        server.clock.advance(time::Duration::SECOND);
        fixture.twitch.mock.world.subscriptions().iter().all(|it| it.transport.session_id().is_some())
    })
    .await;
    assert_eq!(fixture.alive(Websocket).len(), 10);
    fixture.choose(&server, Websocket).await;
    assert_eq!(state(&server).await, "done", "it stays as it is");
    server.stop().await;
}

#[tokio::test]
async fn switch_that_turns_back_keeps_what_delivers() {
    let fixture = Fixture::start(1).await;
    let server = fixture.serve(|_| {}).await;
    fixture.begin(&server).await;
    let before = fixture.alive(Webhook);
    for turns_at in ["opening", "creating", "overlapping"] {
        fixture.choose(&server, Websocket).await;
        until(turns_at, async || [turns_at, "overlapping"].contains(&state(&server).await.as_str())).await;
        fixture.choose(&server, Webhook).await;
        until_state(&server, "done").await;
        until("the new ones are gone", async || fixture.alive(Websocket).is_empty()).await;
        assert_eq!(fixture.alive(Webhook), before, "{turns_at}");
    }
    server.stop().await;
}

#[tokio::test]
async fn other_server_goes_on_when_the_one_that_switches_ends() {
    let fixture = Fixture::start(1).await;
    let one = fixture.serve(|_| {}).await;
    fixture.begin(&one).await;
    let other = Server::with(fixture.database.clone(), |config| fixture.configure(config, &own_callback(fixture.addr)));
    let other = other.await;
    fixture.choose(&one, Websocket).await;
    until("both deliver", async || state(&one).await == "overlapping").await;
    one.stop().await;
    until_state(&other, "done").await;
    fixture.until_over(Websocket).await;
    until_shown(&other, 10, "enabled").await;
    other.stop().await;
}
