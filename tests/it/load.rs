//! `simulate load` and the ledger: against the real server, and against servers that misbehave.

use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum as _;
use http::Request;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use roaring::RoaringTreemap;
use serde_json::Value;
use showtime::clock::Clock;
use showtime::load::connection::Connection;
use showtime::load::event::Kind;
use showtime::load::ledger::{self, Verdict};
use showtime::load::mix::Mix;
use showtime::load::request::{Requests, Sending};
use showtime::load::run::Run;
use showtime::load::traffic::Traffic;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;
use url::Url;

use crate::support::postgres::{fresh_database, url};
use crate::support::recorder::{Answer, Recorder};
use crate::support::server::{SECRET, Server, secret};
use crate::support::{PATIENCE, Unused, until};

/// Enough messages for streams to end.
const MESSAGES: u64 = 1_500;

/// Runs `simulate load` with the tests' secret against this callback and this database.
async fn run(target: &str, database: Option<&PgConnectOptions>, args: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    command.arg("load").args(args).args(["--target", target]).env_clear().env("TWITCH_WEBHOOK_SECRET", SECRET);
    if let Some(database) = database {
        command.env("DATABASE_URL", url(database, ""));
    }
    command.current_dir(directory.path()).stdin(Stdio::null()).kill_on_drop(true);
    timeout(PATIENCE * 2, command.output()).await.expect("it ends").unwrap()
}

