//! Selection of events by channel and type, and the first event of a reader.

use serde_json::json;

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{CHANNEL, at, cheer, follow, notification, offline, online, with_person};
use crate::support::server::Server;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};

/// A follow on another channel.
fn elsewhere(channel: &str, second: i64) -> Outgoing {
    let event = with_person(
        "user_",
        &format!("9{second}"),
        json!({ "followed_at": crate::support::messages::text(at(second)) }),
    );
    let event = with_person("broadcaster_user_", channel, event);
    let subscription = crate::support::messages::subscription("channel.follow", &event);
    Outgoing::notification(Stamp::new(crate::support::messages::text(at(second))), &subscription, &event)
}

async fn deliver(server: &Server, messages: impl IntoIterator<Item = Outgoing>) {
    for message in messages {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
}

#[tokio::test]
async fn channel_is_selected_by_id_or_login_before_it_is_known() {
    let server = Server::start().await;
    let mut by_id = Sse::open(&server, "/live/events?channel=20").await;
    let mut by_login = Sse::open(&server, "/live/alerts?channel=USER20,unknown").await;
    let mut both = Socket::open(&server, &format!("/live/events?channel=user20,{CHANNEL}")).await;
    deliver(
        &server,
        [elsewhere("30", 0), follow("1", at(1)), elsewhere("20", 2), elsewhere("30", 3), elsewhere("20", 4)],
    )
    .await;
    let ids = by_id.ids(2).await;
    assert_eq!(by_login.ids(2).await, ids);
    let told: Vec<_> = both.take(3).await.into_iter().map(|told| told.data["channel_id"].clone()).collect();
    assert_eq!(told, [CHANNEL, "20", "20"]);
    // The same from the database.
    let mut again = Sse::open(&server, "/live/events?channel=user20&after=0").await;
    assert_eq!(again.ids(2).await, ids);
    server.stop().await;
}

#[tokio::test]
async fn types_are_those_of_the_feed() {
    let server = Server::start().await;
    let mut events = Sse::open(&server, "/live/events?type=channel.follow,channel.cheer").await;
    let mut alerts = Socket::open(&server, "/live/alerts?type=cheer").await;
    let mut streams = Sse::open(&server, "/live/alerts?type=online,offline").await;
    deliver(&server, [online("s1", at(0)), follow("1", at(1)), cheer("1", 5, at(2)), follow("2", at(3))]).await;
    let types: Vec<_> = events.take(3).await.into_iter().map(|told| told.data["type"].clone()).collect();
    assert_eq!(types, ["channel.follow", "channel.cheer", "channel.follow"]);
    assert_eq!(alerts.next().await.unwrap().data["bits"], 5);
    deliver(&server, [offline(None, at(4))]).await;
    let told: Vec<_> = streams.take(2).await.into_iter().map(|told| told.data).collect();
    assert_eq!((&told[0]["type"], &told[0]["stream_id"]), (&"online".into(), &"s1".into()));
    assert_eq!((&told[1]["type"], &told[1]["stream_id"]), (&"offline".into(), &json!(null)));
    server.stop().await;
}

#[tokio::test]
async fn patterns_select_events_as_they_come_and_from_the_log() {
    let database = crate::support::postgres::fresh_database().await;
    let server = Server::on(database.clone()).await;
    let path = "/live/events?type=*,-channel.chat.*,-channel.cheer";
    let mut events = Sse::open(&server, path).await;
    deliver(&server, [follow("1", at(0)), cheer("1", 5, at(1))]).await;
    deliver(&server, (0..60).map(|second| notification("channel.chat.clear", at(second), json!({})))).await;
    deliver(&server, [online("s1", at(2))]).await;
    let ids = events.ids(2).await;
    server.stop().await;
    // Another server has nothing in its memory.
    let server = Server::on(database).await;
    for query in ["last=2", "after=0"] {
        let mut again = Sse::open(&server, &format!("{path}&{query}")).await;
        assert_eq!(again.ids(2).await, ids, "{query}");
    }
    server.stop().await;
}

/// A message of a kind that Twitch added has no subscription, and so no type.
#[tokio::test]
async fn event_without_a_type_is_selected_by_the_pattern_for_all() {
    let server = Server::start().await;
    let pattern = "*,-channel.chat.*";
    let mut live = Sse::open(&server, &format!("/live/events?type={pattern}")).await;
    let mut named = Sse::open(&server, "/live/events?type=channel.*,stream.*").await;
    let (message_type, body) = ("telegram", br#"{"greeting":"hello"}"#.to_vec());
    let untyped = Outgoing { message_type, body, ..follow("1", at(0)) };
    deliver(&server, [untyped, follow("2", at(1)), notification("channel.chat.clear", at(2), json!({}))]).await;
    let ids = live.ids(2).await;
    assert_eq!(named.ids(1).await, ids[1..], "it has no type that begins so");

    let listed = async |query: &str| -> Vec<i64> {
        let events = server.json(&format!("/events?{query}")).await;
        events["data"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(listed(&format!("type={pattern}")).await, ids);
    assert_eq!(listed("order=desc&type=-channel.chat.*").await, [ids[1], ids[0]]);
    assert_eq!(listed("type=channel.follow,stream.*").await, ids[1..]);
    assert_eq!(listed(&format!("channel={CHANNEL}&type={pattern}")).await, ids[1..], "it is of no channel");
    let mut again = Sse::open(&server, &format!("/live/events?type={pattern}&after=0")).await;
    assert_eq!(again.ids(2).await, ids);
    server.stop().await;
}

/// There are more events than one page of the database, and most are not selected.
#[tokio::test]
async fn reader_begins_with_the_last_selected_events() {
    let server = Server::start().await;
    deliver(&server, [follow("1", at(0)), follow("2", at(1)), cheer("1", 5, at(2))]).await;
    deliver(&server, (0..120).map(|second| notification("channel.chat.clear", at(second), json!({})))).await;
    deliver(&server, [follow("3", at(3)), online("s1", at(4))]).await;
    let names = |told: Vec<crate::support::feeds::FeedEvent>| -> Vec<_> {
        told.into_iter().map(|told| told.data["user"]["login"].clone()).collect()
    };
    let mut alerts = Sse::open(&server, "/live/alerts?type=follow&last=2").await;
    assert_eq!(names(alerts.take(2).await), ["user2", "user3"]);
    let mut all = Sse::open(&server, "/live/alerts?last=100").await;
    assert_eq!(all.take(5).await.len(), 5);
    deliver(&server, [follow("4", at(5))]).await;
    assert_eq!(names(alerts.take(1).await), ["user4"]);
    assert_eq!(names(all.take(1).await), ["user4"]);
    let mut events = Socket::open(&server, "/live/events?last=1").await;
    assert_eq!(events.next().await.unwrap().data["type"], "channel.follow");
    server.stop().await;
}

#[tokio::test]
async fn last_events_are_found_after_a_restart() {
    let database = crate::support::postgres::fresh_database().await;
    let server = Server::on(database.clone()).await;
    deliver(&server, (0..70).map(|user| follow(&user.to_string(), at(user)))).await;
    server.stop().await;
    let server = Server::on(database).await;
    let mut last = Sse::open(&server, "/live/events?last=3").await;
    let mut all = Sse::open(&server, "/live/events?after=0").await;
    let ids = all.ids(70).await;
    assert_eq!(last.ids(3).await, ids[67..]);
    assert!(ids.is_sorted_by(|a, b| a < b));
    server.stop().await;
}
