//! The answers of `POST /callback`, over HTTP, and what is in the log afterwards.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use regex::Regex;
use reqwest::Method;
use serde_json::{Value, json};
use showtime::http::client;
use showtime::sources::webhook::REFUSAL_DELAY;
use showtime::twitch::catalogue::{self, Availability};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use showtime::twitch::samples;
use showtime::twitch::signature::WebhookSecret;
use time::Duration;

use crate::support::PATIENCE;
use crate::support::messages::{CHANNEL, at, follow, notification, online, subscription, text, verified, with_person};
use crate::support::postgres::fresh_database;
use crate::support::server::{SECRET, Server, secret};

#[tokio::test]
async fn acknowledged_notification_is_in_the_log() {
    let server = Server::start().await;
    let message = online("42", at(0));
    let answer = server.deliver(&message).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    let events = server.json("/events").await;
    let event = &events["data"][0];
    assert_eq!(event["message_id"], message.stamp.message_id);
    assert_eq!((&event["type"], &event["version"]), (&json!("stream.online"), &json!("1")));
    assert_eq!(event["channel_id"], CHANNEL);
    assert_eq!(event["occurred_at"], message.stamp.timestamp);
    assert_eq!(event["payload"], serde_json::from_slice::<Value>(&message.body).unwrap());
    let channel = server.json(&format!("/channels/{CHANNEL}")).await;
    assert_eq!((&channel["is_live"], &channel["stream"]["id"]), (&json!(true), &json!("42")), "{channel}");
}

#[tokio::test]
async fn payload_is_stored_byte_for_byte() {
    let server = Server::start().await;
    let mut message = follow("1", at(0));
    let odd = r#" {"event" : {"b":1.50, "a":"\ud800 \u0000", "a":2}, "subscription":"#;
    let subscription = serde_json::to_string(&subscription("channel.poll.begin", &json!({"broadcaster_user_id": "1"})));
    message.body = format!("{odd}{}}}", subscription.unwrap()).into_bytes();
    message.subscription = Some(("channel.poll.begin".to_owned(), "1".to_owned()));
    assert_eq!(server.deliver(&message).await.status, 204);
    let stored: String = sqlx::query_scalar("select payload::text from event").fetch_one(&server.pool).await.unwrap();
    assert_eq!(stored.as_bytes(), message.body);
    assert!(server.get("/events").await.text.contains(r#"{"b":1.50, "a":"\ud800 \u0000", "a":2}"#));
}

#[tokio::test]
async fn duplicate_message_is_stored_once_concurrently_and_after_a_restart() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    let message = crate::support::messages::cheer("7", 100, at(0));
    let answers = futures_util::future::join_all((0..20).map(|_| server.deliver(&message))).await;
    assert!(answers.iter().all(|answer| answer.status == 204));
    assert_eq!(server.deliver(&message).await.status, 204);
    server.stop().await;

    let server = Server::on(database).await;
    assert_eq!(server.deliver(&message).await.status, 204);
    assert_eq!(server.count_events().await, 1);
    let viewers = server.json("/channels/90210441/viewers").await;
    assert_eq!(viewers["data"][0]["bits"]["total"], 100, "{viewers}");
    server.stop().await;
}

#[tokio::test]
async fn challenge_is_answered_with_its_text_only() {
    let server = Server::start().await;
    let pending = subscription("stream.online", &with_person("broadcaster_user_", CHANNEL, json!({})))
        .with_status("webhook_callback_verification_pending");
    for message in [
        Outgoing::challenge(Stamp::new(text(at(0))), &pending, "pogchamp-kappa-360noscope-vohiyo"),
        Outgoing::shard_challenge(Stamp::new(text(at(0))), "a conduit", "42", "pogchamp-kappa-360noscope-vohiyo"),
    ] {
        let answer = server.deliver(&message).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "pogchamp-kappa-360noscope-vohiyo"));
        assert_eq!(answer.headers["content-type"], "text/plain");
        assert_eq!(answer.headers["content-length"], "32");
    }
    assert_eq!(server.count_events().await, 0);
}

