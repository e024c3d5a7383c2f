//! Keys change without an event that can't be verified.

use serde_json::json;

use super::add;
use super::receiver::{Received, Receiver, Reply};
use crate::support::messages::{at, follow};
use crate::support::postgres::until_waiting;
use crate::support::server::Server;
use crate::support::until;

async fn rotate(server: &Server) -> String {
    let rotated = server.post_json("/sinks/hook/rotate", &json!({})).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    rotated.json()["key"].as_str().unwrap().to_owned()
}

/// Delivers follows until the last request to the receiver is such a one.
async fn deliver_until(what: &str, server: &Server, receiver: &Receiver, holds: impl Fn(&Received) -> bool) {
    let mut user = receiver.received().len();
    until(what, async || {
        user += 1;
        assert_eq!(server.deliver(&follow(&user.to_string(), at(0))).await.status, 204);
        receiver.received().last().is_some_and(&holds)
    })
    .await;
}

#[tokio::test]
async fn both_keys_verify_during_a_rotation() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(200)).await);
    let first = add(&server, &receiver, json!({})).await;
    let second = rotate(&server).await;
    assert_ne!(first, second);
    // The server that runs the sink gets its new key within a second; every event verifies with the first one.
    deliver_until("an event is signed with the new key", &server, &receiver, |it| it.is_signed_with(&second)).await;
    assert!(receiver.received().iter().all(|request| request.is_signed_with(&first)));
    let last = receiver.received().pop().unwrap();
    assert_eq!(last.header("webhook-signature").split(' ').count(), 2);
    // A new URL keeps the keys, and a second rotation ends the first one.
    let changed = server.patch_json("/sinks/hook", &json!({ "url": receiver.url() })).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert!(!changed.text.contains("whsec_"), "{changed:?}");
    let third = rotate(&server).await;
    let is_third = |it: &Received| it.is_signed_with(&third) && !it.is_signed_with(&first);
    deliver_until("the first key does not verify", &server, &receiver, is_third).await;
    assert!(receiver.received().last().unwrap().is_signed_with(&second));
}

#[tokio::test]
async fn previous_key_ends_after_a_day() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(200)).await);
    let first = add(&server, &receiver, json!({})).await;
    rotate(&server).await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    until("it has arrived", async || !receiver.received().is_empty()).await;
    assert!(receiver.received()[0].is_signed_with(&first));
    server.clock.advance(time::Duration::hours(25));
    assert_eq!(server.post_json("/sinks/hook/test", &json!({})).await.status, 200);
    server
        .sql(
            "insert into event (message_id, message_type, type, occurred_at, received_at, payload)
        values ('late', 'notification', 'channel.cheer', now(), now(), '{}')",
        )
        .await;
    until("one is signed with one key", async || {
        let received = receiver.received();
        received.iter().any(|it| it.id() == "late" && it.header("webhook-signature").split(' ').count() == 1)
    })
    .await;
}

/// Each of them reads the sink before it writes it.
#[tokio::test]
async fn rotation_and_change_at_the_same_time_are_both_kept() {
    let (server, receiver) = (Server::start().await, Receiver::start(|_| Reply::Status(200)).await);
    add(&server, &receiver, json!({})).await;
    let mut holder = server.pool.begin().await.unwrap();
    sqlx::query("select from sink for update").execute(&mut *holder).await.unwrap();
    let change = json!({ "types": ["channel.follow"] });
    let release = async {
        until_waiting(&server.pool, "showtime api", 2).await;
        holder.commit().await.unwrap();
    };
    let (key, changed, ()) = tokio::join!(rotate(&server), server.patch_json("/sinks/hook", &change), release);
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(server.json("/sinks/hook").await["types"], change["types"]);
    deliver_until("an event is signed with the new key", &server, &receiver, |it| it.is_signed_with(&key)).await;
}
