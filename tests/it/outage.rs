//! Messages while the database is away or the server stops.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::json;
use showtime::app::POOL_SIZE;
use showtime::clock::Clock;
use showtime::incidents::Incidents;
use showtime::ingest::{Ingest, IngestError};
use showtime::metrics::Metrics;
use showtime::store::locks::Lock;
use showtime::store::pool_options;
use showtime::twitch::eventsub::outgoing::Outgoing;
use sqlx::postgres::PgPoolOptions;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use crate::support::bots;
use crate::support::messages::{at, cheer, follow, verified};
use crate::support::postgres::fresh_database;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, Twitch};
use crate::support::{PATIENCE, until};

/// Tasks that keep a connection of their own, by the names that Postgres knows.
const TASKS: [&str; 5] =
    ["showtime heartbeat", "showtime sessions", "showtime session reconciler", "showtime switches", "showtime chats"];

/// Delivers new messages, several at a time, until told to stop, and returns those that were
/// acknowledged. Anything but 204 and 503 fails the test.
async fn load(server: &Server, is_over: &AtomicBool) -> Vec<Outgoing> {
    let worker = |worker: u32| async move {
        let mut acknowledged = Vec::new();
        // Refusals are quick, so no fixed number of messages is sure to last long enough.
        for count in 0_u32.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let message = cheer(&worker.to_string(), 1, at(i64::from(count % 60)));
            let answer = server.deliver(&message).await;
            match answer.status.as_u16() {
                204 => acknowledged.push(message),
                503 => assert!(answer.headers.contains_key("retry-after"), "{answer:?}"),
                _ => panic!("{answer:?}"),
            }
        }
        acknowledged
    };
    futures_util::future::join_all((0..8).map(worker)).await.concat()
}

#[tokio::test]
async fn cut_connection_neither_loses_nor_doubles_a_message_and_heals() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    let server = Server::on(proxy.options(&database)).await;
    let direct = PgPoolOptions::new().max_connections(1).connect_lazy_with(database);
    let count = async || sqlx::query_scalar::<_, i64>("select count(*) from event").fetch_one(&direct).await.unwrap();

    let is_over = Arc::new(AtomicBool::new(false));
    let breaking = async {
        for round in 1..=3 {
            let before = count().await;
            until("messages are stored", async || count().await > before + 20).await;
            proxy.cut();
            assert_eq!(server.deliver(&follow("1", at(0))).await.status, 503, "round {round}");
            server.get("/readyz").await.problem(503, "unavailable");
            proxy.mend();
        }
        until("a message is stored again", async || server.deliver(&follow("2", at(0))).await.status == 204).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let (acknowledged, ()) = tokio::join!(load(&server, &is_over), breaking);
    assert!(acknowledged.len() > 60, "{}", acknowledged.len());

    let stored: Vec<String> = sqlx::query_scalar("select message_id from event").fetch_all(&direct).await.unwrap();
    let stored: HashSet<&str> = stored.iter().map(String::as_str).collect();
    let lost = acknowledged.iter().filter(|message| !stored.contains(message.stamp.message_id.as_str())).count();
    assert_eq!(lost, 0, "acknowledged, but not in the log");
    let (messages, bits): (i64, i64) = sqlx::query_as(
        "select (select count(*) from event where type = 'channel.cheer'), (select sum(bits)::bigint from viewer)",
    )
    .fetch_one(&direct)
    .await
    .unwrap();
    assert_eq!(messages, bits, "every message counted once");
    server.stop().await;
}

#[tokio::test]
async fn database_that_is_away_at_start_is_waited_for() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    proxy.cut();
    let server = Server::on(proxy.options(&database)).await;
    assert_eq!(server.json("/livez").await["status"], "pass");
    server.get("/readyz").await.problem(503, "unavailable");
    let message = follow("1", at(0));
    server.deliver(&message).await.problem(503, "unavailable");
    proxy.mend();
    until("the server is ready", async || server.get("/readyz").await.status == 200).await;
    assert_eq!(server.deliver(&message).await.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn request_is_answered_when_the_database_goes_silent_during_its_queries() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    let server = Server::on(proxy.options(&database)).await;
    let silence = proxy.silence_during(&database, "action, discord_bot, rule_set, sink", 4).await;
    let change = json!({ "is_dry": true });
    let requests = async {
        tokio::join!(
            server.get("/actions/1"),
            server.send(Method::DELETE, "/bots/none"),
            server.patch_json("/rule-set", &change),
            server.get("/sinks/none"),
        )
    };
    let ((action, bot, rule_set, sink), ()) = tokio::join!(requests, silence);
    for answer in [action, bot, rule_set, sink] {
        answer.problem(503, "unavailable");
    }
    proxy.mend();
    until("requests are answered", async || server.get("/sinks/none").await.status == 404).await;
    server.stop().await;
}

/// As after a failover: the server is not told that the machine of its connections has vanished.
#[tokio::test]
async fn connections_that_stay_silent_leave_their_places_to_others() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    let server = Server::on(proxy.options(&database)).await;
    let silence = proxy.silence_during(&database, "sink", POOL_SIZE.into()).await;
    let requests = (0..POOL_SIZE).map(|_| server.get("/sinks/none"));
    let (answers, ()) = tokio::join!(futures_util::future::join_all(requests), silence);
    for answer in answers {
        answer.problem(503, "unavailable");
    }
    proxy.replace();
    until("requests are answered", async || server.get("/sinks/none").await.status == 404).await;
    server.stop().await;
}

