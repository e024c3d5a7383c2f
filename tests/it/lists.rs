//! Lists: their order, and how viewers are sorted and found.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::api;

use crate::support::messages::{CHANNEL, at, cheer, follow, notification, online, with_person};
use crate::support::server::Server;

/// The items of a list, one a page.
async fn walk(server: &Server, path: &str) -> Vec<Value> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let mut page = server.json(&format!("{path}{separator}limit=1{after}")).await;
        items.append(page["data"].as_array_mut().unwrap());
        assert!(items.len() < 50, "{path} has no end");
        match &page["next"] {
            Value::Null => return items,
            next => after = format!("&after={}", next.as_str().map_or_else(|| next.to_string(), str::to_owned)),
        }
    }
}

/// What does not happen in a test by itself.
const ROWS: &str = "
insert into twitch_user (id, login, display_name, named_at, named_by) values ('77', 'other', 'Other', now(), 'm');
insert into channel (id, anonymous_bits, anonymous_gifts) values ('77', 0, 0);
insert into stream (id, channel_id, type, started_at, ended_at, is_end_estimated, broadcast_id, offline_at, last_event_id)
    select 's' || n, '90210441', 'live', now() - n * interval '1 day', now() - n * interval '23 hours', false, 's' || n, '{}', 1
    from generate_series(1, 2) as n;
insert into gap (channel_id, began_at, ended_at, cause)
    select '90210441', now() - n * interval '1 hour', now() - n * interval '1 hour', 'io' from generate_series(1, 3) as n;
insert into counter (channel_id, name, value)
    values ('77', 'wins', 1), ('90210441', 'deaths', 1), ('90210441', 'wins', 1);
insert into delivery (sink_id, event_id, attempts, problem)
    select sink.id, n, 9, 'away' from sink, generate_series(1, 3) as n where name = 'one';
insert into action (kind, class, channel_id, as_user, subject, params, bucket, priority, lane, state, created_at, not_before,
    expires_at, settled_at)
    select 'say', 'once', '90210441', '90210441', 'subject ' || n, '{}', 'chat', 1, 'chat', 'done', now(), now(), now(), now()
    from generate_series(1, 3) as n;
";

