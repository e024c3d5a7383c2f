//! The first steps of a user: an unconfigured server, and `simulate`.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::Place;

#[tokio::test]
async fn unconfigured_server_shows_a_stream_from_online_to_offline() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    assert_eq!(server.status("/readyz").await, 200);
    let offered = ["“Start a demo show” on the dashboard", "stream.online --target http://127.0.0.1:"];
    assert!(offered.iter().all(|offer| server.banner.contains(offer)), "{}", server.banner);

    let (code, said) = server.simulate(&["stream.online"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("204 No Content"), "{said}");
    let [channel] = &server.list("/channels").await[..] else { panic!("one channel") };
    assert_eq!(channel["is_live"], true);
    assert!(channel["stream"]["id"].is_string());
    assert_eq!(channel["broadcast"]["id"], channel["stream"]["id"]);

    let (code, said) = server.simulate(&["channel.follow", "--user", "NewViewer"]).await;
    assert_eq!(code, Some(0), "{said}");
    let login = channel["login"].as_str().unwrap();
    let [viewer] = &server.list(&format!("/channels/{login}/viewers")).await[..] else { panic!("one viewer") };
    assert_eq!(viewer["display_name"], "NewViewer");
    assert!(viewer["first_followed_at"].is_string());

    let (code, said) = server.simulate(&["stream.offline"]).await;
    assert_eq!(code, Some(0), "{said}");
    let [ended] = &server.list("/channels").await[..] else { panic!("one channel") };
    assert_eq!((&ended["is_live"], &ended["broadcast"]), (&Value::Bool(false), &Value::Null));
    let [broadcast] = &server.list(&format!("/channels/{login}/broadcasts")).await[..] else { panic!("one broadcast") };
    assert_eq!(broadcast["id"], channel["broadcast"]["id"]);
    assert!(broadcast["ended_at"].is_string(), "{broadcast}");

    let secret = std::fs::metadata(place.path().join(".showtime/webhook-secret")).unwrap();
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    server.stop().await;
}

/// No call reaches the real Twitch: there is no token without the login server.
#[tokio::test]
async fn server_of_the_real_twitch_recommends_a_marked_test() {
    let place = Place::new();
    let application = [
        ("TWITCH_CLIENT_ID", "client"),
        ("TWITCH_CLIENT_SECRET", "secret"),
        ("TWITCH_AUTH_URL", "http://127.0.0.1:1/oauth2"),
    ];
    let server = place.serve(&application).await;
    let try_it = server.banner.lines().find(|line| line.contains("try it:")).unwrap();
    let command = try_it.split_once("simulate").unwrap().1;
    assert!(command.contains("channel.follow --test --target http://127.0.0.1:"), "{}", server.banner);
    assert!(!server.banner.contains("stream.online"), "{}", server.banner);
    server.stop().await;
}

#[tokio::test]
async fn every_message_and_fault_of_simulate_gets_its_answer() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    for (args, status) in [
        (&["challenge"][..], "200 OK"),
        (&["challenge", "channel.follow"], "200 OK"),
        (&["challenge", "--conduit-shard"], "200 OK"),
        (&["channel.follow", "--fault", "bad-signature"], "403 Forbidden"),
        (&["channel.follow", "--fault", "no-signature"], "403 Forbidden"),
        (&["channel.follow", "--fault", "stale"], "403 Forbidden"),
        (&["channel.follow", "--fault", "garbage"], "400 Bad Request"),
    ] {
        let (code, said) = server.simulate(args).await;
        assert_eq!(code, Some(0), "{args:?} {said}");
        assert!(said.contains(status), "{said}");
    }
    assert_eq!(server.list("/events").await, Vec::<Value>::new(), "nothing of this is kept");

    let (code, said) = server.simulate(&["channel.follow", "--fault", "duplicate"]).await;
    assert_eq!((code, said.matches("204 No Content").count()), (Some(0), 2), "{said}");
    let (code, said) = server.simulate(&["channel.cheer", "--count", "3"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = server.simulate(&["revoke", "channel.follow", "--status", "user_removed"]).await;
    assert_eq!(code, Some(0), "{said}");
    let kinds: Vec<_> = server.list("/events").await.iter().map(|event| event["type"].clone()).collect();
    let (follow, cheer) = ("channel.follow", "channel.cheer");
    assert_eq!(json!(kinds), json!([follow, cheer, cheer, cheer, follow]));
    let status = server.json("/status").await.to_string();
    assert!(status.contains("user_removed"), "{status}");

    let (code, said) = server.simulate(&["channel.follow", "--secret", "not the server's secret"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("403 Forbidden") && said.contains("NOT as expected"), "{said}");
    let (code, said) = server.simulate(&["no.such.type"]).await;
    assert_eq!(code, Some(2), "{said}");
    server.stop().await;
}
