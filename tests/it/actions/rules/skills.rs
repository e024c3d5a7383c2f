//! The skills of the example, from the message of Twitch to what the mock did.

use serde_json::{Value, json};
use showtime::mock::Role;
use time::Duration;

use super::super::{Place, SCOPES, VIEWER};
use super::{BOT_SCOPES, apply, count, deliver, ended, judged, line, quiet, said, says, serve};
use crate::support::messages::{follow, notification, online, text, with_user};
use crate::support::server::Server;
use crate::support::twitch::CHANNEL;
use crate::support::until;

const EXAMPLE: &str = include_str!("../../../../docs/examples/rules.toml");

/// A server with the rules of the example, whose bot is a moderator of a channel that is live.
async fn example() -> (Place, Server) {
    let place = Place::with(&[SCOPES.as_slice(), &["channel:bot"]].concat()).await;
    place.bot(&BOT_SCOPES).await;
    place.twitch.mock.world.set_role(CHANNEL, "showbot", Some(Role::Moderator)).unwrap();
    let server = serve(&place).await;
    apply(&server, EXAMPLE).await;
    (place, server)
}

#[tokio::test]
async fn going_live_is_said_in_chat() {
    let (place, server) = example().await;
    deliver(&server, &online("40952110345", server.clock.now())).await;
    let actions = ended(&server, "stream.online/40952110345").await;
    assert_eq!(actions, ["say: done", "webhook: failed"], "there is no sink of this name");
    assert_eq!(said(&place).len(), 1);
    let listed = server.json("/actions?limit=100").await;
    let webhook = listed["data"].as_array().unwrap().iter().find(|action| action["state"] == "failed").unwrap();
    assert!(webhook["problem"].as_str().unwrap().contains("rocketchat"), "{webhook}");
    server.stop().await;
}

#[tokio::test]
async fn greeting_command_and_spam_are_answered() {
    let (place, server) = example().await;
    let viewer = place.viewer_id.clone();
    assert_eq!(says(&server, "m1", "Hello all", "").await, ["say: done"]);
    assert_eq!(said(&place).last().unwrap(), &json!("Hello quietotter!"));

    assert_eq!(says(&server, "m2", "!title Speedrun", "moderator").await, ["title: done", "reply: done"]);
    assert_eq!(place.performed("channel").last().unwrap().effect["title"], "Speedrun");
    assert_eq!(says(&server, "m3", "!title no", "").await, [""; 0], "only for moderators");

    let written = place.twitch.mock.world.say(CHANNEL, VIEWER, "buy followers now").unwrap();
    let mut spam = line(&server, &written, "buy followers now", "");
    let mut body: Value = serde_json::from_slice(&spam.body).unwrap();
    body["event"]["chatter_user_id"] = json!(viewer);
    spam.body = body.to_string().into();
    deliver(&server, &spam).await;
    assert_eq!(ended(&server, &format!("chat/{written}")).await, ["delete: done", "ban: done"]);
    assert_eq!(place.performed("ban").last().unwrap().effect["user_id"], json!(viewer));
    let room = place.twitch.mock.world.room(CHANNEL).unwrap();
    assert!(room.messages.iter().any(|message| message.is_deleted));
    server.stop().await;
}

#[tokio::test]
async fn clip_is_made_and_its_address_said() {
    let (place, server) = example().await;
    let actions = says(&server, "m1", "!clip", "").await;
    assert_eq!(actions.first().map(String::as_str), Some("clip: done"), "{actions:?}");
    quiet(&server).await;
    let address = said(&place).last().unwrap().as_str().unwrap().to_owned();
    assert!(address.starts_with("https://"), "{address}");
    server.stop().await;
}

#[tokio::test]
async fn raider_gets_a_welcome_and_a_shoutout() {
    let (place, server) = example().await;
    let raid = json!({
        "from_broadcaster_user_id": place.viewer_id, "from_broadcaster_user_login": VIEWER,
        "from_broadcaster_user_name": "QuietOtter", "to_broadcaster_user_id": "90210441",
        "to_broadcaster_user_login": CHANNEL, "to_broadcaster_user_name": "MapleArcade", "viewers": 5,
    });
    let raid = notification("channel.raid", server.clock.now(), raid);
    let subject = raid.stamp.message_id.clone();
    deliver(&server, &raid).await;
    assert_eq!(ended(&server, &subject).await, ["say: done", "shoutout: done"]);
    assert_eq!(said(&place).last().unwrap(), &json!("Welcome, 5 raiders of QuietOtter!"));
    server.stop().await;
}

#[tokio::test]
async fn followers_of_ten_seconds_are_thanked_in_one_message() {
    let (place, server) = example().await;
    let before = said(&place).len();
    for user in ["1", "2"] {
        deliver(&server, &follow(user, server.clock.now())).await;
    }
    // Twitch sends the same follow again.
    let again = with_user("1", json!({ "followed_at": text(server.clock.now()) }));
    deliver(&server, &notification("channel.follow", server.clock.now(), again)).await;
    judged(&server).await;
    assert_eq!(said(&place).len(), before, "the batch has not ended");
    server.clock.advance(Duration::seconds(10));
    until("the followers are thanked", async || said(&place).len() > before).await;
    assert_eq!(said(&place).last().unwrap(), &json!("Welcome User1, User2!"));
    quiet(&server).await;
    assert_eq!(said(&place).len(), before + 1);
    server.stop().await;
}

#[tokio::test]
async fn deaths_are_counted_and_listed() {
    let (place, server) = example().await;
    for death in ["m1", "m2"] {
        assert_eq!(says(&server, death, "!death", "moderator").await, ["count: done", "say: done"]);
    }
    assert_eq!(said(&place).last().unwrap(), &json!("Deaths: 2"));
    let counters = server.json("/counters").await;
    assert_eq!(counters["data"], json!([{ "channel_id": "90210441", "name": "deaths", "value": 2 }]));
    server.stop().await;
}

#[tokio::test]
async fn today_is_set_and_told_and_links_are_punished_more_each_time() {
    let (place, server) = example().await;
    assert_eq!(says(&server, "m1", "!set today chess", "moderator").await, ["set: done", "reply: done"]);
    assert_eq!(says(&server, "m2", "!today", "").await, ["reply: done"]);
    assert_eq!(said(&place).last().unwrap(), &json!("chess"));
    for (message, seconds) in [("m3", 10), ("m4", 600)] {
        deliver(&server, &line(&server, message, "see example.com", "")).await;
        let actions = ended(&server, &format!("chat/{message}")).await;
        assert_eq!(actions[0], "delete: done");
        assert_eq!(place.performed("ban").last().unwrap().effect["duration"], seconds);
    }
    server.stop().await;
}

#[tokio::test]
async fn test_event_is_only_recorded() {
    let (place, server) = example().await;
    let before = said(&place).len();
    let test = json!({ "type": "channel.cheer", "event": { "bits": 500 } });
    assert_eq!(server.post_json(&format!("/channels/{CHANNEL}/test"), &test).await.status, 202);
    quiet(&server).await;
    assert_eq!(count(&server, "dry").await, 1);
    assert_eq!(said(&place).len(), before);
    server.stop().await;
}
