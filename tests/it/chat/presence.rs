//! Who comes into a chat and who leaves it.

use serde_json::{Value, json};
use showtime::mock::Faults;
use showtime::store::forget;
use sqlx::ConnectOptions as _;

use super::{Place, VIEWER, events, set, until_events};
use crate::support::twitch::{CHANNEL, CHANNEL_ID};
use crate::support::until;

const PRESENCE: &str = "showtime.chat.presence";

/// Who is kept to be in a chat.
async fn kept(place: &Place) -> Vec<String> {
    sqlx::query_scalar("select login from presence order by login").fetch_all(&place.pool).await.unwrap()
}

fn told(event: &Value) -> (Value, Value) {
    let told = &event["payload"]["event"];
    (told["joined"].clone(), told["left"].clone())
}

#[tokio::test]
async fn arrivals_and_leavings_are_told_in_batches() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.control("membership", &json!({ "joined": ["velvetyak"] })).await;
    set(&server, "always", true).await;
    place.until_joined(1).await;
    place.twitch.mock.world.set_faults(Faults { irc_repeat: 1.0, ..Faults::default() }).unwrap();
    place.control("membership", &json!({ "joined": ["copperkite", "mintcomet"] })).await;
    let first = until_events(&server, PRESENCE, 1).await.remove(0);
    assert_eq!(told(&first), (json!(["copperkite", "mintcomet"]), json!([])), "the first list is silent");
    assert_eq!((&first["type"], &first["channel_id"]), (&json!(PRESENCE), &json!(CHANNEL_ID)));
    assert_eq!(first["text"], "copperkite, mintcomet came into the chat of maplearcade");

    place.control("membership", &json!({ "left": ["mintcomet", "velvetyak"] })).await;
    place.control("membership", &json!({ "joined": ["mintcomet"] })).await;
    place.twitch.mock.world.say(CHANNEL, VIEWER, "a message is presence, too").unwrap();
    place.twitch.clock.advance(time::Duration::seconds(6));
    let second = until_events(&server, PRESENCE, 2).await.remove(1);
    assert_eq!(told(&second), (json!([VIEWER]), json!([])), "a short absence is none");
    place.twitch.clock.advance(time::Duration::minutes(10));
    let third = until_events(&server, PRESENCE, 3).await.remove(2);
    assert_eq!(told(&third), (json!([]), json!(["velvetyak"])));
    until("the visits are kept", async || kept(&place).await == ["copperkite", "mintcomet", VIEWER]).await;
}

#[tokio::test]
async fn restart_and_reconnect_tell_of_no_one_again() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "always", true).await;
    place.until_joined(1).await;
    place.control("membership", &json!({ "joined": ["copperkite"] })).await;
    until_events(&server, PRESENCE, 1).await;
    until("the visit is kept", async || kept(&place).await == ["copperkite"]).await;
    place.control("close", &json!({ "how": "reset" })).await;
    place.until_joined(1).await;
    server.stop().await;
    let server = place.serve().await;
    place.until_joined(1).await;
    place.control("membership", &json!({ "joined": ["copperkite", "mintcomet"] })).await;
    let events = until_events(&server, PRESENCE, 2).await;
    assert_eq!(told(&events[1]), (json!(["mintcomet"]), json!([])));
}

#[tokio::test]
async fn presence_is_not_told_without_membership() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "always", false).await;
    place.until_joined(1).await;
    place.control("membership", &json!({ "joined": ["copperkite"] })).await;
    place.twitch.mock.world.say(CHANNEL, VIEWER, "hello").unwrap();
    until_events(&server, "channel.chat.message", 1).await;
    assert!(events(&server, PRESENCE).await.is_empty());
}

#[tokio::test]
async fn forgotten_user_is_in_no_chat_and_in_no_event() {
    let place = Place::new().await;
    let server = place.serve().await;
    set(&server, "always", true).await;
    place.until_joined(1).await;
    place.control("membership", &json!({ "joined": ["copperkite"] })).await;
    until_events(&server, PRESENCE, 1).await;
    place.twitch.mock.world.say(CHANNEL, "copperkite", "hello").unwrap();
    until_events(&server, "channel.chat.message", 1).await;
    until("the visit is kept", async || kept(&place).await == ["copperkite"]).await;
    let mut connection = place.database.connect().await.unwrap();
    let known = forget::find(&mut connection, "copperkite").await.unwrap().expect("a chatter is found");
    assert_eq!(forget::forget(&mut connection, &known.id).await.unwrap(), 2);
    assert!(kept(&place).await.is_empty());
    let left: i64 = sqlx::query_scalar("select count(*) from event where strpos(payload::text, 'copperkite') > 0")
        .fetch_one(&place.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