/// As after a failover, for the tasks that have connections of their own.
#[tokio::test]
async fn tasks_whose_connections_stay_silent_connect_again() {
    let (twitch, database) = (Twitch::start().await, fresh_database().await);
    let proxy = Proxy::start(&database).await;
    let server = Server::with(proxy.options(&database), |config| {
        twitch.configure(config);
        config.twitch.channel_name = Some(CHANNEL.to_owned());
        config.twitch.websocket_url = twitch.mock.websocket_url();
        config.twitch.irc_url = twitch.mock.irc_url();
    })
    .await;
    let direct = PgPoolOptions::new().max_connections(1).connect_lazy_with(database);
    let connected = async |since: OffsetDateTime| {
        let statement = "select distinct application_name from pg_stat_activity
            where datname = current_database() and backend_start >= $1";
        let names: Vec<String> = sqlx::query_scalar(statement).bind(since).fetch_all(&direct).await.unwrap();
        TASKS.iter().all(|task| names.iter().any(|name| name == task))
    };
    until("all tasks are connected", async || connected(OffsetDateTime::UNIX_EPOCH).await).await;
    proxy.replace();
    let replaced_at = sqlx::query_scalar("select clock_timestamp()").fetch_one(&direct).await.unwrap();
    until("all tasks are connected again", async || connected(replaced_at).await).await;
    server.stop().await;
}

#[tokio::test]
async fn transaction_whose_beginning_was_cancelled_is_rolled_back() {
    let database = fresh_database().await;
    let pool = pool_options().max_connections(1).connect_lazy_with(database.clone());
    // To sqlx, one that was cancelled has not begun.
    sqlx::raw_sql("begin").execute(&pool).await.unwrap();
    sqlx::query("update log_epoch set revision = revision + 1").execute(&pool).await.unwrap();
    let direct = PgPoolOptions::new().max_connections(1).connect_lazy_with(database);
    let revision: i64 = sqlx::query_scalar("select revision from log_epoch").fetch_one(&direct).await.unwrap();
    assert_eq!(revision, 1, "it is committed");
}

#[tokio::test]
async fn request_of_a_bot_is_answered_when_the_database_goes_silent_during_its_queries() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    let server = Server::on(proxy.options(&database)).await;
    let token = bots::token(&server, "tatsu").await;
    let silence = proxy.silence_during(&database, "destination", 1).await;
    let (answer, ()) = tokio::join!(server.send_as(&token, Method::GET, "/v2/channels"), silence);
    answer.problem(503, "unavailable");
    proxy.mend();
    server.stop().await;
}

/// The test holds the append lock, so no commit can happen in time.
#[tokio::test]
async fn commit_that_takes_too_long_is_not_acknowledged() {
    let server = Server::start().await;
    let mut holder = server.pool.begin().await.unwrap();
    Lock::Append.acquire(&mut holder).await.unwrap();
    let message = follow("1", at(0));
    let begun = Instant::now();
    let answer = server.deliver(&message).await;
    answer.problem(503, "unavailable");
    assert!(answer.headers.contains_key("retry-after"));
    assert!(begun.elapsed() < Duration::from_secs(10), "Twitch would have given up");
    holder.rollback().await.unwrap();
    until("it is taken", async || server.deliver(&message).await.status == 204).await;
    assert_eq!(server.count_events().await, 1);
}

/// This writer does not run, so submitted messages stay in the queue.
#[tokio::test]
async fn full_queue_refuses_at_once() {
    let (ingest, _writer) =
        Ingest::new(fresh_database().await, Clock::default(), Incidents::default(), Metrics::default());
    let message = verified(&follow("1", at(0)));
    let mut waiting = FuturesUnordered::new();
    let refused = loop {
        assert!(waiting.len() < 10_000, "the queue has no bound");
        let mut submitted = Box::pin(ingest.submit(message.clone()));
        match futures_util::poll!(&mut submitted) {
            Poll::Pending => waiting.push(submitted),
            Poll::Ready(answer) => break answer,
        }
    };
    assert_eq!(refused, Err(IngestError::QueueFull));
    assert!(waiting.len() >= 1_000);
    while let Some(answer) = waiting.next().await {
        assert_eq!(answer, Err(IngestError::TooSlow));
    }
}

#[tokio::test]
async fn accepted_messages_are_answered_before_the_server_stops() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    let mut holder = server.pool.begin().await.unwrap();
    Lock::Append.acquire(&mut holder).await.unwrap();
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let sending: Vec<_> = (0..20)
        .map(|user| {
            let message = follow(&user.to_string(), at(0));
            let signature = message.sign(&crate::support::server::secret());
            let request = client.post(server.url("/callback")).body(message.body.clone());
            let headers = message.headers(Some(&signature));
            tokio::spawn(headers.into_iter().fold(request, |request, (name, value)| request.header(name, value)).send())
        })
        .collect();
    let waiting =
        "select count(*) from pg_stat_activity where application_name = 'showtime ingest' and wait_event = 'advisory'";
    let pool = server.pool.clone();
    until("the writer waits for the lock", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() > 0
    })
    .await;
    let stopping = tokio::spawn(server.stop());
    holder.commit().await.unwrap();
    timeout(PATIENCE, stopping).await.expect("it stops").unwrap();
    let mut acknowledged = 0;
    for answer in sending {
        // Connections that were not accepted yet may be refused; none may hang or get a wrong answer.
        acknowledged += i64::from(answer.await.unwrap().is_ok_and(|answer| answer.status() == 204));
    }
    assert!(acknowledged > 0);
    assert_eq!(Server::on(database).await.count_events().await, acknowledged);
}
