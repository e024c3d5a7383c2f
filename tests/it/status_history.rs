//! `/status/history`: how long messages took, and what did not work.

use serde_json::{Value, json};
use showtime::mock::Faults;
use showtime::store::locks::Lock;
use sqlx::{Connection as _, PgConnection};
use time::Duration;

use crate::support::messages::{at, follow};
use crate::support::postgres::fresh_database;
use crate::support::proxy::Proxy;
use crate::support::server::Server;
use crate::support::twitch::Twitch;
use crate::support::until;

async fn history(server: &Server) -> Value {
    server.json("/status/history").await
}

/// The outages of these parts: part, cause, and whether they are over.
async fn outages(server: &Server) -> Vec<(String, String, bool)> {
    let history = history(server).await;
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let outage = |it: &Value| (text(&it["part"]), text(&it["cause"]), it["ended_at"] != Value::Null);
    history["outages"].as_array().unwrap().iter().map(outage).collect()
}

#[tokio::test]
async fn delivery_is_measured_of_what_twitch_sent() {
    let server = Server::start().await;
    server
        .sql(
            "insert into event (message_id, message_type, is_test, occurred_at, received_at, payload)
            select gen_random_uuid(), kind, is_test, sent, sent + lag * interval '1 s', '{}'
            from (values (date_bin('15 minutes', now() - interval '2 hours', 'epoch'))) as span (sent),
                (values ('notification', false, 1.0), ('notification', false, 2), ('notification', false, 9), ('revocation', false, 3),
                    ('notification', false, -5), ('notification', true, 100), ('inferred', false, 100), ('segment', false, 100),
                    ('irc', false, 100), ('demo', false, 100)) as event (kind, is_test, lag);
            insert into event (message_id, message_type, occurred_at, received_at, payload)
            select n, 'notification', now() - n * interval '25 hours', now(), '{}' from unnest('{1, -1}'::int[]) as n",
        )
        .await;
    let found = history(&server).await;
    let delivery = found["delivery"].as_array().unwrap();
    assert_eq!(delivery.len(), 1, "{found}");
    let mut span = delivery[0].clone();
    span.as_object_mut().unwrap().remove("at");
    let expected = json!({ "messages": 5, "median_seconds": 2.0, "p95_seconds": 7.8, "worst_seconds": 9.0 });
    let p95 = span["p95_seconds"].as_f64().unwrap();
    assert!((p95 - 7.8).abs() < 1e-9, "{p95}");
    span["p95_seconds"] = json!(7.8);
    assert_eq!(span, expected);
    assert_eq!((&found["sampled_every"], &found["span_seconds"]), (&json!(1), &json!(900)));
    assert_eq!(found["outages"], json!([]));
}

#[tokio::test]
async fn message_that_twitch_sends_again_took_as_long_as_until_then() {
    let server = Server::start().await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    let found = history(&server).await;
    assert!(found["delivery"][0]["worst_seconds"].as_f64().unwrap() >= 300.0, "{found}");
}

#[tokio::test]
async fn long_log_is_sampled_evenly() {
    let server = Server::start().await;
    server
        .sql(
            "insert into event (message_id, message_type, occurred_at, received_at, payload)
            select n, 'notification', sent, sent + interval '1 s', '{}'
            from (select n, now() - interval '3 hours' + n * interval '0.1 s' as sent from generate_series(1, 50000) as n) as event",
        )
        .await;
    let found = history(&server).await;
    assert_eq!(found["sampled_every"], 3, "{found}");
    let delivery = found["delivery"].as_array().unwrap();
    let messages: i64 = delivery.iter().map(|it| it["messages"].as_i64().unwrap()).sum();
    assert!((16_666..=16_667).contains(&messages), "{messages}");
    // A whole span has 9,000.
    let whole: Vec<_> = delivery[1..delivery.len() - 1].iter().map(|it| it["messages"].as_i64().unwrap()).collect();
    assert!(whole.iter().all(|count| *count == 3_000), "{whole:?}");
}

#[tokio::test]
async fn log_that_lost_all_its_events_has_no_deliveries() {
    let server = Server::start().await;
    server
        .sql("insert into event_block (block, earliest_from_here, latest_so_far) values (24, now() - interval '1 h', now())")
        .await;
    let found = history(&server).await;
    assert_eq!((&found["delivery"], &found["sampled_every"]), (&json!([]), &json!(1)), "{found}");
}

#[tokio::test]
async fn outage_of_the_database_is_shown_when_it_is_over_also_after_a_restart() {
    let database = fresh_database().await;
    let proxy = Proxy::start(&database).await;
    let server = Server::on(proxy.options(&database)).await;
    assert_eq!(server.deliver(&follow("1", at(0))).await.status, 204);
    proxy.cut();
    assert_eq!(server.deliver(&follow("2", at(0))).await.status, 503);
    proxy.mend();
    let is_over = async |server: &Server, part: &str| {
        let answer = server.get("/status/history").await;
        answer.status == 200 && outages(server).await.iter().any(|(of, _, is_over)| of == part && *is_over)
    };
    until("the outage is stored", async || is_over(&server, "database").await).await;
    let (_, cause, _) = outages(&server).await.into_iter().find(|(part, _, _)| part == "database").unwrap();
    assert!(cause.starts_with("the database can't be reached"), "{cause}");
    until("the outage of the feeds is stored", async || is_over(&server, "feeds").await).await;
    server.stop().await;

    let server = Server::on(database).await;
    let kept = outages(&server).await;
    assert!(kept.iter().any(|(part, _, _)| part == "database"), "{kept:?}");
}

