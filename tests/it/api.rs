//! Reading channels, broadcasts, viewers and the log.

use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::server::Server;
use crate::support::snapshot::lines;

/// Three channels: 10 has a running broadcast of two streams and an earlier one whose end is
/// estimated, 20 is offline, 30 (whose login was 20's before) never streamed.
const CHANNELS: &str = "
insert into twitch_user (id, login, display_name, named_at, named_by) values
    ('10', 'ten', 'Ten', '2026-07-01Z', 'm'), ('20', 'moved', 'Moved', '2026-06-01Z', 'm'),
    ('30', 'moved', 'Moved', '2026-07-01Z', 'm'), ('40', '20', 'Twenty', '2026-07-01Z', 'm');
insert into channel (id, title, language, category_id, category_name, content_classification_labels, updated_at,
    updated_by, anonymous_bits, anonymous_gifts) values
    ('10', 'A title', 'en', '509658', 'Just Chatting', '{Gambling}', '2026-07-01 09:00Z', 'm', 100, 2),
    ('20', '', 'other', '', '', '{}', '2026-07-01 09:00Z', 'm', 0, 0),
    ('30', null, null, null, null, null, null, null, 0, 0);
insert into stream (id, channel_id, type, started_at, ended_at, is_end_estimated, broadcast_id, offline_at,
    last_event_id) values
    ('s1', '10', 'live', '2026-07-01 10:00Z', '2026-07-01 11:00Z', true, 's1', '{}', 1),
    ('s2', '10', 'live', '2026-07-02 10:00Z', '2026-07-02 11:00Z', false, 's2', '{}', 1),
    ('s3', '10', 'live', '2026-07-02 11:10Z', null, false, 's2', '{}', 1),
    ('s4', '10', null, null, null, false, null, '{}', 1),
    ('s5', '20', 'live', '2026-07-01 10:00Z', '2026-07-01 12:00:30Z', false, 's5', '{}', 1);
";

/// The ids of a list, page by page.
async fn pages(api: &Server, path: &str, limit: u8) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut after = String::new();
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = api.json(&format!("{path}{separator}limit={limit}{after}")).await;
        pages.push(ids(&page));
        match &page["next"] {
            Value::Null => return pages,
            Value::String(next) => after = format!("&after={next}"),
            next => after = format!("&after={next}"),
        }
    }
}

fn ids(page: &Value) -> Vec<String> {
    let id = |item: &Value| item["id"].as_str().map_or_else(|| item["id"].to_string(), str::to_owned);
    page["data"].as_array().expect("a list").iter().map(id).collect()
}

#[tokio::test]
async fn empty_server_has_empty_lists() {
    let api = Server::start().await;
    for path in ["/channels", "/events", "/events?channel=no_such_channel"] {
        assert_eq!(api.json(path).await, json!({"data": [], "next": null}));
    }
}

#[tokio::test]
async fn channels_are_listed_page_by_page() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    assert_eq!(pages(&api, "/channels", 2).await, [vec!["10", "20"], vec!["30"]]);
    assert_eq!(pages(&api, "/channels", 3).await, [["10", "20", "30"]], "the end is known without another page");
    assert_eq!(pages(&api, "/channels?live=true", 50).await, [["10"]]);
    assert_eq!(pages(&api, "/channels?live=false", 1).await, [["20"], ["30"]]);
}

#[tokio::test]
async fn live_channel_shows_its_stream_and_broadcast() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    let channel = api.json("/channels/10").await;
    let mut shown = channel.clone();
    shown["broadcast"]["totals"].take();
    insta::assert_snapshot!(lines(&shown), @r#"
    {
      "anonymous_bits": 100,
      "anonymous_gifts": 2,
      "broadcast": {"id":"s2","started_at":"2026-07-02T10:00:00Z","totals":null},
      "category": {"id":"509658","name":"Just Chatting"},
      "content_classification_labels": ["Gambling"],
      "display_name": "Ten",
      "id": "10",
      "is_demo": false,
      "is_live": true,
      "language": "en",
      "login": "ten",
      "segment": null,
      "stream": {"id":"s3","started_at":"2026-07-02T11:10:00Z","type":"live"},
      "title": "A title",
      "updated_at": "2026-07-01T09:00:00Z"
    }
    "#);
    assert_eq!(api.json("/channels/TEN").await, channel);
    assert_eq!(api.json("/channels?live=true").await["data"][0], channel);
}

