//! The fake Twitch as a sender: challenges, signatures, retries, revocations, faults, and its control API.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::message::{Event, Incoming, Message};
use showtime::mock::{Delivery, Faults, MockConfig, Notify, ScenarioError};
use showtime::twitch::catalogue::{self, Availability};
use showtime::twitch::eventsub::webhook::{Headers, Verified};
use showtime::twitch::helix::RefusalKind;
use showtime::twitch::payload;
use showtime::twitch::signature::{Verifier, WebhookSecret};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error;
use url::Url;

use crate::support::recorder::{Answer, Recorder, Request};
use crate::support::server::SECRET;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, callback, clients, quick_retries, received};
use crate::support::{PATIENCE, Unused, until, until_some};

fn message_id(request: &Request) -> String {
    request.twitch("message-id").unwrap().to_owned()
}

/// Waits for this many messages of a type.
async fn arrived(callback: &Recorder, message_type: &str, count: usize) -> Vec<Request> {
    let what = format!("{count} of type {message_type}");
    until_some(&what, async || Some(received(callback, message_type)).filter(|found| found.len() >= count)).await
}

/// Creates a subscription and waits until it is enabled.
async fn enabled(twitch: &Twitch, kind: &str, version: &str, callback: &Recorder) -> String {
    let id = twitch.subscribe(kind, version, &callback.url("/callback")).await.unwrap().id;
    twitch.until_status(&id, "enabled").await;
    id
}

/// Verifies and parses a message as the server does.
fn verify(request: &Request, now: time::OffsetDateTime) -> Incoming {
    let headers = Headers {
        message_id: request.twitch("message-id").unwrap(),
        message_type: request.twitch("message-type").unwrap(),
        timestamp: request.twitch("message-timestamp").unwrap(),
        signature: request.twitch("message-signature").unwrap(),
        subscription_type: request.twitch("subscription-type"),
        subscription_version: request.twitch("subscription-version"),
    };
    let verifier = Verifier::new([&WebhookSecret::new(SECRET).unwrap()]);
    let timestamp = showtime::twitch::eventsub::parse_timestamp(headers.timestamp).unwrap();
    let body = String::from_utf8(request.body.clone()).unwrap();
    let verified = Verified::new(headers, timestamp, body.into(), &verifier, now).unwrap();
    Message::from_webhook(&verified).unwrap()
}