/// The requests are recordings; only this server's clock is set back to their time.
#[tokio::test]
async fn recorded_challenges_of_twitch_are_answered() {
    let recordings = [
        (
            "123456789a",
            "cb4a5bcc-b820-4c7f-a5f5-c6eb4c3cf3b8",
            "0",
            "2021-05-15T08:18:54.603385505Z",
            "sha256=894a51ef043f00316786ddff17a2c8b1d69b190ab297838895bd68d89be2955b",
            "stream.online",
            r#"{"subscription":{"id":"9ae4c23e-a5ea-4143-9492-d27a4ce85066","status":"webhook_callback_verification_pending","type":"stream.online","version":"1","condition":{"broadcaster_user_id":"634932612"},"transport":{"method":"webhook","callback":"https://de13bc876b02.ngrok.io/callback"},"created_at":"2021-05-15T08:18:54.598197448Z","cost":1},"challenge":"piy_wknaGMbyRFyl4jCM1grNvqdbEUf6q-Fr6n484wY"}"#,
            "piy_wknaGMbyRFyl4jCM1grNvqdbEUf6q-Fr6n484wY",
        ),
        (
            "hey this is really secret",
            "e7f8151c-5849-48d5-8db9-234618442877",
            "1",
            "2023-03-09T04:44:48.062323705Z",
            "sha256=9afe337a0526eda98c12cd5c6892f5eec5c86a2f0fde7e0655764382d464bce8",
            "channel.update",
            r#"{"subscription":{"id":"ef7e8fba-6c32-4ead-965d-61f21660d095","status":"webhook_callback_verification_pending","type":"channel.update","version":"1","condition":{"broadcaster_user_id":"132532813"},"transport":{"method":"webhook","callback":"https://testing.proxy.b.dnsge.org/webhooks"},"created_at":"2023-03-09T04:44:48.057734342Z","cost":0},"challenge":"olYc8-klwIH9BthhWWhTU-AhJQ0eatixVF2y6x3G5kk"}"#,
            "olYc8-klwIH9BthhWWhTU-AhJQ0eatixVF2y6x3G5kk",
        ),
    ];
    for (key, id, retry, timestamp, signature, kind, body, challenge) in recordings {
        let configured = WebhookSecret::new(key).unwrap();
        let server =
            Server::with(fresh_database().await, |config| config.twitch.webhook_secret = Some(configured)).await;
        let headers: Vec<(&'static str, String)> = [
            ("User-Agent", "Go-http-client/1.1"),
            ("Content-Type", "application/json"),
            ("Accept-Encoding", "gzip"),
            ("Twitch-Eventsub-Message-Id", id),
            ("Twitch-Eventsub-Message-Retry", retry),
            ("Twitch-Eventsub-Message-Signature", signature),
            ("Twitch-Eventsub-Message-Timestamp", timestamp),
            ("Twitch-Eventsub-Message-Type", "webhook_callback_verification"),
            ("Twitch-Eventsub-Subscription-Is-Batching-Enabled", "false"),
            ("Twitch-Eventsub-Subscription-Type", kind),
            ("Twitch-Eventsub-Subscription-Version", "1"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into();
        server.post(&headers, body.into()).await.problem(403, "stale-message");
        let then = showtime::twitch::eventsub::parse_timestamp(timestamp).unwrap();
        server.clock.advance(then - server.clock.now());
        let answer = server.post(&headers, body.into()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, challenge));
    }
}

#[tokio::test]
async fn revocation_is_stored_with_its_reason() {
    let server = Server::start().await;
    let first = follow("1", at(0));
    server.deliver(&first).await;
    let event = with_person("broadcaster_user_", CHANNEL, json!({}));
    let revoked = subscription("channel.follow", &event).with_status("authorization_revoked");
    let message = Outgoing::revocation(Stamp::new(text(at(2))), &revoked);
    assert_eq!(server.deliver(&message).await.status, 204);
    // A notification that is older than the revocation does not bring the subscription back.
    assert_eq!(server.deliver(&follow("2", at(1))).await.status, 204);
    let status = server.json("/status").await;
    let held = &status["subscriptions"][0];
    assert_eq!((&held["id"], &held["status"]), (&json!(revoked.id), &json!("authorization_revoked")), "{status}");
    assert_eq!(server.json("/events?type=channel.follow").await["data"][1]["message_type"], "revocation");
}

#[tokio::test]
async fn unknown_types_and_payloads_are_stored_as_they_came() {
    let server = Server::start().await;
    let event = with_person("broadcaster_user_", CHANNEL, json!({ "novelty": [1, { "deep": null }] }));
    let mut new_type = notification("channel.poll.begin", at(0), event.clone());
    let body = String::from_utf8(new_type.body).unwrap().replace("channel.poll.begin", "channel.teleport.begin");
    (new_type.body, new_type.subscription) =
        (body.into_bytes(), Some(("channel.teleport.begin".to_owned(), "1".to_owned())));
    assert_eq!(server.deliver(&new_type).await.status, 204);

    let mut new_kind = follow("1", at(1));
    (new_kind.message_type, new_kind.subscription, new_kind.body) =
        ("telegram", Some(("a.b".to_owned(), "7".to_owned())), br#"{"greeting":"hello"}"#.to_vec());
    assert_eq!(server.deliver(&new_kind).await.status, 204);

    // A known type whose payload is not as it was: kept, and the state stays as it is.
    let odd = notification("channel.follow", at(2), json!({ "user_id": 5 }));
    assert_eq!(server.deliver(&odd).await.status, 204);

    let events = server.json("/events").await;
    let data = events["data"].as_array().unwrap();
    assert_eq!(data.len(), 3);
    assert_eq!((&data[0]["type"], &data[0]["payload"]["event"]), (&json!("channel.teleport.begin"), &event));
    assert_eq!((&data[1]["message_type"], &data[1]["payload"]), (&json!("telegram"), &json!({"greeting": "hello"})));
    assert_eq!(server.json("/channels").await["data"], json!([]));
}

#[tokio::test]
async fn every_sample_of_every_type_is_accepted() {
    let server = Server::start().await;
    let mut sent = 0;
    for kind in catalogue::all().iter().filter(|kind| kind.status != Availability::Deprecated) {
        for variant in samples::variants(&kind.name, &kind.version) {
            let event: Value =
                serde_json::from_str(samples::sample(&kind.name, &kind.version, variant).unwrap()).unwrap();
            let subscription = showtime::twitch::eventsub::outgoing::Subscription::new(
                kind,
                &event,
                "https://hooks.example.org/callback",
            );
            let message = Outgoing::notification(Stamp::new(text(at(sent))), &subscription, &event);
            let answer = server.deliver(&message).await;
            assert_eq!(answer.status, 204, "{} {variant:?}: {answer:?}", kind.name);
            sent += 1;
        }
    }
    assert_eq!((sent, server.count_events().await), (121, 121));
}

#[tokio::test]
async fn email_address_is_not_stored() {
    let server = Server::start().await;
    let address = Regex::new(r#"[^\s"]@[^\s"]+\.[a-z]"#).unwrap();
    let mut with_address = 0;
    for kind in catalogue::all().iter().filter(|kind| kind.status != Availability::Deprecated) {
        for variant in samples::variants(&kind.name, &kind.version) {
            let event: Value =
                serde_json::from_str(samples::sample(&kind.name, &kind.version, variant).unwrap()).unwrap();
            let message = Outgoing::notification(Stamp::new(text(at(0))), &subscription(&kind.name, &event), &event);
            with_address += i32::from(address.is_match(&String::from_utf8_lossy(&message.body)));
            let stored = verified(&message);
            assert!(!address.is_match(stored.body()), "{} {variant:?}: {}", kind.name, stored.body());
        }
    }
    assert_eq!(with_address, 1, "user.update");

    let event = json!({ "user_id": "5", "user_login": "user5", "user_name": "User5", "email": "five@example.org" });
    let subscription = subscription("user.update", &event);
    assert_eq!(
        server.deliver(&Outgoing::notification(Stamp::new(text(at(0))), &subscription, &event)).await.status,
        204
    );
    let logged = server.json("/events").await["data"][0].take();
    assert_eq!(
        (&logged["payload"]["event"]["email"], &logged["payload"]["event"]["user_id"]),
        (&json!(""), &json!("5"))
    );
    let stored: String = sqlx::query_scalar("select event::text from event").fetch_one(&server.pool).await.unwrap();
    assert!(!stored.contains("five@"), "{stored}");
}

#[tokio::test]
async fn forged_message_leaves_no_trace_and_the_genuine_one_is_accepted_later() {
    let server = Server::start().await;
    let message = follow("1", at(0));
    let genuine = message.sign(&secret());
    let other = message.sign(&WebhookSecret::new("a secret of others").unwrap());
    for signature in
        [None, Some(""), Some("sha256="), Some(&*other), Some(&genuine.to_uppercase()), Some(&genuine[..70])]
    {
        server.post(&message.headers(signature), message.body.clone()).await.problem(403, "bad-signature");
    }
    let mut doubled = message.headers(Some(&genuine));
    doubled.push(("Twitch-Eventsub-Message-Signature", genuine.clone()));
    server.post(&doubled, message.body.clone()).await.problem(403, "bad-signature");
    let mut changed = message.body.clone();
    changed.push(b' ');
    server.post(&message.headers(Some(&genuine)), changed).await.problem(403, "bad-signature");
    assert_eq!(server.count_events().await, 0);
    assert_eq!(server.deliver(&message).await.status, 204);
    assert_eq!(server.count_events().await, 1);
}

#[tokio::test]
async fn refusal_of_a_forged_message_is_delayed() {
    let server = Server::start().await;
    let forged = follow("1", at(0));
    let began = Instant::now();
    server.post(&forged.headers(Some("sha256=00")), forged.body.clone()).await.problem(403, "bad-signature");
    assert!(began.elapsed() >= REFUSAL_DELAY);
}

#[tokio::test]
async fn previous_secret_is_accepted_while_it_is_set() {
    let old = WebhookSecret::new("the secret before").unwrap();
    let server = Server::with(fresh_database().await, |config| {
        config.twitch.previous_webhook_secret = Some(WebhookSecret::new("the secret before").unwrap());
    })
    .await;
    let message = follow("1", at(0));
    let answer = server.post(&message.headers(Some(&message.sign(&old))), message.body.clone()).await;
    assert_eq!(answer.status, 204);
    assert_eq!(server.deliver(&follow("2", at(0))).await.status, 204);
}

#[tokio::test]
async fn message_older_or_newer_than_ten_minutes_is_stale() {
    let server = Server::start().await;
    let now = server.clock.now();
    for (age, is_taken) in [(-595, true), (595, true), (605, false), (-605, false)] {
        let message = follow("1", now - Duration::seconds(age));
        let answer = server.deliver(&message).await;
        match is_taken {
            true => assert_eq!(answer.status, 204, "{age}: {answer:?}"),
            false => _ = answer.problem(403, "stale-message"),
        }
    }
    assert_eq!(server.count_events().await, 2);
}

#[tokio::test]
async fn timestamp_may_have_up_to_nine_fractional_digits() {
    let server = Server::start().await;
    let whole = text(at(0)).trim_end_matches('Z').to_owned();
    for digits in 0..=9 {
        let mut message = follow("1", at(0));
        let fraction = &".123456789"[..if digits == 0 { 0 } else { digits + 1 }];
        message.stamp.timestamp = format!("{whole}{fraction}Z");
        assert_eq!(server.deliver(&message).await.status, 204, "{}", message.stamp.timestamp);
    }
    let first = server.json("/events?limit=1").await;
    assert_eq!(first["data"][0]["occurred_at"], format!("{whole}Z"));
}

#[tokio::test]
async fn missing_doubled_or_malformed_header_is_named() {
    let server = Server::start().await;
    let message = follow("1", at(0));
    let genuine = message.headers(Some(&message.sign(&secret())));
    let malformed = [
        ("Twitch-Eventsub-Message-Id", "x".repeat(257)),
        ("Twitch-Eventsub-Message-Id", "with space".to_owned()),
        ("Twitch-Eventsub-Message-Type", String::new()),
        ("Twitch-Eventsub-Message-Timestamp", "yesterday".to_owned()),
        ("Twitch-Eventsub-Message-Timestamp", "1773511331".to_owned()),
        ("Twitch-Eventsub-Subscription-Type", "\u{fc}".to_owned()),
    ];
    let mut cases: Vec<(&str, Vec<(&'static str, String)>)> = malformed
        .into_iter()
        .map(|(name, value)| {
            let replace = |header: &(&'static str, String)| match header.0 == name {
                true => (header.0, value.clone()),
                false => header.clone(),
            };
            (name, genuine.iter().map(replace).collect())
        })
        .collect();
    for (index, (name, value)) in genuine.iter().enumerate() {
        if matches!(*name, "Content-Type" | "Twitch-Eventsub-Message-Signature") {
            continue;
        }
        // The number of the delivery is not read.
        if *name == "Twitch-Eventsub-Message-Retry" {
            continue;
        }
        let mut doubled = genuine.clone();
        doubled.push((name, value.clone()));
        cases.push((*name, doubled));
        // What the body says, too, may be missing here.
        if !name.starts_with("Twitch-Eventsub-Subscription") {
            let mut without = genuine.clone();
            without.remove(index);
            cases.push((*name, without));
        }
    }
    assert_eq!(cases.len(), 6 + 5 + 3);
    for (name, headers) in cases {
        let problem = server.post(&headers, message.body.clone()).await.problem(400, "invalid-header");
        assert!(problem["detail"].as_str().unwrap().contains(name), "{name}: {problem}");
    }
    assert_eq!(server.count_events().await, 0);
}

#[tokio::test]
async fn message_without_the_headers_that_file_nothing_is_taken() {
    let server = Server::start().await;
    let message = follow("1", at(0));
    let signature = message.sign(&secret());
    let mut headers = message.headers(Some(&signature));
    headers.retain(|(name, _)| !name.starts_with("Twitch-Eventsub-Subscription") && !name.ends_with("Retry"));
    assert_eq!(server.post(&headers, message.body.clone()).await.status, 204);
    headers.push(("Twitch-Eventsub-Message-Retry", "often".to_owned()));
    assert_eq!(server.post(&headers, message.body).await.status, 204);
    assert_eq!(server.json("/events").await["data"][0]["type"], "channel.follow");
}

#[tokio::test]
async fn genuine_body_that_is_no_message_is_refused_with_the_place() {
    let server = Server::start().await;
    let cases: [(&[u8], &str); 11] = [
        (b"", "line 1"),
        (b"hello", "line 1, column 1"),
        (b"\xff\xfe", "offset 0"),
        (b"[]", "expected an object"),
        (b" [null, null, null, null]", "expected an object"),
        (b"{}", "has a `subscription`"),
        (br#"{"subscription": {"id": "1"}}"#, "missing field `type`"),
        (br#"{"subscription": {"id": 5}}"#, "`subscription.id`"),
        (br#"{"subscription": {"id":"1","status":"enabled","type":"channel.follow","version":"2","condition":{}}}"#, "has a `event`"),
        (br#"{"subscription": {"id":"1","status":"enabled","type":"channel.raid","version":"2","condition":{}},"event":{}}"#, "`channel.raid`"),
        (&[b'['; 1000], "deeper than 128"),
    ];
    for (body, place) in cases {
        let mut message = follow("1", at(0));
        message.body = body.to_vec();
        let problem = server.deliver(&message).await.problem(400, "invalid-message");
        assert!(problem["detail"].as_str().unwrap().contains(place), "{place}: {problem}");
    }
    let mut challenge = follow("1", at(0));
    (challenge.message_type, challenge.body) = ("webhook_callback_verification", b"{}".to_vec());
    server.deliver(&challenge).await.problem(400, "invalid-message");
    assert_eq!(server.count_events().await, 0);
}

#[tokio::test]
async fn body_over_the_limit_is_refused_without_being_read() {
    let server = Server::start().await;
    let mut message = follow("1", at(0));
    message.body = vec![b' '; (1 << 20) + 1];
    server.deliver(&message).await.problem(413, "body-too-large");

    // Announces a gigabyte, sends nothing of it, and is answered all the same.
    let addr = server.addr;
    let announced = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"POST /callback HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = announced.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    // Announces nothing and sends chunks: cut off at the limit.
    let chunks = futures_util::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 16])));
    let chunked = reqwest::Client::builder().build().unwrap().post(server.url("/callback"));
    let chunked = message
        .headers(Some("sha256=00"))
        .into_iter()
        .fold(chunked, |request, (name, value)| request.header(name, value))
        .body(reqwest::Body::wrap_stream(chunks));
    // The server may close the connection before all is sent.
    if let Ok(answer) = chunked.send().await {
        assert_eq!(answer.status(), 413);
    }
    let mut exactly = follow("1", at(0));
    exactly.body.resize(1 << 20, b' ');
    assert_eq!(server.deliver(&exactly).await.status, 204);
}

#[tokio::test]
async fn other_methods_than_post_are_not_allowed() {
    let server = Server::start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = server.send(method.clone(), "/callback").await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.headers["allow"], "POST", "{method}");
    }
    // As a browser opens it, to see whether it can be reached.
    let opened = client(PATIENCE).build().unwrap().get(server.url("/callback")).send().await.unwrap();
    assert_eq!((opened.status().as_u16(), &opened.headers()["allow"]), (405, &"POST".parse().unwrap()));
    let problem: Value = opened.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().starts_with("the callback can be reached; Twitch sends"), "{problem}");
}

#[tokio::test]
async fn no_answer_holds_the_secret() {
    let server = Server::start().await;
    for path in ["/status", "/readyz", "/openapi.json", "/events", "/nothing"] {
        assert!(!server.get(path).await.text.contains(SECRET), "{path}");
    }
}
