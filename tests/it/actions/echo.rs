//! The echo of a message settles it, also if the answer was lost or comes later.

use serde_json::{Value, json};
use showtime::mock::Faults;
use showtime::twitch::eventsub::outgoing::Outgoing;

use super::{Place, get, request, say, settled, until_state};
use crate::support::messages::notification;
use crate::support::server::Server;
use crate::support::twitch::CHANNEL_ID;

/// A message of the broadcaster in the chat, as Twitch sends it.
fn echo(server: &Server, message_id: &str, text: &str, badge: &str, source: Value) -> Outgoing {
    let event = json!({
        "chatter_user_id": CHANNEL_ID, "chatter_user_login": "maplearcade", "chatter_user_name": "MapleArcade",
        "message_id": message_id, "message": { "text": text, "fragments": [] }, "message_type": "text",
        "badges": [{ "set_id": badge, "id": "1", "info": "" }], "source_broadcaster_user_id": source,
    });
    notification("channel.chat.message", server.clock.now(), event)
}

/// A message whose answer was lost.
async fn uncertain(place: &Place, server: &Server, text: &str) -> i64 {
    place.faults(Faults { fail_next_action_after: 1, ..Faults::default() });
    let id = request(server, &say(text)).await;
    assert_eq!(settled(server, id).await["state"], "uncertain");
    id
}

#[tokio::test]
async fn echo_settles_a_message_whose_answer_was_lost() {
    let place = Place::new().await;
    let server = place.serve().await;
    let (one, two) = (uncertain(&place, &server, "hello  there").await, uncertain(&place, &server, "bye").await);
    for other in [
        echo(&server, "x1", "hello", "broadcaster", Value::Null),
        echo(&server, "x2", "hello there", "broadcaster", json!("71330092")),
    ] {
        assert_eq!(server.deliver(&other).await.status, 204);
    }
    assert_eq!(server.deliver(&echo(&server, "m1", "bye", "broadcaster", Value::Null)).await.status, 204);
    let settled = until_state(&server, two, "done").await;
    assert_eq!((&settled["result"]["message_id"], &settled["problem"]), (&json!("m1"), &Value::Null));
    assert_eq!(get(&server, one).await["state"], "uncertain", "neither another text nor a copy settles it");
    server.deliver(&echo(&server, "m2", "hello there", "broadcaster", Value::Null)).await;
    until_state(&server, one, "done").await;
    server.stop().await;
}

#[tokio::test]
async fn echo_may_come_before_the_answer() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.faults(Faults { action_delay: 1.0, delay_ms: 1_500, ..Faults::default() });
    let id = request(&server, &say("early")).await;
    until_state(&server, id, "sending").await;
    server.deliver(&echo(&server, "m1", "early", "moderator", Value::Null)).await;
    let done = until_state(&server, id, "done").await;
    assert_eq!(done["result"]["message_id"], "m1");
    server.stop().await;
    let privileged: Option<bool> = {
        let pool = sqlx::PgPool::connect_lazy_with(place.database.clone());
        sqlx::query_scalar("select is_privileged from action").fetch_one(&pool).await.unwrap()
    };
    assert_eq!(privileged, Some(true));
    assert_eq!(place.performed("say").len(), 1);
}