#[tokio::test]
async fn channel_is_offline_when_its_newest_stream_has_ended() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    api.sql("update stream set ended_at = null where id = 's2'").await;
    api.sql("update stream set ended_at = '2026-07-02 12:00Z' where id = 's3'").await;
    let channel = api.json("/channels/10").await;
    assert_eq!(
        (&channel["is_live"], &channel["stream"], &channel["broadcast"]),
        (&false.into(), &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn unknown_fields_of_a_channel_are_null() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    let channel = api.json("/channels/30").await;
    insta::assert_snapshot!(lines(&channel), @r#"
    {
      "anonymous_bits": 0,
      "anonymous_gifts": 0,
      "broadcast": null,
      "category": null,
      "content_classification_labels": [],
      "display_name": "Moved",
      "id": "30",
      "is_demo": false,
      "is_live": false,
      "language": null,
      "login": "moved",
      "segment": null,
      "stream": null,
      "title": null,
      "updated_at": null
    }
    "#);
    assert_eq!(api.json("/channels/20").await["category"], Value::Null, "no category is no category");
}

#[tokio::test]
async fn name_in_a_path_is_an_id_or_else_the_login_of_its_newest_owner() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    assert_eq!(api.json("/channels/moved").await["id"], "30");
    assert_eq!(api.json("/channels/20").await["id"], "20", "not the user whose login is 20");
    let problem = api.get("/channels/no_such_channel").await.problem(404, "not-found");
    assert_eq!(problem["detail"], "no channel `no_such_channel` is known");
    for path in ["/channels/40", "/channels/no_such_channel/broadcasts", "/channels/no_such_channel/viewers"] {
        api.get(path).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn broadcasts_are_listed_newest_first() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    assert_eq!(pages(&api, "/channels/ten/broadcasts", 1).await, [["s2"], ["s1"]]);
    assert_eq!(pages(&api, "/channels/ten/broadcasts", 2).await, [["s2", "s1"]]);
    assert_eq!(pages(&api, "/channels/30/broadcasts", 2).await, [[""; 0]]);
}

#[tokio::test]
async fn broadcast_is_found_by_any_of_its_streams() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    let mut broadcast = api.json("/broadcasts/s3").await;
    let duration = broadcast["duration_seconds"].take().as_i64().expect("seconds");
    let started_at = OffsetDateTime::parse("2026-07-02T10:00:00Z", &Rfc3339).expect("a time");
    let elapsed = (api.clock.now() - started_at).whole_seconds();
    assert!((elapsed - 60..=elapsed).contains(&duration), "a running broadcast lasts until now");
    broadcast["totals"].take();
    insta::assert_snapshot!(lines(&broadcast), @r#"
    {
      "channel_id": "10",
      "duration_seconds": null,
      "ended_at": null,
      "id": "s2",
      "is_end_estimated": false,
      "segments": [],
      "started_at": "2026-07-02T10:00:00Z",
      "streams": [
        {
          "ended_at": "2026-07-02T11:00:00Z",
          "id": "s2",
          "is_end_estimated": false,
          "started_at": "2026-07-02T10:00:00Z",
          "type": "live"
        },
        {
          "ended_at": null,
          "id": "s3",
          "is_end_estimated": false,
          "started_at": "2026-07-02T11:10:00Z",
          "type": "live"
        }
      ],
      "totals": null
    }
    "#);
    assert_eq!(api.json("/broadcasts/s2").await["id"], "s2");
    assert_eq!(api.json("/broadcasts/s5").await["duration_seconds"], 7_230);
    assert_eq!(api.json("/broadcasts/s1").await["is_end_estimated"], true);
    for path in ["/broadcasts/s4", "/broadcasts/10"] {
        api.get(path).await.problem(404, "not-found");
    }
}

/// Follows and activity in the minutes around the second broadcast of channel 10, and during the ended one of channel 20.
const ACTIVITY: &str = "
insert into activity (channel_id, minute, subscriptions, resubscriptions, gifts, bits, raids, raid_viewers, redemptions, messages)
values
    ('10', '2026-07-02 09:59Z', 1, 1, 1, 1, 1, 1, 1, 1), ('10', '2026-07-02 10:00Z', 1, 2, 3, 4, 5, 6, 7, 8),
    ('10', '2026-07-02 11:05Z', 0, 0, 0, 100, 0, 0, 0, 0), ('10', '2026-07-02 12:30Z', 0, 0, 0, 0, 0, 0, 0, 20),
    ('20', '2026-07-01 12:00Z', 0, 0, 0, 0, 0, 0, 0, 5), ('20', '2026-07-01 12:01Z', 0, 0, 0, 0, 0, 0, 0, 6);
insert into viewer (channel_id, user_id, first_followed_at, bits, cheers, gifts, gift_events, raids, raid_viewers)
select '10', n::text, '2026-07-02 09:59:59.9Z'::timestamptz + n * interval '0.1 s', 0, 0, 0, 0, 0, 0 from generate_series(0, 4) as n;
update activity set viewers = 30, viewer_samples = 1, viewers_peak = 30 where channel_id = '10' and minute < '2026-07-02 10:30Z';
update activity set viewers = 71, viewer_samples = 2, viewers_peak = 41 where channel_id = '10' and minute > '2026-07-02 12:00Z';
";

#[tokio::test]
async fn totals_are_those_of_the_minutes_of_a_broadcast() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    api.sql(ACTIVITY).await;
    let running = json!({ "followers": 4, "subscriptions": 1, "resubscriptions": 2, "gifts": 3, "bits": 104, "raids": 5,
        "raid_viewers": 6, "redemptions": 7, "messages": 28, "viewers_average": 34, "viewers_peak": 41 });
    assert_eq!(api.json("/broadcasts/s3").await["totals"], running);
    assert_eq!(api.json("/channels/10").await["broadcast"]["totals"], running, "the same in the state");
    let listed = api.json("/channels/10/broadcasts").await;
    assert_eq!((&listed["data"][0]["totals"], &listed["data"][1]["totals"]["bits"]), (&running, &json!(0)));
    let ended = &api.json("/broadcasts/s5").await["totals"];
    assert_eq!(ended["messages"], 5, "to the minute in which it ended");
    assert_eq!((&ended["viewers_average"], &ended["viewers_peak"]), (&Value::Null, &Value::Null), "without a sample");
}

#[tokio::test]
async fn series_sums_buckets() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    api.sql(ACTIVITY).await;
    let day = "since=2026-07-02T09:30:00Z&until=2026-07-02T12:59:59Z";
    for (query, points) in [
        ("metric=messages", json!([["09:00", 1], ["10:00", 8], ["12:00", 20]])),
        ("metric=bits", json!([["09:00", 1], ["10:00", 4], ["11:00", 100]])),
        ("metric=followers&bucket=minute", json!([["09:59", 1], ["10:00", 4]])),
        ("metric=raid_viewers&bucket=day", json!([["00:00", 7]])),
        ("metric=viewers", json!([["09:00", 30], ["10:00", 30], ["12:00", 36]])),
    ] {
        let series = api.json(&format!("/channels/ten/series?{query}&{day}")).await;
        let point = |point: &Value| json!([&point["at"].as_str().unwrap()[11..16], point["value"]]);
        let found: Vec<_> = series["points"].as_array().unwrap().iter().map(point).collect();
        assert_eq!(json!(found), points, "{query}: {series}");
    }
    let series = api.json(&format!("/channels/ten/series?metric=gifts&{day}")).await;
    assert_eq!((&series["bucket"], &series["since"]), (&json!("hour"), &json!("2026-07-02T09:00:00Z")));
    assert_eq!(series["until"], "2026-07-02T13:00:00Z", "the end of the last bucket");
    let long = api.json("/channels/ten/series?metric=bits&bucket=minute&since=2026-07-02T00:00:00Z").await;
    assert_eq!(long["until"], "2026-07-03T01:00:00Z", "1,500 minutes");
    let none = api.json("/channels/ten/series?metric=bits&since=2026-07-02T10:00:00Z&until=2026-07-01T10:00:00Z").await;
    assert_eq!((&none["since"], &none["points"]), (&none["until"], &json!([])), "it ends before it begins");
}

