//! The stored state: the same as the projection of all messages at once, whatever the order, the batches, the duplicates and
//! the number of servers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use showtime::access::grant::{Grant, Scope};
use showtime::clock::Clock;
use showtime::incidents::Incidents;
use showtime::ingest::{Ingest, Receipt};
use showtime::message::segment::{Edge, Mark, SEGMENT_BEGIN, SEGMENT_CHANGE, SEGMENT_END, SEGMENT_REMOVE};
use showtime::message::{Inference, Message};
use showtime::metrics::Metrics;
use showtime::projection::Fact;
use showtime::store::locks::Lock;
use showtime::store::signals::Channel;
use showtime::store::{log, state};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use showtime::twitch::helix::{Answer, Stream};
use showtime::twitch::payload::Broadcaster;
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

use crate::fold::{HistoryMessage, history};
use crate::repeats;
use crate::support::messages::{
    CHANNEL, at, cheer, follow, offline, online, subscription, text, verified, with_person, with_user,
};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::witnesses;
use crate::support::{PATIENCE, until};

/// Witnesses for the messages that Twitch does not send.
pub(crate) struct Witnesses {
    answer: Answer<Stream>,
    grant: Grant,
}

impl Witnesses {
    pub(crate) async fn collect() -> Self {
        Self { answer: witnesses::streams().await, grant: witnesses::grant(Scope::Admin).await }
    }

    pub(crate) fn sign(&self, message: &HistoryMessage) -> Box<Message> {
        if message.is_inferred {
            return self.inferred(message);
        }
        if [SEGMENT_BEGIN, SEGMENT_END, SEGMENT_CHANGE, SEGMENT_REMOVE].contains(&message.kind) {
            return self.segment(message);
        }
        let subscription = subscription(message.kind, &message.event);
        let mut stamp = Stamp::new(text(message.at));
        stamp.message_id.clone_from(&message.id);
        verified(&Outgoing::notification(stamp, &subscription, &message.event))
    }

    fn inferred(&self, message: &HistoryMessage) -> Box<Message> {
        let inference = Inference {
            kind: message.kind,
            version: "1",
            key: message.id.clone(),
            channel_id: &CHANNEL.parse().unwrap(),
            observed_at: message.at,
            event: message.event.clone(),
        };
        Message::inferred(&self.answer, &inference).unwrap()
    }

    fn segment(&self, message: &HistoryMessage) -> Box<Message> {
        let text = |field: &str| message.event[field].as_str();
        let edge = match message.kind {
            SEGMENT_BEGIN => Edge::Begin { title: text("title").unwrap(), reference: text("reference") },
            SEGMENT_CHANGE => Edge::Change { title: text("title"), reference: text("reference") },
            SEGMENT_REMOVE => Edge::Remove,
            _ => Edge::End,
        };
        let broadcaster = Broadcaster::deserialize(&message.event).unwrap();
        let mark = Mark { broadcaster: &broadcaster, segment_id: text("id").unwrap(), at: message.at, edge };
        Message::segment(&self.grant, &mark).unwrap()
    }
}

/// Every row of every table of the state, in order.
pub(crate) async fn dump(connection: &mut PgConnection) -> Vec<String> {
    let mut rows = Vec::new();
    for statement in [
        "select to_json(t)::text from twitch_user t order by id",
        "select to_json(t)::text from channel_login t order by login, channel_id",
        "select to_json(t)::text from channel t order by id",
        "select (to_jsonb(t) - 'last_event_id')::text from stream t order by id",
        "select to_json(t)::text from stream_end t order by channel_id, at",
        "select to_json(t)::text from broadcast t order by id",
        "select to_json(t)::text from segment t order by id",
        "select (to_jsonb(t) - 'follow_event_id')::text from viewer t order by channel_id, user_id",
        "select to_json(t)::text from activity t order by channel_id, minute",
        "select to_json(t)::text from subscription t order by id",
    ] {
        rows.extend(sqlx::query_scalar::<_, String>(statement).fetch_all(&mut *connection).await.unwrap());
    }
    rows
}

