//! The bot's consent, and further scopes of channels.

use serde_json::json;
use sqlx::PgPool;

use super::{SCOPES, Scene};
use crate::support::twitch::CHANNEL;

async fn scopes(scene: &Scene, login: &str) -> Vec<String> {
    let pool = PgPool::connect_lazy_with(scene.database.clone());
    let statement = "select array(select unnest(scopes) order by 1) from token where login = $1";
    sqlx::query_scalar(statement).bind(login).fetch_one(&pool).await.unwrap()
}

#[tokio::test]
async fn bot_consents_to_more_and_more() {
    let (scene, server) = Scene::served().await;
    scene.twitch.mock.world.add_channel("showbot").unwrap();
    let attend = async |url: &str, _: &str| {
        let (status, page) = scene.press("consent", url, "showbot").await;
        assert!(status == 200 && page.contains("Thank you"), "{page}");
    };
    let said = scene.attended(&["--bot"], attend).await;
    said.has(
        0,
        &[
            "the bot has to consent to: chat:read, clips:edit, moderator:manage:announcements, \
        moderator:manage:banned_users, moderator:manage:chat_messages, moderator:manage:shoutouts, \
        moderator:manage:warnings, user:bot, user:read:chat, user:write:chat",
            "showbot is the bot",
        ],
    );
    scene.run(&["--bot"]).await.has(0, &["the bot showbot has consented to everything that is needed"]);
    let before = scopes(&scene, "showbot").await;
    let said = scene.attended(&["--bot", "--scope", "user:manage:whispers"], attend).await;
    said.has(0, &["showbot is the bot"]);
    let mut all = scopes(&scene, "showbot").await;
    all.retain(|scope| !before.contains(scope));
    assert_eq!(all, ["user:manage:whispers"]);
    server.stop().await;
}

#[tokio::test]
async fn consents_cover_what_enabled_rules_need() {
    let (scene, server) = Scene::served().await;
    scene.twitch.mock.world.add_channel("showbot").unwrap();
    scene.consenting(&["--channel", CHANNEL]).await;
    for rule in [
        json!({ "name": "title", "command": "!title", "do": [{ "title": "{{ args[0] }}" }, { "whisper": "set" }] }),
        json!({ "name": "off", "command": "!clip", "enabled": false, "do": [{ "clip": {} }] }),
        json!({ "name": "poll", "on": "channel.poll.begin", "do": [{ "count": "polls" }] }),
    ] {
        assert_eq!(server.post_json("/rules", &rule).await.status, 201);
    }
    let attend = async |url: &str, _: &str| drop(scene.press("consent", url, "showbot").await);
    let said = scene.attended(&["--bot"], attend).await;
    let asked = "the bot has to consent to: chat:read, user:bot, user:manage:whispers, user:read:chat, user:write:chat";
    said.has(0, &[asked, "showbot is the bot"]);
    let missing = "maplearcade has not consented to: channel:bot, channel:manage:broadcast, channel:read:polls, user:bot, \
        user:read:chat";
    scene.run(&["check"]).await.has(1, &[missing]);
    scene.consenting(&[]).await.has(0, &["maplearcade has consented"]);
    scene.run(&["check"]).await.has(0, &["nothing is missing"]);
    server.stop().await;
}

#[tokio::test]
async fn channel_consents_to_further_scopes_and_is_no_bot() {
    let (scene, server) = Scene::served().await;
    scene.consenting(&["--channel", CHANNEL, "--scope", "channel:manage:broadcast"]).await;
    let all = [SCOPES[0], "channel:manage:broadcast", SCOPES[1], SCOPES[2]];
    assert_eq!(scopes(&scene, CHANNEL).await, all);
    let again = scene.run(&["--scope", "channel:manage:broadcast"]).await;
    again.has(0, &["maplearcade has consented to everything that is needed"]);
    let attend = async |url: &str, _: &str| drop(scene.press("consent", url, CHANNEL).await);
    let said = scene.attended(&["--bot"], attend).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("maplearcade is a served channel, which acts for itself"), "{}", said.err);
    assert_eq!(scopes(&scene, CHANNEL).await, all, "its own consent stays");
    server.stop().await;
}
