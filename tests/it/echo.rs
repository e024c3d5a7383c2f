//! Channels that two subscriptions deliver for: each event counts once.

use serde_json::{Value, json};
use showtime::store::read::events;
use showtime::store::switches::{self, Switch, SwitchState};
use showtime::store::{LogId, state};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription};
use showtime::twitch::transport::TransportKind;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::support::messages::{CHANNEL, at, subscription, text, with_person, with_user};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;

/// A cheer of five bits, all alike, through the subscription with this id.
fn cheer(subscription_id: &str, seconds: i64) -> Outgoing {
    let event = with_user("1", json!({ "is_anonymous": false, "message": "hi", "bits": 5 }));
    let event = with_person("broadcaster_user_", CHANNEL, event);
    let subscription = Subscription { id: subscription_id.to_owned(), ..subscription("channel.cheer", &event) };
    Outgoing::notification(Stamp::new(text(at(seconds))), &subscription, &event)
}

async fn connect(database: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(database).await.unwrap()
}

async fn begin_switch(db: &mut PgConnection) {
    let switch = Switch {
        channel_id: CHANNEL.parse().unwrap(),
        from: TransportKind::Webhook,
        to: TransportKind::Websocket,
        state: SwitchState::Creating,
        began_at: at(0),
        since: at(0),
        problem: None,
    };
    switches::put(db, &switch).await.unwrap();
}

/// The sum and the number of the viewer's cheers.
async fn bits(server: &Server) -> (Value, Value) {
    let viewers = server.json(&format!("/channels/{CHANNEL}/viewers")).await;
    let bits = &viewers["data"][0]["bits"];
    (bits["total"].clone(), bits["count"].clone())
}

#[tokio::test]
async fn cheer_that_two_subscriptions_tell_counts_once() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    let mut db = connect(&database).await;
    begin_switch(&mut db).await;
    for (subscription, seconds) in [("A", 1), ("A", 2), ("B", 3), ("B", 4), ("B", 5), ("A", 6)] {
        assert_eq!(server.deliver(&cheer(subscription, seconds)).await.status, 204);
    }
    assert_eq!(bits(&server).await, (json!(15), json!(3)));
    let events = events::between(&mut db, LogId::START, LogId::MAX, 10).await.unwrap();
    let repeats: Vec<_> = events.iter().map(|event| event.repeats).collect();
    let id = |index: usize| Some(events[index].id);
    assert_eq!(repeats, [None, None, id(0), id(1), None, id(4)]);
    assert!(server.get("/metrics").await.text.contains("showtime_echoes_total 3"));

    assert_eq!(state::rebuild(&mut db.begin().await.unwrap()).await.unwrap(), 3, "echoes change no state");
    let mut transaction = db.begin().await.unwrap();
    state::rebuild(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(bits(&server).await, (json!(15), json!(3)));
    server.stop().await;
}

#[tokio::test]
async fn without_a_switch_all_cheers_count() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    for (subscription, seconds) in [("A", 1), ("B", 2)] {
        assert_eq!(server.deliver(&cheer(subscription, seconds)).await.status, 204);
    }
    assert_eq!(bits(&server).await, (json!(10), json!(2)));
    let mut db = connect(&database).await;
    begin_switch(&mut db).await;
    switches::remove(&mut db, &CHANNEL.parse().unwrap()).await.unwrap();
    assert_eq!(server.deliver(&cheer("B", 3)).await.status, 204);
    assert_eq!(bits(&server).await, (json!(15), json!(3)));
    server.stop().await;
}
