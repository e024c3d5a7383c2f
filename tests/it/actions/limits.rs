//! Floods stay within Twitch's limits, also when the server starts anew.

use serde_json::json;
use showtime::mock::Role;

use super::{Place, VIEWER, get, request, say, settled, until_state};
use crate::support::twitch::CHANNEL;

#[tokio::test]
async fn flood_stays_within_twitchs_limits_through_restarts() {
    let place = Place::new().await;
    let bot = place.bot(&["user:read:chat", "user:write:chat", "user:bot"]).await;
    let mut ids = Vec::new();
    let mut server = place.serve().await;
    for round in 0..4 {
        for index in 0..6 {
            ids.push(request(&server, &say(&format!("line {round} {index}"))).await);
        }
        settled(&server, ids[ids.len() - 4]).await;
        server.stop().await;
        server = place.serve().await;
    }
    for id in ids {
        assert_eq!(settled(&server, id).await["state"], "done");
    }
    let calls = place.twitch.mock.world.actions();
    let refused: Vec<_> =
        calls.iter().filter(|call| call.refusal.is_some() || call.effect["dropped"].is_string()).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(place.performed("say").len(), 24);
    assert!(calls.iter().all(|call| call.as_user.as_deref() == Some(&bot)));
    server.stop().await;
}

#[tokio::test]
async fn moderation_does_not_wait_behind_messages() {
    let place = Place::new().await;
    let bot = place.bot(&["user:write:chat", "moderator:manage:banned_users"]).await;
    place.twitch.mock.world.set_role(CHANNEL, "showbot", Some(Role::Moderator)).unwrap();
    let server = place.serve().await;
    let mut said = Vec::new();
    for index in 0..8 {
        said.push(request(&server, &say(&format!("line {index}"))).await);
    }
    let banned = request(&server, &json!({ "ban": { "user": VIEWER, "reason": null } })).await;
    until_state(&server, banned, "done").await;
    assert_eq!(get(&server, said[7]).await["state"], "pending", "one message a second, since no echo shows the role");
    assert_eq!(place.performed("ban")[0].as_user.as_deref(), Some(bot.as_str()));
    server.stop().await;
}
