//! Segments: what is on, as the broadcaster marks it.

use serde_json::{Value, json};
use showtime::access::grant::Scope;
use showtime::message::Message;
use showtime::message::segment::{Edge, Mark, MarkError};
use showtime::twitch::payload::Broadcaster;
use sqlx::Connection as _;
use time::Duration;

use crate::support::messages::{CHANNEL, at, follow, offline, online, text, with_person};
use crate::support::postgres::fresh_database;
use crate::support::server::{Answer, Server};
use crate::support::snapshot::{lines, masked};
use crate::support::witnesses::grant;

const SEGMENTS: &str = "/channels/90210441/segments";

/// A server that knows the channel.
async fn server() -> Server {
    let server = Server::start().await;
    assert_eq!(server.deliver(&follow("5", at(0))).await.status, 204);
    server
}

async fn begin(server: &Server, title: &str) -> Value {
    let answer = server.post_json(SEGMENTS, &json!({ "title": title })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

async fn end(server: &Server, segment: &Value) -> Answer {
    server.post_json(&format!("{SEGMENTS}/{}/end", segment["id"].as_str().unwrap()), &json!({})).await
}

async fn get(server: &Server, segment: &Value) -> Value {
    server.json(&format!("{SEGMENTS}/{}", segment["id"].as_str().unwrap())).await
}

/// The titles of a list.
fn titles(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|segment| segment["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn segment_is_on_until_it_is_ended() {
    let server = server().await;
    let answer = server
        .post_json("/channels/User90210441/segments", &json!({ "title": "Tape 12", "reference": "shelf 3" }))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let segment = answer.json();
    assert_eq!(server.json(answer.headers["location"].to_str().unwrap()).await, segment);
    insta::assert_snapshot!(lines(&masked(&segment)), @r#"
    {
      "broadcast_id": null,
      "channel_id": "90210441",
      "ended_at": null,
      "id": "[id]",
      "reference": "shelf 3",
      "started_at": "[time]",
      "title": "Tape 12"
    }
    "#);
    let running = server.json("/channels/90210441").await["segment"].clone();
    for field in running.as_object().unwrap().keys() {
        assert_eq!(running[field], segment[field], "{field}");
    }
    insta::assert_snapshot!(lines(&masked(&running)), @r#"{"id":"[id]","reference":"shelf 3","started_at":"[time]","title":"Tape 12"}"#);

    let ended = end(&server, &segment).await;
    assert_eq!(ended.status, 200, "{ended:?}");
    assert!(ended.json()["ended_at"].is_string());
    assert_eq!(server.json("/channels/90210441").await["segment"], Value::Null);
    assert_eq!(end(&server, &segment).await.json(), ended.json(), "ending it twice changes nothing");

    let log = server.json("/events?after=1").await["data"].clone();
    assert_eq!(log[0]["message_id"], format!("showtime.segment.begin:{}", segment["id"].as_str().unwrap()));
    insta::assert_snapshot!(lines(&masked(&log)), @r#"
    [
      {
        "channel_id": "90210441",
        "id": 2,
        "is_echo": false,
        "is_replay": false,
        "is_test": false,
        "message_id": "showtime.segment.begin:[id]",
        "message_type": "segment",
        "occurred_at": "[time]",
        "payload": {
          "event": {
            "broadcaster_user_id": "90210441",
            "broadcaster_user_login": "user90210441",
            "broadcaster_user_name": "User90210441",
            "id": "[id]",
            "reference": "shelf 3",
            "title": "Tape 12"
          },
          "segment": {"channel_id":"90210441","type":"showtime.segment.begin","version":"1"}
        },
        "received_at": "[time]",
        "repeats": null,
        "subscription_id": null,
        "text": "A segment began: Tape 12",
        "type": "showtime.segment.begin",
        "version": "1"
      },
      {
        "channel_id": "90210441",
        "id": 3,
        "is_echo": false,
        "is_replay": false,
        "is_test": false,
        "message_id": "showtime.segment.end:[id]",
        "message_type": "segment",
        "occurred_at": "[time]",
        "payload": {
          "event": {
            "broadcaster_user_id": "90210441",
            "broadcaster_user_login": "user90210441",
            "broadcaster_user_name": "User90210441",
            "id": "[id]"
          },
          "segment": {"channel_id":"90210441","type":"showtime.segment.end","version":"1"}
        },
        "received_at": "[time]",
        "repeats": null,
        "subscription_id": null,
        "text": "The segment ended",
        "type": "showtime.segment.end",
        "version": "1"
      }
    ]
    "#);
}

#[tokio::test]
async fn read_only_grant_can_not_mark_a_segment() {
    let event = with_person("broadcaster_user_", CHANNEL, json!({}));
    let broadcaster = Broadcaster::deserialize(event).unwrap();
    let mark = Mark { broadcaster: &broadcaster, segment_id: "1", at: at(0), edge: Edge::End };
    let error = Message::segment(&grant(Scope::Read).await, &mark).unwrap_err();
    assert!(matches!(error, MarkError::ReadOnly), "{error}");
    assert_eq!(Message::segment(&grant(Scope::Admin).await, &mark).unwrap().id(), "showtime.segment.end:1");
}

#[tokio::test]
async fn new_segment_ends_the_one_before() {
    let server = server().await;
    let first = begin(&server, "first").await;
    let second = begin(&server, "second").await;
    assert_eq!(get(&server, &first).await["ended_at"], second["started_at"]);
    let third = begin(&server, "third").await;
    let page = server.json(&format!("{SEGMENTS}?limit=2")).await;
    assert_eq!(titles(&page["data"]), ["third", "second"]);
    let page = server.json(&format!("{SEGMENTS}?limit=2&after={}", page["next"].as_str().unwrap())).await;
    assert_eq!((titles(&page["data"]), &page["next"]), (vec!["first"], &Value::Null));
    // Late: it was over already, and stays so.
    assert_eq!(end(&server, &first).await.json()["ended_at"], second["started_at"]);
    assert_eq!(server.json("/channels/90210441").await["segment"]["id"], third["id"]);
}

#[tokio::test]
async fn end_of_a_broadcast_ends_its_segments() {
    let server = server().await;
    let early = begin(&server, "before the show").await;
    assert_eq!(early["broadcast_id"], Value::Null);
    let now = server.clock.now().replace_nanosecond(0).unwrap();
    let later = |seconds| now + Duration::seconds(seconds);
    server.deliver(&online("s1", later(1))).await;
    assert_eq!(get(&server, &early).await["broadcast_id"], "s1", "it was still on when the show began");
    server.clock.advance(Duration::seconds(10));
    let tape = begin(&server, "Tape 12").await;
    assert_eq!(tape["broadcast_id"], "s1");

    server.deliver(&offline(Some("s1"), later(60))).await;
    assert_eq!(get(&server, &tape).await["ended_at"], text(later(60)));
    assert_eq!(server.json("/channels/90210441").await["segment"], Value::Null);
    server.deliver(&online("s2", later(120))).await;
    assert_eq!(get(&server, &tape).await["ended_at"], Value::Null, "the show goes on, and so does the tape");
    server.deliver(&offline(Some("s2"), later(180))).await;
    let tape = get(&server, &tape).await;
    assert_eq!(tape["ended_at"], text(later(180)));

    server.clock.advance(Duration::minutes(60));
    begin(&server, "after the show").await;
    let broadcast = server.json("/broadcasts/s2").await;
    assert_eq!(titles(&broadcast["segments"]), ["before the show", "Tape 12"]);
    assert_eq!(broadcast["segments"][1], tape);
    let of_broadcast = server.json(&format!("{SEGMENTS}?broadcast=s2")).await;
    assert_eq!(titles(&of_broadcast["data"]), ["Tape 12", "before the show"]);
    let of_none = server.json(&format!("{SEGMENTS}?broadcast=s3")).await;
    assert_eq!(of_none, json!({ "data": [], "next": null }));
    let all = server.json(SEGMENTS).await;
    assert_eq!(titles(&all["data"]), ["after the show", "Tape 12", "before the show"]);
    assert_eq!(server.json("/channels/90210441/broadcasts").await["data"][0]["segments"], broadcast["segments"]);
}

#[tokio::test]
async fn served_channel_without_events_can_have_a_segment() {
    let server = Server::start().await;
    server.sql("insert into served_channel values ('77', 'silent', 'Silent', now())").await;
    let answer = server.post_json("/channels/silent/segments", &json!({ "title": "A start" })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(server.json("/channels/silent").await["segment"]["title"], "A start");
}

#[tokio::test]
async fn names_from_twitch_override_those_of_a_mark() {
    let server = server().await;
    begin(&server, "Tape").await;
    // Dated before the mark, delivered after it.
    let renamed = String::from_utf8(follow("6", at(1)).body).unwrap().replace("User90210441", "Renamed");
    let renamed = showtime::twitch::eventsub::outgoing::Outgoing { body: renamed.into_bytes(), ..follow("6", at(1)) };
    assert_eq!(server.deliver(&renamed).await.status, 204);
    assert_eq!(server.json("/channels/90210441").await["display_name"], "Renamed");
}

#[tokio::test]
async fn invalid_segment_is_refused_with_the_field() {
    let server = server().await;
    for (body, field) in [
        (json!({}), "title"),
        (json!({ "title": "" }), "title"),
        (json!({ "title": "x".repeat(141) }), "title"),
        (json!({ "title": "two\nlines" }), "title"),
        (json!({ "title": 5 }), "title"),
        (json!({ "title": null }), "title"),
        (json!({ "title": "x", "reference": "y".repeat(501) }), "reference"),
        (json!({ "title": "x", "reference": "\u{0}" }), "reference"),
        (json!({ "titel": "x" }), "titel"),
    ] {
        let problem = server.post_json(SEGMENTS, &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(&format!("`{field}`")), "{problem}");
    }
    for body in ["", "[\"x\"]", "null", "{\"title\": \"x\"", "{\"title\": \"x\"} {}"] {
        server.post_as(SEGMENTS, Some("application/json"), body).await.problem(400, "invalid-body");
    }
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let answer = server.post_as(SEGMENTS, content_type, r#"{"title":"x"}"#).await;
        answer.problem(415, "unsupported-media-type");
    }
    let large = format!(r#"{{"title":"{}"}}"#, "x".repeat(1 << 20));
    server.post_as(SEGMENTS, Some("application/json"), &large).await.problem(413, "body-too-large");
    server.post_json(&format!("{SEGMENTS}?title=x"), &json!({ "title": "x" })).await.problem(400, "unknown-parameter");
    server.post_json("/channels/no_one/segments", &json!({ "title": "x" })).await.problem(404, "not-found");
    server.post_json(&format!("{SEGMENTS}/1/end"), &json!({})).await.problem(404, "not-found");
    server.get(&format!("{SEGMENTS}/1")).await.problem(404, "not-found");
    assert_eq!(server.json(SEGMENTS).await["data"], json!([]));

    let longest = json!({ "title": "é".repeat(140), "reference": "\\u0000 spelt out" });
    let answer = server.post_as(SEGMENTS, Some("Application/JSON; charset=utf-8"), &longest.to_string()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["reference"]), (201, &longest["reference"]), "{answer:?}");
}

#[tokio::test]
async fn segment_of_another_channel_is_not_found() {
    let server = server().await;
    let segment = begin(&server, "Tape").await;
    server.sql("insert into served_channel values ('77', 'silent', 'Silent', now())").await;
    server.post_json("/channels/77/segments", &json!({ "title": "x" })).await;
    let path = format!("/channels/77/segments/{}", segment["id"].as_str().unwrap());
    server.get(&path).await.problem(404, "not-found");
    server.post_json(&format!("{path}/end"), &json!({})).await.problem(404, "not-found");
    assert_eq!(get(&server, &segment).await["ended_at"], Value::Null);
}

#[tokio::test]
async fn two_servers_agree_and_rebuild_keeps_every_segment() {
    let database = fresh_database().await;
    let servers = [Server::on(database.clone()).await, Server::on(database).await];
    servers[0].deliver(&online("s1", at(0))).await;
    let titles: Vec<_> = (0..8).map(|n| format!("Tape {n}")).collect();
    let beginning = titles.iter().enumerate().map(|(n, title)| begin(&servers[n % 2], title));
    let begun = futures_util::future::join_all(beginning).await;
    let ending = begun.iter().enumerate().map(|(n, segment)| end(&servers[(n + 1) % 2], segment));
    assert!(futures_util::future::join_all(ending).await.iter().all(|answer| answer.status == 200));
    begin(&servers[1], "the last").await;
    servers[0].deliver(&follow("5", at(1))).await;

    let seen = servers[0].json(SEGMENTS).await;
    assert_eq!(seen, servers[1].json(SEGMENTS).await);
    let list = seen["data"].as_array().unwrap();
    assert_eq!(list.len(), 9);
    assert!(list.iter().all(|segment| segment["broadcast_id"] == "s1"));
    assert!(list.iter().skip(1).all(|segment| segment["ended_at"].is_string()), "{seen}");

    servers[0].sql("update segment set ended_at = null, title = 'damaged'").await;
    let mut connection = servers[0].pool.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    showtime::store::state::rebuild(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(servers[1].json(SEGMENTS).await, seen);
}

fn path(segment: &Value) -> String {
    format!("{SEGMENTS}/{}", segment["id"].as_str().unwrap())
}

/// Makes the state again from the log.
async fn rebuild(server: &Server) {
    let mut connection = server.pool.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    showtime::store::state::rebuild(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn segment_is_changed_also_after_its_end() {
    let server = server().await;
    let tape = server.post_json(SEGMENTS, &json!({ "title": "Tape 12", "reference": "shelf 3" })).await.json();
    let changed = server.patch_json(&path(&tape), &json!({ "title": "Tape 13" })).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let changed = changed.json();
    assert_eq!((&changed["title"], &changed["reference"]), (&json!("Tape 13"), &json!("shelf 3")));
    assert_eq!(changed["started_at"], tape["started_at"]);
    assert_eq!(server.json("/channels/90210441").await["segment"]["title"], "Tape 13");

    end(&server, &tape).await;
    server.clock.advance(Duration::minutes(5));
    let changed = server.patch_json(&path(&tape), &json!({ "title": "Tape 14", "reference": "" })).await.json();
    assert_eq!((&changed["title"], &changed["reference"]), (&json!("Tape 14"), &Value::Null));
    assert!(changed["ended_at"].is_string(), "{changed}");
    let log = server.json("/events?type=showtime.segment.change").await;
    assert_eq!(log["data"].as_array().unwrap().len(), 2, "{log}");
    rebuild(&server).await;
    assert_eq!(get(&server, &tape).await, changed);

    for (body, field) in
        [(json!({ "title": "" }), "title"), (json!({ "name": "x" }), "name"), (json!({ "title": 1 }), "title")]
    {
        let problem = server.patch_json(&path(&tape), &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{body}");
    }
    server.patch_json(&format!("{SEGMENTS}/none"), &json!({ "title": "x" })).await.problem(404, "not-found");
}

#[tokio::test]
async fn changes_that_are_made_at_once_are_all_kept() {
    let database = fresh_database().await;
    let servers = [Server::on(database.clone()).await, Server::on(database).await];
    assert_eq!(servers[0].deliver(&follow("5", at(0))).await.status, 204);
    let tape = begin(&servers[0], "Tape 12").await;
    for round in 0..10 {
        let title = json!({ "title": format!("Tape {round}") });
        let reference = json!({ "reference": format!("shelf {round}") });
        let path = path(&tape);
        let (first, second) =
            tokio::join!(servers[0].patch_json(&path, &title), servers[1].patch_json(&path, &reference));
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200), "{first:?} {second:?}");
        let changed = get(&servers[0], &tape).await;
        assert_eq!((&changed["title"], &changed["reference"]), (&title["title"], &reference["reference"]));
    }
    let log = servers[0].json("/events?type=showtime.segment.change").await;
    let is_alone = |event: &Value| {
        let said = &event["payload"]["event"];
        said.get("title").is_some() != said.get("reference").is_some()
    };
    assert!(log["data"].as_array().unwrap().iter().all(is_alone), "each says what it changes: {log}");
    let changed = get(&servers[1], &tape).await;
    rebuild(&servers[0]).await;
    assert_eq!(get(&servers[1], &tape).await, changed);
}

#[tokio::test]
async fn different_changes_of_the_same_moment_are_different_messages() {
    let event = with_person("broadcaster_user_", CHANNEL, json!({}));
    let (broadcaster, grant) = (Broadcaster::deserialize(event).unwrap(), grant(Scope::Admin).await);
    let id = |title, reference| {
        let edge = Edge::Change { title, reference };
        let mark = Mark { broadcaster: &broadcaster, segment_id: "1", at: at(0), edge };
        Message::segment(&grant, &mark).unwrap().id().to_owned()
    };
    let ids = [id(Some("Tape"), None), id(None, Some("shelf")), id(Some("Tape"), Some("shelf"))];
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    assert_eq!(id(Some("Tape"), None), ids[0]);
}

#[tokio::test]
async fn removed_segment_has_never_begun() {
    let server = server().await;
    server.deliver(&online("s1", at(1))).await;
    let (first, second) = (begin(&server, "first").await, begin(&server, "second").await);
    let third = begin(&server, "third").await;
    assert_eq!(get(&server, &first).await["ended_at"], second["started_at"]);
    assert_eq!(server.send(reqwest::Method::DELETE, &path(&second)).await.status, 204);
    assert_eq!(get(&server, &first).await["ended_at"], third["started_at"], "it went on until the third");
    server.get(&path(&second)).await.problem(404, "not-found");
    server.send(reqwest::Method::DELETE, &path(&second)).await.problem(404, "not-found");
    end(&server, &second).await.problem(404, "not-found");

    assert_eq!(server.send(reqwest::Method::DELETE, &path(&third)).await.status, 204);
    assert_eq!(get(&server, &first).await["ended_at"], Value::Null, "it goes on");
    assert_eq!(server.json("/channels/90210441").await["segment"]["id"], first["id"]);
    assert_eq!(titles(&server.json("/broadcasts/s1").await["segments"]), ["first"]);
    let listed = server.json(SEGMENTS).await;
    assert_eq!(titles(&listed["data"]), ["first"]);
    rebuild(&server).await;
    assert_eq!(server.json(SEGMENTS).await, listed);
    assert_eq!(server.json("/events?type=showtime.segment.remove").await["data"].as_array().unwrap().len(), 2);
}
