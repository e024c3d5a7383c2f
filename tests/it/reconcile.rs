//! The reconciler: creates and repairs subscriptions, and shows the problems that only a person can solve.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use showtime::config::Config;
use showtime::mock::{Faults, MockConfig};
use showtime::twitch::eventsub::outgoing::{Subscription, Transport};
use showtime::twitch::helix::Condition;
use showtime::twitch::subscription_status::SubscriptionStatus::{self, Enabled};
use sqlx::postgres::PgConnectOptions;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::support::postgres::fresh_database;
use crate::support::recorder::{Answer, Recorder};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, callback};
use crate::support::{Unused, until};

pub(crate) const SCOPES: [&str; 3] = ["moderator:read:followers", "bits:read", "channel:read:subscriptions"];

/// A list of the subscriptions at Twitch.
const LIST: &str = "GET /helix/eventsub/subscriptions";

/// An attempt to subscribe.
pub(crate) const CREATE: &str = "POST /helix/eventsub/subscriptions";

pub(crate) fn configure(config: &mut Config, twitch: &Twitch, callback: &str) {
    twitch.configure(config);
    config.twitch.channel_name = Some(CHANNEL.to_owned());
    config.twitch.callback_url = Some(Url::parse(callback).unwrap());
}

pub(crate) fn own_callback(addr: SocketAddr) -> String {
    format!("http://{addr}/callback")
}

/// A server that Twitch delivers to, at a reserved address.
async fn serve(twitch: &Twitch, database: PgConnectOptions, place: Unused) -> Server {
    Server::with(database, |config| {
        configure(config, twitch, &own_callback(place.addr()));
        config.listen_port = place.addr().port();
        drop(place);
    })
    .await
}

/// A server with another callback than its own.
async fn serve_beside(twitch: &Twitch, callback: &Recorder) -> Server {
    Server::with(fresh_database().await, |config| configure(config, twitch, &callback.url("/callback"))).await
}

/// A callback that works while the flag is set.
fn fragile_callback(works: bool) -> (Recorder, Arc<AtomicBool>) {
    let works = Arc::new(AtomicBool::new(works));
    let flag = Arc::clone(&works);
    let recorder = Recorder::start(move |request| match request.json()["challenge"].as_str() {
        _ if !flag.load(Ordering::Relaxed) => Answer::status(500),
        Some(challenge) => Answer::new(200, "text/plain", challenge),
        None => Answer::status(204),
    });
    (recorder, works)
}

/// Advances this server's clock, a second at a time, until it lists the subscriptions again. One large leap could come
/// while the reconciler works instead of sleeping.
pub(crate) async fn until_next_cycle(server: &Server, twitch: &Twitch) {
    let before = twitch.mock.world.calls(LIST);
    until("the next cycle", async || {
        server.clock.advance(time::Duration::SECOND);
        twitch.mock.world.calls(LIST) > before
    })
    .await;
}

/// The number of desired subscriptions with this status in `/status`.
async fn shown(server: &Server, status: &str) -> usize {
    let shown = server.json("/status").await;
    shown["wanted"].as_array().unwrap().iter().filter(|wanted| wanted["status"] == status).count()
}

pub(crate) async fn until_shown(server: &Server, count: usize, status: &str) {
    until(status, async || shown(server, status).await == count).await;
}

/// The desired subscription of this type in `/status`.
async fn wanted(server: &Server, kind: &str) -> Value {
    let status = server.json("/status").await;
    status["wanted"].as_array().unwrap().iter().find(|wanted| wanted["type"] == kind).unwrap().clone()
}

/// Advances the server's clock by less than a minute, until the condition holds. Then work under way may still end, since
/// this machine may be slow.
async fn within_a_minute(server: &Server, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 1..60 {
        if is_so().await {
            return;
        }
        server.clock.advance(time::Duration::SECOND);
        sleep(Duration::from_millis(50)).await;
    }
    timeout(Duration::from_secs(30), until(what, is_so))
        .await
        .unwrap_or_else(|_| panic!("not within a minute: {what}"));
}

async fn heals_within_a_minute(server: &Server) {
    within_a_minute(server, "all is enabled", async || shown(server, "enabled").await == 10).await;
}

pub(crate) fn held(twitch: &Twitch, callback: &str) -> Vec<Subscription> {
    let mut held = twitch.mock.world.subscriptions();
    let transport = Transport::Webhook { callback: callback.to_owned() };
    held.retain(|subscription| subscription.transport == transport);
    held
}