#[track_caller]
fn report(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

/// They take turns at the log, which a single server never needs.
#[tokio::test]
async fn two_servers_that_share_a_load_store_each_message_once() {
    let database = fresh_database().await;
    let (first, second) = (Server::on(database.clone()).await, Server::on(database.clone()).await);
    let replica = second.addr.to_string();
    let args = ["--json", "--ledger", "--connections=32", "--duration=2s", "--warm-up=200ms", "--replica", &replica];
    let report = report(&run(&first.url("/callback"), Some(&database), &args).await, 0);
    let (sent, ledger) = (count(&report["sent"]), &report["ledger"]);
    assert!(sent > 0 && report["acknowledged"] == sent, "{report}");
    assert_eq!(["lost", "doubled", "effects_differ"].map(|name| count(&ledger[name])), [0, 0, 0], "{report}");
    for server in [first, second] {
        let metrics = server.get("/metrics").await.text;
        assert!(metrics.contains(r#"type="channel.chat.message",outcome="accepted",transport="webhook""#), "{metrics}");
        server.stop().await;
    }
}

#[tokio::test]
async fn every_mix_is_acknowledged_and_stored_once_with_correct_sums() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    let mut stored = 0;
    for mix in ["chat", "follows", "channels", "hot"] {
        let args = ["--json", "--ledger", "--connections=8", "--duration=1s", "--warm-up=200ms", "--mix", mix];
        let report = report(&run(&server.url("/callback"), Some(&database), &args).await, 0);
        let sent = count(&report["sent"]);
        assert!(sent > 0, "{report}");
        assert_eq!(report["acknowledged"], sent, "{report}");
        assert_eq!(report["statuses"], serde_json::json!({ "204": sent }));
        assert_eq!((&report["mode"], &report["mix"], &report["rate"]), (&"closed".into(), &mix.into(), &Value::Null));
        let latency = |name: &str| count(&report["latency_us"][name]);
        let rising = ["p50", "p90", "p99", "p99_9", "max"].map(latency);
        assert!(rising[0] > 0 && rising.is_sorted(), "{report}");
        let ledger = &report["ledger"];
        assert_eq!(["lost", "doubled", "effects_differ"].map(|name| count(&ledger[name])), [0, 0, 0], "{report}");
        assert!(count(&ledger["stored"]) >= sent, "with the warm-up: {report}");
        stored += count(&ledger["stored"]);
    }
    assert_eq!(u64::try_from(server.count_events().await).unwrap(), stored, "runs do not see each other's messages");
    server.stop().await;
}

#[tokio::test]
async fn rate_is_kept_and_lateness_of_the_generator_is_reported() {
    let server = Server::start().await;
    let args = ["--json", "--rate=50", "--duration=2s", "--warm-up=0s"];
    let report = report(&run(&server.url("/callback"), None, &args).await, 0);
    assert_eq!((&report["mode"], &report["rate"], &report["sent"]), (&"open".into(), &50.into(), &100.into()));
    assert!(report["pacer_late_us"]["max"].is_u64() && report["ledger"].is_null(), "{report}");
    assert_eq!(server.count_events().await, 100);
    server.stop().await;
}

#[tokio::test]
async fn forged_messages_and_slow_connections_are_counted_separately() {
    let server = Server::start().await;
    let args = ["--json", "--rate=20", "--duration=2s", "--warm-up=0s", "--flood=3", "--slow=5"];
    let report = report(&run(&server.url("/callback"), None, &args).await, 0);
    assert_eq!(report["acknowledged"], 40, "{report}");
    let forged = count(&report["flood"]["sent"]);
    assert_eq!(report["flood"]["statuses"], serde_json::json!({ "403": forged }), "{report}");
    assert!(forged > 0 && report["flood"]["per_second"].is_f64(), "{report}");
    assert_eq!(report["slow"]["connections"], 5);
    assert_eq!(server.count_events().await, 40, "nothing forged is stored");
    server.stop().await;
}

#[tokio::test]
async fn report_is_readable_text_without_json() {
    let server = Server::start().await;
    let output = run(&server.url("/callback"), None, &["--duration=300ms", "--warm-up=0s", "--connections=2"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["closed loop, chat over 2 connections", "acknowledged", "p99.9", "204: "] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn interrupted_load_prints_its_report() {
    let server = Server::start().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    command.args(["load", "--json", "--duration=1h", "--warm-up=0s", "--connections=2", "--target"]);
    command.arg(server.url("/callback")).env_clear().env("TWITCH_WEBHOOK_SECRET", SECRET);
    let child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    until("something arrives", async || server.count_events().await > 0).await;
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
    let report = report(&output, 0);
    assert_eq!(u64::try_from(server.count_events().await).unwrap(), count(&report["acknowledged"]), "{report}");
    server.stop().await;
}

#[tokio::test]
async fn answers_503_are_counted_and_not_acknowledged() {
    let recorder = Recorder::start(|_| Answer::status(503));
    let args = ["--json", "--duration=300ms", "--warm-up=0s", "--connections=2"];
    let report = report(&run(&recorder.url("/callback"), None, &args).await, 1);
    assert_eq!((&report["acknowledged"], &report["errors"]), (&0.into(), &serde_json::json!({})), "{report}");
    assert_eq!(report["statuses"], serde_json::json!({ "503": report["sent"] }));
}

#[tokio::test]
async fn closed_and_refused_connections_are_distinguished() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let target = format!("http://{}/callback", listener.local_addr().unwrap());
    let hanging_up = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let args = ["--json", "--duration=3s", "--warm-up=0s", "--connections=2", "--slow=2"];
    let found = report(&run(&target, None, &args).await, 1);
    assert_eq!(found["errors"], serde_json::json!({ "closed": found["sent"] }), "{found}");
    assert_eq!(found["acknowledged"], 0, "{found}");
    let (made, cut_off) = (count(&found["slow"]["connections"]), count(&found["slow"]["cut_off"]));
    assert!(made > 2 && (made - 2..=made).contains(&cut_off), "a connection that is cut off is opened again: {found}");
    hanging_up.abort();

    let unused = Unused::new();
    let found = report(&run(&format!("http://{}/callback", unused.addr()), None, &args[..4]).await, 1);
    assert_eq!(found["errors"], serde_json::json!({ "refused": found["sent"] }), "{found}");
}

#[tokio::test]
async fn invalid_load_is_a_usage_error() {
    for (args, said) in [
        (&["--duration=2h"][..], "at most an hour"),
        (&["--duration=soon"], "--duration"),
        (&["--connections=0"], "1..=10000"),
        (&["--mix=everything"], "chat, follows, channels, hot"),
        (&["--latency"], "unexpected argument"),
    ] {
        let output = run("http://127.0.0.1:1/callback", None, args).await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && text.contains(said), "{args:?}: {text}");
    }
    for (target, said) in
        [("https://127.0.0.1:1/callback", "only be sent over plain http"), ("http://192.0.2.1/", "--allow-remote")]
    {
        let output = run(target, None, &[]).await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && text.contains(said), "{target}: {text}");
    }
}

/// Sends the first messages of this traffic over several connections, and a few of them twice; all are acknowledged.
async fn send(server: &Server, traffic: Traffic) -> RoaringTreemap {
    let callback = Url::parse(&server.url("/callback")).unwrap();
    let requests = Arc::new(Requests::new(traffic, &callback, &secret()).unwrap());
    let (next, clock, target) = (Arc::new(AtomicU64::new(0)), Clock::default(), server.addr);
    let sending = (0..8).map(|_| {
        let (requests, next, clock) = (requests.clone(), next.clone(), clock.clone());
        tokio::spawn(async move {
            let (mut connection, mut request) = (Connection::new(target), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= MESSAGES {
                    break;
                }
                requests.write(number, Sending { at: clock.now(), retry: 0 }, &mut request);
                for _ in 0..if number.is_multiple_of(50) { 2 } else { 1 } {
                    assert_eq!(connection.exchange(&request).await, Ok(204));
                }
            }
        })
    });
    for task in sending.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    (0..MESSAGES).collect()
}

async fn verify(database: &PgConnectOptions, traffic: Traffic, acknowledged: &RoaringTreemap) -> Verdict {
    let mut connection = PgConnection::connect_with(database).await.unwrap();
    ledger::verify(&mut connection, &traffic, acknowledged).await.unwrap()
}

fn sums(verdict: &Verdict) -> [u64; 4] {
    [verdict.lost, verdict.doubled, verdict.effects_differ, verdict.unacknowledged_but_stored]
}

#[tokio::test]
async fn state_of_every_mix_equals_the_oracle() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    for mix in Mix::value_variants() {
        let traffic = Traffic { run: Run::new(), mix: *mix };
        let acknowledged = send(&server, traffic).await;
        let verdict = verify(&database, traffic, &acknowledged).await;
        assert_eq!((sums(&verdict), verdict.stored), ([0; 4], MESSAGES), "{mix:?}: {verdict:?}");
    }
    let ended: i64 = sqlx::query_scalar("select count(*) from stream where broadcast_id = id and ended_at is not null")
        .fetch_one(&server.pool)
        .await
        .unwrap();
    assert!(ended > 40, "{ended}");
    server.stop().await;
}

#[tokio::test]
async fn ledger_finds_lost_doubled_and_wrong_rows() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    let traffic = Traffic { run: Run::new(), mix: Mix::Hot };
    let mut acknowledged = send(&server, traffic).await;
    let other = Traffic { run: Run(traffic.run.0 ^ 1), mix: Mix::Hot };
    assert_eq!(sums(&verify(&database, other, &RoaringTreemap::new()).await), [0; 4], "another run has nothing");
    assert_eq!(sums(&verify(&database, traffic, &RoaringTreemap::new()).await), [0, 0, 0, MESSAGES]);

    server
        .sql("update viewer set bits = bits + 100 where ctid = (select ctid from viewer where bits > 0 limit 1)")
        .await;
    let verdict = verify(&database, traffic, &acknowledged).await;
    assert_eq!(sums(&verdict), [0, 1, 1, 0], "an effect counted twice");
    assert!(verdict.examples[0].contains("expected"), "{verdict}");

    server.sql("update channel set anonymous_gifts = anonymous_gifts - 1").await;
    assert_eq!(sums(&verify(&database, traffic, &acknowledged).await), [0, 1, 2, 0], "a tally that is too small");

    server.sql("update stream set broadcast_id = null").await;
    assert_eq!(sums(&verify(&database, traffic, &acknowledged).await), [0, 1, 3, 0], "a stream without its broadcast");

    server.sql("delete from viewer where ctid = (select ctid from viewer where bits = 0 or cheers < 3 limit 1)").await;
    acknowledged.insert(MESSAGES);
    let verdict = verify(&database, traffic, &acknowledged).await;
    assert_eq!((verdict.lost, verdict.stored), (1, MESSAGES), "one that was never sent: {verdict}");

    server.sql("delete from event").await;
    let verdict = verify(&database, traffic, &acknowledged).await;
    assert_eq!((verdict.lost, verdict.stored), (MESSAGES + 1, 0));
    assert!(verdict.effects_differ > 50 && verdict.doubled > 50 && !verdict.is_clean(), "{verdict}");
    server.stop().await;
}

#[test]
fn every_message_is_accepted_by_twitch_api() {
    let callback = Url::parse("https://example.org/callback").unwrap();
    let mut request = Vec::new();
    for mix in Mix::value_variants() {
        let traffic = Traffic { run: Run::new(), mix: *mix };
        let requests = Requests::new(traffic, &callback, &secret()).unwrap();
        for number in 0..1_200 {
            requests.write(number, Sending { at: Clock::default().now(), retry: 0 }, &mut request);
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut parsed = httparse::Request::new(&mut headers);
            let body = request[parsed.parse(&request).unwrap().unwrap()..].to_vec();
            let message = Request::post("https://example.org/callback");
            let message =
                parsed.headers.iter().fold(message, |message, header| message.header(header.name, header.value));
            let message = message.body(body).unwrap();
            assert!(twitch_api::eventsub::Event::verify_payload(&message, SECRET.as_bytes()));
            // Since June 2026 stream.offline has the stream's id, which this version of twitch_api does not know.
            let is_known = traffic.message(number).kind != Kind::Offline;
            let parsed = twitch_api::eventsub::Event::parse_http(&message);
            assert_eq!(parsed.is_ok(), is_known, "{:?} {parsed:?}", traffic.message(number));
        }
    }
}
