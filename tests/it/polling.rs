//! One task asks Helix for streams, on one server, and each answer serves all that it can.

use showtime::clock::Clock;
use showtime::mock::{Faults, Mock, Notify};
use showtime::store::locks::Lock;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use crate::support::postgres::{fresh_database, pool};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, serve_channel};
use crate::support::until;

const STREAMS: &str = "GET /helix/streams";
const INFORMATION: &str = "GET /helix/channels";
const OTHER: &str = "copperkite";

/// Advances the clock to a second after the beginning of the next minute: the test has most of a real minute before another one
/// begins by itself.
fn begin_minute(clock: &Clock) {
    let passed = clock.now().unix_timestamp().rem_euclid(60);
    clock.advance(time::Duration::seconds(61 - passed));
}

/// A clock at the beginning of a minute.
fn clock() -> Clock {
    let clock = Clock::default();
    begin_minute(&clock);
    clock
}

/// How many events of this type the log has, of this channel of the mock.
async fn count(server: &Server, mock: &Mock, login: &str, kind: &str) -> i64 {
    let account = mock.world.accounts().into_iter().find(|account| account.login == login).unwrap();
    sqlx::query_scalar("select count(*) from event where channel_id = $1 and type = $2")
        .bind(account.id)
        .bind(kind)
        .fetch_one(&server.pool)
        .await
        .unwrap()
}

async fn samples(server: &Server, mock: &Mock, login: &str) -> i64 {
    count(server, mock, login, "showtime.stream.viewers").await
}

/// Begins the next minute, and waits for its sample of the channel that is always live.
async fn pass_minute(clock: &Clock, server: &Server, mock: &Mock) {
    let before = samples(server, mock, CHANNEL).await;
    begin_minute(clock);
    until("there is a sample", async || samples(server, mock, CHANNEL).await == before + 1).await;
}

/// A Twitch with two channels, and a database that serves both.
async fn two_channels() -> (Twitch, PgConnectOptions) {
    let (twitch, database) = (Twitch::start().await, fresh_database().await);
    twitch.mock.world.add_channel(OTHER).unwrap();
    for account in twitch.mock.world.accounts() {
        serve_channel(&pool(&database), &account.id, &account.login).await;
    }
    (twitch, database)
}