/// The number of subscriptions that the mock ever took: each is challenged once.
fn created(twitch: &Twitch) -> usize {
    let deliveries = twitch.mock.world.deliveries();
    deliveries.iter().filter(|delivery| delivery.message_type == "webhook_callback_verification").count()
}

#[tokio::test]
async fn fresh_server_creates_everything_and_touches_nothing_else() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    let place = Unused::new();
    let addr = place.addr();
    let elsewhere = callback(|_| Answer::status(204));
    let foreign = twitch.subscribe("stream.online", "1", &elsewhere.url("/")).await.unwrap();
    twitch.until_status(&foreign.id, "enabled").await;
    twitch.mock.world.end_subscription(&foreign.id, "notification_failures_exceeded").unwrap();
    let remains = twitch.subscribe("stream.online", "1", &own_callback(addr)).await.unwrap();
    twitch.until_status(&remains.id, "webhook_callback_verification_failed").await;

    let server = serve(&twitch, fresh_database().await, place).await;
    until_shown(&server, 10, "enabled").await;
    let held = held(&twitch, &own_callback(addr));
    assert_eq!(held.len(), 10, "the remains are gone: {held:?}");
    assert!(twitch.mock.world.subscriptions().iter().any(|subscription| subscription.id == foreign.id));

    let status = server.json("/status").await;
    assert_eq!((&status["verdict"], &status["message"]), (&"pass".into(), &"all is well".into()), "{status}");
    let follow = wanted(&server, "channel.follow").await;
    assert_eq!((&follow["channel_login"], &follow["version"]), (&CHANNEL.into(), &"2".into()), "{follow}");
    assert_eq!(follow["message"], "messages arrive");

    twitch.mock.world.follow(CHANNEL, "quietotter").unwrap();
    until("the event arrives", async || server.json("/status").await["last_event"].is_object()).await;
    let last = server.json("/status").await["last_event"].clone();
    assert!(last["delay_seconds"].as_f64().is_some_and(|delay| delay.abs() < 60.0), "{last}");
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

