//! Channels that two transports deliver for: each event counts once.

use serde_json::{Value, json};
use showtime::outputs::follow::{self, Batch, Follower, Start};
use showtime::store::locks::Lock;
use showtime::store::read::events;
use showtime::store::signals::Signals;
use showtime::store::{LogId, served_channels, state, switches};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp, Subscription, Transport};
use showtime::twitch::transport::TransportKind;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::mpsc;

use crate::support::feeds::Sse;
use crate::support::messages::{CHANNEL, at, subscription, text, with_person, with_user};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::until;

/// A channel that is served by webhooks.
const SERVED: &str = "
    insert into served_channel (id, login, display_name, requested_at, transport, current_transport)
    values ('90210441', 'maplearcade', 'MapleArcade', now(), 'webhook', 'webhook')";

/// A cheer of five bits, all alike, sent at this second.
fn cheer(transport: TransportKind, seconds: i64) -> Outgoing {
    let event = with_user("1", json!({ "is_anonymous": false, "message": "hi", "bits": 5 }));
    let event = with_person("broadcaster_user_", CHANNEL, event);
    let transport = match transport {
        TransportKind::Webhook => Transport::Webhook { callback: "https://example.com/callback".to_owned() },
        TransportKind::Websocket => {
            Transport::Websocket { session_id: "AgoQ".to_owned(), connected_at: None, disconnected_at: None }
        }
    };
    let subscription = Subscription { transport, ..subscription("channel.cheer", &event) };
    Outgoing::notification(Stamp::new(text(at(seconds))), &subscription, &event)
}

async fn connect(database: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(database).await.unwrap()
}

/// A server on a database whose channel is about to change to the WebSocket.
async fn switching() -> (Server, PgConnection) {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    let mut db = connect(&database).await;
    server.sql(SERVED).await;
    let channel = CHANNEL.parse().unwrap();
    served_channels::set_transport(&mut db, &channel, Some(TransportKind::Websocket)).await.unwrap();
    (server, db)
}

/// The sum and the number of the viewer's cheers.
async fn bits(server: &Server) -> (Value, Value) {
    let viewers = server.json(&format!("/channels/{CHANNEL}/viewers")).await;
    let bits = &viewers["data"][0]["bits"];
    (bits["total"].clone(), bits["count"].clone())
}

