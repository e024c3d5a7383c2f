//! Databases for tests: one throwaway cluster per test process, one fresh database per test.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, mpsc};

use showtime::postgres::{Durability, LocalPostgres};
use showtime::store::migrations;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// A new database in the cluster that all tests of this process share, with the migrations applied. It need not be dropped:
/// the cluster is removed when the process ends.
pub(crate) async fn fresh_database() -> PgConnectOptions {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let shared = shared();
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut connection =
        PgConnection::connect_with(&shared.clone().database("postgres")).await.expect("the shared cluster answers");
    let statement = format!("create database {name} template showtime");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("a database can be created");
    shared.clone().database(&name)
}

/// Connections to this database.
pub(crate) fn pool(database: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(4).connect_lazy_with(database.clone())
}

/// The directory with Postgres' programs on this machine.
pub(crate) fn installed_programs() -> PathBuf {
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output()
        && output.status.success()
    {
        let dir = PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim());
        if dir.join("postgres").exists() {
            return dir;
        }
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let dirs = versions.map(|entry| entry.expect("a directory").path().join("bin"));
    dirs.filter(|dir| dir.join("postgres").exists()).max().expect("PostgreSQL is installed")
}

/// The database's URL, with a password that the server doesn't check.
pub(crate) fn url(database: &PgConnectOptions, password: &str) -> String {
    let socket = database.get_socket().unwrap().display();
    let (user, port, name) = (database.get_username(), database.get_port(), database.get_database().unwrap());
    format!("postgres://{user}:{password}@localhost/{name}?host={socket}&port={port}")
}

/// Every row of every table, as text.
pub(crate) async fn dump(database: &PgConnectOptions) -> String {
    let mut connection = PgConnection::connect_with(database).await.expect("the database answers");
    let tables = "select tablename::text from pg_tables where schemaname = 'public' order by 1";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await.expect("there are tables");
    let mut dump = String::new();
    for table in tables {
        let rows = AssertSqlSafe(format!("select t::text from \"{table}\" t order by 1"));
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut connection).await.expect("it can be read");
        dump += &format!("{table}\n{}\n", rows.join("\n"));
    }
    connection.close().await.expect("the connection closes");
    dump
}

/// Applies the migrations to the template of all databases. Must leave no connection open.
async fn fill_template(template: &PgConnectOptions) {
    let mut connection = PgConnection::connect_with(template).await.expect("the template answers");
    migrations::up(&mut connection).await.expect("migrations apply");
    connection.close().await.expect("the connection closes");
}

/// The shared cluster's template database. A thread with its own runtime runs the cluster, since the runtime of a test ends with
/// the test.
fn shared() -> &'static PgConnectOptions {
    static SHARED: OnceLock<PgConnectOptions> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let dir = tempfile::Builder::new()
                    .prefix("showtime-test-")
                    .permissions(Permissions::from_mode(0o700))
                    .tempdir()
                    .expect("a temporary directory")
                    .keep(); // the cluster's watchdog removes it
                let mut postgres =
                    LocalPostgres::start(&dir, Durability::Throwaway).await.unwrap_or_else(|error| panic!("{error}"));
                let options = postgres.connect_options();
                fill_template(&options).await;
                sender.send(options).expect("the receiver waits");
                let error = postgres.supervise().await;
                panic!("the tests' cluster is gone: {error}");
            });
        });
        receiver.recv().expect("the cluster starts")
    })
}

/// Waits until so many connections of an application wait for a lock.
pub(crate) async fn until_waiting(pool: &PgPool, application: &str, count: i64) {
    let statement = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = $1 and wait_event_type = 'Lock'";
    super::until("the lock is waited for", async || {
        sqlx::query_scalar::<_, i64>(statement).bind(application).fetch_one(pool).await.unwrap() >= count
    })
    .await;
}

/// Waits until no statement of the killed server waits for a lock: else it would be executed once the lock is free.
pub(crate) async fn until_disconnected(pool: &PgPool) {
    let statement = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name like 'showtime%'";
    super::until("the server's connections are closed", async || {
        sqlx::query(statement).fetch_all(pool).await.unwrap().is_empty()
    })
    .await;
}
