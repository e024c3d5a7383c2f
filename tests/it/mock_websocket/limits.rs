//! Limits and refusals, with Twitch's texts.

use secrecy::ExposeSecret as _;
use serde_json::json;
use showtime::mock::MockConfig;

use super::{Fixture, subscription};
use crate::support::twitch::CHANNEL_ID;

const FOLLOW: &str = "channel.follow";
const ONLINE: &str = "stream.online";

/// Status and message of an attempt to subscribe.
async fn refusal(fixture: &Fixture, kind: &str, session: &str) -> (u16, String) {
    let (status, body) = fixture.create(kind, session).await;
    (status.as_u16(), body["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn session_must_exist() {
    let fixture = Fixture::start().await;
    let text = "websocket transport session does not exist or has already disconnected".to_owned();
    assert_eq!(refusal(&fixture, ONLINE, "AgoQnothing").await, (400, text.clone()));
    let (mut socket, session) = fixture.open().await;
    fixture.control("POST", &format!("websocket/{session}/close"), &json!({ "code": 4000 })).await;
    socket.end().await;
    assert_eq!(refusal(&fixture, ONLINE, &session).await, (400, text));
}

#[tokio::test]
async fn same_subscription_conflicts_in_a_session_and_is_limited_over_sessions() {
    let fixture = Fixture::start().await;
    let sockets = [fixture.open().await, fixture.open().await, fixture.open().await, fixture.open().await];
    for (_, session) in &sockets[..3] {
        fixture.subscribe(FOLLOW, session).await;
    }
    assert_eq!(refusal(&fixture, FOLLOW, &sockets[0].1).await, (409, "subscription already exists".to_owned()));
    let alike = "maximum subscriptions with type and condition exceeded".to_owned();
    assert_eq!(refusal(&fixture, FOLLOW, &sockets[3].1).await, (429, alike));
    let sessions = "number of websocket transports limit exceeded".to_owned();
    assert_eq!(refusal(&fixture, ONLINE, &sockets[3].1).await, (429, sessions));
    assert_eq!(refusal(&fixture, ONLINE, &sockets[2].1).await.0, 202);
}

#[tokio::test]
async fn session_belongs_to_the_user_of_its_first_subscription() {
    let fixture =
        Fixture::with(MockConfig { auto_consent: Some("copperkite".to_owned()), ..MockConfig::default() }).await;
    let (_socket, session) = fixture.open().await;
    fixture.subscribe(ONLINE, &session).await;
    let request = fixture.twitch.oauth.request_consent([], &crate::support::twitch::redirect_url(), false);
    let location = fixture.twitch.browser.get(request.url.clone()).send().await.unwrap();
    let location: url::Url = location.headers()["location"].to_str().unwrap().parse().unwrap();
    let code = request.answer(location.query().unwrap()).unwrap();
    let other = fixture.twitch.oauth.exchange(&code, &crate::support::twitch::redirect_url()).await.unwrap();
    let body = subscription(CHANNEL_ID, "stream.offline", &session);
    let (status, body) = fixture.helix_as(other.access_token.expose_secret(), "POST", "", &body).await;
    assert_eq!(status, 400);
    assert_eq!(body["message"], "websocket transport cannot have subscriptions created by different users");
}

#[tokio::test]
async fn channels_of_strangers_cost_one_each_of_ten() {
    let fixture = Fixture::start().await;
    let (_socket, session) = fixture.open().await;
    for number in 0..10 {
        let stranger = fixture.twitch.mock.world.add_channel(&format!("stranger_{number}")).unwrap();
        let (status, body) = fixture.create_about(&stranger.id, ONLINE, &session).await;
        assert_eq!(status, 202, "{body}");
        assert_eq!(body["total_cost"], number + 1);
    }
    let stranger = fixture.twitch.mock.world.add_channel("stranger_10").unwrap();
    let (status, body) = fixture.create_about(&stranger.id, ONLINE, &session).await;
    assert_eq!((status.as_u16(), &body["message"]), (429, &json!("maximum total cost exceeded")));
    assert_eq!(refusal(&fixture, ONLINE, &session).await.0, 202, "the own channel costs nothing");
}

#[tokio::test]
async fn token_and_transport_must_fit() {
    let fixture = Fixture::start().await;
    let (_socket, session) = fixture.open().await;
    let app = fixture.twitch.oauth.app_token().await.unwrap();
    let body = subscription(CHANNEL_ID, ONLINE, &session);
    let (status, _) = fixture.helix_as(app.access_token.expose_secret(), "POST", "", &body).await;
    assert_eq!(status, 401);
    let without_scope = refusal(&fixture, "channel.subscribe", &session).await;
    assert_eq!(without_scope, (403, "subscription missing proper authorization".to_owned()));
    let other = fixture.twitch.consent(&["channel:read:subscriptions"]).await.access_token;
    assert_eq!(refusal(&fixture, "channel.subscribe", &session).await.0, 403, "the scope of another token");
    let body = subscription(CHANNEL_ID, "channel.subscribe", &session);
    assert_eq!(fixture.helix_as(other.expose_secret(), "POST", "", &body).await.0, 202);
    let mut webhook_only = subscription(CHANNEL_ID, "user.authorization.grant", &session);
    webhook_only["condition"] = json!({ "client_id": MockConfig::default().client_id });
    let (status, body) = fixture.helix("POST", "", &webhook_only).await;
    assert_eq!(status, 400, "{body}");
    let mut unknown = subscription(CHANNEL_ID, ONLINE, &session);
    unknown["transport"]["method"] = "pigeon".into();
    assert_eq!(fixture.helix("POST", "", &unknown).await.0, 400);
}

#[tokio::test]
async fn session_has_three_hundred_subscriptions_at_most() {
    let fixture = Fixture::start().await;
    let ((_full, full), (_other, other)) = (fixture.open().await, fixture.open().await);
    let follows = async |number: usize, session: &str| {
        let channel = fixture.twitch.mock.world.add_channel(&format!("channel_{number}")).unwrap();
        let mut body = subscription(&channel.id, FOLLOW, session);
        body["condition"]["moderator_user_id"] = CHANNEL_ID.into();
        fixture.helix("POST", "", &body).await
    };
    for number in 0..300 {
        let (status, body) = follows(number, &full).await;
        assert_eq!(status, 202, "{number}: {body}");
    }
    let (status, body) = follows(300, &full).await;
    assert_eq!(status, 429);
    assert_eq!(body["message"], "maximum subscriptions of a websocket transport exceeded");
    assert_eq!(follows(300, &other).await.0, 202);
}