/// Whether two servers are in a cycle at one moment of the next tenth of a second. The second one finds within milliseconds
/// that the first one has the lock, so it is looked for without a pause.
async fn are_two_seen_at_work(server: &Server) -> bool {
    let connections = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'showtime reconciler'";
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(100) {
        let count: i64 = sqlx::query_scalar(connections).fetch_one(&server.pool).await.unwrap();
        if count == 2 {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn two_servers_subscribe_once() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    let (database, place) = (fresh_database().await, Unused::new());
    let addr = place.addr();
    // The first one begins, and has to wait for points in the middle of its work.
    twitch.mock.world.use_up_rate_limit(80);
    let one = serve(&twitch, database.clone(), place).await;
    until("one waits for points", async || twitch.mock.world.calls("GET /helix/users") > 0).await;
    let other = Server::with(database, |config| configure(config, &twitch, &own_callback(addr))).await;
    until("both are in a cycle", async || {
        other.clock.advance(time::Duration::SECOND);
        are_two_seen_at_work(&other).await
    })
    .await;
    twitch.clock.advance(time::Duration::minutes(2));
    until("all is enabled", async || {
        one.clock.advance(time::Duration::SECOND);
        shown(&one, "enabled").await == 10
    })
    .await;
    for server in [&other, &one, &other] {
        until_next_cycle(server, &twitch).await;
    }
    assert_eq!(twitch.mock.world.calls(CREATE), 10, "none was even attempted twice");
    assert_eq!((created(&twitch), twitch.mock.world.subscriptions().len()), (10, 10));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn heartbeat_goes_on_while_a_cycle_waits_for_twitch() {
    let twitch = Twitch::start().await;
    twitch.mock.world.use_up_rate_limit(80);
    let server = serve(&twitch, fresh_database().await, Unused::new()).await;
    until("it waits for points", async || twitch.mock.world.calls("GET /helix/users") > 0).await;
    let beats = async || {
        let beat_at = "select coalesce(extract(epoch from max(beat_at)), 0)::float8 from server";
        sqlx::query_scalar::<_, f64>(beat_at).fetch_one(&server.pool).await.unwrap()
    };
    for _ in 0..2 {
        let last = beats().await;
        until("the next heartbeat", async || beats().await > last).await;
    }
    let compared = "select count(*) from reconciler";
    assert_eq!(sqlx::query_scalar::<_, i64>(compared).fetch_one(&server.pool).await.unwrap(), 0, "it still waits");
    server.stop().await;
}

#[tokio::test]
async fn ended_subscriptions_are_created_again_at_once() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    let server = serve(&twitch, fresh_database().await, Unused::new()).await;
    until_shown(&server, 10, "enabled").await;
    let before = twitch.mock.world.subscriptions();
    let statuses = [
        "webhook_callback_verification_failed",
        "notification_failures_exceeded",
        "moderator_removed",
        "user_removed",
        "chat_user_banned",
        "version_removed",
        "beta_maintenance",
        "a_status_of_tomorrow",
    ];
    for (subscription, status) in before.iter().zip(statuses) {
        twitch.mock.world.end_subscription(&subscription.id, status).unwrap();
    }
    until("all are there again", async || {
        let now = twitch.mock.world.subscriptions();
        let is_new = |new: &Subscription| before.iter().all(|old| old.id != new.id);
        now.len() == 10 && now.iter().all(|it| it.status == Enabled) && now.iter().filter(|it| is_new(it)).count() == 8
    })
    .await;
    until_shown(&server, 10, "enabled").await;
    server.stop().await;
}

#[tokio::test]
async fn failed_challenge_is_retried_until_it_succeeds() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    let (callback, works) = fragile_callback(false);
    let server = serve_beside(&twitch, &callback).await;
    let failed = "webhook_callback_verification_failed";
    until("all have failed", async || {
        shown(&server, failed).await + shown(&server, "webhook_callback_verification_pending").await == 10
    })
    .await;
    until("one says why", async || {
        let online = wanted(&server, "stream.online").await;
        online["status"] == failed && online["message"].as_str().unwrap().contains("challenge")
    })
    .await;
    let (verdict, message) = server.check("subscriptions").await;
    assert!(verdict == "warn" && message.starts_with("0 of 10"), "{message}");
    for _ in 0..60 {
        server.clock.advance(time::Duration::seconds(5));
        sleep(Duration::from_millis(20)).await;
    }
    works.store(true, Ordering::Relaxed);
    heals_within_a_minute(&server).await;
    assert_eq!(twitch.mock.world.subscriptions().len(), 10, "no remains are left");
    server.stop().await;
}

#[tokio::test]
async fn subscription_ended_by_failed_deliveries_is_healed_without_its_revocation() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    let (callback, works) = fragile_callback(true);
    let server = serve_beside(&twitch, &callback).await;
    until_shown(&server, 10, "enabled").await;
    works.store(false, Ordering::Relaxed);
    for _ in 0..3 {
        twitch.mock.world.follow(CHANNEL, "quietotter").unwrap();
    }
    until("Twitch gives up", async || {
        twitch.mock.world.subscriptions().iter().any(|it| it.status == SubscriptionStatus::NotificationFailuresExceeded)
    })
    .await;
    works.store(true, Ordering::Relaxed);
    within_a_minute(&server, "it is alive again", async || {
        twitch.mock.world.subscriptions().iter().all(|it| it.status == Enabled)
    })
    .await;
    heals_within_a_minute(&server).await;
    server.stop().await;
}