/// What depends on the order in which messages arrived: which events are repeats, and what was told, by the ids of events.
async fn dump_repeats(connection: &mut PgConnection) -> (Vec<(i64, i64)>, Vec<String>) {
    let repeats = sqlx::query_as("select id, repeats from event where repeats is not null order by id");
    let told = "select to_json(t)::text from told t union all
        select to_json(t)::text from (select id, last_event_id from stream) t union all
        select to_json(t)::text from (select channel_id, user_id, follow_event_id from viewer) t order by 1";
    (
        repeats.fetch_all(&mut *connection).await.unwrap(),
        sqlx::query_scalar(told).fetch_all(&mut *connection).await.unwrap(),
    )
}

/// The repeats in the log, worked out from the order of its messages.
async fn naive_repeats(connection: &mut PgConnection, history: &[HistoryMessage]) -> Vec<(i64, i64)> {
    let log: Vec<(i64, String)> =
        sqlx::query_as("select id, message_id from event order by id").fetch_all(connection).await.unwrap();
    let message = |id: &str| history.iter().find(|message| id.ends_with(&message.id)).unwrap().clone();
    let messages: Vec<_> = log.iter().map(|(_, message_id)| message(message_id)).collect();
    let id = |n: i64| log[usize::try_from(n - 1).unwrap()].0;
    repeats::naive(&messages).into_iter().map(|(event, earlier)| (id(event), id(earlier))).collect()
}

async fn folded_at_once(messages: &[Box<Message>]) -> Vec<String> {
    let mut connection = fresh_database().await.connect().await.unwrap();
    let facts: Vec<Fact<'_>> = (1..).zip(messages).map(|(id, message)| Fact::new(id, message)).collect();
    state::fold(&mut connection, &facts).await.unwrap();
    dump(&mut connection).await
}

/// The number of rows that sequential scans read from the tables that each message needs, once the statistics know of this
/// many viewers.
async fn rows_scanned(connection: &mut PgConnection, viewers: i64) -> Option<i64> {
    let statement = "select sum(n_tup_ins) filter (where relname = 'viewer')::bigint, sum(seq_tup_read)::bigint
        from pg_stat_user_tables where relname in
        ('twitch_user', 'channel_login', 'channel', 'viewer', 'subscription', 'transport_switch')";
    let (inserted, scanned): (i64, i64) = sqlx::query_as(statement).fetch_one(connection).await.unwrap();
    (inserted >= viewers).then_some(scanned)
}

/// Postgres would otherwise keep plans that it made for empty tables.
#[tokio::test]
async fn cost_of_a_message_does_not_grow_with_the_number_of_viewers_or_switches() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    let other_channel = "
        with channel as (
            insert into served_channel (id, login, display_name, requested_at) values ('1', 'other', 'other', now())
            returning id
        )
        insert into transport_switch select id, 'webhook', 'websocket', 'done', now(), now() from channel";
    sqlx::query(other_channel).execute(&mut connection).await.unwrap();
    let (ingest, writer) = Ingest::new(database, Clock::default(), Incidents::default(), Metrics::default());
    tokio::spawn(writer.run());
    let deadline = Instant::now() + PATIENCE;
    let mut user = 0;
    let scanned = loop {
        for _ in 0..20 {
            user += 1;
            ingest.submit(verified(&follow(&user.to_string(), at(0)))).await.unwrap();
        }
        match rows_scanned(&mut connection, 100).await {
            Some(scanned) => break scanned,
            // The statistics of a connection are about a second late.
            None => assert!(Instant::now() < deadline, "{user} messages, but no statistics"),
        }
    };
    assert_eq!(scanned, 0, "rows read by sequential scans, for {user} messages");
}

/// Submits to these writers in turn, some at a time, and returns the number of new messages.
pub(crate) async fn submit(writers: &[Ingest], messages: &[Box<Message>], at_once: usize) -> usize {
    let mut appended = 0;
    for chunk in messages.chunks(at_once) {
        let submitted =
            chunk.iter().zip(writers.iter().cycle()).map(|(message, writer)| writer.submit(message.clone()));
        for receipt in futures_util::future::join_all(submitted).await {
            appended += usize::from(receipt.unwrap() == Receipt::Appended);
        }
    }
    appended
}

pub(crate) fn spawn_writer(database: &PgConnectOptions) -> Ingest {
    let (ingest, writer) = Ingest::new(database.clone(), Clock::default(), Incidents::default(), Metrics::default());
    tokio::spawn(writer.run());
    ingest
}