#[tokio::test]
async fn viewers_are_listed_with_their_totals() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    api.sql(
        "insert into viewer (channel_id, user_id, first_followed_at, first_bits_at, bits, cheers, first_gift_at, gifts,
            gift_events, first_raid_at, raids, raid_viewers, is_subscribed, subscription_tier, subscription_began_at,
            subscription_ended_at, subscription_months) values
        ('10', '10', null, null, 0, 0, null, 0, 0, null, 0, 0, false, '1000', '2026-01-01Z', '2026-02-01Z', 3),
        ('10', '20', null, null, 0, 0, null, 0, 0, null, 0, 0, true, '2000', '2026-01-01Z', '2026-02-01Z', 4),
        ('10', '30', null, null, 0, 0, null, 0, 0, null, 0, 0, true, '3000', '2026-02-01Z', '2026-01-01Z', null),
        ('10', '40', '2026-01-02Z', '2026-01-03Z', 300, 2, '2026-01-04Z', 6, 2, '2026-01-05Z', 1, 48, null, null, null,
            null, null),
        ('20', '10', null, null, 0, 0, null, 0, 0, null, 0, 0, null, null, null, null, null)",
    )
    .await;
    assert_eq!(pages(&api, "/channels/ten/viewers", 3).await, [vec!["10", "20", "30"], vec!["40"]]);
    // The beginning that is known of the subscription of 20 is that of an earlier one.
    insta::assert_snapshot!(lines(&api.json("/channels/ten/viewers").await["data"]), @r#"
    [
      {
        "bits": {"count":0,"first_at":null,"total":0},
        "display_name": "Ten",
        "first_followed_at": null,
        "gifts": {"count":0,"first_at":null,"total":0},
        "id": "10",
        "login": "ten",
        "raids": {"count":0,"first_at":null,"viewers":0},
        "subscription": {"is_active":false,"months":3,"since":null,"tier":"1000","until":"2026-02-01T00:00:00Z"}
      },
      {
        "bits": {"count":0,"first_at":null,"total":0},
        "display_name": "Moved",
        "first_followed_at": null,
        "gifts": {"count":0,"first_at":null,"total":0},
        "id": "20",
        "login": "moved",
        "raids": {"count":0,"first_at":null,"viewers":0},
        "subscription": {"is_active":true,"months":4,"since":null,"tier":"2000","until":null}
      },
      {
        "bits": {"count":0,"first_at":null,"total":0},
        "display_name": "Moved",
        "first_followed_at": null,
        "gifts": {"count":0,"first_at":null,"total":0},
        "id": "30",
        "login": "moved",
        "raids": {"count":0,"first_at":null,"viewers":0},
        "subscription": {"is_active":true,"months":null,"since":"2026-02-01T00:00:00Z","tier":"3000","until":null}
      },
      {
        "bits": {"count":2,"first_at":"2026-01-03T00:00:00Z","total":300},
        "display_name": "Twenty",
        "first_followed_at": "2026-01-02T00:00:00Z",
        "gifts": {"count":2,"first_at":"2026-01-04T00:00:00Z","total":6},
        "id": "40",
        "login": "20",
        "raids": {"count":1,"first_at":"2026-01-05T00:00:00Z","viewers":48},
        "subscription": null
      }
    ]
    "#);
}

