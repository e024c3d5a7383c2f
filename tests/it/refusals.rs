//! Messages that are refused, can't be stored or are not understood: each fails alone, and `/status` says what to do.

use futures_util::future::join_all;
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::http::client;
use showtime::incidents::{Incidents, Kind};
use showtime::ingest::{Ingest, IngestError, Receipt};
use showtime::metrics::Metrics;
use showtime::twitch::eventsub::outgoing::Outgoing;
use showtime::twitch::signature::WebhookSecret;
use time::Duration;

use crate::support::PATIENCE;
use crate::support::messages::{CHANNEL, at, cheer, follow, notification, verified};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;

/// Replaces a part of the body.
fn edited(mut message: Outgoing, from: &str, to: &str) -> Outgoing {
    let body = String::from_utf8(message.body).unwrap();
    assert!(body.contains(from), "{body}");
    message.body = body.replace(from, to).into_bytes();
    message
}

#[tokio::test]
async fn messages_refused_for_their_date_show_a_wrong_clock() {
    let server = Server::start().await;
    server.clock.advance(Duration::minutes(-15));
    for user in 0..8 {
        server.deliver(&follow(&user.to_string(), at(300))).await.problem(403, "stale-message");
    }
    let (verdict, message) = server.check("messages").await;
    assert_eq!(verdict, "warn");
    let parts = [
        "messages that are signed rightly are refused because they are dated ",
        " s away (8 since the last accepted one); set the clock: by the database's clock, this machine's is ",
        " s slow",
    ];
    let seconds: Vec<i64> = message.split(|c: char| !c.is_ascii_digit()).filter_map(|it| it.parse().ok()).collect();
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    assert!(seconds.iter().filter(|it| (840..=900).contains(*it)).count() == 2, "{message}");
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains(r#"showtime_incidents_total{kind="stale",subject=""} 8"#), "{metrics}");

    server.clock.advance(Duration::minutes(15));
    assert_eq!(server.deliver(&follow("9", at(300))).await.status, 204);
    assert_eq!(server.check("messages").await.0, "pass", "an accepted message shows that the clock is right");
}

#[tokio::test]
async fn messages_signed_with_another_secret_are_a_warning_if_they_name_a_known_subscription() {
    let server = Server::start().await;
    let other = WebhookSecret::new("another secret").unwrap();
    let forge = async |message: Outgoing| {
        let headers = message.headers(Some(&message.sign(&other)));
        server.post(&headers, message.body).await.problem(403, "bad-signature");
    };
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    // The log knows no subscription to cheers.
    join_all((0..8).map(|user| forge(cheer(&user.to_string(), 1, at(0))))).await;
    server.clock.advance(Duration::seconds(1));
    join_all((0..7).map(|user| forge(follow(&user.to_string(), at(0))))).await;
    assert_eq!(server.check("webhook_secret").await.0, "pass", "seven may be chance");
    forge(follow("7", at(0))).await;
    let (verdict, message) = server.check("webhook_secret").await;
    assert_eq!(verdict, "warn");
    assert!(
        message.starts_with("8 messages for subscriptions of this server") && message.contains("SECRET"),
        "{message}"
    );
    assert_eq!(server.get("/readyz").await.status, 200, "a forgery proves nothing");
    assert_eq!(server.json("/status").await["verdict"], "warn");

    assert_eq!(server.deliver(&follow("2", at(0))).await.status, 204);
    assert_eq!(server.check("webhook_secret").await.0, "pass");
}

/// Ten a second are looked at; a flood costs no more.
#[tokio::test]
async fn forgeries_are_looked_at_ten_times_a_second() {
    let server = Server::start().await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    let other = WebhookSecret::new("another secret").unwrap();
    let began = server.clock.instant();
    join_all((0..40).map(async |user: i32| {
        let message = follow(&user.to_string(), at(0));
        server.post(&message.headers(Some(&message.sign(&other))), message.body).await.problem(403, "bad-signature");
    }))
    .await;
    let seconds = (server.clock.instant() - began).as_secs();
    let (_, message) = server.check("webhook_secret").await;
    let claims: u64 = message.split(' ').next().unwrap().parse().unwrap();
    assert!((10..=10 * (seconds + 1)).contains(&claims), "{claims} in {seconds} s");
}

/// No time of Twitch's is so far away, but nothing else of its messages is trusted either.
#[tokio::test]
async fn message_that_makes_the_writer_panic_is_refused_alone() {
    let incidents = Incidents::default();
    let (ingest, writer) = Ingest::new(fresh_database().await, Clock::default(), incidents.clone(), Metrics::default());
    let writing = tokio::spawn(writer.run());
    let mut poison = follow("0", at(0));
    poison.stamp.timestamp = "9999-12-31T23:59:59-23:59".to_owned();
    let poison = verified(&poison);
    for round in 0..3 {
        let good = (1..=20).map(|user| verified(&follow(&user.to_string(), at(round))));
        let messages: Vec<_> = good
            .take(10)
            .chain([poison.clone()])
            .chain((0..10).map(|user| verified(&cheer(&user.to_string(), 1, at(round)))))
            .collect();
        let answers = join_all(messages.into_iter().map(|message| ingest.submit(message))).await;
        assert_eq!(answers.iter().filter(|it| **it == Ok(Receipt::Appended)).count(), 20, "{answers:?}");
        assert_eq!(answers[10], Err(IngestError::Rejected));
    }
    let seen = incidents.recent(Kind::Unstorable);
    assert_eq!((seen.len(), seen[0].subject.as_str(), seen[0].recent), (1, "channel.follow", 3));
    assert_eq!(ingest.write_error(), None, "the log can be written to");
    drop(ingest);
    writing.await.unwrap();
}

#[tokio::test]
async fn message_that_the_database_refuses_is_shown() {
    let server = Server::start().await;
    server
        .sql(
            "create function refuse() returns trigger language plpgsql as $$
            begin raise exception 'it is too odd' using errcode = '22023'; end $$;
            create trigger refuse before insert on event for each row when (new.payload::text like '%user666%')
            execute function refuse()",
        )
        .await;
    for _ in 0..3 {
        server.deliver(&follow("666", at(0))).await.problem(500, "internal");
    }
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    let (verdict, message) = server.check("messages").await;
    assert_eq!(verdict, "warn");
    assert!(message.starts_with("the database can't store 3 messages of channel.follow (the last: "), "{message}");
    assert_eq!(server.get("/readyz").await.status, 200);
}

/// Dates at either end of the calendar, in each place where a message has one: the server goes on, and what was stored can
/// be read.
#[tokio::test]
async fn extreme_dates_end_neither_the_writer_nor_a_request() {
    let server = Server::start().await;
    let extremes = ["9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z"];
    for (number, date) in extremes.into_iter().enumerate() {
        let user = number.to_string();
        let event = json!({ "user_id": user, "user_login": user, "user_name": user, "followed_at": date });
        let online = json!({ "id": user, "type": "live", "started_at": date });
        let created = edited(follow(&user, at(0)), "2026-03-01T09:00:00.123456789Z", date);
        for message in
            [notification("channel.follow", at(0), event), notification("stream.online", at(0), online), created]
        {
            let answer = server.deliver(&message).await;
            assert!([204, 400, 500].contains(&answer.status.as_u16()), "{date}: {answer:?}");
        }
        assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204, "{date}");
    }
    for path in ["viewers", "broadcasts", ""] {
        let answer = server.get(format!("/channels/{CHANNEL}/{path}").trim_end_matches('/')).await;
        let content_type = answer.headers["content-type"].to_str().unwrap();
        assert!(["application/json", "application/problem+json"].contains(&content_type), "{path}: {answer:?}");
    }
    assert!(server.json("/events").await["data"].as_array().is_some_and(|events| events.len() >= 3));
}

