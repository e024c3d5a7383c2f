//! Webhooks that are gone, moved, and made by a bot.

use reqwest::Method;
use serde_json::json;
use showtime::mock::discord::{Limits, NewWebhook, Webhook};

use super::{Fixture, error, form_error, read};

#[tokio::test]
async fn gone_and_wrong_webhooks_have_their_codes() {
    let fixture = Fixture::start().await;
    let (status, shown) = read(fixture.call(Method::GET, "", None).await).await;
    assert_eq!((status, &shown["type"], shown.get("user")), (200, &json!(1), None));
    assert_eq!(shown["token"], fixture.webhook.token);
    let renamed = read(fixture.call(Method::PATCH, "", Some(&json!({ "name": "Other", "avatar": null }))).await).await;
    assert_eq!((renamed.0, &renamed.1["name"]), (200, &json!("Other")));
    let refused = read(fixture.call(Method::PATCH, "", Some(&json!({ "name": "discord" }))).await).await;
    assert_eq!(form_error(&refused, "name"), "USERNAME_INVALID_CONTAINS");

    let wrong = Webhook { token: "wrong".to_owned(), ..fixture.webhook.clone() };
    let request = fixture.client.post(fixture.url_of(&wrong, "")).json(&json!({ "content": "a" }));
    assert_eq!(error(&read(request.send().await.unwrap()).await), (401, 50_027));
    let malformed = fixture.client.get(format!("{}/webhooks/x/y", fixture.discord.api_url())).send().await.unwrap();
    assert_eq!(form_error(&read(malformed).await, "webhook_id"), "NUMBER_TYPE_COERCE");
    let version = format!("{}/api/v5/webhooks/1/y", fixture.discord.base_url());
    assert_eq!(error(&read(fixture.client.get(version).send().await.unwrap()).await), (400, 50_041));

    assert_eq!(fixture.call(Method::DELETE, "", None).await.status(), 204);
    assert_eq!(error(&fixture.post(json!({ "content": "a" })).await), (404, 10_015));
    let calls = fixture.discord.world.calls();
    let last = calls.last().unwrap();
    assert_eq!(
        (last.call, last.webhook_id, last.status, last.code),
        ("execute", Some(fixture.webhook.id), 404, Some(10_015))
    );
    assert_eq!(fixture.discord.world.counts()["execute 404"], 1);

    let of_channel = fixture.discord.world.add_webhook(&NewWebhook::default()).unwrap();
    fixture.discord.world.delete_channel("go-live").unwrap();
    let request = fixture.client.get(fixture.url_of(&of_channel, ""));
    assert_eq!(error(&read(request.send().await.unwrap()).await), (404, 10_015), "gone with its channel");
    fixture.stop().await;
}

#[tokio::test]
async fn moved_webhook_posts_in_the_other_channel() {
    let mut fixture = Fixture::start().await;
    let (_, before) = fixture.post(json!({ "content": "before" })).await;
    fixture.move_to("news").await;
    let (_, after) = fixture.post(json!({ "content": "after" })).await;
    let news = fixture.discord.world.channel("news").unwrap();
    assert_eq!(after["channel_id"], news.id.to_string());
    let (_, shown) = read(fixture.call(Method::GET, "", None).await).await;
    assert_eq!(shown["channel_id"], news.id.to_string());
    let edit = fixture.edit(before["id"].as_str().unwrap(), "", json!({ "content": "x" })).await;
    assert_eq!(error(&edit), (404, 10_008));
    fixture.stop().await;
}

#[tokio::test]
async fn bot_lists_publishes_and_makes_webhooks() {
    let mut fixture = Fixture::with(Limits { published_edits: 3, crossposts: 10, ..Limits::NONE }).await;
    fixture.move_to("news").await;
    let channel = fixture.webhook.channel_id;
    let mut ids = Vec::new();
    for n in 0..12 {
        let (_, message) = fixture.post(json!({ "content": n.to_string() })).await;
        ids.push(message["id"].as_str().unwrap().to_owned());
    }
    let (status, page) =
        fixture.bot(Method::GET, &format!("/channels/{channel}/messages?after={}&limit=2", ids[8]), &json!(null)).await;
    let contents: Vec<_> = page.as_array().unwrap().iter().map(|message| message["content"].clone()).collect();
    assert_eq!((status, contents), (200, vec![json!("10"), json!("9")]), "newest first");
    let (_, page) = fixture.bot(Method::GET, &format!("/channels/{channel}/messages?limit=1"), &json!(null)).await;
    assert_eq!((&page[0]["content"], &page[0]["webhook_id"]), (&json!("11"), &json!(fixture.webhook.id)));
    let anonymous = fixture.client.get(format!("{}/channels/{channel}/messages", fixture.discord.api_url()));
    assert_eq!(error(&read(anonymous.send().await.unwrap()).await), (401, 0));

    let publish = async |id: &str| {
        fixture.bot(Method::POST, &format!("/channels/{channel}/messages/{id}/crosspost"), &json!({})).await
    };
    assert_eq!(publish(&ids[0]).await.1["flags"], 1);
    assert_eq!(error(&publish(&ids[0]).await), (400, 40_033));
    for id in &ids[1..10] {
        assert_eq!(publish(id).await.0, 200);
    }
    assert_eq!(publish(&ids[10]).await.0, 429);
    for n in 0..3 {
        assert_eq!(fixture.edit(&ids[0], "", json!({ "content": n.to_string() })).await.0, 200);
    }
    assert_eq!(error(&fixture.edit(&ids[0], "", json!({ "content": "x" })).await), (429, 20_022));

    let create = async |name: &str| {
        fixture.bot(Method::POST, &format!("/channels/{channel}/webhooks"), &json!({ "name": name })).await
    };
    assert_eq!(form_error(&create("Clyde").await, "name"), "USERNAME_INVALID_CONTAINS");
    for _ in 0..14 {
        assert_eq!(create("Alerts").await.0, 200);
    }
    assert_eq!(error(&create("Alerts").await), (400, 30_007));
    let (_, webhooks) = fixture.bot(Method::GET, &format!("/channels/{channel}/webhooks"), &json!(null)).await;
    assert_eq!(webhooks.as_array().unwrap().len(), 15);
    fixture.stop().await;
}