const EVENTS: &str = r#"
insert into event (message_id, message_type, type, version, channel_id, subscription_id, occurred_at, received_at, payload)
values
    ('m1', 'notification', 'stream.online', '1', '10', 'sub1', '2026-07-01 10:00Z', '2026-07-01 10:00:01.5Z',
        '{ "b": 1.10, "a": [ ],"nul":"\u0000", "b": 2}'),
    ('m2', 'notification', 'channel.follow', '2', '30', 'sub2', '2026-07-01 11:00Z', '2026-07-01 11:00:01Z', '{}'),
    ('m3', 'notification', 'channel.follow', '2', '10', 'sub3', '2026-07-01 12:00Z', '2026-07-01 12:00:01Z', '{}'),
    ('m4', 'something.new', null, null, null, null, '2026-07-01 09:00Z', '2026-07-01 13:00:01Z', '{}');
"#;

#[tokio::test]
async fn events_are_listed_oldest_first_and_filtered() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    api.sql(EVENTS).await;
    assert_eq!(pages(&api, "/events", 3).await, [vec!["1", "2", "3"], vec!["4"]]);
    assert_eq!(pages(&api, "/events?order=desc", 3).await, [vec!["4", "3", "2"], vec!["1"]]);
    for (filter, expected) in [
        ("after=2", vec!["3", "4"]),
        ("after=9223372036854775807", vec![]),
        ("channel=10", vec!["1", "3"]),
        ("channel=Ten", vec!["1", "3"]),
        ("channel=moved", vec!["2"]),
        ("channel=moved,ten", vec!["1", "2", "3"]),
        ("order=desc", vec!["4", "3", "2", "1"]),
        ("order=desc&after=3", vec!["2", "1"]),
        ("order=desc&after=0", vec![]),
        ("order=desc&since=2026-07-01T11:00:00Z", vec!["3", "2"]),
        ("order=desc&limit=2&channel=10", vec!["3", "1"]),
        ("type=channel.follow,unheard.of", vec!["2", "3"]),
        ("channel=99", vec![]),
        ("type=channel.follow", vec!["2", "3"]),
        ("type=channel.follow&channel=ten", vec!["3"]),
        ("type=channel.*", vec!["2", "3"]),
        ("type=*,-channel.*", vec!["1", "4"]),
        ("type=-stream.online&channel=ten", vec!["3"]),
        ("type=alerts&order=desc&limit=2", vec!["3", "2"]),
        ("type=moderation", vec![]),
        ("since=2026-07-01T11:00:00Z", vec!["2", "3"]),
        ("until=2026-07-01T11:00:00Z", vec!["1", "4"]),
        ("since=2026-07-01T12:00:00%2B02:00&until=2026-07-01T13:00:00.000001%2b02:00", vec!["1", "2"]),
        ("since=0000-01-01T00:00:00%2B23:59&until=9999-12-31T23:59:59Z&after=3", vec!["4"]),
    ] {
        assert_eq!(ids(&api.json(&format!("/events?{filter}")).await), expected, "{filter}");
    }
}

