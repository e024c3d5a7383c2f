//! `/livez`, `/readyz` and `/status`, of healthy and of failing servers.

use showtime::api;
use showtime::store::locks::Lock;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::messages::{CHANNEL, at, follow};
use crate::support::postgres::fresh_database;
use crate::support::server::{Server, check};
use crate::support::snapshot::{lines, masked};
use crate::support::twitch::Twitch;
use crate::support::until;

/// Nothing listens here.
fn no_database() -> PgConnectOptions {
    PgConnectOptions::new().host("127.0.0.1").port(1).username("nobody").database("nothing")
}

#[tokio::test]
async fn new_server_is_ready_and_says_what_to_set_up() {
    let api = Server::start().await;
    assert_eq!(api.json("/livez").await["status"], "pass");
    assert_eq!(api.json("/readyz").await["status"], "pass");
    until("the reactor runs", async || api.check("reactions").await.0 == "pass").await;
    let status = api.json("/status").await;
    insta::assert_snapshot!(lines(&masked(&status)), @r#"
    {
      "checks": [
        {"message":"the database answered in [duration]","name":"database","status":"pass"},
        {"message":"all migrations are applied","name":"migrations","status":"pass"},
        {
          "message": "Twitch is not configured: set TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET, or try things out with `simulate`",
          "name": "twitch",
          "status": "warn"
        },
        {
          "message": "the webhook secret is the configured one",
          "name": "webhook_secret",
          "status": "pass"
        },
        {"message":"no message that Twitch signed was refused","name":"messages","status":"pass"},
        {"message":"all payloads were understood","name":"payloads","status":"pass"},
        {"message":"no token needs a new consent","name":"tokens","status":"pass"},
        {
          "message": "no message came through any subscription yet",
          "name": "subscriptions",
          "status": "warn"
        },
        {"message":"no channel is served over WebSocket","name":"websocket","status":"pass"},
        {
          "message": "no application is configured, so no chat is read over IRC",
          "name": "chat",
          "status": "pass"
        },
        {"message":"no event was received yet","name":"events","status":"pass"},
        {
          "message": "events are deleted when they are old enough",
          "name": "retention",
          "status": "pass"
        },
        {"message":"no sink is configured","name":"sinks","status":"pass"},
        {
          "message": "no application is configured, so nothing is done on Twitch",
          "name": "actions",
          "status": "pass"
        },
        {
          "message": "what the actions of the last week needed is consented to",
          "name": "consents",
          "status": "pass"
        },
        {"message":"every stored rule can be read","name":"rules","status":"pass"},
        {
          "message": "reactions has handled the log up to event 0",
          "name": "reactions",
          "status": "pass"
        },
        {
          "message": "no bot is added, so nothing is posted to Discord",
          "name": "posts",
          "status": "pass"
        },
        {
          "message": "announcements has handled the log up to event 0",
          "name": "announcements",
          "status": "pass"
        },
        {
          "message": "no overlay shows emotes of 7TV, BetterTTV or FrankerFaceZ",
          "name": "emotes",
          "status": "pass"
        },
        {"message":"gRPC is off: set SHOWTIME_GRPC_PORT to use it","name":"grpc","status":"pass"}
      ],
      "gaps": [],
      "is_ready": true,
      "last_event": null,
      "message": "Twitch is not configured: set TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET, or try things out with `simulate`; no message came through any subscription yet",
      "setup": "unconfigured",
      "subscriptions": [],
      "tokens": [],
      "verdict": "warn",
      "wanted": []
    }
    "#);
}

#[tokio::test]
async fn every_check_of_a_configured_server_is_documented() {
    let twitch = Twitch::start().await;
    let api = Server::with(fresh_database().await, |config| twitch.configure(config)).await;
    let spec = serde_json::to_value(api::spec()).unwrap();
    let documented = spec["components"]["schemas"]["Check"]["properties"]["name"]["description"].as_str().unwrap();
    for check in api.json("/status").await["checks"].as_array().expect("checks") {
        let name = check["name"].as_str().expect("a name");
        assert!(documented.contains(&format!("`{name}`")), "{name} is missing in: {documented}");
    }
    api.stop().await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn ended_subscription_is_shown_with_its_reason() {
    let api = Server::start().await;
    api.sql(
        r#"insert into subscription (id, type, version, condition, cost, status, status_at, status_by) values
        ('s1', 'channel.follow', '2', '{"broadcaster_user_id": "1"}', 0, 'enabled', '2026-07-01 10:00Z', 'm1'),
        ('s2', 'stream.online', '1', '{"broadcaster_user_id": "1"}', 0, 'authorization_revoked', '2026-07-01 11:00Z', 'm2');
        insert into event (message_id, message_type, occurred_at, received_at, payload)
        values ('m2', 'revocation', '2026-07-01 11:00Z', '2026-07-01 11:05Z', '{}')"#,
    )
    .await;
    let status = api.json("/status").await;
    assert_eq!((&status["verdict"], &status["is_ready"]), (&"warn".into(), &true.into()));
    let (verdict, message) = check(&status, "subscriptions");
    assert_eq!(verdict, "warn");
    assert!(message.contains("stream.online") && message.contains("consent"), "{message}");
    let first = &status["subscriptions"][0];
    assert_eq!((&first["id"], &first["since"]), (&"s2".into(), &"2026-07-01T11:00:00Z".into()), "dead ones first");
    assert_eq!(status["subscriptions"][1]["message"], "messages arrive");
    let (verdict, message) = check(&status, "events");
    assert_eq!(verdict, "warn");
    assert!(message.contains("300.0 s") && message.contains("clock"), "{message}");
}

/// More than are listed. The channel of which only some are listed is the first by its login.
const MANY: &str = "
insert into served_channel (id, login, display_name, requested_at)
    select 1000 + n, 'c' || 1000 - n, 'C', now() from generate_series(1, 150) n;
insert into desired_subscription (type, version, channel_id, transport, status, since)
    select type, '1', 1000 + n, 'websocket', 'needs_consent', now()
    from generate_series(1, 150) n, unnest(array['a', 'b', 'c', 'd', 'e', 'f', 'g']) type";

#[tokio::test]
async fn causes_are_named_also_where_not_all_are_listed() {
    let server = Server::start().await;
    server.sql(MANY).await;
    let status = server.json("/status").await;
    let (verdict, message) = check(&status, "subscriptions");
    assert_eq!(verdict, "warn");
    let (count, causes) = message.split_once("; ").unwrap();
    assert_eq!(count, "0 of 1050 wanted subscriptions deliver");
    let causes: Vec<_> = causes.split("; ").collect();
    for (cause, login) in causes.iter().zip(["c858", "c859", "c860", "c861", "c862"]) {
        assert_eq!(*cause, format!("7 subscriptions need consent of {login}: run `cargo run --bin init`"));
    }
    assert_eq!(causes[5..], ["and others"]);
}

/// More of one channel than are listed.
const MANY_OF_ONE: &str = "
insert into served_channel (id, login, display_name, requested_at) values (1001, 'c1', 'C', now());
insert into desired_subscription (type, version, channel_id, transport, status, since)
    select 't' || n, '1', 1001, 'websocket', 'needs_consent', now() from generate_series(1, 1050) n";

#[tokio::test]
async fn only_channel_is_named_also_where_not_all_of_it_is_listed() {
    let server = Server::start().await;
    server.sql(MANY_OF_ONE).await;
    let status = server.json("/status").await;
    let (_, message) = check(&status, "subscriptions");
    assert!(message.contains("consent of c1: ") && message.ends_with("; and others"), "{message}");
}

#[tokio::test]
async fn database_that_lacks_a_migration_is_not_ready() {
    let api = Server::start().await;
    api.sql("delete from _sqlx_migrations where version = 2").await;
    let problem = api.get("/readyz").await.problem(503, "not-ready");
    assert!(problem["detail"].as_str().expect("text").contains("0002"), "{problem}");
    let answer = api.get("/status").await;
    assert_eq!(answer.status, 503);
    let status = answer.json();
    assert_eq!((&status["verdict"], &status["is_ready"]), (&"fail".into(), &false.into()));
    assert!(status["message"].as_str().expect("text").contains("`server migrate up`"), "{status}");
}

#[tokio::test]
async fn migration_edited_after_it_was_applied_is_not_ready() {
    let api = Server::start().await;
    api.sql(r"update _sqlx_migrations set checksum = '\x00' where version = 1").await;
    api.get("/readyz").await.problem(503, "not-ready");
}

#[tokio::test]
async fn database_without_any_migration_is_not_ready() {
    let api = Server::start().await;
    api.sql("drop table _sqlx_migrations").await;
    api.get("/readyz").await.problem(503, "not-ready");
}

#[tokio::test]
async fn database_of_a_newer_program_is_ready() {
    let api = Server::start().await;
    api.sql(
        r"insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'later', true, '\x00', 0)",
    )
    .await;
    assert_eq!(api.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn server_without_a_database_is_alive_but_not_ready() {
    let api = Server::on(no_database()).await;
    assert_eq!(api.get("/livez").await.status, 200);
    let paths = ["/readyz", "/channels", "/channels/1", "/broadcasts/1", "/events", "/events/1"];
    let answers = futures_util::future::join_all(paths.map(|path| api.get(path))).await;
    for (path, answer) in paths.into_iter().zip(answers) {
        let problem = answer.problem(503, "unavailable");
        assert!(answer.headers.contains_key("retry-after"), "{path}");
        assert!(!answer.text.contains("127.0.0.1") && !answer.text.contains("nobody"), "{problem}");
    }
    let answer = api.get("/status").await;
    let status = answer.json();
    assert_eq!((answer.status.as_u16(), &status["verdict"]), (503, &"fail".into()));
    assert!(status["message"].as_str().expect("text").contains("the database can't be reached"), "{status}");
    assert_eq!(status.get("checks"), None, "the token can't be looked up");
}

/// Without traffic: the writer probes.
#[tokio::test]
async fn database_that_turns_read_only_is_not_ready_until_it_can_be_written_to() {
    let database = fresh_database().await;
    let name = database.get_database().expect("a name").to_owned();
    let mut admin = PgConnection::connect_with(&database.clone().database("postgres")).await.expect("a connection");
    let mut run = async |statement: String| {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await.expect("it runs");
    };
    let api = Server::on(database).await;
    assert_eq!(api.get("/readyz").await.status, 200);
    run(format!("alter database {name} set default_transaction_read_only = on")).await;
    run(format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")).await;
    until("it is not ready", async || {
        let answer = api.get("/readyz").await;
        answer.status == 503 && answer.text.contains("the database only reads: perhaps it is a standby")
    })
    .await;
    api.deliver(&follow("1", at(0))).await.problem(503, "unavailable");
    let answer = api.get("/status").await;
    let status = answer.json();
    assert_eq!((answer.status.as_u16(), &status["is_ready"]), (503, &false.into()), "{status}");
    let (verdict, message) = check(&status, "database");
    assert!(verdict == "fail" && message.contains("standby"), "{status}");
    assert!(api.get("/metrics").await.text.contains("showtime_database_writable 0"));

    run(format!("alter database {name} reset default_transaction_read_only")).await;
    until("it is ready", async || api.get("/readyz").await.status == 200).await;
    assert_eq!(api.deliver(&follow("1", at(0))).await.status, 204);
    let mut pooled = api.json("/status").await;
    assert_eq!(check(&pooled, "database").0, "pass");
    // The pool drops its connections from before as well.
    let title = serde_json::json!({ "title": "Tape 1" });
    pooled = api.post_json(&format!("/channels/{CHANNEL}/segments"), &title).await.json();
    assert_eq!(pooled["title"], "Tape 1", "{pooled}");
}

#[tokio::test]
async fn log_that_is_locked_is_not_ready_until_it_is_free() {
    let api = Server::start().await;
    let mut rebuild = api.pool.begin().await.expect("a transaction");
    Lock::Append.acquire(&mut rebuild).await.expect("the lock");
    until("it is not ready", async || {
        let answer = api.get("/readyz").await;
        answer.status == 503 && answer.text.contains("such as `server rebuild`")
    })
    .await;
    rebuild.rollback().await.expect("the end");
    until("it is ready", async || api.get("/readyz").await.status == 200).await;
}

/// Raises what Postgres raises when its disk is full, for large messages alone: a full disk may still take small ones.
#[tokio::test]
async fn full_disk_is_not_ready_until_a_message_as_large_fits() {
    let api = Server::start().await;
    api.sql(
        "create function fill() returns trigger language plpgsql as $$
        begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
        create trigger fill before insert on event for each row when (length(new.payload::text) > 50000)
        execute function fill()",
    )
    .await;
    let mut large = follow("1", at(0));
    large.body.extend([b' '; 60_000]);
    api.deliver(&large).await.problem(503, "unavailable");
    let problem = api.get("/readyz").await.problem(503, "not-ready");
    assert!(problem["detail"].as_str().expect("text").contains("disk is full"), "{problem}");
    // Long enough for several probes, each of which fails.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    api.get("/readyz").await.problem(503, "not-ready");
    api.sql("drop trigger fill on event").await;
    until("it is ready", async || api.get("/readyz").await.status == 200).await;
    assert_eq!(api.deliver(&large).await.status, 204);
    assert_eq!(api.count_events().await, 1, "probes leave nothing behind");
}

#[tokio::test]
async fn internal_error_does_not_show_its_cause() {
    let api = Server::start().await;
    api.sql("drop view channel_now").await;
    let answer = api.get("/channels").await;
    answer.problem(500, "internal");
    assert!(!answer.text.contains("channel_now"), "{answer:?}");
}