#[tokio::test]
async fn each_minute_costs_one_call_whatever_its_answer_serves() {
    let (twitch, database) = two_channels().await;
    let (mock, world) = (&twitch.mock, &twitch.mock.world);
    world.go_live(CHANNEL, Notify::No).unwrap();
    let clock = clock();
    let server = Server::at(clock.clone(), database, |config| twitch.configure(config)).await;
    until("there is a sample", async || samples(&server, mock, CHANNEL).await == 1).await;
    assert_eq!(count(&server, mock, CHANNEL, "stream.online").await, 1, "the same answer shows that it began");
    until("the titles are known", async || count(&server, mock, OTHER, "channel.update").await == 1).await;

    world.go_live(OTHER, Notify::No).unwrap();
    for _ in 1..5 {
        pass_minute(&clock, &server, mock).await;
    }
    assert_eq!(samples(&server, mock, OTHER).await, 0, "only a look at all channels shows it");
    pass_minute(&clock, &server, mock).await;
    until("it is found by the backfill", async || samples(&server, mock, OTHER).await == 1).await;
    assert_eq!(count(&server, mock, OTHER, "stream.online").await, 1);
    assert_eq!(world.calls(STREAMS), 1 + 5, "the start, and five minutes");

    world.go_offline(OTHER, Notify::No).unwrap();
    for _ in 0..7 {
        pass_minute(&clock, &server, mock).await;
    }
    assert_eq!(count(&server, mock, OTHER, "stream.offline").await, 1, "the answers for the samples lacked it");
    assert_eq!(samples(&server, mock, OTHER).await, 1);
    assert_eq!(world.calls(STREAMS), 1 + 5 + 7);
    assert_eq!(world.calls(INFORMATION), 1, "the titles were known");
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn one_server_polls_and_another_takes_over_when_it_goes() {
    let (twitch, database) = two_channels().await;
    let (mock, world) = (&twitch.mock, &twitch.mock.world);
    world.go_live(CHANNEL, Notify::No).unwrap();
    let clock = clock();
    let first = Server::at(clock.clone(), database.clone(), |config| twitch.configure(config)).await;
    until("there is a sample", async || samples(&first, mock, CHANNEL).await == 1).await;
    let second = Server::at(clock.clone(), database, |config| twitch.configure(config)).await;
    for _ in 0..6 {
        pass_minute(&clock, &second, mock).await;
    }
    assert_eq!(world.calls(STREAMS), 1 + 6, "the second asks nothing");
    assert_eq!(world.calls(INFORMATION), 1);

    first.stop().await;
    world.go_live(OTHER, Notify::No).unwrap();
    second.advance_until("it is found", async || count(&second, mock, OTHER, "stream.online").await == 1).await;
    until("all is looked up", async || world.calls(INFORMATION) == 2).await;
    second.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn samples_are_made_while_a_gap_is_looked_up_but_nothing_is_inferred() {
    let (twitch, database) = two_channels().await;
    let (mock, world) = (&twitch.mock, &twitch.mock.world);
    for login in [CHANNEL, OTHER] {
        world.go_live(login, Notify::No).unwrap();
    }
    let clock = clock();
    let server = Server::at(clock.clone(), database.clone(), |config| twitch.configure(config)).await;
    until("there are samples", async || samples(&server, mock, OTHER).await == 1).await;
    until("all is looked up", async || world.calls(INFORMATION) == 1).await;
    let mut gap = database.connect().await.unwrap();
    until("the lock is free", async || Lock::Backfill.try_hold(&mut gap).await.unwrap()).await;
    world.go_offline(OTHER, Notify::No).unwrap();
    for _ in 0..8 {
        pass_minute(&clock, &server, mock).await;
    }
    assert_eq!(count(&server, mock, OTHER, "stream.offline").await, 0);
    Lock::Backfill.release(&mut gap).await.unwrap();
    server.advance_until("its end is found", async || count(&server, mock, OTHER, "stream.offline").await == 1).await;
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

/// Each of the two has a Twitch of its own, so that only one of these fails.
#[tokio::test]
async fn server_that_cant_reach_twitch_leaves_polling_to_another() {
    let (twitch, other) = (Twitch::start().await, Twitch::start().await);
    let database = fresh_database().await;
    serve_channel(&pool(&database), CHANNEL_ID, CHANNEL).await;
    let clock = clock();
    let first = Server::at(clock.clone(), database.clone(), |config| twitch.configure(config)).await;
    until("the first one polls", async || twitch.mock.world.calls(STREAMS) > 0).await;
    let second = Server::at(clock.clone(), database, |config| other.configure(config)).await;
    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    other.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    second.advance_until("the second one polls", async || samples(&second, &other.mock, CHANNEL).await > 0).await;
    first.stop().await;
    second.stop().await;
    twitch.mock.stop().await.unwrap();
    other.mock.stop().await.unwrap();
}

#[tokio::test]
async fn connection_that_ended_is_replaced_and_the_turn_is_taken() {
    let twitch = Twitch::start().await;
    let (mock, world) = (&twitch.mock, &twitch.mock.world);
    let database = fresh_database().await;
    serve_channel(&pool(&database), CHANNEL_ID, CHANNEL).await;
    world.go_live(CHANNEL, Notify::No).unwrap();
    let clock = clock();
    let server = Server::at(clock.clone(), database, |config| twitch.configure(config)).await;
    until("there is a sample", async || samples(&server, mock, CHANNEL).await == 1).await;
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and application_name = 'showtime polling'";
    assert_eq!(sqlx::query_scalar::<_, i64>(end).fetch_one(&server.pool).await.unwrap(), 1);
    pass_minute(&clock, &server, mock).await;
    let (status, message) = server.check("backfill").await;
    assert_eq!(status, "pass", "{message}");
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn status_says_why_missed_events_cant_be_looked_up() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    let database = fresh_database().await;
    serve_channel(&pool(&database), CHANNEL_ID, CHANNEL).await;
    world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    let server = Server::with(database, |config| twitch.configure(config)).await;
    server.advance_until("it warns", async || server.check("backfill").await.0 == "warn").await;
    let (_, message) = server.check("backfill").await;
    assert!(message.starts_with("missed events can't be looked up: can't look up streams"), "{message}");
    world.set_faults(Faults::default()).unwrap();
    server.advance_until("it passes", async || server.check("backfill").await.0 == "pass").await;
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}
