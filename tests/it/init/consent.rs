//! Consent that is given, denied, forged, or can't be waited for.

use super::{SCOPES, Scene};
use crate::support::twitch::CHANNEL;
use crate::support::until;
use showtime::mock::MockConfig;

const NO_FOLLOWS: &str = "  maplearcade  channel.follow v2: Twitch refused to create the subscription: subscription \
    missing proper authorization (403: the user has not granted this application a scope that it needs); it needs \
    moderator:read:followers: run init again and consent";

#[tokio::test]
async fn whoever_denies_consent_gets_what_needs_none_and_is_told_what_the_rest_needs() {
    let (scene, _callback) = Scene::without_server().await;
    let attend = async |url: &str, login: &str| {
        let (status, page) = scene.press("deny", url, login).await;
        let told = "consent was not given: The user denied you access.";
        assert!(status == 403 && page.contains("No consent") && page.contains(told), "{page}");
    };
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    let denied = "maplearcade: no consent: consent was not given: The user denied you access";
    said.has(1, &[denied, "4 of 10 subscriptions are enabled", NO_FOLLOWS]);
    assert_eq!(said.out.matches("run init again and consent").count(), 6, "{}", said.out);

    let said = scene.consenting(&[]).await;
    said.has(0, &["maplearcade has consented", "10 of 10 subscriptions are enabled"]);
    assert_eq!(said.count("  created"), 6, "only what was missing: {}", said.out);
}

#[tokio::test]
async fn an_answer_to_another_request_is_told_so_and_the_right_one_still_waited_for() {
    let (scene, _callback) = Scene::without_server().await;
    let attend = async |url: &str, login: &str| {
        for forged in ["code=stolen&state=wrong", "code=stolen", "error=access_denied"] {
            let (status, page) = scene.get(&format!("http://localhost:{}/auth?{forged}", scene.consent_port)).await;
            let told = "this answer belongs to another request: its `state` is not the one that was sent.";
            assert!(status == 400 && page.contains("Not the expected answer") && page.contains(told), "{page}");
        }
        assert_eq!(scene.press("consent", url, login).await.0, 200);
    };
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    said.has(0, &["maplearcade has consented", "10 of 10 subscriptions are enabled"]);
}

#[tokio::test]
async fn the_consent_of_somebody_else_is_given_back() {
    let (scene, _callback) = Scene::without_server().await;
    scene.twitch.mock.world.add_channel("copperkite").unwrap();
    let attend = async |url: &str, _: &str| assert_eq!(scene.press("consent", url, "copperkite").await.0, 200);
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    said.has(1, &["maplearcade: no consent: it was copperkite who consented; sign in as maplearcade", NO_FOLLOWS]);
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_the_ways_out() {
    let (scene, _callback) = Scene::without_server().await;
    let port = scene.consent_port;
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let said = scene.run(&["--channel", CHANNEL]).await;
    let line = said.out.lines().find(|line| line.contains("no consent")).unwrap_or_else(|| panic!("{said:?}"));
    let begin = format!("maplearcade: no consent: port {port} can't be listened on: Address already in use");
    let end = "End the program that uses it, or choose another with --port and register its URL \
        (http://localhost:PORT/auth) at dev.twitch.tv/console";
    assert!(line.starts_with(&begin) && line.ends_with(end), "{line}");
    assert_eq!(line.matches("Address already in use").count(), 1, "{line}");
    assert_eq!(said.code, Some(1));
}

#[tokio::test]
async fn as_many_channels_as_are_named_are_served_and_others_stay() {
    let (scene, _callback) = Scene::without_server().await;
    for name in ["CopperKite", "thirdchannel"] {
        scene.twitch.mock.world.add_channel(name).unwrap();
    }
    let said = scene.consenting(&["--channel", CHANNEL, "--channel", "CopperKite"]).await;
    said.has(0, &["maplearcade has consented", "CopperKite has consented", "20 of 20 subscriptions are enabled"]);

    let said = scene.consenting(&["--channel", "thirdchannel", "--force"]).await;
    said.has(0, &["thirdchannel has consented", "10 of 10 subscriptions are enabled"]);
    assert_eq!((said.count("  must go"), said.count("  deleted")), (0, 0), "{}", said.out);
    until("all are enabled", async || {
        let held = scene.twitch.mock.world.subscriptions();
        held.len() == 30 && held.iter().all(|held| held.status == "enabled")
    })
    .await;
    scene.run(&["check"]).await.has(0, &["nothing is missing"]);
}

#[tokio::test]
async fn only_new_scopes_are_asked_for() {
    let (mut scene, _callback) = Scene::without_server().await;
    scene.grant().await;
    scene.settings.insert("TWITCH_EVENTSUB_TYPES", "channel.poll.begin".to_owned());
    let said = scene.run(&["check", "--channel", CHANNEL]).await;
    said.has(1, &["maplearcade has not consented to: channel:read:polls"]);
    let said = scene.consenting(&["--channel", CHANNEL]).await;
    let asked =
        format!("maplearcade has to consent to: {}, {}, {}", SCOPES[0], "channel:read:polls", SCOPES[1..].join(", "));
    said.has(0, &[&asked, "11 of 11 subscriptions are enabled"]);
}

#[tokio::test]
async fn a_mock_that_consents_by_itself_needs_no_person() {
    let config = MockConfig { auto_consent: Some(CHANNEL.to_owned()), ..MockConfig::default() };
    let scene = Scene::with(config).await;
    let server = scene.serve().await;
    let attend = async |url: &str, _: &str| {
        let answer = scene.browser.get(url).send().await.unwrap();
        let back = crate::support::twitch::redirect(&answer);
        assert_eq!(scene.get(back.as_str()).await.0, 200);
    };
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    said.has(0, &["maplearcade has consented", "10 of 10 subscriptions are enabled"]);
    server.stop().await;
}
