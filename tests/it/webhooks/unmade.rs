//! Events of which the template makes no message: the receiver is not what is wrong.

use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::{add, deliveries, logged_ids, until_problem, until_state};
use crate::support::messages::{at, cheer, follow};
use crate::support::server::Server;
use crate::support::until;

const CHEER: &str = "channel.cheer";

/// Only of cheers it makes a message.
const OF_CHEERS: &str = r#"{"type": {{ event.type }}, "bits": {{ event.payload.event.bits }}}"#;

/// Corrects the template.
async fn correct(server: &Server) {
    let settings = json!({ "settings": { "body": r#"{"type": {{ event.type }}}"# } });
    let changed = server.patch_json("/sinks/hook", &settings).await;
    assert_eq!(changed.status, 200, "{changed:?}");
}

fn reasons(rows: &[Value]) -> usize {
    let reason = |row: &&Value| row["problem"].as_str().unwrap().contains("the template of the body fails");
    rows.iter().filter(reason).count()
}

#[tokio::test]
async fn events_without_a_message_are_set_aside_however_many_they_are() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(200)).await);
    add(&server, &receiver, json!({ "body": OF_CHEERS })).await;
    for user in 1..=7 {
        assert_eq!(server.deliver(&follow(&user.to_string(), at(user))).await.status, 204);
    }
    assert_eq!(server.deliver(&cheer("8", 100, at(8))).await.status, 204);
    until("the cheer has arrived", async || receiver.kinds() == [CHEER]).await;
    until_problem(&server, "hook", "events that failed and are tried again: 7").await;
    let sink = server.json("/sinks/hook").await;
    assert_eq!((&sink["state"], &sink["failing_since"]), (&json!("ok"), &Value::Null));
    assert_eq!(reasons(&deliveries(&server).await), 7);
    correct(&server).await;
    // The server that runs the sink gets the new template within a second.
    until("all were delivered", async || {
        server.sql("update delivery set next_at = now()").await;
        deliveries(&server).await.is_empty()
    })
    .await;
    assert_eq!(receiver.ids().len(), 8);
}

#[tokio::test]
async fn event_without_a_message_takes_no_turn_of_a_receiver_that_is_away() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(502)).await);
    add(&server, &receiver, json!({ "body": OF_CHEERS })).await;
    assert_eq!(server.deliver(&follow("1", at(1))).await.status, 204);
    for user in 2..=7 {
        assert_eq!(server.deliver(&cheer(&user.to_string(), 100, at(user))).await.status, 204);
    }
    until_problem(&server, "hook", "answered 502").await;
    assert_eq!(until_state(&server, "hook", "waiting").await["cursor"], 5, "five that were sent failed");
    until("they are tried again", async || receiver.received().len() >= 8).await;
    receiver.reply(|_| Reply::Status(200));
    server.sql("update delivery set next_at = now()").await;
    until("all others were delivered", async || {
        deliveries(&server).await.len() == 1 && server.json("/sinks/hook").await["cursor"] == 7
    })
    .await;
    assert_eq!(reasons(&deliveries(&server).await), 1);
}

#[tokio::test]
async fn ordered_events_wait_for_one_without_a_message() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(200)).await);
    add(&server, &receiver, json!({ "body": OF_CHEERS, "ordered": true })).await;
    for message in [cheer("1", 100, at(1)), follow("2", at(2)), cheer("3", 100, at(3))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    until_problem(&server, "hook", "the template of the body fails").await;
    assert_eq!(until_state(&server, "hook", "waiting").await["cursor"], 1);
    assert_eq!((receiver.kinds(), deliveries(&server).await.len()), (vec![CHEER.to_owned()], 0));
    correct(&server).await;
    until("all have arrived", async || receiver.ids() == logged_ids(&server).await).await;
    until_state(&server, "hook", "ok").await;
}