#[tokio::test]
async fn answer_that_cannot_be_written_is_a_problem_document() {
    let server = Server::start().await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    server.sql("update viewer set first_followed_at = '0002-01-01 00:00:00Z BC'").await;
    let answer = server.get(&format!("/channels/{CHANNEL}/viewers")).await;
    answer.problem(500, "internal");
    assert!(answer.headers.contains_key("x-request-id") && !answer.text.contains("year"), "{answer:?}");
}

#[tokio::test]
async fn payloads_that_are_not_understood_are_shown_by_type() {
    let server = Server::start().await;
    for user in ["1", "2"] {
        let message = edited(follow(user, at(0)), &format!(r#""user_id":"{user}""#), r#""user_id":null"#);
        assert_eq!(server.deliver(&message).await.status, 204);
        assert_eq!(server.deliver(&message).await.status, 204, "a redelivery");
    }
    let odd_test = edited(cheer("3", 1, at(0)), r#"{"event""#, r#"{"is_test":true,"event""#);
    assert_eq!(server.deliver(&edited(odd_test, r#""bits":1"#, r#""bits":null"#)).await.status, 204);
    let (verdict, message) = server.check("payloads").await;
    assert_eq!(verdict, "warn");
    assert!(message.starts_with("2 payloads of channel.follow could not be read"), "{message}");
    assert!(message.contains("`server rebuild`") && !message.contains("channel.cheer"), "{message}");
    let metrics = server.get("/metrics").await.text;
    let count = r#"showtime_incidents_total{kind="unread_payload",subject="channel.follow"} 2"#;
    assert!(metrics.contains(count), "{metrics}");
}

#[tokio::test]
async fn callback_opened_in_a_browser_says_that_it_can_be_reached() {
    let server = Server::start().await;
    for method in [reqwest::Method::GET, reqwest::Method::PUT] {
        let request = client(PATIENCE).build().unwrap().request(method, server.url("/callback"));
        let answer = crate::support::server::answer(request).await;
        let problem: Value = answer.problem(405, "method-not-allowed");
        assert_eq!(answer.headers["allow"], "POST");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("the callback can be reached; Twitch sends its messages here by POST"), "{detail}");
    }
}
