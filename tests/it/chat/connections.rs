//! Connections: their account, their number, and what ends them.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{BOT, Place, VIEWER, set, until_events};
use crate::support::twitch::{CHANNEL, serve_channel};
use crate::support::until;

/// The longest that it may take to be back.
const BACK_WITHIN: Duration = Duration::from_secs(5);

async fn logins(place: &Place) -> Vec<String> {
    let connections = place.connections().await;
    connections.iter().map(|it| it["login"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn chats_are_read_anonymously_without_a_bot() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    place.until_joined(1).await;
    let login = logins(&place).await.remove(0);
    assert!(login.starts_with("justinfan"), "{login}");
    let expected = ("pass".to_owned(), format!("1 chats are read over IRC, as {login}"));
    until("the check says so", async || server.check("chat").await == expected).await;
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains("showtime_chat_connections{state=\"connected\"} 1"), "{metrics}");
}

#[tokio::test]
async fn token_that_ended_is_replaced_at_the_next_connect() {
    let place = Place::new().await;
    let token = place.connect_bot(&["chat:read"]).await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    place.until_joined(1).await;
    assert_eq!(logins(&place).await, [BOT]);
    // The server believes it to be good for hours.
    place.twitch.oauth.revoke(&token.access_token).await.unwrap();
    let (old, cut_at) = (place.connections().await[0]["number"].clone(), Instant::now());
    place.control("close", &json!({ "how": "reset" })).await;
    let is_back = async || {
        let connections = place.connections().await;
        connections.iter().any(|it| it["number"] != old && it["channels"] != json!([]))
    };
    until("it is back", is_back).await;
    assert!(cut_at.elapsed() < BACK_WITHIN, "{:?}", cut_at.elapsed());
    assert_eq!(logins(&place).await, [BOT], "with a fresh token");
    place.twitch.mock.world.say(CHANNEL, VIEWER, "hello").unwrap();
    until_events(&server, "channel.chat.message", 1).await;
}

#[tokio::test]
async fn bot_without_the_scope_is_shown_and_chats_are_read_anonymously() {
    let place = Place::new().await;
    place.connect_bot(&["user:bot"]).await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    place.until_joined(1).await;
    assert!(logins(&place).await[0].starts_with("justinfan"));
    let is_shown = async || {
        let (verdict, message) = server.check("chat").await;
        verdict == "warn"
            && message.contains("showbot has not consented to chat:read: run `cargo run --bin init -- --bot`")
    };
    until("the check says so", is_shown).await;
    place.consent(BOT, &["chat:read"]).await;
    place.twitch.clock.advance(time::Duration::seconds(61));
    until("the bot reads once it has consented", async || logins(&place).await == [BOT]).await;
    until("the check says so", async || server.check("chat").await.0 == "pass").await;
}

#[tokio::test]
async fn half_open_connection_is_replaced_within_forty_seconds() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    place.until_joined(1).await;
    let old = place.connections().await[0]["number"].clone();
    place.control("close", &json!({ "how": "silence" })).await;
    let is_back = async || {
        // The ping is sent when 30 s are over, and missed 10 s later.
        place.twitch.clock.advance(time::Duration::seconds(1));
        place.connections().await.iter().any(|it| it["number"] != old && it["channels"] != json!([]))
    };
    let began_at = place.twitch.clock.instant();
    until("there is another connection", is_back).await;
    assert!(place.twitch.clock.instant() - began_at < Duration::from_secs(60));
    place.twitch.mock.world.say(CHANNEL, VIEWER, "hello").unwrap();
    until_events(&server, "channel.chat.message", 1).await;
}

#[tokio::test]
async fn channels_are_shared_out_to_connections_within_the_limit_of_joins() {
    let place = Place::new().await;
    for n in 0..94 {
        let login = format!("channel{n}");
        let id = place.twitch.mock.world.add_channel(&login).unwrap().id;
        serve_channel(&place.pool, &id, &login).await;
    }
    let statement = "insert into chat (channel_id, mode, membership) select id, 'always', false from served_channel";
    sqlx::query(statement).execute(&place.pool).await.unwrap();
    let _server = place.serve().await;
    let all_joined = async || {
        place.twitch.clock.advance(time::Duration::milliseconds(500));
        let connections = place.connections().await;
        connections.iter().map(|it| it["channels"].as_array().unwrap().len()).sum::<usize>() == 95
    };
    until("all are joined", all_joined).await;
    let mut counts: Vec<_> =
        place.connections().await.iter().map(|it| it["channels"].as_array().unwrap().len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [5, 90]);
    let violations = place.twitch.mock.world.violations();
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test]
async fn one_server_of_a_cluster_reads_and_another_takes_over() {
    let place = Place::new().await;
    let (first, second) = (place.serve().await, place.serve().await);
    set(&first, "always", false).await;
    place.until_joined(1).await;
    let mut checks = vec![first.check("chat").await.1, second.check("chat").await.1];
    until("both say what they do", async || {
        checks = vec![first.check("chat").await.1, second.check("chat").await.1];
        checks.iter().any(|text| text.starts_with("1 chats are read"))
            && checks.iter().any(|text| text == "another server reads the chats")
    })
    .await;
    let (leader, other) = if checks[0].starts_with("1 chats") { (first, second) } else { (second, first) };
    leader.stop().await;
    place.until_joined(1).await;
    until("the other one reads", async || other.check("chat").await.1.starts_with("1 chats are read")).await;
    place.until_joined(1).await;
    place.twitch.mock.world.say(CHANNEL, VIEWER, "hello").unwrap();
    until_events(&other, "channel.chat.message", 1).await;
}
