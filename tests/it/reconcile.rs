//! The server keeps its subscriptions at Twitch as they should be, and says what it can't help.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use showtime::config::{Client, Config};
use showtime::mock::{Faults, MockConfig};
use showtime::subscriptions::plan::PENDING;
use showtime::twitch::eventsub::outgoing::Subscription;
use showtime::twitch::helix::Condition;
use sqlx::postgres::PgConnectOptions;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::support::postgres::fresh_database;
use crate::support::recorder::{Answer, Recorder};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, callback};
use crate::support::{Unused, until};

const SCOPES: [&str; 3] = ["moderator:read:followers", "bits:read", "channel:read:subscriptions"];

/// A look at what Twitch holds.
const LIST: &str = "GET /helix/eventsub/subscriptions";

/// An attempt to subscribe.
const CREATE: &str = "POST /helix/eventsub/subscriptions";

fn configure(config: &mut Config, twitch: &Twitch, callback: &str) {
    let mock = MockConfig::default();
    config.twitch.client = Some(Client { id: mock.client_id, secret: SecretString::from(mock.client_secret) });
    config.twitch.api_url = twitch.mock.api_url();
    config.twitch.auth_url = twitch.mock.auth_url();
    config.twitch.channel_name = Some(CHANNEL.to_owned());
    config.twitch.callback_url = Some(Url::parse(callback).unwrap());
}

fn own_callback(addr: SocketAddr) -> String {
    format!("http://{addr}/callback")
}

/// A server that Twitch delivers to, at an address that was known before.
async fn serve(twitch: &Twitch, database: PgConnectOptions, place: Unused) -> Server {
    Server::with(database, |config| {
        configure(config, twitch, &own_callback(place.addr()));
        config.listen_port = place.addr().port();
        drop(place);
    })
    .await
}

/// A server that Twitch delivers past, to this callback.
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

/// Advances this server's clock, a second at a time, until Helix has been asked again. One great
/// leap could come while it is at work and not asleep.
async fn looks_again(server: &Server, twitch: &Twitch) {
    let before = twitch.mock.world.calls(LIST);
    until("it looks again", async || {
        server.clock.advance(time::Duration::SECOND);
        twitch.mock.world.calls(LIST) > before
    })
    .await;
}

/// How many wanted subscriptions `/status` shows with this status.
async fn shown(server: &Server, status: &str) -> usize {
    let shown = server.json("/status").await;
    shown["wanted"].as_array().unwrap().iter().filter(|wanted| wanted["status"] == status).count()
}

async fn until_shown(server: &Server, count: usize, status: &str) {
    until(status, async || shown(server, status).await == count).await;
}

/// What `/status` shows of a type.
async fn wanted(server: &Server, kind: &str) -> Value {
    let status = server.json("/status").await;
    status["wanted"].as_array().unwrap().iter().find(|wanted| wanted["type"] == kind).unwrap().clone()
}

async fn check(server: &Server, name: &str) -> (String, String) {
    let status = server.json("/status").await;
    let check = status["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone();
    (check["status"].as_str().unwrap().to_owned(), check["message"].as_str().unwrap().to_owned())
}

/// Moves the server's clock on by less than a minute, until it is so. Then what is under way may
/// still end, since this machine may be slow.
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

fn held(twitch: &Twitch, callback: &str) -> Vec<Subscription> {
    let mut held = twitch.mock.world.subscriptions();
    held.retain(|subscription| subscription.transport.callback == callback);
    held
}

/// How many subscriptions the mock ever took: each is challenged once.
fn created(twitch: &Twitch) -> usize {
    let deliveries = twitch.mock.world.deliveries();
    deliveries.iter().filter(|delivery| delivery.message_type == "webhook_callback_verification").count()
}

#[tokio::test]
async fn a_fresh_server_subscribes_to_everything_by_itself_and_touches_nothing_else() {
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

/// Whether two servers are at it in one moment of the next tenth of a second. The second one finds within milliseconds
/// that the first one is, so it is looked for without a pause.
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
    until("both are at it", async || {
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
        looks_again(server, &twitch).await;
    }
    assert_eq!(twitch.mock.world.calls(CREATE), 10, "none was even tried twice");
    assert_eq!((created(&twitch), twitch.mock.world.subscriptions().len()), (10, 10));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn whatever_twitch_ends_is_created_again_at_once() {
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
        now.len() == 10
            && now.iter().all(|it| it.status == "enabled")
            && now.iter().filter(|it| is_new(it)).count() == 8
    })
    .await;
    until_shown(&server, 10, "enabled").await;
    server.stop().await;
}

#[tokio::test]
async fn a_callback_that_fails_the_challenge_is_tried_again_until_it_works() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    let (callback, works) = fragile_callback(false);
    let server = serve_beside(&twitch, &callback).await;
    let failed = "webhook_callback_verification_failed";
    until("all have failed", async || shown(&server, failed).await + shown(&server, PENDING).await == 10).await;
    until("one says why", async || {
        let online = wanted(&server, "stream.online").await;
        online["status"] == failed && online["message"].as_str().unwrap().contains("challenge")
    })
    .await;
    let (verdict, message) = check(&server, "subscriptions").await;
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
async fn too_many_failed_deliveries_are_healed_even_if_the_revocation_got_lost() {
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
        twitch.mock.world.subscriptions().iter().any(|it| it.status == "notification_failures_exceeded")
    })
    .await;
    works.store(true, Ordering::Relaxed);
    within_a_minute(&server, "it is alive again", async || {
        twitch.mock.world.subscriptions().iter().all(|it| it.status == "enabled")
    })
    .await;
    heals_within_a_minute(&server).await;
    server.stop().await;
}