#[tokio::test]
async fn event_has_its_payload_unchanged() {
    let api = Server::start().await;
    api.sql(EVENTS).await;
    let answer = api.get("/events/1").await;
    assert_eq!(
        answer.text,
        r#"{"id":1,"message_id":"m1","message_type":"notification","type":"stream.online","version":"1","channel_id":"10","#
            .to_owned()
            + r#""subscription_id":"sub1","occurred_at":"2026-07-01T10:00:00Z","received_at":"2026-07-01T10:00:01.5Z","#
            + r#""is_test":false,"is_replay":false,"repeats":null,"is_echo":false,"text":"The channel is live","payload":{ "b": 1.10, "a": [ ],"nul":"\u0000", "b": 2}}"#
    );
    assert_eq!(api.json("/events/4").await["type"], Value::Null);
    api.get("/events/5").await.problem(404, "not-found");
}

#[tokio::test]
async fn invalid_parameter_is_named() {
    let api = Server::start().await;
    api.sql(CHANNELS).await;
    for (query, name) in [
        ("/channels?limit=0", "limit"),
        ("/channels?limit=101", "limit"),
        ("/channels?limit=-1", "limit"),
        ("/channels?limit=", "limit"),
        ("/channels?limit=ten", "limit"),
        ("/channels?limit=1&limit=2", "limit"),
        ("/channels?live=maybe", "live"),
        ("/channels?after=%00", "after"),
        ("/channels?after=%ff", "after"),
        ("/channels/10/series", "metric"),
        ("/channels/10/series?metric=points", "metric"),
        ("/channels/10/series?metric=bits&bucket=week", "bucket"),
        ("/channels/10/broadcasts?after=", "after"),
        ("/channels/10/broadcasts?after=s9", "after"),
        ("/channels/10/broadcasts?after=%2B1-s9", "after"),
        ("/channels/10/broadcasts?after=999999999999999999-s9", "after"),
        ("/channels/10/broadcasts?after=1-%00", "after"),
        ("/channels/10/viewers?after=a%20b", "after"),
        ("/channels/10/viewers?after=%2B1-5", "after"),
        ("/channels/10/viewers?sort=first_followed_at&after=9223372036854775807-1", "after"),
        ("/events?after=9223372036854775808", "after"),
        ("/events?after=-1", "after"),
        ("/events?channel=%00", "channel"),
        ("/events?type=%0a", "type"),
        ("/events?order=newest", "order"),
        ("/events?since=yesterday", "since"),
        ("/events?until=2026-07-01T10:00:00+02:00", "until"),
        ("/events?until=9999-12-31T23:59:59-23:59", "until"),
    ] {
        let problem = api.get(query).await.problem(400, "invalid-parameter");
        assert_eq!(problem["parameters"], json!([name]), "{query}: {problem}");
        assert!(problem["detail"].as_str().expect("text").contains(&format!("`{name}`")), "{problem}");
    }
}