#[tokio::test]
async fn outage_that_lasts_has_no_end_yet() {
    let twitch = Twitch::start().await;
    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    let server = Server::at(twitch.clock.clone(), fresh_database().await, |config| {
        twitch.configure(config);
        config.twitch.callback_url = Some("https://hooks.example.org/callback".parse().unwrap());
    })
    .await;
    let subscriptions = async || outages(&server).await.into_iter().find(|(part, _, _)| part == "subscriptions");
    until("the comparison fails", async || subscriptions().await.is_some_and(|(_, _, is_over)| !is_over)).await;
    twitch.mock.world.set_faults(Faults::default()).unwrap();
    until("the comparison works again", async || {
        twitch.clock.advance(Duration::minutes(1));
        subscriptions().await.is_some_and(|(_, _, is_over)| is_over)
    })
    .await;
}

#[tokio::test]
async fn comparison_that_is_left_to_another_server_ends_an_outage_only_when_that_server_has_compared() {
    let twitch = Twitch::start().await;
    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    let database = fresh_database().await;
    let server = Server::at(twitch.clock.clone(), database.clone(), |config| {
        twitch.configure(config);
        config.twitch.callback_url = Some("https://hooks.example.org/callback".parse().unwrap());
    })
    .await;
    let is_over = async || {
        let found = outages(&server).await.into_iter().find(|(part, _, _)| part == "subscriptions");
        found.map(|(_, _, is_over)| is_over)
    };
    until("the comparison fails", async || is_over().await == Some(false)).await;
    // The other server.
    let mut other = PgConnection::connect_with(&database).await.unwrap();
    until("the other server has the lock", async || Lock::Reconciler.try_hold(&mut other).await.unwrap()).await;
    server.sql("insert into reconciler (compared_at) values (now() - interval '1 hour')").await;
    for _ in 0..5 {
        twitch.clock.advance(Duration::minutes(1));
        assert_eq!(is_over().await, Some(false), "the other server compared before the failure");
    }
    server.sql("update reconciler set compared_at = now()").await;
    until("the other server's comparison ends it", async || {
        twitch.clock.advance(Duration::minutes(1));
        is_over().await == Some(true)
    })
    .await;
}

#[tokio::test]
async fn time_without_a_server_and_gaps_of_sessions_are_outages() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    assert_eq!(outages(&server).await, [], "none ran before the first");
    server.stop().await;
    let server = Server::on(database.clone()).await;
    alive(&server).await;
    assert_eq!(outages(&server).await, [], "a restart is none");
    server
        .sql(
            "insert into gap (channel_id, began_at, ended_at, cause) values ('7', now() - interval '5 s', now(), 'io')",
        )
        .await;
    let history = history(&server).await;
    assert_eq!(
        (&history["outages"][0]["part"], &history["outages"][0]["channel_id"]),
        (&json!("websocket"), &json!("7"))
    );
    let (pool, _) = (server.pool.clone(), server.stop().await);
    let set_back = "update server set beat_at = beat_at - interval '1 hour'";
    sqlx::query(set_back).execute(&pool).await.unwrap();
    sqlx::query(
        "insert into outage (part, began_at, ended_at, cause)
        select 'feeds', at, at, 'old' from (values (now() - interval '31 days')) as old (at)",
    )
    .execute(&pool)
    .await
    .unwrap();

    let absences = async |server: &Server| {
        let outages = outages(server).await;
        outages.iter().filter(|it| **it == ("server".to_owned(), "no server ran".to_owned(), true)).count()
    };
    let server = Server::on(database.clone()).await;
    until("the absence is recorded", async || absences(&server).await == 1).await;
    let old: i64 =
        sqlx::query_scalar("select count(*) from outage where cause = 'old'").fetch_one(&pool).await.unwrap();
    assert_eq!(old, 0, "those of more than 30 days ago are deleted");
    server.stop().await;
    // As another server finds it that started at the same time, before the first heartbeat of this one.
    sqlx::query(set_back).execute(&pool).await.unwrap();
    sqlx::query("update outage set ended_at = now() where part = 'server'").execute(&pool).await.unwrap();
    let server = Server::on(database).await;
    alive(&server).await;
    assert_eq!(absences(&server).await, 1, "not recorded twice");
}

/// Waits for the first heartbeat of this server.
async fn alive(server: &Server) {
    until("the server is alive", async || {
        sqlx::query_scalar("select count(*) = 1 from living_server where beat_at > now() - interval '1 s'")
            .fetch_one(&server.pool)
            .await
            .unwrap()
    })
    .await;
}
