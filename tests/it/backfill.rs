//! The backfill: the server finds on Helix what the fake Twitch did not send.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::mock::{ChannelEdit, Faults, Notify};
use showtime::sources::backfill::Backfill;
use showtime::store::state;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::time::Instant;
use url::Url;

use crate::support::messages::{at, offline, online, text};
use crate::support::postgres::{fresh_database, pool};
use crate::support::recorder::{Answer, Recorder};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, clients, quick_retries, serve_channel};
use crate::support::until;

/// A backfill by the mock's clock.
fn backfill(twitch: &Twitch, database: &PgConnectOptions) -> Backfill {
    crate::support::twitch::backfill(&twitch.helix, &twitch.clock, database)
}

async fn served(twitch: &Twitch) -> (PgConnectOptions, Backfill) {
    let database = fresh_database().await;
    let backfill = backfill(twitch, &database);
    serve_channel(&backfill.pool, CHANNEL_ID, CHANNEL).await;
    (database, backfill)
}

/// Runs one round. Fails the test if another one holds the lock.
async fn run_once(backfill: &Backfill) {
    backfill.run_once(false).await.unwrap().expect("no other backfill is running");
}

/// Runs the two rounds that it takes to find an end.
async fn miss_twice(twitch: &Twitch, backfill: &Backfill) {
    run_once(backfill).await;
    twitch.clock.advance(time::Duration::minutes(5));
    run_once(backfill).await;
}

