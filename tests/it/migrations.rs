//! Every migration, applied to data and reverted.

use serde_json::json;
use showtime::store::{MIGRATOR, migrations};
use sqlx::{ConnectOptions as _, PgConnection};

use crate::support::messages::{at, cheer, follow, online};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::until;

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "select relname::text from pg_class join pg_namespace on pg_namespace.oid = relnamespace
         where nspname = 'public' and relkind in ('r', 'v') and relname <> '_sqlx_migrations' order by 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn migrations_revert_with_data_to_an_empty_database() {
    let database = fresh_database().await;
    let server = Server::on(database.clone()).await;
    for message in [online("1", at(0)), follow("55", at(1)), cheer("55", 100, at(2))] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    assert_eq!(server.post_json("/channels/90210441/segments", &json!({ "title": "Tape" })).await.status, 201);
    server.sql("insert into follower (name, cursor) values ('toy', 1)").await;
    server.sql("insert into gap (channel_id, began_at, ended_at, cause) values ('1', now(), now(), 'io')").await;
    server.sql("insert into outage (part, began_at, ended_at, cause) values ('feeds', now(), now(), 'away')").await;
    server.sql("insert into sink (kind, name, settings) values ('webhook', 'hook', '{}')").await;
    server.sql("insert into delivery (sink_id, event_id, attempts, problem) select id, 1, 1, 'away' from sink").await;
    server
        .sql("insert into rule (name, position, body, types, changed_at) values ('rule', 0, '{}', '{}', now())")
        .await;
    server.sql("insert into rule_timer (rule_id, channel_id, next_at, lines) select id, '1', now(), 1 from rule").await;
    server.sql("insert into counter (channel_id, name, value) values ('1', 'deaths', 1)").await;
    server.sql("insert into discord_bot (id, name, secret_hash, created_at) values (1, 'tatsu', '', now())").await;
    server.sql("insert into bot_event (bot_id, kind, body, at) values (1, 'webhook_gone', '{}', now())").await;
    server.sql("insert into overlay_settings (name, settings, changed_at) values ('main', '{}', now())").await;
    server.sql("insert into alert_control (channel_id, paused_at) values ('1', now())").await;
    server.stop().await;

    let mut connection = database.connect().await.unwrap();
    let all = tables(&mut connection).await;
    let count = MIGRATOR.iter().filter(|migration| migration.migration_type.is_up_migration()).count();
    for _ in 0..count {
        assert!(migrations::down(&mut connection).await.unwrap().is_some());
    }
    assert_eq!(tables(&mut connection).await, Vec::<String>::new());
    assert_eq!(migrations::down(&mut connection).await.unwrap(), None);
    assert!(migrations::status(&mut connection).await.unwrap().iter().all(|migration| !migration.is_applied));

    migrations::up(&mut connection).await.unwrap();
    assert_eq!(tables(&mut connection).await, all);
    assert!(migrations::status(&mut connection).await.unwrap().iter().all(|migration| migration.is_applied));
}

#[tokio::test]
async fn servers_starting_together_migrate_once() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    while migrations::down(&mut connection).await.unwrap().is_some() {}
    let servers = futures_util::future::join_all((0..3).map(|_| Server::on(database.clone()))).await;
    for server in servers {
        assert_eq!(server.json("/readyz").await["status"], "pass");
        server.stop().await;
    }
}

#[tokio::test]
async fn missing_migrations_are_not_ready_without_migrating_at_start() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    while migrations::down(&mut connection).await.unwrap().is_some() {}
    let server = Server::with(database, |config| config.migrate = false).await;
    server.get("/readyz").await.problem(503, "not-ready");
    let answer = server.deliver(&online("1", at(0))).await;
    assert_eq!(answer.problem(503, "unavailable")["status"], 503);
    migrations::up(&mut connection).await.unwrap();
    // The writer, which has failed, probes each second.
    until("the server is ready", async || server.get("/readyz").await.status == 200).await;
    assert_eq!(server.deliver(&online("1", at(0))).await.status, 204);
}

#[tokio::test]
async fn migrations_of_another_version_are_refused_with_what_to_do() {
    let database = fresh_database().await;
    let mut connection = database.connect().await.unwrap();
    for change in [
        "update _sqlx_migrations set checksum = 'edited' where version = 1",
        "update _sqlx_migrations set version = 99 where version = 2",
    ] {
        sqlx::raw_sql(change).execute(&mut connection).await.unwrap();
        let error = migrations::up(&mut connection).await.unwrap_err().to_string();
        assert!(
            error.contains("another version of this program") && error.contains("`cargo run local-db reset --force`"),
            "{error}"
        );
    }
}
