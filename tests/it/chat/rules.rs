//! Chats that are read because rules need them.

use serde_json::{Value, json};

use super::{Place, VIEWER, set, until_events};
use crate::support::messages::{at, online};
use crate::support::server::Server;
use crate::support::twitch::CHANNEL;
use crate::support::until;

const PRESENCE: &str = "showtime.chat.presence";

async fn add(server: &Server, rule: &Value) {
    let answer = server.post_json("/rules", rule).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

/// How the chat of the channel is read: `chat`, `is_default` and `membership`.
async fn reading(server: &Server) -> (String, bool, bool) {
    let shown = server.json(&format!("/channels/{CHANNEL}/chat")).await;
    let flag = |name: &str| shown[name].as_bool().unwrap();
    (shown["chat"].as_str().unwrap().to_owned(), flag("is_default"), flag("membership"))
}

fn reads(mode: &str, is_default: bool, membership: bool) -> (String, bool, bool) {
    (mode.to_owned(), is_default, membership)
}

#[tokio::test]
async fn chat_is_read_while_live_once_an_enabled_rule_needs_it() {
    let place = Place::new().await;
    let server = place.serve().await;
    assert_eq!(server.deliver(&online("40952110345", at(0))).await.status, 204);
    let follow = json!({ "name": "thanks", "on": "channel.follow", "do": [{ "say": "Thank you" }] });
    add(&server, &follow).await;
    let elsewhere =
        json!({ "name": "elsewhere", "command": "!a", "channels": ["copperkite"], "do": [{ "say": "hi" }] });
    add(&server, &elsewhere).await;
    assert_eq!(reading(&server).await, reads("off", true, false));

    add(&server, &json!({ "name": "hi", "command": "!hi", "do": [{ "say": "hi" }] })).await;
    assert_eq!(reading(&server).await, reads("live", true, false));
    place.until_joined(1).await;
    let greet = json!({ "name": "greet", "on": "arrive", "channels": ["@MapleArcade"], "do": [{ "say": "Welcome" }] });
    add(&server, &greet).await;
    assert_eq!(reading(&server).await, reads("live", true, true));

    set(&server, "off", false).await;
    assert_eq!(reading(&server).await, reads("off", false, false));
    place.until_joined(0).await;
    let path = format!("/channels/{CHANNEL}/chat");
    let default = server.patch_json(&path, &json!({ "chat": "default" })).await;
    assert_eq!(default.status, 200, "{default:?}");
    assert_eq!(reading(&server).await, reads("live", true, true));
    place.until_joined(1).await;
    for name in ["hi", "greet"] {
        server.patch_json(&format!("/rules/{name}"), &json!({ "is_enabled": false })).await;
    }
    assert_eq!(reading(&server).await, reads("off", true, false));
    place.until_joined(0).await;
}

#[tokio::test]
async fn arrival_is_greeted_once_however_often_twitch_tells_it() {
    let place = Place::new().await;
    let server = place.serve().await;
    add(&server, &json!({
        "name": "greet", "on": "arrive", "cooldown": { "user": "12h" }, "do": [{ "say": "Welcome, {{ user.login }}!" }],
    }))
    .await;
    assert_eq!(server.deliver(&online("40952110345", at(0))).await.status, 204);
    place.until_joined(1).await;
    for left in [json!([]), json!(["copperkite"]), json!([])] {
        place.control("membership", &json!({ "joined": ["copperkite"], "left": left })).await;
    }
    until_events(&server, PRESENCE, 1).await;
    let greetings = async || server.json("/actions?rule=greet").await["data"].as_array().unwrap().clone();
    until("the user is greeted", async || !greetings().await.is_empty()).await;
    place.control("membership", &json!({ "left": ["copperkite"] })).await;
    place.twitch.mock.world.say(CHANNEL, VIEWER, "hello").unwrap();
    place.twitch.clock.advance(time::Duration::seconds(6));
    until_events(&server, PRESENCE, 2).await;
    place.twitch.clock.advance(time::Duration::minutes(11));
    until_events(&server, PRESENCE, 3).await;
    place.control("membership", &json!({ "joined": ["copperkite"] })).await;
    until_events(&server, PRESENCE, 4).await;
    until("another arrival is judged", async || greetings().await.len() >= 2).await;
    let judged = "select coalesce((select cursor from follower where name = 'reactions'), 0)
        >= coalesce((select max(id) from event), 0)";
    until("all is judged", async || sqlx::query_scalar(judged).fetch_one(&place.pool).await.unwrap()).await;
    let mut said: Vec<_> = greetings().await.iter().map(|action| action["step"]["say"].clone()).collect();
    said.sort_by_key(Value::to_string);
    assert_eq!(said, ["Welcome, copperkite!", "Welcome, quietotter!"]);
}
