//! Every status of a subscription, in the words that a person sees.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use time::Duration;

use super::Scene;
use crate::support::messages::{at, subscription, text};
use crate::support::server::{Server, secret};
use crate::support::twitch::CHANNEL;

/// Each with its explanation. The last one is unknown.
const STATUSES: [(&str, &str); 20] = [
    ("enabled", "messages arrive"),
    ("webhook_callback_verification_pending", "Twitch is checking that the callback answers"),
    (
        "webhook_callback_verification_failed",
        "the callback did not answer Twitch's challenge as it should: `init check` finds out why",
    ),
    (
        "notification_failures_exceeded",
        "too many messages could not be delivered to the callback: `init check` finds out why",
    ),
    ("authorization_revoked", "the user withdrew consent or changed their password: consent again with `init`"),
    ("moderator_removed", "the moderator who consented is no moderator of the channel any more: make them one again"),
    ("user_removed", "the user does not exist any more"),
    ("chat_user_banned", "the user is banned from that chat: the broadcaster has to unban them"),
    ("version_removed", "Twitch has withdrawn this version of the type: update showtime"),
    ("beta_maintenance", "Twitch took this beta type down for maintenance: it can be created again later"),
    ("websocket_disconnected", "the WebSocket connection ended"),
    ("websocket_failed_ping_pong", "the WebSocket connection ended"),
    ("websocket_received_inbound_traffic", "the WebSocket connection ended"),
    ("websocket_connection_unused", "the WebSocket connection ended"),
    ("websocket_internal_error", "the WebSocket connection ended"),
    ("websocket_network_timeout", "the WebSocket connection ended"),
    ("websocket_network_error", "the WebSocket connection ended"),
    ("websocket_failed_to_reconnect", "the WebSocket connection ended"),
    ("conduit_deleted", "the conduit was deleted"),
    ("a_status_of_tomorrow", "a status that this version of showtime does not know"),
];

#[tokio::test]
async fn check_shows_every_status_in_words() {
    let (scene, server) = Scene::served().await;
    let world = &scene.twitch.mock.world;
    world.add_channel("copperkite").unwrap();
    let said = scene.consenting(&["--channel", CHANNEL, "--channel", "copperkite"]).await;
    said.has(0, &["20 of 20 subscriptions are enabled"]);
    // It would heal them.
    server.stop().await;
    let accounts: BTreeMap<_, _> = world.accounts().into_iter().map(|it| (it.id, it.login)).collect();
    let (mut expected, mut over_websocket) = (Vec::new(), BTreeSet::new());
    for (held, (status, text)) in world.subscriptions().iter().zip(STATUSES) {
        world.end_subscription(&held.id, status).unwrap();
        let login = held.condition.values().find_map(|id| accounts.get(id.as_str()?)).unwrap();
        let kind = format!("{} v{}", held.kind, held.version);
        expected.push(match status {
            "enabled" => format!("  enabled  {login}  {kind}"),
            "webhook_callback_verification_pending" => format!("  pending  {login}  {kind}"),
            "authorization_revoked" => format!("  missing  {kind} needs consent of {login}"),
            // Several statuses are one cause.
            _ if text == "the WebSocket connection ended" => {
                over_websocket.insert(login);
                continue;
            }
            _ => format!("  dead     {kind} of {login}: {text}"),
        });
    }
    let said = scene.run(&["check"]).await;
    said.has(1, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    let ended = said.out.matches("the WebSocket connection ended").count();
    assert_eq!(ended, over_websocket.len(), "once for each channel: {}", said.out);
    assert_eq!(said.count("  missing"), 1, "what ended is shown once: {}", said.out);
}

#[tokio::test]
async fn status_page_shows_every_status_of_desired_subscriptions_in_words() {
    let server = Server::start().await;
    server.sql("insert into served_channel values ('7', 'maplearcade', 'MapleArcade', now())").await;
    let mut connection = server.pool.acquire().await.unwrap();
    for (number, (status, _)) in STATUSES.into_iter().enumerate() {
        sqlx::query(
            "insert into desired_subscription (type, version, channel_id, transport, status, since, secret_fingerprint)
            values ($1, '1', '7', 'webhook', $2, now(), $3)",
        )
        .bind(number.to_string())
        .bind(status)
        .bind(secret().fingerprint().as_str())
        .execute(&mut *connection)
        .await
        .unwrap();
    }
    let page = server.json("/status").await;
    let wanted: BTreeMap<_, _> =
        page["wanted"].as_array().unwrap().iter().map(|wanted| (wanted["status"].as_str().unwrap(), wanted)).collect();
    for (status, text) in STATUSES {
        assert_eq!(wanted[status]["message"], text, "{status}");
        let command = if status == "authorization_revoked" { json!("cargo run --bin init") } else { json!(null) };
        assert_eq!(wanted[status]["command"], command, "{status}");
    }
    server.stop().await;
}

#[tokio::test]
async fn status_page_shows_every_reason_for_the_end_of_a_subscription() {
    let server = Server::start().await;
    for (second, (status, _)) in (0..).zip(STATUSES.into_iter().skip(2)) {
        let mut shown = subscription("stream.online", &json!({ "broadcaster_user_id": "7" })).with_status(status);
        shown.id = status.to_owned();
        let stamp = Stamp::new(text(at(0) + Duration::seconds(second)));
        assert_eq!(server.deliver(&Outgoing::revocation(stamp, &shown)).await.status, 204);
    }
    let page = server.json("/status").await;
    for (status, text) in STATUSES.into_iter().skip(2) {
        let shown = page["subscriptions"].as_array().unwrap().iter().find(|shown| shown["id"] == status).unwrap();
        assert_eq!((&shown["status"], &shown["message"]), (&json!(status), &json!(text)));
    }
    server.stop().await;
}
