//! Replays of events.

use crate::support::feeds::{Socket, Sse};
use crate::support::messages::{at, follow, online};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;

async fn replay(server: &Server, id: &str) {
    sqlx::query("select pg_notify('showtime_replay', $1)").bind(id).execute(&server.pool).await.unwrap();
}

#[tokio::test]
async fn replay_reaches_every_replica_and_moves_no_cursor() {
    let database = fresh_database().await;
    let (server, other) = tokio::join!(Server::on(database.clone()), Server::on(database));
    let mut alerts = Sse::open(&server, "/live/alerts").await;
    let mut socket = Socket::open(&other, "/live/alerts").await;
    let mut state = Sse::open(&server, "/live/state").await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    let first = alerts.next().await.unwrap();
    assert_eq!(socket.next().await.unwrap(), first);
    for nonsense in ["", "x", "99999999", "-1", "9223372036854775807"] {
        replay(&server, nonsense).await;
    }
    replay(&server, &first.id.unwrap().to_string()).await;
    let again = alerts.next().await.unwrap();
    assert_eq!(socket.next().await.unwrap(), again);
    let mut expected = first.data.clone();
    expected["is_replay"] = true.into();
    assert_eq!((again.event.as_str(), again.id, &again.data), ("alert", None, &expected));
    assert_eq!(alerts.last_id, first.id);
    // A reader that comes back does not get it a third time, and it is no change of the state.
    let mut back = Sse::resume(&server, "/live/alerts", first.id).await;
    assert_eq!(server.deliver(&follow("2", at(1))).await.status, 204);
    assert_eq!(server.deliver(&online("s1", at(2))).await.status, 204);
    assert_eq!(back.next().await.unwrap().data["user"]["id"], "2");
    assert_eq!(alerts.next().await.unwrap().data["user"]["id"], "2");
    let told = state.take(2).await;
    assert_eq!((told[0].event.as_str(), &told[1].data["is_live"]), ("snapshot", &true.into()));
    server.stop().await;
    other.stop().await;
}
