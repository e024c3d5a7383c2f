//! The series of `/metrics`.

use serde_json::json;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use showtime::twitch::signature::WebhookSecret;
use time::Duration;

use crate::support::feeds::Sse;
use crate::support::messages::{at, follow, subscription, text};
use crate::support::server::Server;
use crate::support::until;

/// The value of a series, 0 if there is none.
async fn value(server: &Server, series: &str) -> f64 {
    let answer = server.get("/metrics").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let line = answer.text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

async fn messages(server: &Server, kind: &str, outcome: &str) -> f64 {
    value(
        server,
        &format!(r#"showtime_eventsub_messages_total{{type="{kind}",outcome="{outcome}",transport="webhook"}}"#),
    )
    .await
}

#[tokio::test]
async fn messages_are_counted_once_by_outcome() {
    let server = Server::start().await;
    let message = follow("1", at(0));
    for _ in 0..3 {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    let forged = message.sign(&WebhookSecret::generate());
    assert_eq!(server.post(&message.headers(Some(&forged)), message.body.clone()).await.status, 403);
    assert_eq!(server.post(&[], Vec::new()).await.status, 403);
    assert_eq!(server.deliver(&follow("2", at(0) - Duration::hours(1))).await.status, 403);
    let mut garbage = follow("3", at(0));
    garbage.body = b"no JSON".to_vec();
    assert_eq!(server.deliver(&garbage).await.status, 400);
    let challenge = Outgoing::challenge(Stamp::new(text(at(0))), &subscription("channel.follow", &json!({})), "yes");
    assert_eq!(server.deliver(&challenge).await.status, 200);

    for (kind, outcome, count) in [
        ("channel.follow", "accepted", 1.0),
        ("channel.follow", "duplicate", 2.0),
        ("channel.follow", "forged", 1.0),
        ("other", "forged", 1.0),
        ("channel.follow", "stale", 1.0),
        ("channel.follow", "malformed", 1.0),
        ("channel.follow", "challenge", 1.0),
        ("channel.follow", "unavailable", 0.0),
    ] {
        assert_eq!(messages(&server, kind, outcome).await.to_bits(), f64::to_bits(count), "{kind} {outcome}");
    }
    let count = async |name: &str| value(&server, &format!("showtime_eventsub_{name}_seconds_count")).await;
    assert!((count("ack_duration").await - 3.0).abs() < 0.1, "what was acknowledged is measured");
    assert!((count("delivery_lag").await - 1.0).abs() < 0.1, "a redelivery tells nothing of the network");
    let sum = value(&server, "showtime_eventsub_delivery_lag_seconds_sum").await;
    assert!((290.0..600.0).contains(&sum), "the message is five minutes old: {sum}");
}

#[tokio::test]
async fn gauges_show_build_subscriptions_tokens_and_memory() {
    let server = Server::start().await;
    server
        .sql(
            "insert into served_channel values ('1', 'one', 'One', now());
            insert into desired_subscription (type, version, channel_id, transport, status, since) values
                ('channel.follow', '2', '1', 'webhook', 'enabled', now()),
                ('channel.raid', '1', '1', 'webhook', 'enabled', now()),
                ('channel.cheer', '1', '1', 'webhook', 'missing', now());
            insert into token (holder, access_token, scopes, obtained_at) values ('app', '', '{}', now())",
        )
        .await;
    let answer = server.get("/metrics").await;
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    for line in [
        concat!(r#"showtime_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
        r#"showtime_subscriptions{status="enabled"} 2"#,
        r#"showtime_subscriptions{status="missing"} 1"#,
        r#"showtime_twitch_tokens{status="good"} 1"#,
        r#"showtime_twitch_tokens{status="needs_consent"} 0"#,
        r#"showtime_access_tokens{scope="admin"} 2"#,
        "showtime_ingest_queue_depth 0",
        "showtime_database_up 1",
    ] {
        assert!(answer.text.lines().any(|it| it == line), "no {line} in {}", answer.text);
    }
    assert!(answer.text.ends_with("# EOF\n"));
    let memory = value(&server, "process_resident_memory_bytes").await;
    assert!(!cfg!(target_os = "linux") || memory > 1e6, "{memory}");
}

#[tokio::test]
async fn metrics_without_a_database_are_those_of_the_process() {
    let server = Server::start().await;
    server.sql("drop table desired_subscription cascade").await;
    let answer = server.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("showtime_database_up 0\n"), "{}", answer.text);
    assert!(!answer.text.contains("showtime_subscriptions{"), "{}", answer.text);
}

#[tokio::test]
async fn readers_of_feeds_are_counted_while_they_are_connected() {
    let server = Server::start().await;
    let mut events = Sse::open(&server, "/live/events").await;
    let alerts = Sse::open(&server, "/live/alerts").await;
    let of = |feed: &str| format!(r#"showtime_live_readers{{feed="{feed}",transport="sse"}}"#);
    assert_eq!(value(&server, &of("events")).await, 1.0);
    assert_eq!(value(&server, &of("alerts")).await, 1.0);
    drop(alerts);
    until("the reader that has gone is not counted", async || value(&server, &of("alerts")).await == 0.0).await;
    assert_eq!(value(&server, &of("events")).await, 1.0);
    server.deliver(&follow("1", at(0))).await;
    assert_eq!(events.take(1).await[0].event, "event");
}
