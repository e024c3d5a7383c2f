//! The first version of the API: statuses, bodies, refusals.

use reqwest::Method;
use serde_json::json;
use showtime::mock::discord::{DiscordFault, DiscordFaults};

use super::{LOGIN, Stage};
use crate::support::bots;
use crate::support::postgres::dump;

#[tokio::test]
async fn channel_is_tracked_shown_and_untracked_on_both_paths() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    let body = json!({ "id": webhook.id, "token": webhook.token });
    let paths = ["", "webhooks/"].map(|part| format!("/v1/api/{part}{}/{}", webhook.channel_id, LOGIN.to_uppercase()));
    let first = stage.post(&paths[0], &body).await;
    assert_eq!((first.status.as_u16(), first.text.as_str()), (201, r#"{"message":"success"}"#));
    let again = stage.post(&paths[1], &body).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (200, r#"{"message":"success"}"#));
    let info = format!("/v1/api/webhooks/{}", webhook.channel_id);
    let shown = stage.send(Method::GET, &info).await;
    assert_eq!(shown.json(), json!({ "names": [LOGIN], "webhook": body }), "{shown:?}");
    // It was verified once, and is known from then on.
    assert_eq!(stage.discord.world.calls().len(), 1);

    let path = |name: &str, webhook: &str| format!("{info}/{name}/{webhook}");
    let id = webhook.id.to_string();
    let other = stage.send(Method::DELETE, &path(LOGIN, "11305556667778889")).await;
    let problem = other.problem(409, "webhook-mismatch");
    assert!(problem["message"].as_str().unwrap().contains(&id), "{problem}");
    stage.send(Method::DELETE, &path("nostreamer", &id)).await.problem(404, "not-found");
    let untracked = stage.send(Method::DELETE, &path(LOGIN, &id)).await;
    assert_eq!((untracked.status.as_u16(), untracked.text.as_str()), (200, "success"));
    stage.send(Method::DELETE, &path(LOGIN, &id)).await.problem(404, "not-found");
    assert_eq!(stage.send(Method::GET, &info).await.json(), json!({ "names": [], "webhook": body }));
    let dump = dump(&stage.database).await;
    assert!(!dump.contains(&webhook.token), "the token is in the database");
    stage.stop().await;
}

#[tokio::test]
async fn malformed_and_unknown_names_are_refused() {
    let stage = Stage::start().await;
    let webhook = stage.webhook();
    let body = json!({ "id": webhook.id, "token": webhook.token });
    let problem = stage.post("/v1/api/146404/maplearcade", &body).await.problem(400, "invalid-path");
    assert_eq!(problem["message"], problem["detail"]);
    let path = format!("/v1/api/{}/maplearcade", webhook.channel_id);
    stage.post(&path.replace("maplearcade", "no-login"), &body).await.problem(400, "invalid-path");
    for wrong in [json!({}), json!({ "id": "5", "token": "a" }), json!({ "id": webhook.id, "token": "a/b" })] {
        stage.post(&path, &wrong).await.problem(400, "invalid-field");
    }
    let problem = stage.post(&path, &body).await.problem(422, "twitch-not-configured");
    assert!(problem["message"].as_str().unwrap().contains("TWITCH_CLIENT_ID"), "{problem}");
    assert!(stage.discord.world.calls().is_empty());
    stage.stop().await;
}

#[tokio::test]
async fn webhook_is_verified_before_it_is_kept() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (first, second) = (stage.webhook(), stage.new_webhook("second"));
    let path = format!("/v1/api/{}/{LOGIN}", first.channel_id);
    let given = |id: String, token: &str| json!({ "id": id, "token": token });
    let wrong = [given(first.id.to_string(), "wrong"), given("1130555666777888999".to_owned(), &first.token)];
    for body in wrong {
        stage.post(&path, &body).await.problem(422, "webhook-gone");
    }
    let elsewhere = stage.post(&path, &given(second.id.to_string(), &second.token)).await;
    let problem = elsewhere.problem(422, "webhook-elsewhere");
    assert!(problem["message"].as_str().unwrap().contains(&second.channel_id.to_string()), "{problem}");
    stage.discord.world.set_faults(DiscordFaults::next(DiscordFault::BadGateway, 1)).unwrap();
    let away = stage.track(&first, LOGIN).await;
    away.problem(503, "discord-unavailable");
    assert!(!away.text.contains(&first.token));
    assert!(away.headers.contains_key("retry-after"));
    stage.send(Method::GET, &format!("/v1/api/webhooks/{}", first.channel_id)).await.problem(404, "not-found");
    assert_eq!(stage.track(&first, LOGIN).await.status, 201);
    stage.stop().await;
}

#[tokio::test]
async fn second_webhook_is_refused_until_the_first_is_deleted() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let first = stage.webhook();
    assert_eq!(stage.track(&first, LOGIN).await.status, 201);
    let second = stage.second_webhook(&first);
    let problem = stage.track(&second, LOGIN).await.problem(409, "webhook-mismatch");
    assert!(problem["message"].as_str().unwrap().contains(&first.id.to_string()), "{problem}");
    stage.discord.world.delete_webhook(&first.id.to_string()).unwrap();
    assert_eq!(stage.track(&second, LOGIN).await.status, 200, "what was tracked goes on");
    let info = stage.send(Method::GET, &format!("/v1/api/webhooks/{}", first.channel_id)).await.json();
    assert_eq!(info["webhook"]["id"], json!(second.id), "{info}");

    // A webhook that was moved there is that of the channel that it came from.
    let third = stage.new_webhook("third");
    assert_eq!(stage.track(&third, LOGIN).await.status, 201);
    let fourth = stage.new_channel("fourth");
    let moved = stage.discord.world.move_webhook(&third.id.to_string(), &fourth.name).unwrap();
    stage.track(&moved, LOGIN).await.problem(409, "webhook-in-use");
    stage.stop().await;
}

#[tokio::test]
async fn bots_see_only_what_is_their_own() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
    let other = bots::token(&stage.server, "other").await;
    let info = format!("/v1/api/webhooks/{}", webhook.channel_id);
    let path = format!("{info}/{LOGIN}/{}", webhook.id);
    stage.server.send_as(&other, Method::GET, &info).await.problem(404, "not-found");
    stage.server.send_as(&other, Method::DELETE, &path).await.problem(404, "not-found");
    // Both may track the same channel in the same place.
    let body = json!({ "id": webhook.id, "token": webhook.token });
    let path = format!("/v1/api/{}/{LOGIN}", webhook.channel_id);
    let tracked = stage.server.send_json_as(&other, Method::POST, &path, &body).await;
    assert_eq!(tracked.status, 201, "{tracked:?}");
    assert_eq!(stage.server.send_as(&other, Method::GET, &info).await.json()["names"], json!([LOGIN]));
    stage.stop().await;
}