/// Type and message id of everything in the log but samples of viewers.
async fn log(pool: &PgPool) -> Vec<(String, String, String)> {
    sqlx::query_as(
        "select type, message_type, message_id from event where type <> 'showtime.stream.viewers' order by id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn count(pool: &PgPool, kind: &str) -> i64 {
    sqlx::query_scalar("select count(*) from event where message_type = 'inferred' and type = $1")
        .bind(kind)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// The end of each stream, and whether it is estimated.
async fn streams(pool: &PgPool) -> Value {
    sqlx::query_scalar("select coalesce(json_agg(to_json(s) order by id), '[]') from stream s")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn events_missed_while_down_are_found_at_start() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    world.add_channel("copperkite").unwrap();
    let database = fresh_database().await;
    let pool = pool(&database);
    for account in world.accounts() {
        serve_channel(&pool, &account.id, &account.login).await;
    }
    let stream = world.go_live(CHANNEL, Notify::No).unwrap();
    let edit = ChannelEdit { title: Some("A new title".to_owned()), ..ChannelEdit::default() };
    world.update_channel(CHANNEL, edit, Notify::No).unwrap();

    let server = Server::with(database.clone(), |config| twitch.configure(config)).await;
    until("both channels have titles", async || count(&pool, "channel.update").await == 2).await;
    let channel = server.json(&format!("/channels/{CHANNEL}")).await;
    assert_eq!((&channel["is_live"], &channel["title"]), (&json!(true), &json!("A new title")));
    let events = server.json("/events?type=stream.online").await;
    let message_id = events["data"][0]["message_id"].as_str().unwrap();
    assert!(message_id.starts_with(&format!("inferred:stream.online:{stream}:")), "{message_id}");
    assert_eq!(events["data"][0]["message_type"], "inferred");
    assert_eq!(events["data"][0]["channel_id"], CHANNEL_ID);
    assert_eq!(events["data"][0]["payload"]["inferred"]["source"], "Get Streams");
    assert_eq!(events["data"][0]["payload"]["event"]["id"], *stream);
    assert_eq!(events["data"].as_array().unwrap().len(), 1, "the other channel is not live");

    // It ends, Twitch sends nothing, and two rounds miss it.
    world.go_offline(CHANNEL, Notify::No).unwrap();
    let ended_at = server.clock.now();
    server.advance_until("the end is found", async || count(&pool, "stream.offline").await == 1).await;
    assert!(server.clock.now() - ended_at >= time::Duration::minutes(5), "one round is not enough");
    assert_eq!(server.json(&format!("/channels/{CHANNEL}")).await["is_live"], false);
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn known_events_are_not_inferred_again() {
    let twitch = Twitch::start().await;
    let (_, backfill) = served(&twitch).await;
    twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    assert_eq!(backfill.run_once(true).await.unwrap(), Some(2), "a stream and a title");
    assert_eq!(backfill.run_once(true).await.unwrap(), Some(0));
    twitch.clock.advance(time::Duration::minutes(30));
    assert_eq!(backfill.run_once(true).await.unwrap(), Some(0));
    let edit = ChannelEdit { labels: Some(vec!["Gambling".to_owned()]), ..ChannelEdit::default() };
    twitch.mock.world.update_channel(CHANNEL, edit, Notify::No).unwrap();
    assert_eq!(backfill.run_once(false).await.unwrap(), Some(0), "known titles are looked up at start only");
    assert_eq!(backfill.run_once(true).await.unwrap(), Some(1));
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn stream_has_ended_after_two_rounds_five_minutes_apart_miss_it() {
    let twitch = Twitch::start().await;
    let database = fresh_database().await;
    let backfill = backfill(&twitch, &database);
    let server = Server::on(database).await;
    let began = server.clock.now().replace_nanosecond(0).unwrap();
    assert_eq!(server.deliver(&online("7", began)).await.status, 204);
    for _ in 0..4 {
        run_once(&backfill).await;
        assert_eq!(count(&backfill.pool, "stream.offline").await, 0, "Helix may not have heard of it yet");
        twitch.clock.advance(time::Duration::SECOND * 75);
    }
    run_once(&backfill).await;
    assert_eq!(count(&backfill.pool, "stream.offline").await, 1);
    assert_eq!(server.json(&format!("/channels/{CHANNEL_ID}")).await["is_live"], false);
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn late_notifications_make_the_inferred_end_exact_and_rebuild_agrees() {
    let twitch = Twitch::start().await;
    let (database, backfill) = served(&twitch).await;
    let server = Server::on(database.clone()).await;
    let stream = twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    backfill.run_once(true).await.unwrap();
    let began = streams(&backfill.pool).await;
    assert_eq!(server.deliver(&online(&stream, at(300))).await.status, 204);
    assert_eq!(streams(&backfill.pool).await[0]["id"], began[0]["id"]);
    assert!(streams(&backfill.pool).await[0]["ended_at"].is_null());

    twitch.mock.world.go_offline(CHANNEL, Notify::No).unwrap();
    miss_twice(&twitch, &backfill).await;
    let gone = streams(&backfill.pool).await;
    assert_eq!((&gone[0]["is_end_estimated"], &gone[0]["ended_at"]), (&json!(true), &gone[0]["gone_at"]));
    assert_eq!(server.deliver(&offline(Some(&stream), at(310))).await.status, 204);
    let ended = streams(&backfill.pool).await;
    assert_eq!((&ended[0]["is_end_estimated"], &ended[0]["ended_at"]), (&json!(false), &ended[0]["offline_at"][0]));
    assert_eq!(backfill.run_once(true).await.unwrap(), Some(0));

    let mut connection = database.connect().await.unwrap();
    state::rebuild(&mut connection).await.unwrap();
    assert_eq!(streams(&backfill.pool).await, ended);
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn two_servers_infer_each_event_once() {
    let twitch = Twitch::start().await;
    let (database, backfill) = served(&twitch).await;
    twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    let servers = [
        Server::with(database.clone(), |config| twitch.configure(config)).await,
        Server::with(database, |config| twitch.configure(config)).await,
    ];
    until("all is found", async || log(&backfill.pool).await.len() >= 2).await;
    // One of them looks again.
    let before = twitch.mock.world.calls("GET /helix/streams");
    until("it looks again", async || {
        servers.iter().for_each(|server| server.clock.advance(time::Duration::seconds(20)));
        twitch.mock.world.calls("GET /helix/streams") > before + 2
    })
    .await;
    until("no other backfill is running", async || backfill.run_once(true).await.unwrap().is_some()).await;
    assert_eq!(log(&backfill.pool).await.len(), 2, "{:?}", log(&backfill.pool).await);
    for server in servers {
        server.stop().await;
    }
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn outage_of_helix_infers_nothing_and_later_rounds_catch_up() {
    let twitch = Twitch::start().await;
    let (_, backfill) = served(&twitch).await;
    twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    backfill.run_once(true).await.unwrap();
    twitch.clock.advance(time::Duration::minutes(6));
    let down = Faults { helix_error: 1.0, ..Faults::default() };
    twitch.mock.world.set_faults(down).unwrap();
    let error = backfill.run_once(true).await.unwrap_err().to_string();
    assert!(error.contains("can't look up streams"), "{error}");
    assert_eq!(count(&backfill.pool, "stream.offline").await, 0, "no answer is no end");
    twitch.mock.world.set_faults(Faults::default()).unwrap();
    twitch.mock.world.go_offline(CHANNEL, Notify::No).unwrap();
    assert_eq!(backfill.run_once(true).await.unwrap(), Some(0), "one round is not enough");
    twitch.clock.advance(time::Duration::minutes(5));
    assert_eq!(backfill.run_once(true).await.unwrap(), Some(1));
    twitch.mock.stop().await.unwrap();
}

/// Runs one round in which Helix's answer lacks the live stream.
async fn run_once_without_the_stream(twitch: &Twitch, backfill: &Backfill) {
    twitch.mock.world.set_faults(Faults { hide_streams: 1.0, ..Faults::default() }).unwrap();
    run_once(backfill).await;
    twitch.mock.world.set_faults(Faults::default()).unwrap();
}

#[tokio::test]
async fn single_answers_without_a_live_stream_do_not_end_it() {
    let twitch = Twitch::start().await;
    let (database, backfill) = served(&twitch).await;
    twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    run_once(&backfill).await;
    for _ in 0..3 {
        twitch.clock.advance(time::Duration::minutes(5));
        run_once_without_the_stream(&twitch, &backfill).await;
        twitch.clock.advance(time::Duration::minutes(5));
        // Another server's round counts as much.
        run_once(&self::backfill(&twitch, &database)).await;
    }
    assert_eq!(count(&backfill.pool, "stream.offline").await, 0);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn stream_that_was_shown_beside_an_unreadable_one_has_not_ended() {
    let data = Arc::new(Mutex::new(Value::Null));
    let shown = Arc::clone(&data);
    let recorder = Recorder::start(move |request| {
        let body = match request.path.as_str() {
            "/token" => json!({ "access_token": "a-token", "expires_in": 5_011_271, "token_type": "bearer" }),
            "/streams" => json!({ "data": *shown.lock().unwrap(), "pagination": {} }),
            _ => json!({ "data": [], "pagination": {} }),
        };
        Answer::new(200, "application/json", &body.to_string())
    });
    let (url, clock, database) = (Url::parse(&recorder.url("")).unwrap(), Clock::default(), fresh_database().await);
    let (_, helix) = clients(url.clone(), &url, quick_retries(), &clock);
    let backfill = crate::support::twitch::backfill(&helix, &clock, &database);
    serve_channel(&backfill.pool, CHANNEL_ID, CHANNEL).await;
    let stream = json!({ "id": "7", "user_id": CHANNEL_ID, "user_login": CHANNEL, "user_name": "MapleArcade",
        "type": "live", "started_at": text(clock.now()) });
    let (none, unreadable) = (json!([]), json!({ "id": "8" }));
    let rounds = [json!([stream]), none.clone(), json!([stream, unreadable]), none.clone(), none];
    for (round, answer) in rounds.into_iter().enumerate() {
        *data.lock().unwrap() = answer;
        run_once(&backfill).await;
        let ends = count(&backfill.pool, "stream.offline").await;
        assert_eq!(ends, i64::from(round == 4), "after round {round}");
        clock.advance(time::Duration::minutes(5));
    }
    assert_eq!(count(&backfill.pool, "stream.online").await, 1);
}

#[tokio::test]
async fn missed_streams_are_shared_by_servers_and_survive_a_restart() {
    let twitch = Twitch::start().await;
    let (database, backfill) = served(&twitch).await;
    twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    run_once(&backfill).await;
    twitch.mock.world.go_offline(CHANNEL, Notify::No).unwrap();
    run_once(&backfill).await;
    twitch.clock.advance(time::Duration::minutes(5));
    run_once(&self::backfill(&twitch, &database)).await;
    assert_eq!(count(&backfill.pool, "stream.offline").await, 1);
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn stream_with_a_wrong_end_is_live_again_when_helix_shows_it() {
    let twitch = Twitch::start().await;
    let (database, backfill) = served(&twitch).await;
    let server = Server::on(database.clone()).await;
    let is_live = async || server.json(&format!("/channels/{CHANNEL_ID}")).await["is_live"] == true;
    let stream = twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    assert_eq!(server.deliver(&online(&stream, at(0))).await.status, 204);
    // Twice, since each may happen again.
    for times in 1..=2 {
        run_once_without_the_stream(&twitch, &backfill).await;
        twitch.clock.advance(time::Duration::minutes(5));
        run_once_without_the_stream(&twitch, &backfill).await;
        assert_eq!((is_live().await, count(&backfill.pool, "stream.offline").await), (false, times));
        run_once(&backfill).await;
        run_once(&backfill).await;
        assert_eq!((is_live().await, count(&backfill.pool, "stream.online").await), (true, times));
    }
    let broadcasts = server.json(&format!("/channels/{CHANNEL_ID}/broadcasts")).await;
    assert_eq!(broadcasts["data"].as_array().unwrap().len(), 1, "{broadcasts}");

    server.clock.advance(twitch.clock.now() - server.clock.now());
    assert_eq!(server.deliver(&offline(Some(&stream), twitch.clock.now())).await.status, 204);
    run_once(&backfill).await;
    assert!(!is_live().await, "what Helix still shows does not undo what Twitch sent");
    let ended = streams(&backfill.pool).await;
    state::rebuild(&mut database.connect().await.unwrap()).await.unwrap();
    assert_eq!(streams(&backfill.pool).await, ended);
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn stream_that_helix_shows_five_minutes_after_its_end_is_live() {
    let twitch = Twitch::start().await;
    let (database, backfill) = served(&twitch).await;
    let server = Server::on(database.clone()).await;
    let is_live = async || server.json(&format!("/channels/{CHANNEL_ID}")).await["is_live"] == true;
    let stream = twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    for message in [online(&stream, at(0)), offline(Some(&stream), at(60))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    run_once(&backfill).await;
    assert!(!is_live().await, "Helix may lag behind");
    // Twice: it may be needed again, after another end.
    for times in 1..=2 {
        twitch.clock.advance(time::Duration::minutes(5));
        run_once(&backfill).await;
        run_once(&backfill).await;
        assert_eq!((is_live().await, count(&backfill.pool, "stream.online").await), (true, times));
        let broadcasts = server.json(&format!("/channels/{CHANNEL_ID}/broadcasts")).await;
        assert_eq!(broadcasts["data"].as_array().unwrap().len(), 1, "{broadcasts}");
        assert!(broadcasts["data"][0]["ended_at"].is_null(), "{broadcasts}");
        server.clock.advance(twitch.clock.now() - server.clock.now());
        assert_eq!(server.deliver(&offline(Some(&stream), twitch.clock.now())).await.status, 204);
        assert!(!is_live().await);
    }
    let ended = streams(&backfill.pool).await;
    state::rebuild(&mut database.connect().await.unwrap()).await.unwrap();
    assert_eq!(streams(&backfill.pool).await, ended);
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

/// Its first end was inferred, and taken back by Twitch: the second inference is another one.
#[tokio::test]
async fn stream_that_twitch_sent_again_can_be_missed_again() {
    let twitch = Twitch::start().await;
    let (database, backfill) = served(&twitch).await;
    let server = Server::on(database).await;
    let is_live = async || server.json(&format!("/channels/{CHANNEL_ID}")).await["is_live"] == true;
    assert_eq!(server.deliver(&online("7", at(0))).await.status, 204);
    for times in 1..=2 {
        run_once(&backfill).await;
        twitch.clock.advance(time::Duration::minutes(5));
        run_once(&backfill).await;
        assert_eq!((is_live().await, count(&backfill.pool, "stream.offline").await), (false, times));
        server.clock.advance(twitch.clock.now() - server.clock.now());
        assert_eq!(server.deliver(&online("7", twitch.clock.now())).await.status, 204);
        assert!(is_live().await);
    }
    server.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn thousand_channels_are_looked_up_and_invalid_ids_are_left_out() {
    let twitch = Twitch::start().await;
    let (_, backfill) = served(&twitch).await;
    for n in 0..999 {
        let account = twitch.mock.world.add_channel(&format!("channel_{n}")).unwrap();
        serve_channel(&backfill.pool, &account.id, &account.login).await;
        twitch.mock.world.go_live(&account.login, Notify::No).unwrap();
    }
    serve_channel(&backfill.pool, "no id", "no_one").await;
    serve_channel(&backfill.pool, showtime::simulate::demo::CHANNEL_ID, "no_one_either").await;
    let known = showtime::store::backfill::known_channels(&backfill.pool).await.unwrap();
    assert_eq!(known.len(), 1_000, "no invalid one");
    let begun = Instant::now();
    let filling = tokio::time::timeout(Duration::from_secs(120), backfill.run_once(true));
    assert_eq!(filling.await.expect("it ends").unwrap(), Some(999 + 1_000));
    println!("a thousand channels: {:.1?}", begun.elapsed());
    assert_eq!(count(&backfill.pool, "stream.online").await, 999);
    twitch.mock.stop().await.unwrap();
}