#[tokio::test]
async fn random_histories_are_stored_and_rebuilt_as_the_projection_has_them() {
    let histories = history(20..=60)
        .prop_flat_map(|history| (Just(history.clone()), Just([history.clone(), history].concat()).prop_shuffle()));
    let witnesses = Witnesses::collect().await;
    let sign = |message: &HistoryMessage| witnesses.sign(message);
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    for round in 0..12 {
        let (history, delivered) = histories.new_tree(&mut runner).unwrap().current();
        let expected = folded_at_once(&history.iter().map(&sign).collect::<Vec<_>>()).await;

        let database = fresh_database().await;
        // Two servers' writers, whose batches alternate.
        let writers = [spawn_writer(&database), spawn_writer(&database)];
        let messages: Vec<_> = delivered.iter().map(&sign).collect();
        assert_eq!(submit(&writers, &messages, 1 + round * 3).await, history.len());

        let mut connection = database.connect().await.unwrap();
        assert_eq!(dump(&mut connection).await, expected, "{history:#?}");
        let repeats = dump_repeats(&mut connection).await;
        assert_eq!(repeats.0, naive_repeats(&mut connection, &history).await, "{history:#?}");
        let mut transaction = connection.begin().await.unwrap();
        assert_eq!(state::rebuild(&mut transaction).await.unwrap(), history.len() as u64);
        transaction.commit().await.unwrap();
        assert_eq!(dump(&mut connection).await, expected, "rebuilt");
        assert_eq!(dump_repeats(&mut connection).await, repeats, "rebuilt");
    }
}

/// Appends as the writer does, waiting its turn or not, and returns whether one round trip was enough for the append.
async fn append(connection: &mut PgConnection, messages: &[&Message], mut has_turn: bool) -> bool {
    let now = at(0);
    if has_turn {
        Lock::Append.wait_turn(connection).await.unwrap();
    }
    if let Some(append) = state::append_new(connection, messages, now, has_turn).await.unwrap() {
        has_turn = false;
        if append.is_appended {
            return true;
        }
    }
    let mut transaction = Lock::Append.begin(connection).await.unwrap();
    if has_turn {
        Lock::Append.end_turn(&mut transaction).await.unwrap();
    }
    let appended = log::append(&mut transaction, messages, now).await.unwrap();
    let new = messages.iter().filter_map(|message| Some(Fact::new(appended.ids.get(message.id())?.0, message)));
    state::fold(&mut transaction, &new.collect::<Vec<_>>()).await.unwrap();
    transaction.commit().await.unwrap();
    false
}

/// Else each batch would be written in more round trips, and nothing else would show it.
#[tokio::test]
async fn batch_takes_one_round_trip_unless_something_in_it_is_not_new() {
    let mut connection = fresh_database().await.connect().await.unwrap();
    let cheers = ["1", "2", "3"].map(|user| verified(&cheer(user, 100, at(0))));
    assert!(append(&mut connection, &[&cheers[0]], false).await, "a cheer");
    let event = with_person("broadcaster_user_", "20", with_user("2", json!({ "followed_at": text(at(1)) })));
    let elsewhere = Outgoing::notification(Stamp::new(text(at(1))), &subscription("channel.follow", &event), &event);
    let follows = [follow("1", at(1)), follow("2", at(1)), elsewhere].map(|follow| verified(&follow));
    let first = follows.each_ref().map(AsRef::as_ref);
    assert!(append(&mut connection, &first, false).await, "of a viewer who is known, and of one in two channels");
    let again = verified(&follow("1", at(2)));
    for known in [&again, &cheers[0]] {
        let before = dump(&mut connection).await;
        let batch = [&*cheers[1], known, &*cheers[2]];
        let tried = state::append_new(&mut connection, &batch, at(3), false).await.unwrap().unwrap();
        assert!(!tried.is_appended);
        assert_eq!(dump(&mut connection).await, before, "nothing of it is written");
        let count = sqlx::query_scalar::<_, i64>("select count(*) from event").fetch_one(&mut connection).await;
        assert_eq!(count.unwrap(), 4);
    }
    assert!(append(&mut connection, &[&cheers[1], &cheers[2]], false).await, "the others alone");
}