#[tokio::test]
async fn events_reach_the_callback_signed() {
    let twitch = Twitch::start().await;
    let callback = callback(|_| Answer::status(204));
    let id = enabled(&twitch, "stream.online", "1", &callback).await;
    let challenge = &received(&callback, "webhook_callback_verification")[0];
    assert!(matches!(verify(challenge, twitch.clock.now()), Incoming::Challenge(text) if text.len() == 43));
    assert_eq!(challenge.json()["subscription"]["status"], "webhook_callback_verification_pending");

    let stream_id = twitch.mock.world.go_live(CHANNEL, Notify::Yes).unwrap();
    let request = &arrived(&callback, "notification", 1).await[0];
    let Incoming::Message(message) = verify(request, twitch.clock.now()) else { panic!("a message") };
    let Some(Event::Twitch(payload::Event::StreamOnline(online))) = &message.content().event else {
        panic!("stream.online")
    };
    assert_eq!((online.broadcaster.id.as_str(), online.id.as_str()), (CHANNEL_ID, stream_id.as_str()));
    assert_eq!(message.content().subscription().unwrap().id.as_str(), id);
    let stream = twitch.helix.streams(&[CHANNEL_ID]).await.unwrap()[0].clone();
    assert_eq!((stream.id.as_str(), stream.started_at), (stream_id.as_str(), online.started_at), "Helix says the same");
    assert!(!format!("{:?}", twitch.mock).contains(SECRET));
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn every_offered_type_can_be_emitted() {
    let twitch = Twitch::start().await;
    twitch.mock.world.add_channel("copperkite").unwrap();
    let offered = || catalogue::all().iter().filter(|kind| kind.status != Availability::Deprecated);
    for kind in offered() {
        let sent = twitch.mock.world.emit(&kind.name, Some(&kind.version), None, None, &[]);
        assert_eq!(sent.unwrap(), 0, "no subscription to {}", kind.name);
    }
    let unknown = twitch.mock.world.emit("channel.fellow", None, None, None, &[]);
    assert!(matches!(unknown, Err(ScenarioError::UnknownType(_))));
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn only_matching_subscriptions_are_notified() {
    let twitch = Twitch::start().await;
    twitch.consent(&["moderator:read:followers", "bits:read", "channel:read:subscriptions"]).await;
    let callback = callback(|_| Answer::status(204));
    for (kind, version) in [("channel.follow", "2"), ("channel.cheer", "1"), ("channel.raid", "1")] {
        enabled(&twitch, kind, version, &callback).await;
    }
    let world = &twitch.mock.world;
    world.add_channel("copperkite").unwrap();
    assert_eq!(world.follow("copperkite", "quietotter").unwrap(), 0, "another channel");
    assert_eq!(world.subscribe(CHANNEL, "quietotter", "2000").unwrap(), 0, "another type");
    assert_eq!(world.follow(CHANNEL, "NewFriend").unwrap(), 1);
    assert_eq!(world.cheer(CHANNEL, "quietotter", 250).unwrap(), 1);
    assert_eq!(world.raid(CHANNEL, "copperkite", 99).unwrap(), 1);
    assert_eq!(world.raid("copperkite", CHANNEL, 99).unwrap(), 0, "subscribed to raids towards it");
    let mut events: Vec<_> =
        arrived(&callback, "notification", 3).await.iter().map(|r| r.json()["event"].clone()).collect();
    events.sort_by_key(Value::to_string);
    let has = |field: &str, value: Value| events.iter().any(|event| event[field] == value);
    assert!(has("user_name", json!("NewFriend")) && has("bits", json!(250)) && has("viewers", json!(99)), "{events:?}");
    assert_eq!(events.len(), 3);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn wrong_answer_to_a_challenge_fails_the_verification() {
    let twitch = Twitch::start().await;
    let challenge = |request: &Request| request.json()["challenge"].as_str().unwrap().to_owned();
    let wrong = Recorder::start(|_| Answer::new(200, "text/plain", "something else"));
    let as_json = Recorder::start(move |request| Answer::new(200, "application/json", &challenge(request)));
    let quoted =
        Recorder::start(move |request| Answer::new(200, "text/plain", &request.json()["challenge"].to_string()));
    let forbidden = Recorder::start(|_| Answer::status(403));
    let elsewhere = Recorder::start(|_| Answer::status(302));
    let unused = Unused::new();
    let closed = unused.addr();
    for (callback, outcome) in [
        (wrong.url("/"), "its body is not just ".to_owned()),
        (as_json.url("/"), "its content type is not text/plain".to_owned()),
        (quoted.url("/"), "its body is not just ".to_owned()),
        (forbidden.url("/"), "its status is 403".to_owned()),
        (elsewhere.url("/"), "its status is 302".to_owned()),
        (format!("http://{closed}/"), format!("nothing listens at http://{closed}/")),
    ] {
        let id = twitch.subscribe("stream.online", "1", &callback).await.unwrap().id;
        twitch.until_status(&id, "webhook_callback_verification_failed").await;
        let said = twitch.mock.world.deliveries().pop().unwrap().outcome;
        assert!(said.starts_with(&outcome), "{said}, not {outcome}");
    }
    assert_eq!(twitch.mock.world.deliveries().len(), 6, "challenges are not repeated");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn late_answer_to_a_challenge_fails_the_verification() {
    let delivery_timeout = Duration::from_millis(100);
    let twitch = Twitch::with(MockConfig { delivery_timeout, ..MockConfig::default() }).await;
    let never = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let callback = format!("http://{}/", never.local_addr().unwrap());
    let id = twitch.subscribe("stream.online", "1", &callback).await.unwrap().id;
    twitch.until_status(&id, "webhook_callback_verification_failed").await;
    assert_eq!(twitch.mock.world.deliveries()[0].outcome, "no answer within 100ms");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn refused_message_is_retried_with_the_same_id() {
    let twitch = Twitch::start().await;
    let count = AtomicU32::new(0);
    let callback = callback(move |_| Answer::status(if count.fetch_add(1, Ordering::SeqCst) < 2 { 503 } else { 204 }));
    enabled(&twitch, "stream.online", "1", &callback).await;
    twitch.mock.world.go_live(CHANNEL, Notify::Yes).unwrap();
    let requests = arrived(&callback, "notification", 3).await;
    assert_eq!(requests.iter().map(message_id).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(requests.iter().map(|r| r.twitch("message-retry").unwrap()).collect::<Vec<_>>(), ["0", "1", "2"]);
    assert!(requests.iter().all(|request| matches!(verify(request, twitch.clock.now()), Incoming::Message(_))));
    let log = until_some("the log", async || Some(twitch.mock.world.deliveries()).filter(|log| log.len() == 4)).await;
    let outcomes: Vec<_> = log.iter().map(|delivery: &Delivery| delivery.outcome.as_str()).collect();
    assert_eq!(outcomes, ["200", "its status is 503", "its status is 503", "204"]);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn subscription_is_revoked_after_lost_messages() {
    let twitch = Twitch::with(MockConfig { tolerated_losses: 1, ..MockConfig::default() }).await;
    let callback = callback(|request| match request.twitch("message-type") {
        Some("revocation") => Answer::status(204),
        _ => Answer::status(500),
    });
    let id = enabled(&twitch, "stream.online", "1", &callback).await;
    let world = &twitch.mock.world;
    world.go_live(CHANNEL, Notify::Yes).unwrap();
    arrived(&callback, "notification", 5).await;
    world.go_offline(CHANNEL, Notify::No).unwrap();
    world.go_live(CHANNEL, Notify::Yes).unwrap();
    twitch.until_status(&id, "notification_failures_exceeded").await;
    let revocation = &arrived(&callback, "revocation", 1).await[0];
    assert_eq!(revocation.json()["subscription"]["status"], "notification_failures_exceeded");
    assert!(matches!(verify(revocation, twitch.clock.now()), Incoming::Message(_)));
    assert_eq!(received(&callback, "notification").len(), 10, "two messages, five attempts each");

    world.go_offline(CHANNEL, Notify::No).unwrap();
    assert_eq!(
        world.emit("stream.online", None, Some(CHANNEL), None, &[]).unwrap(),
        0,
        "an ended subscription gets nothing"
    );
    let again = twitch.subscribe("stream.online", "1", &callback.url("/callback")).await.unwrap();
    assert_ne!(again.id, id, "a new one can be created beside it");
    let held = twitch.helix.subscriptions().await.unwrap().subscriptions;
    assert_eq!(held.iter().map(|held| held.id.as_str()).collect::<Vec<_>>(), [id.as_str(), again.id.as_str()]);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn deleted_subscription_gets_no_deliveries() {
    let twitch = Twitch::start().await;
    let callback = callback(|_| Answer::status(503));
    let id = enabled(&twitch, "stream.online", "1", &callback).await;
    twitch.mock.world.set_faults(Faults { delay: 1.0, delay_ms: 3_600_000, ..Faults::default() }).unwrap();
    twitch.mock.world.go_live(CHANNEL, Notify::Yes).unwrap();
    twitch.helix.delete_subscription(&id).await.unwrap();
    assert!(twitch.helix.subscriptions().await.unwrap().subscriptions.is_empty());
    twitch.mock.world.set_faults(Faults::default()).unwrap();
    enabled(&twitch, "channel.raid", "1", &callback).await;
    until("the delay is over", async || {
        twitch.clock.advance(time::Duration::hours(1));
        twitch.mock.world.raid(CHANNEL, "copperkite", 1).unwrap();
        received(&callback, "notification").len() > 5
    })
    .await;
    let kinds: BTreeSet<_> =
        received(&callback, "notification").iter().map(|r| r.twitch("subscription-type").unwrap().to_owned()).collect();
    assert_eq!(kinds, BTreeSet::from(["channel.raid".to_owned()]));
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn withdrawn_consent_ends_only_subscriptions_that_depend_on_it() {
    let twitch = Twitch::start().await;
    twitch.consent(&["moderator:read:followers"]).await;
    let callback = callback(|_| Answer::status(204));
    let follow = enabled(&twitch, "channel.follow", "2", &callback).await;
    let online = enabled(&twitch, "stream.online", "1", &callback).await;
    twitch.mock.world.withdraw_consent(CHANNEL).unwrap();
    let revocation = &arrived(&callback, "revocation", 1).await[0];
    assert_eq!(revocation.json()["subscription"]["id"], follow.as_str());
    assert_eq!(revocation.json()["subscription"]["status"], "authorization_revoked");
    twitch.until_status(&online, "enabled").await;
    let refused = twitch.subscribe("channel.follow", "2", &callback.url("/callback")).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(RefusalKind::NoConsent));
    for status in ["user_removed", "version_removed", "moderator_removed"] {
        let id = enabled(&twitch, "channel.update", "2", &callback).await;
        twitch.mock.world.end_subscription(&id, status).unwrap();
        twitch.until_status(&id, status).await;
    }
    arrived(&callback, "revocation", 4).await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn consent_makes_subscriptions_free() {
    let twitch = Twitch::start().await;
    let callback = callback(|_| Answer::status(204));
    let first = twitch.subscribe("stream.online", "1", &callback.url("/")).await.unwrap();
    assert_eq!(first.cost, 1);
    assert_eq!(twitch.helix.subscriptions().await.unwrap().total_cost, 1);
    twitch.consent(&["bits:read"]).await;
    assert_eq!(twitch.helix.subscriptions().await.unwrap().total_cost, 0);
    assert_eq!(twitch.subscribe("stream.offline", "1", &callback.url("/")).await.unwrap().cost, 0);
    assert_eq!(twitch.subscribe("channel.cheer", "1", &callback.url("/")).await.unwrap().cost, 0);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn faults_double_messages_and_lose_answers() {
    let twitch = Twitch::start().await;
    let callback = callback(|_| Answer::status(204));
    enabled(&twitch, "stream.online", "1", &callback).await;
    let world = &twitch.mock.world;
    world.set_faults(Faults { duplicate: 1.0, ..Faults::default() }).unwrap();
    world.go_live(CHANNEL, Notify::Yes).unwrap();
    let twins = arrived(&callback, "notification", 2).await;
    assert_eq!(message_id(&twins[0]), message_id(&twins[1]));

    world.set_faults(Faults { drop_answer: 1.0, ..Faults::default() }).unwrap();
    world.emit("stream.online", None, Some(CHANNEL), None, &[]).unwrap();
    let all = arrived(&callback, "notification", 4).await;
    assert_eq!(message_id(&all[2]), message_id(&all[3]));
    assert_eq!(all[3].twitch("message-retry"), Some("1"));
    let wrong = world.set_faults(Faults { reorder: 1.5, ..Faults::default() }).unwrap_err();
    assert_eq!(wrong.to_string(), "`reorder` is a chance: it must be a number from 0 to 1");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn message_held_back_arrives_after_the_next() {
    let twitch = Twitch::start().await;
    let callback = callback(|_| Answer::status(204));
    enabled(&twitch, "stream.online", "1", &callback).await;
    enabled(&twitch, "stream.offline", "1", &callback).await;
    let world = &twitch.mock.world;
    world.set_faults(Faults { reorder: 1.0, ..Faults::default() }).unwrap();
    world.go_live(CHANNEL, Notify::Yes).unwrap();
    world.set_faults(Faults::default()).unwrap();
    world.go_offline(CHANNEL, Notify::Yes).unwrap();
    let requests = arrived(&callback, "notification", 2).await;
    let kinds: Vec<_> = requests.iter().map(|request| request.twitch("subscription-type").unwrap()).collect();
    assert_eq!(kinds, ["stream.offline", "stream.online"]);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn control_api_changes_the_world_and_names_what_is_wrong() {
    let twitch = Twitch::start().await;
    let url = |path: &str| format!("{}{path}", twitch.mock.base_url());
    let post = async |path: &str, body: Value| {
        let response = twitch.browser.post(url(path)).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let page = twitch.browser.get(url("/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Go live"));

    let (status, live) = post("/mock/channels/maplearcade/live", json!({ "silent": true })).await;
    assert_eq!((status, &live["stream_id"]), (200, &json!(twitch.helix.streams(&[CHANNEL_ID]).await.unwrap()[0].id)));
    let again = post("/mock/channels/maplearcade/live", json!({})).await;
    assert_eq!(again, (409, json!({ "error": "maplearcade is live already" })));
    let unknown = post("/mock/channels/unknown/live", json!({})).await;
    assert_eq!(unknown.0, 404);
    assert!(
        unknown.1["error"].as_str().unwrap().contains("start mock-twitch with `--channel unknown`"),
        "{}",
        unknown.1
    );
    for action in ["follow", "raid", "cheer", "subscribe", "offline"] {
        assert_eq!(post(&format!("/mock/channels/maplearcade/{action}"), json!({})).await.0, 200, "{action}");
    }
    assert_eq!(post("/mock/channels/maplearcade/dance", json!({})).await.0, 404);
    assert_eq!(post("/mock/channels/maplearcade/cheer", json!({ "bit": 1 })).await.0, 400, "a misspelt field");
    assert_eq!(post("/mock/channels", json!({ "name": "NewChannel" })).await.1["login"], "newchannel");
    assert_eq!(post("/mock/events", json!({ "type": "channel.cheer", "set": ["bits=5"] })).await.0, 200);
    assert_eq!(post("/mock/events", json!({ "type": "channel.cheer", "set": ["no_such_field=5"] })).await.0, 400);
    assert_eq!(post("/mock/consents/maplearcade/withdraw", json!({})).await.0, 200);
    assert_eq!(post("/mock/subscriptions/none/end", json!({})).await.0, 404);
    assert_eq!(post("/mock/tokens/app/end", json!({})).await.0, 200);
    assert_eq!(post("/mock/rate-limit", json!({ "seconds": 1 })).await.0, 200);

    let patch = twitch.browser.patch(url("/mock/channels/maplearcade")).json(&json!({ "title": "New" }));
    assert_eq!(patch.send().await.unwrap().status(), 200);
    let faults = twitch.browser.put(url("/mock/faults")).json(&json!({ "delay": 2 }));
    assert_eq!(faults.send().await.unwrap().status(), 400);
    let state: Value = twitch.browser.get(url("/mock/state")).send().await.unwrap().json().await.unwrap();
    let channel = state["channels"].as_array().unwrap().iter().find(|channel| channel["login"] == CHANNEL).unwrap();
    assert_eq!((&channel["title"], &channel["stream"]), (&json!("New"), &Value::Null));
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn mock_stops_at_once_with_undelivered_messages() {
    let twitch = Twitch::start().await;
    let callback = callback(|_| Answer::status(204));
    enabled(&twitch, "stream.online", "1", &callback).await;
    twitch.mock.world.set_faults(Faults { delay: 1.0, delay_ms: 3_600_000, ..Faults::default() }).unwrap();
    twitch.mock.world.go_live(CHANNEL, Notify::Yes).unwrap();
    let base_url = twitch.mock.base_url();
    tokio::time::timeout(PATIENCE, twitch.mock.stop()).await.expect("it stops").unwrap();
    assert!(twitch.browser.get(base_url).send().await.unwrap_err().is_connect(), "nothing listens any more");
    assert!(received(&callback, "notification").is_empty());
}

/// A running `mock-twitch` and the environment that it prints, up to this variable.
async fn program(arguments: &[&str], last: &str) -> (Child, BTreeMap<String, String>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mock-twitch"))
        .args(["--port", "0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let mut environment = BTreeMap::new();
    while !environment.contains_key(last) {
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
            environment.insert(name.to_owned(), value.to_owned());
        }
    }
    (program, environment)
}

/// Runs a command of `mock-twitch` against this one, and returns whether it succeeded and what it printed.
async fn command(base_url: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-twitch"));
    let output = command.args(arguments).args(["--url", base_url]).output().await.unwrap();
    let printed = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(printed).unwrap())
}

#[tokio::test]
async fn trigger_command_sends_events_and_says_what_it_refuses() {
    let twitch = Twitch::with(MockConfig { channels: vec!["CopperKite".to_owned()], ..MockConfig::default() }).await;
    let callback = callback(|_| Answer::status(204));
    let condition = BTreeMap::from([("to_broadcaster_user_id".to_owned(), "71330092".to_owned())]);
    let id = twitch.subscribe_to("channel.raid", "1", &condition, &callback.url("/callback")).await.unwrap().id;
    twitch.until_status(&id, "enabled").await;
    let base_url = twitch.mock.base_url();
    let trigger = async |arguments: &[&str]| command(&base_url, &[&["trigger"], arguments].concat()).await;

    assert_eq!(trigger(&["raid", "-c", "3"]).await, (true, "channel.raid: 3 messages\n".to_owned()));
    let raids = arrived(&callback, "notification", 3).await;
    let raiders: BTreeSet<_> =
        raids.iter().map(|raid| raid.json()["event"]["from_broadcaster_user_login"].to_string()).collect();
    assert_eq!(raiders.len(), 3, "made-up users");
    let named = ["channel.raid", "-t", "71330092", "-f", "12345", "--set", "viewers=7"];
    assert_eq!(trigger(&named).await, (true, "channel.raid: 1 message\n".to_owned()));
    let raid = arrived(&callback, "notification", 4).await.pop().unwrap().json()["event"].clone();
    assert_eq!((&raid["from_broadcaster_user_id"], &raid["viewers"]), (&json!("12345"), &json!(7)));

    let nothing = "error: there is no enabled subscription to channel.cheer for this event\n";
    assert_eq!(trigger(&["cheer"]).await, (false, nothing.to_owned()));
    let (is_done, unknown) = trigger(&["raid", "-t", "nowhere"]).await;
    assert!(!is_done && unknown.starts_with("error: there is no channel nowhere: start mock-twitch with"), "{unknown}");
    let (_, error) = trigger(&["chear"]).await;
    assert!(
        error.contains("Twitch has no type `chear`; there are:\n") && error.contains("\n  channel.raid\n"),
        "{error}"
    );
    let unused = Unused::new();
    let (_, error) = command(&format!("http://{}", unused.addr()), &["trigger", "raid"]).await;
    assert!(error.starts_with(&format!("error: no mock-twitch answers at http://{}/", unused.addr())), "{error}");
    let (_, error) = command(&base_url, &["--port", "1", "trigger", "raid"]).await;
    assert!(error.contains("--port can't be used with the command `trigger`"), "{error}");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn program_serves_tls_with_a_certificate_of_its_own() {
    let twitch = Twitch::with(MockConfig { is_tls: true, ..MockConfig::default() }).await;
    let certificate = reqwest::Certificate::from_pem(twitch.mock.certificate().unwrap().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let page = client.get(twitch.mock.base_url()).send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.url().scheme()), (200, "https"));
    assert!(twitch.browser.get(twitch.mock.base_url()).send().await.unwrap_err().is_connect(), "unknown to others");

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(twitch.mock.certificate().unwrap().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let url = twitch.mock.websocket_url();
    assert_eq!(url.scheme(), "wss");
    let stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(url.as_str(), stream).await.unwrap();
    assert!(socket.next().await.unwrap().unwrap().to_text().unwrap().contains("session_welcome"));

    let close = format!("{}/mock/websocket/{}/close", twitch.mock.base_url(), twitch.mock.world.sessions()[0]);
    assert_eq!(client.post(close).json(&json!({ "code": "abort" })).send().await.unwrap().status(), 200);
    let Some(Err(Error::Io(error))) = socket.next().await else { panic!("no error") };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "through TLS, too");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn program_prints_its_environment_and_stops_on_sigterm() {
    let (mut program, environment) =
        program(&["--channel", "CopperKite", "--auto-consent"], "TWITCH_CHANNEL_NAME").await;
    assert!(!environment.contains_key("TWITCH_WEBHOOK_CALLBACK_URL"));
    let websocket = Url::parse(&environment["TWITCH_EVENTSUB_WEBSOCKET_URL"]).unwrap();
    assert_eq!((websocket.scheme(), websocket.path()), ("ws", "/ws"));
    assert_eq!(environment["TWITCH_CHANNEL_NAME"], "copperkite");
    let [api_url, auth_url] = ["TWITCH_API_URL", "TWITCH_AUTH_URL"].map(|name| Url::parse(&environment[name]).unwrap());
    let (_, helix) = clients(api_url, &auth_url, quick_retries(), &Clock::default());
    assert_eq!(helix.users_by_login(&["copperkite"]).await.unwrap()[0].display_name, "CopperKite");

    let pid = Pid::from_raw(program.id().unwrap().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    let status = tokio::time::timeout(PATIENCE, program.wait()).await.expect("it ends").unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn program_prints_a_callback_that_it_is_given() {
    let callback = "http://127.0.0.1:5001/callback";
    let (_program, environment) = program(&["--callback", callback], "TWITCH_WEBHOOK_CALLBACK_URL").await;
    assert_eq!(environment["TWITCH_WEBHOOK_CALLBACK_URL"], callback);
}
