//! Databases and places in which the server lacks a right, and what it says about them.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{Place, SERVER};
use crate::support::postgres::{fresh_database, url};
use crate::support::server::SECRET;
use crate::support::until;

/// Runs statements on a database, as the owner of the cluster.
async fn sql(database: &PgConnectOptions, statements: &str) {
    let mut connection = PgConnection::connect_with(database).await.unwrap();
    for statement in statements.split(';') {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// A name for a database or role of the tests' cluster.
fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("rights_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A new database without tables.
async fn empty_database(options: &str) -> PgConnectOptions {
    let (any, name) = (fresh_database().await, new_name());
    sql(&any, &format!("create database {name} {options}")).await;
    any.database(&name)
}

#[tokio::test]
async fn user_that_may_not_create_tables_is_told_what_to_do() {
    let place = Place::new();
    let (database, user) = (empty_database("").await, new_name());
    sql(&database, &format!("create role {user} login; revoke create on schema public from public")).await;
    let name = database.get_database().unwrap();
    let weak = url(&database.clone().username(&user), "secret");
    let said = place.refused(&[("DATABASE_URL", &weak)], &[]).await;
    let last = said.lines().last().unwrap();
    for part in [
        "error: the database can't be migrated: ",
        "permission denied for schema public",
        &format!("make {user} the owner of the database (`alter database {name} owner to {user}`)"),
        &format!("`grant create on schema public to {user}`"),
        "set SHOWTIME_MIGRATE=false",
    ] {
        assert!(last.contains(part), "{part}: {said}");
    }
    sql(&database, &format!("grant create on schema public to {user}")).await;
    let server = place.serve(&[("DATABASE_URL", &weak)]).await;
    assert_eq!(server.simulate(&["channel.follow"]).await.0, Some(0));
    server.stop().await;
}

#[tokio::test]
async fn user_that_may_only_write_data_needs_no_migrations() {
    let place = Place::new();
    let (database, user) = (fresh_database().await, new_name());
    let grants = format!(
        "create role {user} login; revoke create on schema public from public; \
         grant select, insert, update, delete on all tables in schema public to {user}; \
         grant usage on all sequences in schema public to {user}"
    );
    sql(&database, &grants).await;
    let weak = url(&database.clone().username(&user), "secret");
    let said = place.refused(&[("DATABASE_URL", &weak)], &[]).await;
    let told = format!("it has all migrations, but {user} may not apply any: set SHOWTIME_MIGRATE=false\n");
    assert!(said.ends_with(&told), "{said}");
    let server = place.serve(&[("DATABASE_URL", &weak), ("SHOWTIME_MIGRATE", "false")]).await;
    assert_eq!(server.simulate(&["channel.follow"]).await.0, Some(0));
    assert_eq!(server.list("/events").await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn database_with_another_encoding_is_refused_and_left_empty() {
    let place = Place::new();
    let database = empty_database("encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'").await;
    let name = database.get_database().unwrap();
    let said = place.refused(&[("DATABASE_URL", &url(&database, "secret"))], &[]).await;
    let told = format!(
        "error: the database can't be migrated: its encoding is LATIN1, in which not every text can be stored: make one with \
         `create database {name} encoding 'UTF8' template template0`\n"
    );
    assert!(said.ends_with(&told), "{said}");
    let mut connection = PgConnection::connect_with(&database).await.unwrap();
    let tables: i64 = sqlx::query_scalar("select count(*) from pg_tables where schemaname = 'public'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn database_that_only_reads_at_start_is_waited_for() {
    let place = Place::new();
    let database = empty_database("").await;
    let (name, any) = (database.get_database().unwrap(), database.clone().database("postgres"));
    sql(&any, &format!("alter database {name} set default_transaction_read_only = on")).await;
    let server = place.serve(&[("DATABASE_URL", &url(&database, "secret"))]).await;
    assert_eq!((server.status("/livez").await, server.status("/readyz").await), (200, 503));
    // A session keeps the setting that it began with, unlike one of a standby.
    let end = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    sql(&any, &format!("alter database {name} reset default_transaction_read_only; {end}")).await;
    until("it is migrated and written to", async || server.simulate(&["channel.follow"]).await.0 == Some(0)).await;
    let log = server.stop().await;
    assert!(log.contains("the database is away; waiting for it") && log.contains("read-only transaction"), "{log}");
}

#[tokio::test]
async fn place_that_only_reads_is_enough_for_a_server_that_writes_nothing() {
    let place = Place::new();
    let database = url(&fresh_database().await, "secret");
    // Not even root can create a file there.
    let given = [("DATABASE_URL", database.as_str()), ("SHOWTIME_DATA_DIR", "/proc/showtime")];
    let said = place.refused(&given, &[]).await;
    assert!(said.contains("error: could not create /proc/showtime: "), "{said}");
    let server = place.serve(&[given[0], given[1], ("TWITCH_WEBHOOK_SECRET", SECRET)]).await;
    assert_eq!(server.status("/readyz").await, 200);
    assert_eq!(server.simulate(&["channel.follow", "--secret", SECRET]).await.0, Some(0));
    server.stop().await;
}

#[tokio::test]
async fn low_limit_of_open_files_is_named_in_the_log() {
    let place = Place::new();
    let mut command = place.command("/bin/sh", &[], &["-c", "ulimit -n 256; exec \"$0\"", SERVER]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let log = place.serving(child, Box::new(stdout), &[]).await.stop().await;
    assert!(log.contains("at most 256 files may be open"), "{log}");
}

#[tokio::test]
async fn files_that_others_can_reach_are_named_in_the_log() {
    let place = Place::new();
    let log = place.serve(&[]).await.stop().await;
    assert!(!log.contains("other users"), "{log}");
    let data_dir = place.path().join(".showtime");
    for (file, mode) in [("", 0o777), ("webhook-secret", 0o666)] {
        std::fs::set_permissions(data_dir.join(file), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let log = place.serve(&[]).await.stop().await;
    let dir = data_dir.canonicalize().unwrap();
    for told in [
        format!("other users may write to {0}, and so replace the secrets in it: `chmod go-w {0}`", dir.display()),
        "other users may read or replace the secret in .showtime/webhook-secret: `chmod 600".to_owned(),
    ] {
        assert!(log.contains(&told), "{told}: {log}");
    }

    let secret = data_dir.join("webhook-secret");
    std::fs::rename(&secret, place.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", &secret).unwrap();
    let log = place.serve(&[]).await.stop().await;
    assert!(log.contains(".showtime/webhook-secret is a symbolic link"), "{log}");
}
