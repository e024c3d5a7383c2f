//! The control of alerts in overlays.

use serde_json::{Value, json};
use showtime::api;

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{at, follow, online};
use crate::support::postgres::fresh_database;
use crate::support::schema::check;
use crate::support::server::Server;
use crate::support::until;

/// What holds for the channels that are not listed.
fn all(state: &Value) -> &Value {
    &state["controls"][0]
}

impl Server {
    /// Does this with the alerts.
    pub(crate) async fn control(&self, action: &str) -> Value {
        let answer = self.post_as(&format!("/overlays/alerts/{action}"), None, "").await;
        assert_eq!(answer.status, 200, "{action}: {answer:?}");
        answer.json()
    }
}

#[tokio::test]
async fn alerts_are_paused_skipped_muted_and_cleared_for_all_channels_or_one() {
    let server = Server::start().await;
    server.deliver(&online("1", at(0))).await;
    server.deliver(&follow("1", at(1))).await;
    let free = json!({ "channel_id": null, "paused_at": null, "is_muted": false, "skips": 0, "cleared_to": 0 });
    let expected = json!({ "overlays": 0, "chats": 0, "types": [], "waiting": 0, "controls": [free] });
    assert_eq!(server.json("/overlays/alerts").await, expected);

    let paused = server.control("pause").await;
    let since = all(&paused)["paused_at"].as_str().unwrap().to_owned();
    assert_eq!(all(&server.control("pause").await)["paused_at"], since.as_str(), "it goes on");
    server.control("mute").await;
    let state = server.control("resume?channel=90210441").await;
    let (others, own) = (all(&state), &state["controls"][1]);
    assert_eq!((&others["paused_at"], &others["is_muted"]), (&since.as_str().into(), &true.into()));
    let expected =
        json!({ "channel_id": "90210441", "paused_at": null, "is_muted": true, "skips": 0, "cleared_to": 0 });
    assert_eq!(*own, expected);

    server.control("skip?channel=USER90210441").await;
    let state = server.control("clear").await;
    let each = state["controls"].as_array().unwrap().iter().map(|it| (&it["skips"], &it["cleared_to"]));
    assert_eq!(each.collect::<Vec<_>>(), [(&json!(0), &json!(2)), (&json!(1), &json!(2))]);
    let state = server.control("unmute").await;
    assert!(state["controls"].as_array().unwrap().iter().all(|it| it["is_muted"] == false), "{state}");

    let unknown = server.post_as("/overlays/alerts/skip?channel=nope", None, "").await;
    assert!(unknown.problem(404, "not-found")["detail"].as_str().unwrap().contains("nope"));
    server.post_as("/overlays/alerts/stop", None, "").await.problem(400, "invalid-path");
}

#[tokio::test]
async fn overlays_of_every_server_are_told_at_once_and_when_they_connect() {
    let database = fresh_database().await;
    let (server, other) = (Server::on(database.clone()).await, Server::on(database).await);
    server.control("mute").await;
    until("the state has come to the other server", async || {
        let mut overlay = Sse::open(&other, "/live/alerts?overlay=true").await;
        let told = overlay.next().await.unwrap();
        assert_eq!((told.event.as_str(), told.id), ("control", None));
        all(&told.data)["is_muted"] == true
    })
    .await;
    let mut sse = Sse::open(&other, "/live/alerts?overlay=true&after=0").await;
    let mut socket = Socket::open(&server, "/live/alerts?overlay=true").await;
    let mut reader = Sse::open(&other, "/live/alerts").await;
    for told in [sse.take(2).await, socket.take(2).await] {
        assert_eq!(told.iter().map(|it| it.event.as_str()).collect::<Vec<_>>(), ["control", "settings"]);
    }
    assert_eq!(server.json("/overlays/alerts").await["overlays"], 1);

    server.control("pause").await;
    for told in [sse.next().await.unwrap(), socket.next().await.unwrap()] {
        let spec = api::live_spec();
        let payload = json!({ "event": "control", "data": told.data });
        check(&spec, &spec["components"]["messages"]["control"]["payload"], &payload);
        assert_eq!((told.event.as_str(), told.id), ("control", None));
        assert!(all(&told.data)["paused_at"].is_string(), "{told:?}");
    }
    server.deliver(&follow("1", at(0))).await;
    for told in [sse.next().await.unwrap(), socket.next().await.unwrap(), reader.next().await.unwrap()] {
        assert_eq!((told.event.as_str(), told.id), ("alert", Some(1)), "readers that are no overlays get alerts alone");
    }
    socket.send(r#"{"waiting":7}"#).await;
    socket.send("an overlay of another version").await;
    until("what an overlay reports is shown by its server", async || {
        server.json("/overlays/alerts").await["waiting"] == 7
    })
    .await;
    assert_eq!(other.json("/overlays/alerts").await["waiting"], 0);
    drop((sse, socket));
    until("overlays that have gone are not counted", async || {
        server.deliver(&follow("2", at(1))).await;
        server.json("/overlays/alerts").await["overlays"] == 0
    })
    .await;
}
