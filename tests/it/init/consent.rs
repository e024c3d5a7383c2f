//! Consent that is given, denied, forged, or can't be received.

use super::{CREATE, SCOPES, Scene};
use crate::support::postgres::dump;
use crate::support::twitch::CHANNEL;
use crate::support::{skip, until};
use showtime::mock::MockConfig;
use showtime::twitch::subscription_status::SubscriptionStatus;
use url::Url;

/// One cause, one line.
const NO_CONSENT: &str = "  6 subscriptions need consent of maplearcade to bits:read, channel:read:subscriptions, \
    moderator:read:followers: run `cargo run --bin init` (channel.cheer v1, channel.follow v2, channel.subscribe v1, \
    channel.subscription.end v1, channel.subscription.gift v1, channel.subscription.message v1)";

#[tokio::test]
async fn denied_consent_leaves_types_without_scopes_and_explains_the_rest() {
    let (scene, server) = Scene::served().await;
    let attend = async |url: &str, login: &str| {
        let (status, page) = scene.press("deny", url, login).await;
        let reason = "consent was not given: The user denied you access.";
        assert!(status == 403 && page.contains("No consent") && page.contains(reason), "{page}");
    };
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    let denied = "maplearcade: no consent: consent was not given: The user denied you access";
    said.has(1, &[denied, "4 of 10 subscriptions are enabled", NO_CONSENT]);
    assert_eq!(said.out.matches("need consent").count(), 1, "{}", said.out);

    let said = scene.consenting(&[]).await;
    said.has(0, &["maplearcade has consented", "10 of 10 subscriptions are enabled"]);
    assert_eq!(scene.calls(CREATE), 16, "only the missing ones are attempted again");
    server.stop().await;
}

#[tokio::test]
async fn missing_consent_is_logged_once_by_the_server() {
    let scene = Scene::new().await;
    let mut settings: Vec<_> = scene.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    settings.push(("TWITCH_CHANNEL_NAME", CHANNEL));
    let server = scene.place.serve(&settings).await;
    until("all were attempted", async || scene.calls(CREATE) == 10).await;
    until("the outcome is known", async || {
        dump(&scene.database).await.matches("needs_consent").count() == 6
            && scene.twitch.mock.world.subscriptions().iter().all(|held| held.status == SubscriptionStatus::Enabled)
    })
    .await;
    let log = server.stop().await;
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("could not subscribe") && warnings[0].contains("channel.follow"), "{log}");
}

#[tokio::test]
async fn text_of_a_redirect_can_not_change_the_terminal() {
    let (scene, server) = Scene::served().await;
    let attend = async |url: &str, _: &str| {
        let url = Url::parse(url).unwrap();
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let text = "%1b%5b2J%0aall+is+well%c2%9b31m%e2%80%ae";
        let back =
            format!("http://127.0.0.1:{}/auth?error=x&error_description={text}&state={state}", scene.consent_port);
        assert_eq!(scene.get(&back).await.0, 403);
    };
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    let shown = r"maplearcade: no consent: consent was not given: \u{1b}[2J\nall is well\u{9b}31m\u{202e}";
    said.has(1, &[shown]);
    server.stop().await;
}

/// The address that the browser is sent to, at this host.
fn at(back: &Url, host: &str) -> String {
    back.as_str().replace("//localhost:", &format!("//{host}:"))
}

#[tokio::test]
async fn consent_is_received_over_both_addresses_of_localhost() {
    if std::net::TcpListener::bind(("::1", 0)).is_err() {
        return skip("IPv6 on the loopback interface");
    }
    for host in ["127.0.0.1", "[::1]"] {
        let (scene, server) = Scene::served().await;
        let attend = async |url: &str, login: &str| {
            let back = scene.pressed("consent", url, login).await;
            assert_eq!(scene.get(&at(&back, host)).await.0, 200);
        };
        let said = scene.attended(&["--channel", CHANNEL], attend).await;
        said.has(0, &["maplearcade has consented"]);
        assert_eq!(said.count("note: "), 0, "{}", said.out);
        server.stop().await;
    }
}

#[tokio::test]
async fn taken_ipv6_address_is_said() {
    let (scene, server) = Scene::served().await;
    let Ok(_taken) = std::net::TcpListener::bind(("::1", scene.consent_port)) else {
        return skip("IPv6 on the loopback interface");
    };
    let attend = async |url: &str, login: &str| {
        let back = scene.pressed("consent", url, login).await;
        assert_eq!(scene.get(&at(&back, "127.0.0.1")).await.0, 200);
    };
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    let port = scene.consent_port;
    let note = format!(
        "note: [::1]:{port} can't be listened on (Address already in use (os error 98)), only 127.0.0.1:{port}: another \
         program may get the answer of your browser: if nothing happens here, end that program and try again"
    );
    said.has(0, &[&note, "maplearcade has consented"]);
    server.stop().await;
}

#[tokio::test]
async fn answer_to_another_request_is_refused_and_the_right_one_awaited() {
    let (scene, server) = Scene::served().await;
    let attend = async |url: &str, login: &str| {
        for forged in ["code=stolen&state=wrong", "code=stolen", "error=access_denied"] {
            let (status, page) = scene.get(&format!("http://localhost:{}/auth?{forged}", scene.consent_port)).await;
            let reason = "this answer belongs to another request: its `state` is not the one that was sent.";
            assert!(status == 400 && page.contains("Not the expected answer") && page.contains(reason), "{page}");
        }
        assert_eq!(scene.press("consent", url, login).await.0, 200);
    };
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    said.has(0, &["maplearcade has consented", "10 of 10 subscriptions are enabled"]);
    server.stop().await;
}

#[tokio::test]
async fn consent_of_another_user_is_revoked() {
    let (scene, server) = Scene::served().await;
    scene.twitch.mock.world.add_channel("copperkite").unwrap();
    let attend = async |url: &str, _: &str| assert_eq!(scene.press("consent", url, "copperkite").await.0, 200);
    let said = scene.attended(&["--channel", CHANNEL], attend).await;
    said.has(1, &["maplearcade: no consent: it was copperkite who consented; sign in as maplearcade", NO_CONSENT]);
    server.stop().await;
}

#[tokio::test]
async fn taken_port_is_named_with_the_remedies() {
    let (scene, server) = Scene::served().await;
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
    server.stop().await;
}

#[tokio::test]
async fn named_channels_are_served_and_others_stay() {
    let (scene, server) = Scene::served().await;
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
        held.len() == 30 && held.iter().all(|held| held.status == SubscriptionStatus::Enabled)
    })
    .await;
    scene.run(&["check"]).await.has(0, &["nothing is missing"]);
    server.stop().await;
}

#[tokio::test]
async fn consent_is_requested_only_for_new_scopes() {
    let mut scene = Scene::new().await;
    scene.settings.insert("TWITCH_EVENTSUB_TYPES", "channel.poll.begin".to_owned());
    scene.grant().await;
    let server = scene.serve().await;
    let said = scene.run(&["check", "--channel", CHANNEL]).await;
    said.has(1, &["maplearcade has not consented to: channel:read:polls"]);
    let said = scene.consenting(&["--channel", CHANNEL]).await;
    let asked =
        format!("maplearcade has to consent to: {}, {}, {}", SCOPES[0], "channel:read:polls", SCOPES[1..].join(", "));
    said.has(0, &[&asked, "11 of 11 subscriptions are enabled"]);
    server.stop().await;
}

#[tokio::test]
async fn auto_consent_needs_no_person() {
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