/// The advisory locks that this connection holds.
async fn locks(connection: &mut PgConnection) -> i64 {
    let held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()";
    sqlx::query_scalar(held).fetch_one(connection).await.unwrap()
}

/// What is folded before it is known to be new must not differ from what is folded afterwards.
#[tokio::test]
async fn state_is_the_same_whether_a_batch_takes_one_round_trip_or_more() {
    let histories = history(20..=60);
    let witnesses = Witnesses::collect().await;
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    let (mut short, mut long) = (0, 0);
    for round in 0..12 {
        let history = histories.new_tree(&mut runner).unwrap().current();
        let messages: Vec<_> = history.iter().map(|message| witnesses.sign(message)).collect();
        let mut connection = fresh_database().await.connect().await.unwrap();
        for (number, batch) in messages.chunks(1 + round % 4).enumerate() {
            let mut batch: Vec<&Message> = batch.iter().map(AsRef::as_ref).collect();
            // Some come again, with others that are new.
            batch.extend(messages[..number].last().filter(|_| number % 5 == 4).map(AsRef::as_ref));
            let mut ids = HashSet::new();
            batch.retain(|message| ids.insert(message.id()));
            let is_short = append(&mut connection, &batch, (round + number) % 3 == 0).await;
            *(if is_short { &mut short } else { &mut long }) += 1;
            assert_eq!(locks(&mut connection).await, 0, "the turn has ended");
        }
        assert_eq!(dump(&mut connection).await, folded_at_once(&messages).await, "{history:#?}");
        let repeats = dump_repeats(&mut connection).await;
        assert_eq!(repeats.0, naive_repeats(&mut connection, &history).await, "{history:#?}");
        let mut transaction = connection.begin().await.unwrap();
        state::rebuild(&mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(dump_repeats(&mut connection).await, repeats, "rebuilt");
    }
    assert!(short > 0 && long > 0, "{short} batches took one round trip, {long} more");
}

#[tokio::test]
async fn turn_of_a_connection_that_is_not_heard_of_ends() {
    let database = fresh_database().await;
    let (mut first, mut second) = (database.connect().await.unwrap(), database.connect().await.unwrap());
    assert!(!Lock::Append.wait_turn(&mut first).await.unwrap(), "no other has it");
    assert!(Lock::Append.wait_turn(&mut second).await.unwrap(), "another had it");
    assert!(Lock::Append.end_turn(&mut first).await.is_err(), "its session has ended");
    Lock::Append.end_turn(&mut second).await.unwrap();
    assert_eq!(locks(&mut second).await, 0);
}

/// A message that was appended after a statement began, while it waited for the lock, is known to it.
#[tokio::test]
async fn message_that_another_server_appends_meanwhile_is_not_appended_again() {
    let database = fresh_database().await;
    let (mut first, mut second) = (database.connect().await.unwrap(), database.connect().await.unwrap());
    let message = verified(&cheer("5", 10, at(0)));
    let mut transaction = Lock::Append.begin(&mut first).await.unwrap();
    log::append(&mut transaction, &[&message], at(0)).await.unwrap();
    let waits = tokio::spawn({
        let message = message.clone();
        async move { append(&mut second, &[&message], false).await }
    });
    let mut observer = database.connect().await.unwrap();
    until("it waits for the lock", async || {
        let waits = "select exists (select from pg_locks where locktype = 'advisory' and not granted)";
        sqlx::query_scalar(waits).fetch_one(&mut observer).await.unwrap()
    })
    .await;
    transaction.commit().await.unwrap();
    assert!(!waits.await.unwrap());
    let count: i64 = sqlx::query_scalar("select count(*) from event").fetch_one(&mut observer).await.unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn rebuild_repairs_a_damaged_state() {
    let server = Server::start().await;
    for message in [online("1", at(0)), follow("5", at(1)), cheer("5", 10, at(2)), offline(Some("1"), at(3))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    let mut connection = server.pool.acquire().await.unwrap();
    let healthy = dump(&mut connection).await;
    sqlx::raw_sql("delete from viewer; update stream set ended_at = null; insert into twitch_user values ('0', 'x', 'x', now(), 'x')")
        .execute(&mut *connection)
        .await
        .unwrap();
    let mut transaction = connection.begin().await.unwrap();
    state::rebuild(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(dump(&mut connection).await, healthy);
}

#[tokio::test]
async fn two_servers_on_one_database_store_each_message_once() {
    let database = fresh_database().await;
    let servers = [Server::on(database.clone()).await, Server::on(database).await];
    let mut listener = PgListener::connect_with(&servers[0].pool).await.unwrap();
    listener.listen(Channel::Event.name()).await.unwrap();

    let messages: Vec<_> = (0..150).map(|n| cheer(&(n % 10).to_string(), 1, at(n))).collect();
    let next = AtomicU32::new(0);
    let deliver = |server: usize| {
        let (servers, messages, next) = (&servers, &messages, &next);
        async move {
            // Each message goes to both servers, at about the same time.
            while let Some(message) = messages.get(next.fetch_add(1, Ordering::Relaxed) as usize / 2) {
                assert_eq!(servers[server].deliver(message).await.status, 204);
            }
        }
    };
    futures_util::future::join_all((0..16).map(|worker| deliver(worker % 2))).await;

    assert_eq!(servers[0].count_events().await, 150);
    let viewers = servers[0].json("/channels/90210441/viewers").await;
    let bits: i64 =
        viewers["data"].as_array().unwrap().iter().map(|viewer| viewer["bits"]["total"].as_i64().unwrap()).sum();
    assert_eq!(bits, 150);
    assert_eq!(viewers, servers[1].json("/channels/90210441/viewers").await);

    // The last notification has the newest id, and notifications come in commit order.
    let newest: i64 = sqlx::query_scalar("select max(id) from event").fetch_one(&servers[0].pool).await.unwrap();
    let mut notified = Vec::new();
    while notified.last() != Some(&newest) {
        let notification = tokio::time::timeout(PATIENCE, listener.recv()).await.unwrap().unwrap();
        notified.push(notification.payload().parse::<i64>().unwrap());
    }
    assert!(notified.is_sorted(), "{notified:?}");
}

/// A reader must not skip an event while other events are being written.
#[tokio::test]
async fn cursor_reader_gets_every_event_once_and_in_order() {
    let database = fresh_database().await;
    let servers = [Server::on(database.clone()).await, Server::on(database).await];
    let messages: Vec<_> = (0..200).map(|n| follow(&n.to_string(), at(n))).collect();
    let writing = async {
        for chunk in messages.chunks(8) {
            let deliveries = chunk.iter().enumerate().map(|(n, message)| servers[n % 2].deliver(message));
            assert!(futures_util::future::join_all(deliveries).await.iter().all(|answer| answer.status == 204));
        }
    };
    let reading = async {
        let (mut after, mut seen) = (0, Vec::new());
        while seen.len() < messages.len() {
            let page = servers[0].json(&format!("/events?after={after}&limit=7")).await;
            for event in page["data"].as_array().unwrap() {
                after = event["id"].as_i64().unwrap();
                seen.push(event["message_id"].as_str().unwrap().to_owned());
            }
        }
        seen
    };
    let ((), seen) = tokio::time::timeout(PATIENCE, async { tokio::join!(writing, reading) })
        .await
        .expect("the reader gets all events");
    let all: Vec<Value> = servers[1].json("/events?limit=100").await["data"].as_array().unwrap().clone();
    assert!(all.iter().zip(&seen).all(|(event, seen)| event["message_id"] == **seen));
    let mut unique = seen.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((seen.len(), unique.len()), (200, 200));
}

#[tokio::test]
async fn streams_of_two_channels_are_kept_apart() {
    let server = Server::start().await;
    let message = online("1", at(0));
    let other = String::from_utf8(message.body.clone())
        .unwrap()
        .replace("90210441", "777")
        .replace(r#""id":"1""#, r#""id":"2""#);
    let other = Outgoing { stamp: Stamp::new(text(at(0))), body: other.into_bytes(), ..message.clone() };
    for message in [&message, &other, &offline(Some("1"), at(5))] {
        assert_eq!(server.deliver(message).await.status, 204);
    }
    assert_eq!(server.json("/channels/90210441").await["is_live"], false);
    assert_eq!(server.json("/channels/777").await["is_live"], true);
}
