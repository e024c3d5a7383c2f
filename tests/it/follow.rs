//! Followers of the log: every event exactly once, whatever is killed, paused or away.

use std::convert::Infallible;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use showtime::outputs;
use showtime::outputs::follow::{Batch, Concern, Follower, Handler, HandlerError, MAX_BATCH, Next, Start, Types};
use showtime::store::LogId;
use showtime::store::followers::{self, FollowerState};
use showtime::store::signals::{Channel, Signals};
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::messages::{at, follow};
use crate::support::postgres::{fresh_database, url};
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::{child, until};

/// The database's URL, for a child of these tests.
const DATABASE: &str = "SHOWTIME_TEST_FOLLOW_DATABASE";

/// How long the child's handler waits after it has written, in milliseconds.
const DELAY: &str = "SHOWTIME_TEST_FOLLOW_DELAY_MS";

/// A killed holder is replaced within this time.
const TAKEOVER: Duration = Duration::from_secs(5);

/// A database with a table for what handlers write, and a pool for the test itself.
async fn database() -> (PgConnectOptions, PgPool) {
    let database = fresh_database().await;
    let pool = PgPool::connect_lazy_with(database.clone());
    let table = "create table handled (
        number bigint generated always as identity, follower text, pid int, event_id bigint, size int)";
    sqlx::raw_sql(table).execute(&pool).await.unwrap();
    (database, pool)
}

/// Appends events to the log, as a server does it.
async fn append(pool: &PgPool, count: i32) {
    let statement = "with appended as (
            insert into event (message_id, message_type, type, occurred_at, received_at, payload)
            select gen_random_uuid()::text, 'notification', 'channel.follow', now(), clock_timestamp(), '{}'
            from generate_series(1, $1) returning id
        ) select pg_notify($2, max(id)::text) from appended";
    sqlx::query(statement).bind(count).bind(Channel::Event.name()).execute(pool).await.unwrap();
}

async fn log(pool: &PgPool) -> Vec<i64> {
    sqlx::query_scalar("select id from event order by id").fetch_all(pool).await.unwrap()
}

/// The ids that this follower has handled, in that order.
async fn handled(pool: &PgPool, follower: &str) -> Vec<i64> {
    let statement = "select event_id from handled where follower = $1 order by number";
    sqlx::query_scalar(statement).bind(follower).fetch_all(pool).await.unwrap()
}

async fn handled_by(pool: &PgPool, child: &Process) -> i64 {
    let statement = "select count(*) from handled where pid = $1";
    sqlx::query_scalar(statement).bind(child.pid().as_raw()).fetch_one(pool).await.unwrap()
}

/// Waits until the whole log was handled, and checks that each event was handled once and in order.
async fn until_all_handled(pool: &PgPool, follower: &str) {
    let mut seen = Vec::new();
    until("all events are handled", async || {
        seen = handled(pool, follower).await;
        seen.len() >= log(pool).await.len()
    })
    .await;
    assert_eq!(seen, log(pool).await);
}

/// A handler that records its events.
async fn write(db: &mut PgConnection, follower: &str, batch: &Batch) -> Result<(), HandlerError> {
    let ids: Vec<_> = batch.events.iter().map(|event| event.id).collect();
    let statement = "insert into handled (follower, pid, event_id, size)
        select $1, $2, id, $4 from unnest($3::bigint[]) with ordinality as event (id, number) order by number";
    let (pid, size) = (std::process::id() as i32, ids.len() as i32);
    sqlx::query(statement).bind(follower).bind(pid).bind(ids).bind(size).execute(db).await?;
    Ok(())
}

/// Followers and their signals; the tasks end when it is dropped.
struct Runner {
    pool: PgPool,
    signals: Signals,
    tasks: JoinSet<Infallible>,
}

impl Runner {
    fn start(database: PgConnectOptions) -> Self {
        let signals = Signals::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(signals.clone().run(database.clone()));
        Self { pool: outputs::follow::pool(database), signals, tasks }
    }

    fn follower(&self, name: &'static str, start: Start) -> Follower {
        Follower { pool: self.pool.clone(), signals: self.signals.clone(), name, start }
    }

