//! Limits on calls, and the ban.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::{Client, Method};
use serde_json::json;
use showtime::mock::discord::{DiscordConfig, DiscordFault, Limits, NewWebhook, Webhook};

use super::{Fixture, error, read};

#[tokio::test]
async fn calls_of_a_webhook_are_limited_with_headers() {
    let fixture = Fixture::with(Limits { webhook: 5, ..Limits::NONE }).await;
    let send =
        async |n: usize| fixture.call(Method::POST, "?wait=true", Some(&json!({ "content": n.to_string() }))).await;
    for left in (0..5).rev() {
        let answer = send(left).await;
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), ("5".to_owned(), left.to_string()));
        let after: f64 = header("x-ratelimit-reset-after").parse().unwrap();
        assert!(after > 0.0 && after <= 2.0, "{after}");
        assert!(header("x-ratelimit-reset").contains('.') && header("x-ratelimit-bucket").len() == 32);
    }
    let refused = send(5).await;
    let header = |name: &str| refused.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((header("retry-after").as_deref(), header("x-ratelimit-scope").as_deref()), (Some("2"), Some("user")));
    assert_eq!((header("x-ratelimit-remaining").as_deref(), header("x-ratelimit-global")), (Some("0"), None));
    let (status, body) = read(refused).await;
    assert_eq!((status, &body["global"]), (429, &json!(false)));
    let wait = body["retry_after"].as_f64().unwrap();
    assert!(wait > 0.0 && wait <= 2.0, "{body}");

    let old = format!("{}/api/webhooks/{}/{}", fixture.discord.base_url(), fixture.webhook.id, fixture.webhook.token);
    let (_, body) = read(fixture.client.post(old).json(&json!({ "content": "a" })).send().await.unwrap()).await;
    assert!(body["retry_after"].as_u64().unwrap() > 100, "without a version in milliseconds: {body}");
    let other = fixture.discord.world.add_webhook(&NewWebhook::default()).unwrap();
    let url = fixture.url_of(&other, "");
    assert_eq!(fixture.client.post(url).json(&json!({ "content": "a" })).send().await.unwrap().status(), 204);
    assert_eq!(fixture.call(Method::GET, "", None).await.status(), 200, "another kind of call");
    fixture.clock.advance(time::Duration::seconds(2));
    assert_eq!(send(6).await.status(), 200);
    fixture.stop().await;
}

#[tokio::test]
async fn messages_to_a_channel_have_a_limit_that_no_header_tells_of() {
    let fixture = Fixture::with(Limits { channel: 30, webhook: 100, ..Limits::NONE }).await;
    for n in 0..30 {
        assert_eq!(fixture.post(json!({ "content": n.to_string() })).await.0, 200);
    }
    let other = fixture.discord.world.add_webhook(&NewWebhook::default()).unwrap();
    let refused =
        fixture.client.post(fixture.url_of(&other, "")).json(&json!({ "content": "a" })).send().await.unwrap();
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "99");
    let (status, body) = read(refused).await;
    assert_eq!(status, 429);
    assert!(body["retry_after"].as_f64().unwrap() > 30.0, "{body}");
    assert_eq!(fixture.messages().len(), 30);
    fixture.clock.advance(time::Duration::MINUTE);
    assert_eq!(fixture.post(json!({ "content": "a" })).await.0, 200);
    fixture.stop().await;
}

#[tokio::test]
async fn calls_of_an_address_are_limited_globally() {
    let fixture = Fixture::with(Limits { global: 3, ..Limits::NONE }).await;
    let refused = loop {
        let answer = fixture.call(Method::GET, "", None).await;
        if answer.status() == 429 {
            break answer;
        }
    };
    assert_eq!(
        (&refused.headers()["x-ratelimit-global"], &refused.headers()["x-ratelimit-scope"]),
        (&"true".parse().unwrap(), &"global".parse().unwrap())
    );
    assert_eq!(read(refused).await.1["global"], true);
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let other = Client::builder().no_proxy().local_address(address).build().unwrap();
    assert_eq!(other.get(fixture.url_of(&fixture.webhook, "")).send().await.unwrap().status(), 200, "another address");
    fixture.stop().await;
}

#[tokio::test]
async fn edits_of_old_messages_have_a_limit() {
    let fixture = Fixture::with(Limits { old_edits: 3, ..Limits::NONE }).await;
    let (_, message) = fixture.post(json!({ "content": "a" })).await;
    let id = message["id"].as_str().unwrap();
    for n in 0..5 {
        assert_eq!(fixture.edit(id, "", json!({ "content": n.to_string() })).await.0, 200);
    }
    fixture.clock.advance(time::Duration::minutes(61));
    for n in 0..3 {
        assert_eq!(fixture.edit(id, "", json!({ "content": n.to_string() })).await.0, 200);
    }
    assert_eq!(error(&fixture.edit(id, "", json!({ "content": "b" })).await), (429, 30_046));
    fixture.clock.advance(time::Duration::seconds(6));
    assert_eq!(fixture.edit(id, "", json!({ "content": "b" })).await.0, 200);
    fixture.stop().await;
}

#[tokio::test]
async fn address_with_too_many_invalid_requests_is_banned() {
    let fixture = Fixture::with(Limits { invalid: 20, ..Limits::NONE }).await;
    fixture.next(DiscordFault::ChannelWriteLimit, 30);
    for _ in 0..30 {
        assert_eq!(error(&fixture.post(json!({ "content": "a" })).await), (429, 20_028));
    }
    assert!(fixture.discord.world.bans().is_empty(), "shared limits do not count");
    for _ in 0..30 {
        fixture.post(json!({ "content": "" })).await;
    }
    let wrong = Webhook { token: "wrong".to_owned(), ..fixture.webhook.clone() };
    for _ in 0..20 {
        assert_eq!(fixture.client.get(fixture.url_of(&wrong, "")).send().await.unwrap().status(), 401);
    }
    let banned = fixture.call(Method::GET, "", None).await;
    assert!(!banned.headers().contains_key("retry-after") && !banned.headers().contains_key("x-ratelimit-limit"));
    let (status, body) = read(banned).await;
    assert_eq!((status, &body["code"], body.get("retry_after")), (429, &json!(0), None));
    assert!(body["message"].as_str().unwrap().starts_with("You are being blocked from accessing our API temporarily"));
    assert_eq!(fixture.discord.world.bans(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    fixture.clock.advance(time::Duration::minutes(10));
    assert_eq!(fixture.call(Method::GET, "", None).await.status(), 200);
    fixture.stop().await;
}

#[test]
fn default_limits_are_those_of_discord() {
    let expected = Limits {
        webhook: 5,
        channel: 30,
        global: 50,
        old_edits: 3,
        published_edits: 3,
        crossposts: 10,
        invalid: 10_000,
    };
    assert_eq!(DiscordConfig::default().limits, expected);
}