/// Of a revocation that got lost nothing tells but the list, four pages long.
#[tokio::test]
async fn with_hundreds_of_subscriptions_a_lost_revocation_is_healed_as_soon() {
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
    looks_again(&server, &twitch).await;
    twitch.mock.world.end_subscription(&ours[0].id, "notification_failures_exceeded").unwrap();
    within_a_minute(&server, "it is made anew", async || {
        let ours = held(&twitch, &callback.url("/callback"));
        ours.len() == 10 && ours.iter().all(|it| it.status == "enabled")
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn a_helix_that_fails_for_a_while_is_waited_out() {
    let twitch = Twitch::start().await;
    twitch.consent(&SCOPES).await;
    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    let (callback, _works) = fragile_callback(true);
    let server = serve_beside(&twitch, &callback).await;
    let mut ticks = 0;
    until("the trouble shows", async || {
        server.clock.advance(time::Duration::SECOND);
        ticks += 1;
        let (verdict, message) = check(&server, "twitch").await;
        ticks > 200 && verdict == "warn" && message.contains("Helix is unwell")
    })
    .await;
    twitch.mock.world.set_faults(Faults::default()).unwrap();
    heals_within_a_minute(&server).await;
    until("the trouble is over", async || check(&server, "twitch").await.0 == "pass").await;
    server.stop().await;
}

#[tokio::test]
async fn withdrawn_consent_is_shown_and_not_asked_for_in_a_loop_until_it_is_given_again() {
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
        looks_again(&server, &twitch).await;
    }
    assert_eq!(twitch.mock.world.calls(CREATE), 10, "none was tried again");

    twitch.consent(&SCOPES).await;
    sqlx::query(
        "insert into token (holder, access_token, scopes, obtained_at) values ($1, 'no token'::bytea, '{}', $2)",
    )
    .bind(CHANNEL_ID)
    .bind(server.clock.now())
    .execute(&server.pool)
    .await
    .unwrap();
    heals_within_a_minute(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn missing_consents_and_limits_are_explained_and_not_retried() {
    let twitch = Twitch::with(MockConfig { max_total_cost: 0, ..MockConfig::default() }).await;
    let (callback, _works) = fragile_callback(true);
    let server = serve_beside(&twitch, &callback).await;
    until_shown(&server, 6, "needs_consent").await;
    until("the limit is told", async || wanted(&server, "stream.online").await["next_attempt_at"].is_string()).await;
    let online = wanted(&server, "stream.online").await;
    assert_eq!(online["status"], "missing");
    let message = online["message"].as_str().unwrap();
    assert!(message.contains("maximum total cost exceeded") && message.contains("deleting some can"), "{message}");
    let follow = wanted(&server, "channel.follow").await;
    assert_eq!(follow["command"], "cargo run --bin init");
    let message = follow["message"].as_str().unwrap();
    assert!(message.contains("has not granted") && message.contains("cargo run --bin init"), "{message}");

    for _ in 0..3 {
        looks_again(&server, &twitch).await;
    }
    assert_eq!(twitch.mock.world.calls(CREATE), 10, "each was tried once");
    server.stop().await;
}

#[tokio::test]
async fn a_token_that_is_dead_asks_for_consent_and_an_unknown_channel_is_named() {
    let twitch = Twitch::start().await;
    let (callback, _works) = fragile_callback(true);
    let server = Server::with(fresh_database().await, |config| {
        configure(config, &twitch, &callback.url("/callback"));
        config.twitch.channel_name = Some("nobodyatall".to_owned());
    })
    .await;
    until("the channel is missed", async || check(&server, "twitch").await.1.contains("nobodyatall")).await;
    server
        .sql(
            "insert into token (holder, login, access_token, scopes, obtained_at, needs_consent)
            values ('7', 'maplearcade', 'x', '{}', now(), 'Invalid refresh token')",
        )
        .await;
    let (verdict, message) = check(&server, "tokens").await;
    assert!(verdict == "warn" && message.contains("maplearcade: Invalid refresh token"), "{message}");
    let token = server.json("/status").await["tokens"][0].clone();
    assert_eq!((&token["status"], &token["command"]), (&"needs_consent".into(), &"cargo run --bin init".into()));
    server.stop().await;
}

#[tokio::test]
async fn without_an_application_nothing_is_wanted_and_nothing_runs() {
    let server = Server::start().await;
    let status = server.json("/status").await;
    assert_eq!(status["wanted"].as_array().map(Vec::len), Some(0));
    assert!(check(&server, "twitch").await.1.contains("not configured"));
    server.stop().await;
}