    /// Runs a follower that records its events.
    fn write(&mut self, name: &'static str, start: Start) {
        let handler = async move |db: &mut PgConnection, batch: &Batch| write(db, name, batch).await;
        self.tasks.spawn(self.follower(name, start).run(handler));
    }

    async fn state(&self, name: &str) -> FollowerState {
        let states = followers::states(&self.pool).await.unwrap();
        states.into_iter().find(|state| state.name == name).expect("it has started")
    }
}

/// A process of its own with the follower `child`.
struct Process(Child);

impl Process {
    fn spawn(database: &PgConnectOptions, delay: Duration) -> Self {
        let mut command = child("follow::child_that_follows");
        command.env(DATABASE, url(database, "none")).env(DELAY, delay.as_millis().to_string());
        Self(command.stdout(std::process::Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id() as i32)
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
#[ignore = "run as a child process by other tests"]
#[expect(clippy::disallowed_methods, reason = "no settings, but what the parent process passes on")]
async fn child_that_follows() {
    let database: PgConnectOptions = std::env::var(DATABASE).expect("its database").parse().unwrap();
    let delay = Duration::from_millis(std::env::var(DELAY).expect("its delay").parse().unwrap());
    let mut runner = Runner::start(database);
    let handler = async move |db: &mut PgConnection, batch: &Batch| {
        write(db, "child", batch).await?;
        sleep(delay).await;
        Ok(())
    };
    runner.tasks.spawn(runner.follower("child", Start::After(LogId::START)).run(handler));
    runner.tasks.join_next().await;
    panic!("a follower never ends");
}

#[tokio::test]
async fn killed_holder_is_replaced_within_5_seconds() {
    let (database, pool) = database().await;
    let mut appending = JoinSet::new();
    let appender = pool.clone();
    appending.spawn(async move {
        loop {
            append(&appender, 7).await;
            sleep(Duration::from_millis(10)).await;
        }
    });
    let mut holder = Process::spawn(&database, Duration::ZERO);
    until("the first process handles events", async || handled_by(&pool, &holder).await > 0).await;
    for round in 1..=3 {
        let next = Process::spawn(&database, Duration::ZERO);
        until("the next process waits for the lease", async || {
            let waiting = "select count(distinct pid) from pg_stat_activity
                where datname = current_database() and application_name = 'showtime followers'";
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() >= 2
        })
        .await;
        drop(std::mem::replace(&mut holder, next));
        let killed = Instant::now();
        until("the other process takes over", async || handled_by(&pool, &holder).await > 0).await;
        let took = killed.elapsed();
        assert!(took < TAKEOVER, "takeover {round} took {took:?}");
    }
    appending.shutdown().await;
    until_all_handled(&pool, "child").await;
}

/// Paused in the middle of a batch, while it waits, and woken when another has its lease.
#[tokio::test]
async fn late_holder_can_not_save() {
    let (database, pool) = database().await;
    let late = Process::spawn(&database, Duration::from_millis(1_500));
    let in_batch = async || {
        let sessions = "select count(*) from pg_stat_activity where datname = current_database()
            and application_name = 'showtime followers' and state = 'idle in transaction'";
        sqlx::query_scalar::<_, i64>(sessions).fetch_one(&pool).await.unwrap() > 0
    };
    until("it is paused in a batch", async || {
        append(&pool, 1).await;
        until("it handles a batch", async || in_batch().await).await;
        late.signal(Signal::SIGSTOP);
        let is_paused = in_batch().await;
        if !is_paused {
            late.signal(Signal::SIGCONT);
        }
        is_paused
    })
    .await;
    let paused = Instant::now();
    let before = handled_by(&pool, &late).await;
    let next = Process::spawn(&database, Duration::ZERO);
    until("the other process takes over", async || handled_by(&pool, &next).await > 0).await;
    let took = paused.elapsed();
    assert!(took < TAKEOVER + Duration::from_secs(1), "with the start of the other process, it took {took:?}");
    late.signal(Signal::SIGCONT);
    append(&pool, 300).await;
    until_all_handled(&pool, "child").await;
    assert_eq!(handled_by(&pool, &late).await, before, "the late holder has saved nothing");
    drop(next);
    append(&pool, 1).await;
    until("it takes over again", async || handled_by(&pool, &late).await > before).await;
    until_all_handled(&pool, "child").await;
}

/// The same without the time limit on the transaction, which a paused process runs into first.
#[tokio::test]
async fn batch_of_a_superseded_holder_is_rolled_back() {
    let (database, pool) = database().await;
    append(&pool, 3).await;
    let mut runner = Runner::start(database);
    let (takes_over, is_first) = (pool.clone(), AtomicBool::new(true));
    let handler = async move |db: &mut PgConnection, batch: &Batch| {
        write(db, "superseded", batch).await?;
        if is_first.swap(false, Ordering::Relaxed) {
            let statement = "update follower set epoch = epoch + 1, leased_until = now() + interval '1 s'";
            sqlx::query(statement).execute(&takes_over).await?;
        }
        Ok(())
    };
    runner.tasks.spawn(runner.follower("superseded", Start::After(LogId::START)).run(handler));
    until_all_handled(&pool, "superseded").await;
    let epoch: i64 = sqlx::query_scalar("select epoch from follower").fetch_one(&pool).await.unwrap();
    assert_eq!(epoch, 3, "taken, taken over, taken again");
    let skipped: i64 = sqlx::query_scalar("select min(number) from handled").fetch_one(&pool).await.unwrap();
    assert_eq!(skipped, 4, "the first three rows were rolled back");
}

#[tokio::test]
async fn failing_handler_stops_neither_the_log_nor_other_followers() {
    let (database, pool) = database().await;
    let server = Server::on(database.clone()).await;
    let mut runner = Runner::start(database);
    let is_healed = Arc::new(AtomicBool::new(false));
    let heals = is_healed.clone();
    let failing = async move |db: &mut PgConnection, batch: &Batch| {
        write(db, "failing", batch).await?;
        let fails = !heals.load(Ordering::Relaxed) && batch.events.iter().any(|event| event.id == LogId(4));
        if fails { Err("no fourth event, please".into()) } else { Ok(()) }
    };
    runner.tasks.spawn(runner.follower("failing", Start::Now).run(failing));
    runner.write("healthy", Start::Now);
    let is_ours = |state: &FollowerState| ["failing", "healthy"].contains(&state.name.as_str());
    until("both have started", async || {
        followers::states(&runner.pool).await.unwrap().iter().filter(|state| is_ours(state)).count() == 2
    })
    .await;
    for user in 1..=6 {
        assert_eq!(server.deliver(&follow(&user.to_string(), at(user))).await.status, 204);
    }
    until_all_handled(&pool, "healthy").await;
    until("only the event that fails is left", async || handled(&pool, "failing").await == [1, 2, 3]).await;
    until("the failure is shown", async || runner.state("failing").await.last_error.is_some()).await;
    let state = runner.state("failing").await;
    assert_eq!((state.cursor, state.events_behind, state.is_leased), (LogId(3), 3, true));
    assert_eq!(state.last_error.as_deref(), Some("no fourth event, please"));
    assert!(state.failing_since.is_some() && state.seconds_behind > 0.0, "{state:?}");
    let state = runner.state("healthy").await;
    assert_eq!((state.cursor, state.events_behind, state.seconds_behind), (LogId(6), 0, 0.0));
    assert_eq!((state.last_error, state.is_reachable), (None, true));
    let metrics = server.get("/metrics").await.text;
    for line in [
        r#"showtime_follower_lag_events{follower="failing"} 3"#,
        r#"showtime_follower_lag_events{follower="healthy"} 0"#,
        r#"showtime_follower_lag_seconds{follower="healthy"} 0.0"#,
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
    is_healed.store(true, Ordering::Relaxed);
    until_all_handled(&pool, "failing").await;
    until("the failure is over", async || runner.state("failing").await.last_error.is_none()).await;
    server.stop().await;
}

/// A handler that never returns is given up, and holds up no other.
#[tokio::test]
async fn hanging_handler_is_a_failure() {
    let (database, pool) = database().await;
    append(&pool, 2).await;
    let mut runner = Runner::start(database);
    let hanging = async |_: &mut PgConnection, _: &Batch| std::future::pending().await;
    runner.tasks.spawn(runner.follower("hanging", Start::After(LogId::START)).run(hanging));
    runner.write("healthy", Start::After(LogId::START));
    until_all_handled(&pool, "healthy").await;
    until("it is shown", async || runner.state("hanging").await.last_error.is_some()).await;
    let error = runner.state("hanging").await.last_error.unwrap();
    assert!(error.starts_with("a batch of up to "), "{error}");
    assert_eq!(runner.state("hanging").await.cursor, LogId::START);
}

#[tokio::test]
async fn follower_starts_in_the_past_or_now() {
    let (database, pool) = database().await;
    append(&pool, 600).await;
    let mut runner = Runner::start(database);
    runner.write("all", Start::After(LogId::START));
    runner.write("some", Start::After(LogId(400)));
    runner.write("new", Start::Now);
    until("all have started", async || followers::states(&runner.pool).await.unwrap().len() == 3).await;
    append(&pool, 1).await;
    until_all_handled(&pool, "all").await;
    until("the others have caught up", async || {
        handled(&pool, "some").await.last() == Some(&601) && !handled(&pool, "new").await.is_empty()
    })
    .await;
    assert_eq!(handled(&pool, "some").await, (401..=601).collect::<Vec<_>>());
    assert_eq!(handled(&pool, "new").await, [601]);
    let largest: i32 = sqlx::query_scalar("select max(size) from handled").fetch_one(&pool).await.unwrap();
    assert_eq!(largest as usize, MAX_BATCH);
}

#[tokio::test]
async fn restart_goes_on_from_the_cursor() {
    let (database, pool) = database().await;
    append(&pool, 3).await;
    let mut runner = Runner::start(database.clone());
    runner.write("restarted", Start::After(LogId::START));
    until_all_handled(&pool, "restarted").await;
    drop(runner);
    append(&pool, 2).await;
    let mut runner = Runner::start(database);
    // Where it started the first time counts.
    runner.write("restarted", Start::Now);
    until_all_handled(&pool, "restarted").await;
}

/// Also if the log has an event with the id of the cursor again, which is another one.
#[tokio::test]
async fn emptied_log_stops_the_follower_until_it_is_rewound() {
    let (database, pool) = database().await;
    append(&pool, 5).await;
    let mut runner = Runner::start(database.clone());
    runner.write("stopped", Start::After(LogId::START));
    until_all_handled(&pool, "stopped").await;
    sqlx::raw_sql("truncate event restart identity").execute(&pool).await.unwrap();
    until("it has stopped", async || runner.state("stopped").await.last_error.is_some()).await;
    append(&pool, 10).await;
    let state = runner.state("stopped").await;
    assert!(!state.is_reachable && state.cursor == LogId(5), "{state:?}");
    let error = state.last_error.unwrap();
    assert_eq!(error, "the log has no event 5 to go on after: it was emptied or restored");
    // A restart changes nothing.
    drop(runner);
    let mut runner = Runner::start(database);
    runner.write("stopped", Start::After(LogId::START));
    let failing = "select epoch > 1 and leased_until > now() + interval '4 s' from follower";
    until("it has failed again", async || sqlx::query_scalar(failing).fetch_one(&pool).await.unwrap()).await;
    assert_eq!(handled(&pool, "stopped").await.len(), 5);
    sqlx::query("delete from handled").execute(&pool).await.unwrap();
    assert!(
        followers::rewind(&mut pool.acquire().await.unwrap(), "stopped", Start::After(LogId::START)).await.unwrap()
    );
    until_all_handled(&pool, "stopped").await;
    assert!(runner.state("stopped").await.is_reachable);
    assert!(!followers::rewind(&mut pool.acquire().await.unwrap(), "other", Start::Now).await.unwrap());
}

/// Reads cheers, and writes nothing.
struct Cheers(mpsc::UnboundedSender<i64>);

impl Handler for Cheers {
    async fn concern(&mut self, _: &mut PgConnection, _: &Next) -> Result<Concern, HandlerError> {
        Ok(Concern { types: Types::Only(&["channel.cheer"]), is_timed: false })
    }

    async fn handle(&mut self, _: &mut PgConnection, batch: &Batch) -> Result<(), HandlerError> {
        batch.events.iter().try_for_each(|event| self.0.send(event.id.0)).map_err(Into::into)
    }
}

/// Saves its cursor behind the others once in a while, and does not read them again.
#[tokio::test]
async fn follower_gets_the_events_that_concern_it_once() {
    let (database, pool) = database().await;
    let mut runner = Runner::start(database);
    let (sender, mut handled) = mpsc::unbounded_channel();
    runner.tasks.spawn(runner.follower("cheers", Start::After(LogId::START)).run(Cheers(sender)));
    let mut expected = Vec::new();
    for count in [1, 20, 700] {
        append(&pool, count).await;
        let cheer = "insert into event (message_id, message_type, type, occurred_at, received_at, payload)
            values (gen_random_uuid()::text, 'notification', 'channel.cheer', now(), now(), '{}') returning id";
        expected.push(sqlx::query_scalar::<_, i64>(cheer).fetch_one(&pool).await.unwrap());
        assert_eq!(handled.recv().await, expected.last().copied());
    }
    append(&pool, 300).await;
    let newest = log(&pool).await.last().copied();
    until("the cursor is at the end", async || Some(runner.state("cheers").await.cursor.0) == newest).await;
    drop(runner);
    assert_eq!(handled.recv().await, None, "none came again");
}

#[tokio::test]
async fn batch_marks_tests_inferred_events_and_repeats_and_has_no_replays() {
    let (database, pool) = database().await;
    let server = Server::on(database.clone()).await;
    let mut runner = Runner::start(database);
    sqlx::raw_sql("create table mark (id bigint, is_test bool, is_inferred bool, repeats bigint)")
        .execute(&pool)
        .await
        .unwrap();
    let handler = async |db: &mut PgConnection, batch: &Batch| {
        for event in &batch.events {
            let statement = sqlx::query("insert into mark values ($1, $2, $3, $4)");
            let statement = statement.bind(event.id).bind(event.is_test).bind(event.is_inferred()).bind(event.repeats);
            statement.execute(&mut *db).await?;
        }
        Ok(())
    };
    runner.tasks.spawn(runner.follower("marks", Start::After(LogId::START)).run(handler));
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    let answer = server.post_json("/channels/90210441/test", &json!({ "type": "channel.follow" })).await;
    assert!(answer.status.is_success(), "{answer:?}");
    let inferred = "insert into event (message_id, message_type, type, occurred_at, received_at, payload)
        values ('inferred', 'inferred', 'stream.offline', now(), now(), '{}')";
    sqlx::raw_sql(inferred).execute(&pool).await.unwrap();
    assert_eq!(server.send(reqwest::Method::POST, "/events/1/replay").await.status, 204);
    assert_eq!(server.deliver(&follow("1", at(1))).await.status, 204);
    let mut marks: Vec<(bool, bool, Option<i64>)> = Vec::new();
    until("all events are handled", async || {
        let read = sqlx::query_as("select is_test, is_inferred, repeats from mark order by id");
        marks = read.fetch_all(&pool).await.unwrap();
        marks.len() == 4
    })
    .await;
    assert_eq!(marks, [(false, false, None), (true, false, None), (false, true, None), (false, false, Some(1))]);
    server.stop().await;
}

#[tokio::test]
async fn events_appended_while_the_database_was_away_are_handled() {
    let (database, pool) = database().await;
    let proxy = Proxy::start(&database).await;
    let mut runner = Runner::start(proxy.options(&database));
    runner.write("away", Start::After(LogId::START));
    for _ in 0..3 {
        append(&pool, 2).await;
        until_all_handled(&pool, "away").await;
        proxy.cut();
        append(&pool, 2).await;
        proxy.mend();
    }
    until_all_handled(&pool, "away").await;
}

#[tokio::test]
async fn followers_wait_for_a_database_that_is_away_at_start() {
    let (database, pool) = database().await;
    append(&pool, 2).await;
    let proxy = Proxy::start(&database).await;
    proxy.cut();
    let mut runner = Runner::start(proxy.options(&database));
    runner.write("away", Start::After(LogId::START));
    assert!(followers::states(&runner.pool).await.is_err());
    proxy.mend();
    until_all_handled(&pool, "away").await;
}