/// A server with at least two items in each list. No server runs the sinks, and nothing happens at Twitch.
async fn filled() -> Server {
    let server = Server::start().await;
    for message in [online("2", at(0)), follow("6", at(1)), follow("5", at(2)), cheer("5", 10, at(3))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    for title in ["one", "two", "three"] {
        assert_eq!(
            server.post_json(&format!("/channels/{CHANNEL}/segments"), &json!({ "title": title })).await.status,
            201
        );
    }
    for name in ["one", "two", "three"] {
        let rule = json!({ "name": name, "command": format!("!{name}"), "do": [{ "say": "x" }] });
        assert_eq!(server.post_json("/rules", &rule).await.status, 201);
        let sink = json!({ "name": name, "url": "amqp://127.0.0.1:1/%2f" });
        assert_eq!(server.post_json("/sinks", &sink).await.status, 201);
    }
    for text in ["y", "z"] {
        let rule = json!({ "name": "one", "command": "!one", "do": [{ "say": text }] });
        assert_eq!(server.put_json("/rules/one", &rule).await.status, 200);
    }
    server.sql(ROWS).await;
    server
}

#[tokio::test]
async fn every_list_can_be_read_from_both_ends() {
    let server = filled().await;
    let lists = [
        "/actions",
        "/channels",
        &format!("/channels/{CHANNEL}/broadcasts"),
        &format!("/channels/{CHANNEL}/gaps"),
        &format!("/channels/{CHANNEL}/segments"),
        &format!("/channels/{CHANNEL}/viewers"),
        "/counters",
        "/events",
        "/rules",
        "/rules/one/history",
        "/sinks",
        "/sinks/one/deliveries",
    ];
    for list in lists {
        let mut there = walk(&server, &format!("{list}?order=asc")).await;
        let mut back = walk(&server, &format!("{list}?order=desc")).await;
        // What goes on while it is read.
        for item in there.iter_mut().chain(&mut back) {
            for key in
                ["duration_seconds", "seconds_behind", "events_behind", "cursor", "problem", "state", "failing_since"]
            {
                item[key].take();
            }
        }
        back.reverse();
        assert!(there.len() > 1, "{list}: {there:?}");
        assert_eq!(there, back, "{list}");
        let first = server.json(&format!("{list}?limit=1")).await;
        let is_newest_first =
            ["actions", "broadcasts", "gaps", "segments", "history"].iter().any(|it| list.ends_with(it));
        let (first, expected) = (&first["data"][0], if is_newest_first { there.last() } else { there.first() });
        for key in ["id", "name", "event_id", "began_at", "revision"] {
            assert_eq!(first[key], expected.unwrap()[key], "{list}");
        }
    }
}

#[test]
fn every_list_that_pages_has_an_order() {
    let spec = serde_json::to_value(api::spec()).unwrap();
    for (path, item) in spec["paths"].as_object().unwrap().iter().filter(|(path, _)| !path.starts_with("/v2/")) {
        let parameters = item["get"]["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let has = |name: &str| parameters.iter().any(|it| it["name"] == name);
        assert!(!(has("after") && has("limit")) || has("order"), "{path}");
    }
}

#[tokio::test]
async fn viewers_are_sorted_and_searched() {
    let server = Server::start().await;
    let raid = |user: &str, viewers: u32, at| {
        let event = with_person("from_broadcaster_user_", user, json!({ "viewers": viewers }));
        notification("channel.raid", at, with_person("to_broadcaster_user_", CHANNEL, event))
    };
    let messages = [
        follow("30", at(1)),
        follow("4", at(2)),
        follow("5", at(3)),
        cheer("4", 100, at(4)),
        cheer("5", 100, at(5)),
        cheer("6", 2_000, at(6)),
        raid("7", 12, at(7)),
        raid("30", 5, at(8)),
    ];
    for message in messages {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    let path = format!("/channels/{CHANNEL}/viewers");
    for (query, expected) in [
        ("", &["30", "4", "5", "6", "7"][..]),
        ("?order=desc", &["7", "6", "5", "4", "30"]),
        ("?sort=first_followed_at", &["5", "4", "30"]),
        ("?sort=first_followed_at&order=asc", &["30", "4", "5"]),
        ("?sort=bits", &["6", "5", "4"]),
        ("?sort=bits&order=asc", &["4", "5", "6"]),
        ("?sort=gifts", &[]),
        ("?sort=raid_viewers", &["7", "30"]),
        ("?search=USER3", &["30"]),
        ("?search=user", &["30", "4", "5", "6", "7"]),
        ("?search=user5&sort=bits", &["5"]),
        ("?search=ser", &[]),
    ] {
        let found = walk(&server, &format!("{path}{query}")).await;
        assert_eq!(found.iter().map(|viewer| viewer["id"].as_str().unwrap()).collect::<Vec<_>>(), expected, "{query}");
    }
    for (query, name) in
        [("sort=name", "sort"), ("search=a%20b", "search"), ("search=", "search"), ("after=5", "after")]
    {
        let problem = server.get(&format!("{path}?{query}")).await.problem(400, "invalid-parameter");
        assert_eq!(problem["parameters"], json!([name]), "{query}");
    }
}

#[tokio::test]
async fn viewer_is_found_by_id_or_login() {
    let server = Server::start().await;
    for message in [follow("5", at(0)), cheer("5", 250, at(1))] {
        server.deliver(&message).await;
    }
    let path = format!("/channels/{CHANNEL}/viewers");
    let listed = server.json(&path).await["data"][0].clone();
    assert_eq!(listed["bits"]["total"], 250);
    for name in ["5", "user5", "USER5"] {
        assert_eq!(server.json(&format!("{path}/{name}")).await, listed, "{name}");
    }
    // The channel is a user, too, but has done nothing on itself.
    for name in ["6", CHANNEL, "no_such_user"] {
        server.get(&format!("{path}/{name}")).await.problem(404, "not-found");
    }
    server.get("/channels/no_such_user/viewers/5").await.problem(404, "not-found");
    assert_eq!(server.send(Method::PUT, &format!("{path}/5")).await.status, 405);
}

#[tokio::test]
async fn utmost_times_and_cursors_are_taken() {
    let server = Server::start().await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    let channel = format!("/channels/{CHANNEL}");
    for bucket in ["minute", "hour", "day"] {
        for time in ["0000-01-01T00:00:00Z", "0000-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59Z"] {
            server.json(&format!("{channel}/series?metric=bits&bucket={bucket}&since={time}")).await;
            server.json(&format!("{channel}/series?metric=bits&bucket={bucket}&until={time}")).await;
        }
    }
    for sort in ["id", "first_followed_at", "bits"] {
        let path = format!("{channel}/viewers?sort={sort}&order=asc&after=999999999999999999-1");
        assert_eq!(server.json(&path).await["next"], Value::Null);
    }
    server.stop().await;
}