#[tokio::test]
async fn cheer_that_two_transports_tell_counts_once() {
    use TransportKind::{Webhook, Websocket};
    let (server, mut db) = switching().await;
    for (transport, seconds) in
        [(Webhook, 1), (Webhook, 20), (Websocket, 1), (Websocket, 20), (Websocket, 40), (Webhook, 40)]
    {
        assert_eq!(server.deliver(&cheer(transport, seconds)).await.status, 204);
    }
    assert_eq!(bits(&server).await, (json!(15), json!(3)));
    let events = events::between(&mut db, LogId::START, LogId::MAX, None, 10).await.unwrap();
    let repeats: Vec<_> = events.iter().map(|event| event.repeats).collect();
    let id = |index: usize| Some(events[index].id);
    assert_eq!(repeats, [None, None, id(0), id(1), None, id(4)]);
    let page = server.json("/events").await;
    let marks: Vec<_> = page["data"].as_array().unwrap().iter().map(|event| event["is_echo"] == true).collect();
    assert_eq!(marks, [false, false, true, true, false, true], "the log shows them");
    assert!(server.get("/metrics").await.text.contains("showtime_echoes_total 3"));

    assert_eq!(state::rebuild(&mut db.begin().await.unwrap()).await.unwrap(), 3, "echoes change no state");
    let mut transaction = db.begin().await.unwrap();
    state::rebuild(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(bits(&server).await, (json!(15), json!(3)));
    server.stop().await;
}

#[tokio::test]
async fn echo_is_in_no_feed_and_no_follower_gets_it() {
    use TransportKind::{Webhook, Websocket};
    let (server, mut db) = switching().await;
    let mut feeds = [Sse::open(&server, "/live/events").await, Sse::open(&server, "/live/alerts?repeats=true").await];
    let (sender, mut handled) = mpsc::unbounded_channel();
    let database = server.pool.connect_options().as_ref().clone();
    let (pool, signals) = (follow::pool(database), Signals::default());
    let follower = Follower { pool, signals, name: "reader", start: Start::After(LogId::START) };
    let following = tokio::spawn(follower.run(async move |_: &mut PgConnection, batch: &Batch| {
        batch.events.iter().try_for_each(|event| sender.send(event.id)).map_err(Into::into)
    }));
    for (transport, seconds) in [(Webhook, 1), (Websocket, 1), (Webhook, 30), (Websocket, 30), (Webhook, 60)] {
        assert_eq!(server.deliver(&cheer(transport, seconds)).await.status, 204);
    }
    let events = events::between(&mut db, LogId::START, LogId::MAX, None, 10).await.unwrap();
    let news: Vec<_> = events.iter().filter(|event| !event.is_echo).map(|event| event.id).collect();
    assert_eq!(news.len(), 3);
    for feed in &mut feeds {
        let shown: Vec<_> = feed.take(3).await.into_iter().map(|event| event.id.map(LogId)).collect();
        assert_eq!(shown, news.iter().copied().map(Some).collect::<Vec<_>>());
    }
    for expected in &news {
        assert_eq!(handled.recv().await.as_ref(), Some(expected));
    }
    following.abort();
    server.stop().await;
}

#[tokio::test]
async fn echoes_of_one_batch_are_found_on_all_servers() {
    use TransportKind::{Webhook, Websocket};
    let (server, mut db) = switching().await;
    let other = Server::on(server.pool.connect_options().as_ref().clone()).await;
    // While the log is locked, the messages wait, and then come in one batch on each server.
    let lock = Lock::Append.begin(&mut db).await.unwrap();
    let seconds: Vec<_> = (0..10).map(|number| number * 3).collect();
    let deliveries = seconds.iter().flat_map(|at| {
        let (server, other) = (&server, &other);
        [(server, Webhook), (other, Websocket)].map(|(to, transport)| {
            let message = cheer(transport, *at);
            // As Twitch does: again, if the log could not be locked in time.
            async move { until("it is taken", async || to.deliver(&message).await.status == 204).await }
        })
    });
    let unlock = async {
        let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted
            and database = (select oid from pg_database where datname = current_database())";
        until("both servers wait for the log", async || {
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(&server.pool).await.unwrap() == 2
        })
        .await;
        lock.rollback().await.unwrap();
    };
    tokio::join!(futures_util::future::join_all(deliveries), unlock);
    assert_eq!(bits(&server).await, (json!(50), json!(10)));
    other.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn without_a_switch_all_cheers_count() {
    use TransportKind::{Webhook, Websocket};
    let (server, mut db) = switching().await;
    for transport in [Webhook, Websocket] {
        assert_eq!(server.deliver(&cheer(transport, 1)).await.status, 204);
    }
    assert_eq!(bits(&server).await, (json!(5), json!(1)));
    server.sql("update transport_switch set state = 'done', since = now() - interval '11 minutes'").await;
    switches::remove_ended(&mut db).await.unwrap();
    for transport in [Webhook, Websocket] {
        assert_eq!(server.deliver(&cheer(transport, 2)).await.status, 204);
    }
    assert_eq!(bits(&server).await, (json!(15), json!(3)));
    let recorded: i64 =
        sqlx::query_scalar("select count(*) from transport_switch_message").fetch_one(&server.pool).await.unwrap();
    assert_eq!(recorded, 0, "what was recorded goes with the switch");
    server.stop().await;
}

/// Events that were sent after one of the transports had stopped are not even compared.
#[tokio::test]
async fn after_the_old_subscriptions_are_gone_all_cheers_count() {
    use TransportKind::{Webhook, Websocket};
    let (server, _) = switching().await;
    server.sql("update transport_switch set state = 'lingering', gone_at = now() - interval '1 hour'").await;
    for transport in [Webhook, Websocket] {
        assert_eq!(server.deliver(&cheer(transport, 1)).await.status, 204);
    }
    assert_eq!(bits(&server).await, (json!(10), json!(2)));
    server.stop().await;
}
