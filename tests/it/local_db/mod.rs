//! The private Postgres, with real clusters, real processes and kill -9.

mod commands;
mod recovery;
mod refusals;
mod upgrade;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use showtime::postgres::{Durability, LocalPostgres};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::support::postgres::fresh_database;
use crate::support::{PATIENCE, child, until};

/// Environment variable with the data directory that a child process of these tests locks.
const HOLD: &str = "SHOWTIME_TEST_HOLD";

/// A temporary directory that all users may enter, for a data directory.
fn open_place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    place
}

async fn start(data_dir: &Path) -> LocalPostgres {
    LocalPostgres::start(data_dir, Durability::Durable).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn text(options: &PgConnectOptions, query: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let value = sqlx::query_scalar(query).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(value)
}

async fn write_note(options: &PgConnectOptions) {
    let mut connection = PgConnection::connect_with(options).await.unwrap();
    sqlx::raw_sql("create table note (text text); insert into note values ('kept')")
        .execute(&mut connection)
        .await
        .unwrap();
}

async fn read_note(options: &PgConnectOptions) -> String {
    text(options, "select text from note").await.unwrap()
}

fn postmaster(data_dir: &Path) -> Pid {
    let file = fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    Pid::from_raw(file.lines().next().unwrap().parse().unwrap())
}

fn is_alive(pid: Pid) -> bool {
    kill(pid, None).is_ok()
}

/// A child process that runs the cluster; ended by the test, or when the test panics.
struct Holder(Child);

impl Holder {
    fn spawn(data_dir: &Path) -> Self {
        let mut command = child("local_db::child_process_with_a_cluster");
        Self(command.env(HOLD, data_dir).spawn().unwrap())
    }

    /// Reads the child's output until the cluster runs.
    fn wait_until_running(&mut self) {
        let stdout = self.0.stdout.take().unwrap();
        let is_running = BufReader::new(stdout).lines().any(|line| line.unwrap() == "running");
        assert!(is_running, "the child ended without a cluster");
    }

    fn kill_9(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
#[ignore = "run as a child process by other tests"]
async fn child_process_with_a_cluster() {
    let data_dir = std::env::var_os(HOLD).expect("its data directory");
    let durability = match data_dir.to_str().unwrap().ends_with("throwaway") {
        true => Durability::Throwaway,
        false => Durability::Durable,
    };
    match LocalPostgres::start(Path::new(&data_dir), durability).await {
        Ok(mut postgres) => {
            println!("\nrunning");
            panic!("{}", postgres.supervise().await);
        }
        Err(error) => println!("\n{error}"),
    }
}

#[tokio::test]
async fn new_directory_becomes_a_private_database_that_keeps_its_data() {
    let place = open_place();
    let data_dir = place.path().join("not/yet/there");
    let postgres = start(&data_dir).await;
    let options = postgres.connect_options();
    write_note(&options).await;
    let first = postmaster(&data_dir);

    for (setting, value) in [
        ("select current_setting('listen_addresses')", ""),
        ("select current_setting('unix_socket_permissions')", "0700"),
        ("select current_setting('shared_buffers')", "32MB"),
        ("select current_setting('fsync')", "on"),
        ("select current_setting('server_encoding')", "UTF8"),
        ("select current_database()::text", "showtime"),
        ("select count(*)::text from pg_hba_file_rules", "1"),
    ] {
        assert_eq!(text(&options, setting).await.unwrap(), value, "{setting}");
    }
    assert_eq!(fs::metadata(&data_dir).unwrap().mode() & 0o067, 0);
    for private in ["postgres", "socket"] {
        let mode = fs::metadata(data_dir.join(private)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700, "{private}");
    }

    postgres.stop().await.unwrap();
    assert!(!is_alive(first), "stop returned before Postgres had ended");
    assert!(!data_dir.join("postgres/postmaster.pid").exists());

    let begun = Instant::now();
    let postgres = start(&data_dir).await;
    println!("ready on an existing cluster after {:?}", begun.elapsed());
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn drop_stops_postgres() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let postgres = start(&data_dir).await;
    let pid = postmaster(&data_dir);
    drop(postgres);
    until("Postgres has ended", async || !is_alive(pid)).await;
}

#[tokio::test]
async fn after_kill_9_postgres_ends_and_the_next_start_has_the_data() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let postgres = start(&data_dir).await;
    write_note(&postgres.connect_options()).await;
    postgres.stop().await.unwrap();

    let mut holder = Holder::spawn(&data_dir);
    holder.wait_until_running();
    let orphan = postmaster(&data_dir);
    holder.kill_9();
    // At once, while the watchdog is still stopping Postgres.
    let postgres = start(&data_dir).await;
    assert!(!is_alive(orphan), "two servers ran at the same time");
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();

    let mut holder = Holder::spawn(&data_dir);
    holder.wait_until_running();
    let orphan = postmaster(&data_dir);
    holder.kill_9();
    until("the orphan has ended", async || !is_alive(orphan)).await;
}

#[tokio::test]
async fn next_start_stops_a_postgres_without_watchdog() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let mut holder = Holder::spawn(&data_dir);
    holder.wait_until_running();
    let orphan = postmaster(&data_dir);
    let group = nix::unistd::getpgid(Some(orphan)).unwrap();
    for pid in processes_of_group(group) {
        if pid != orphan {
            kill(pid, Signal::SIGKILL).unwrap();
        }
    }
    holder.kill_9();
    assert!(is_alive(orphan));

    let postgres = start(&data_dir).await;
    assert_ne!(postmaster(&data_dir), orphan);
    postgres.stop().await.unwrap();
}

/// The processes of a process group, from `ps`.
fn processes_of_group(group: Pid) -> Vec<Pid> {
    let output = Command::new("ps").args(["-A", "-o", "pgid=,pid="]).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let numbers = lines.lines().map(|line| {
        let mut numbers = line.split_whitespace().map(|n| n.parse::<i32>().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    });
    numbers.filter(|(pgid, _)| *pgid == group.as_raw()).map(|(_, pid)| Pid::from_raw(pid)).collect()
}

#[tokio::test]
async fn postgres_that_ends_is_started_again() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let mut postgres = start(&data_dir).await;
    let options = postgres.connect_options();
    write_note(&options).await;
    let first = postmaster(&data_dir);
    kill(first, Signal::SIGKILL).unwrap();

    let recovered = async {
        loop {
            let note = text(&options, "select text from note").await;
            let file = fs::read_to_string(data_dir.join("postgres/postmaster.pid"));
            let same = file.is_ok_and(|file| file.starts_with(&format!("{first}\n")));
            if let (Ok(note), false) = (note, same) {
                break note;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let recovered = async {
        let note = recovered.await;
        let second = postmaster(&data_dir);
        for _ in 0..20 {
            text(&options, "select 'it stays'").await.unwrap();
            assert_eq!(postmaster(&data_dir), second);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        note
    };
    tokio::select! {
        error = postgres.supervise() => panic!("{error}"),
        note = recovered => assert_eq!(note, "kept"),
        () = tokio::time::sleep(PATIENCE) => panic!("it did not come back"),
    }
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn too_long_path_gets_a_short_private_socket() {
    let place = open_place();
    let deep = place.path().join("with space").join("d".repeat(120));
    let postgres = start(&deep).await;
    let socket = fs::read_link(deep.join("socket")).unwrap();
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o700);
    let options = postgres.connect_options();
    assert_eq!(options.get_socket(), Some(&socket));
    write_note(&options).await;
    postgres.stop().await.unwrap();
    assert!(!socket.exists(), "nothing is left outside the directory");

    // Another user creates a directory at the target of the link.
    fs::create_dir(&socket).unwrap();
    std::os::unix::fs::symlink(&socket, deep.join("socket")).unwrap();
    let postgres = start(&deep).await;
    let other = fs::read_link(deep.join("socket")).unwrap();
    assert_ne!(other, socket, "an open directory is not trusted");
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();
    fs::remove_dir(&socket).unwrap();
}

#[tokio::test]
async fn root_can_use_a_directory_below_a_private_one() {
    if !Uid::effective().is_root() {
        println!("NOT TESTED: requires root");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
    let data_dir = place.path().join("data");
    let postgres = start(&data_dir).await;
    write_note(&postgres.connect_options()).await;
    assert_ne!(fs::metadata(data_dir.join("postgres")).unwrap().uid(), 0);
    postgres.stop().await.unwrap();
    let postgres = start(&data_dir).await;
    assert_eq!(read_note(&postgres.connect_options()).await, "kept");
    postgres.stop().await.unwrap();
}

/// Kills the creation of a cluster midway. On a busy machine that may be too late, so there are several attempts.
async fn leave_incomplete() -> (TempDir, PathBuf) {
    for _ in 0..10 {
        let place = open_place();
        let data_dir = place.path().join("data");
        let mut holder = Holder::spawn(&data_dir);
        let (incomplete, complete) = (data_dir.join("postgres.new/PG_VERSION"), data_dir.join("postgres"));
        until("initdb runs", async || incomplete.exists() || complete.exists()).await;
        holder.kill_9();
        if !complete.exists() {
            return (place, data_dir);
        }
    }
    panic!("initdb was too fast every time");
}

#[tokio::test]
async fn incomplete_cluster_is_created_again() {
    let (_place, data_dir) = leave_incomplete().await;
    let postgres = start(&data_dir).await;
    write_note(&postgres.connect_options()).await;
    postgres.stop().await.unwrap();
    assert!(!data_dir.join("postgres.new").exists());
}

#[tokio::test]
async fn throwaway_cluster_is_removed_with_its_process() {
    let place = open_place();
    let data_dir = place.path().join("throwaway");
    // In a directory in which the user of Postgres may remove it.
    fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
    let mut holder = Holder::spawn(&data_dir);
    holder.wait_until_running();
    let pid = postmaster(&data_dir);
    holder.kill_9();
    until("the directory is gone", async || !data_dir.exists()).await;
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn each_test_gets_its_own_database() {
    let (one, other) = tokio::join!(fresh_database(), fresh_database());
    write_note(&one).await;
    write_note(&other).await;
    let name = "select current_database()::text";
    assert_ne!(text(&one, name).await.unwrap(), text(&other, name).await.unwrap());
}