/// A lost revocation shows only in the list, which is four pages long.
#[tokio::test]
async fn lost_revocation_is_healed_within_a_minute_among_hundreds_of_subscriptions() {
    let twitch = Twitch::with(MockConfig { rate_limit: 10_000, ..MockConfig::default() }).await;
    twitch.consent(&SCOPES).await;
    let elsewhere = callback(|_| Answer::status(204));
    for n in 0..340 {
        let id = twitch.mock.world.add_channel(&format!("channel_{n}")).unwrap().id;
        let condition = Condition::from([("broadcaster_user_id".to_owned(), id)]);
        twitch.subscribe_to("stream.online", "1", &condition, &elsewhere.url("/")).await.unwrap();
    }
    let (callback, _works) = fragile_callback(true);
    let server = serve_beside(&twitch, &callback).await;
    until_shown(&server, 10, "enabled").await;
    let ours = held(&twitch, &callback.url("/callback"));
    assert_eq!((ours.len(), twitch.mock.world.subscriptions().len()), (10, 350));
    until_next_cycle(&server, &twitch).await;
    twitch.mock.world.end_subscription(&ours[0].id, "notification_failures_exceeded").unwrap();
    within_a_minute(&server, "it is created again", async || {
        let ours = held(&twitch, &callback.url("/callback"));
        ours.len() == 10 && ours.iter().all(|it| it.status == Enabled)
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn helix_outage_is_waited_out() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    let (callback, _works) = fragile_callback(true);
    let server = serve_beside(&twitch, &callback).await;
    let mut ticks = 0;
    until("the error shows", async || {
        server.clock.advance(time::Duration::SECOND);
        ticks += 1;
        let (verdict, message) = server.check("twitch").await;
        ticks > 200 && verdict == "warn" && message.contains("Helix is unwell")
    })
    .await;
    twitch.mock.world.set_faults(Faults::default()).unwrap();
    heals_within_a_minute(&server).await;
    until("the error is gone", async || server.check("twitch").await.0 == "pass").await;
    server.stop().await;
}

#[tokio::test]
async fn withdrawn_consent_is_shown_and_retried_only_on_request() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    let server = serve(&twitch, fresh_database().await, Unused::new()).await;
    until_shown(&server, 10, "enabled").await;
    twitch.mock.world.withdraw_consent(CHANNEL).unwrap();
    until_shown(&server, 6, "authorization_revoked").await;
    let cheer = wanted(&server, "channel.cheer").await;
    assert_eq!(cheer["command"], "cargo run --bin init", "{cheer}");
    assert!(cheer["message"].as_str().unwrap().contains("consent again"), "{cheer}");

    for _ in 0..5 {
        until_next_cycle(&server, &twitch).await;
    }
    assert_eq!(twitch.mock.world.calls(CREATE), 10, "none was attempted again");

    twitch.consent(&SCOPES).await;
    let request = sqlx::query("update served_channel set requested_at = $2 where id = $1");
    request.bind(CHANNEL_ID).bind(server.clock.now()).execute(&server.pool).await.unwrap();
    heals_within_a_minute(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn missing_consents_and_limits_are_explained_and_not_retried() {
    let twitch = Twitch::with(MockConfig { max_total_cost: 0, ..MockConfig::default() }).await;
    let (callback, _works) = fragile_callback(true);
    let server = serve_beside(&twitch, &callback).await;
    until_shown(&server, 6, "needs_consent").await;
    until("the limit shows", async || wanted(&server, "stream.online").await["next_attempt_at"].is_string()).await;
    let online = wanted(&server, "stream.online").await;
    assert_eq!(online["status"], "missing");
    let message = online["message"].as_str().unwrap();
    assert!(message.contains("maximum total cost exceeded") && message.contains("deleting some can"), "{message}");
    let follow = wanted(&server, "channel.follow").await;
    assert_eq!(follow["command"], "cargo run --bin init");
    let message = follow["message"].as_str().unwrap();
    assert!(message.contains("has not granted") && message.contains("cargo run --bin init"), "{message}");

    until("they are one cause", async || {
        server
            .check("subscriptions")
            .await
            .1
            .contains("6 subscriptions need consent of maplearcade: run `cargo run --bin init`")
    })
    .await;

    for _ in 0..3 {
        until_next_cycle(&server, &twitch).await;
    }
    assert_eq!(twitch.mock.world.calls(CREATE), 10, "each was attempted once");
    server.stop().await;
}

#[tokio::test]
async fn unknown_channel_and_dead_token_are_shown() {
    let twitch = Twitch::start().await;
    let (callback, _works) = fragile_callback(true);
    let server = Server::with(fresh_database().await, |config| {
        configure(config, &twitch, &callback.url("/callback"));
        config.twitch.channel_name = Some("nosuchchannel".to_owned());
    })
    .await;
    until("the unknown channel shows", async || server.check("twitch").await.1.contains("nosuchchannel")).await;
    server
        .sql(
            "insert into token (holder, login, access_token, scopes, obtained_at, needs_consent)
            values ('7', 'maplearcade', 'x', '{}', now(), 'Invalid refresh token')",
        )
        .await;
    let (verdict, message) = server.check("tokens").await;
    assert!(verdict == "warn" && message.contains("maplearcade: Invalid refresh token"), "{message}");
    let token = server.json("/status").await["tokens"][0].clone();
    assert_eq!((&token["status"], &token["command"]), (&"needs_consent".into(), &"cargo run --bin init".into()));
    server.stop().await;
}

#[tokio::test]
async fn server_without_an_application_desires_nothing() {
    let server = Server::start().await;
    let status = server.json("/status").await;
    assert_eq!(status["wanted"].as_array().map(Vec::len), Some(0));
    assert!(server.check("twitch").await.1.contains("not configured"));
    server.stop().await;
}