#[tokio::test]
async fn unknown_parameters_are_named_with_the_allowed_ones() {
    let api = Server::start().await;
    let problem = api.get("/channels?color=red&limit=5&%00=1").await.problem(400, "unknown-parameter");
    assert_eq!(problem["parameters"], json!(["\0", "color"]));
    assert_eq!(problem["allowed_parameters"], json!(["live", "order", "after", "limit"]));
    let problem = api.get("/channels?color=red").await.problem(400, "unknown-parameter");
    assert_eq!(problem["detail"], "unknown parameter `color`; allowed: live, order, after, limit");
    let problem = api.get("/livez?color=red").await.problem(400, "unknown-parameter");
    assert_eq!(problem["detail"], "unknown parameter `color`; this path has none");
    let problem = api.get("/channels?limit=0").await.problem(400, "invalid-parameter");
    assert_eq!(problem["detail"], "invalid parameter `limit`: `0` must be a number from 1 to 100");
}

#[tokio::test]
async fn malformed_path_is_a_bad_request() {
    let api = Server::start().await;
    for path in [
        "/channels/%00",
        "/channels/%ff",
        "/channels/a%20b/viewers",
        "/channels/%0a/broadcasts",
        "/broadcasts/%C3%A9",
        "/events/abc",
        "/events/9223372036854775808",
        "/events/-1",
    ] {
        api.get(path).await.problem(400, "invalid-path");
    }
    let long = "x".repeat(257);
    api.get(&format!("/channels/{long}")).await.problem(400, "invalid-path");
}

#[tokio::test]
async fn unknown_path_or_method_is_a_problem_document() {
    let api = Server::start().await;
    for path in ["/nothing", "/channels/", "/channels/1/2/3", "//", "/%00", "/docs2"] {
        api.get(path).await.problem(404, "no-such-path");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
        let answer = api.send(method, "/channels/10").await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.headers["allow"], "GET, HEAD");
    }
}

#[tokio::test]
async fn head_is_answered_like_get_without_the_body() {
    let api = Server::start().await;
    for path in ["/channels", "/livez", "/nothing", "/docs/"] {
        let (get, head) = (api.get(path).await, api.send(Method::HEAD, path).await);
        assert_eq!((get.status, &get.headers["content-length"]), (head.status, &head.headers["content-length"]));
        assert_eq!(head.text, "");
    }
}
