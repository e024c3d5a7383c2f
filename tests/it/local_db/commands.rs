//! The subcommands of `local-db.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use showtime::postgres;
use sqlx::postgres::PgConnectOptions;

use super::{child, is_alive, open_place, postmaster, read_note, start, text, write_note};

/// Environment variable with the data directory for a child process of these tests that becomes psql.
const PSQL: &str = "SHOWTIME_TEST_PSQL";

#[tokio::test]
#[ignore = "run as a child process by other tests"]
async fn child_process_that_becomes_psql() {
    let data_dir = std::env::var_os(PSQL).expect("its data directory");
    println!();
    let arguments = ["-Atc", "select text from note"].map(Into::into);
    println!("{}", postgres::psql(Path::new(&data_dir), &arguments).await);
}

#[tokio::test]
async fn cluster_of_up_runs_until_down() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let dir = data_dir.display();
    assert_eq!(postgres::down(&data_dir).await.unwrap(), "not running");
    assert_eq!(postgres::reset(&data_dir).await.unwrap(), "nothing to reset");
    assert_eq!(
        postgres::env(&data_dir).await.unwrap_err().to_string(),
        format!("no Postgres runs in {dir}; start one with `cargo run local-db up`, or start the server")
    );
    assert!(!data_dir.exists(), "queries create nothing");

    let said = postgres::up(&data_dir).await.unwrap();
    let _down = DownAtTheEnd(data_dir.clone());
    let dir = data_dir.canonicalize().unwrap();
    let dir = dir.display();
    assert_eq!(said, format!("running in {dir}; stop it with `cargo run local-db down`"));
    let said = postgres::up(&data_dir).await.unwrap();
    assert_eq!(said, format!("already running in {dir}"));
    let pid = postmaster(&data_dir);

    let server = start(&data_dir).await;
    let options = server.connect_options();
    write_note(&options).await;
    let held = format!("pid {}", std::process::id());
    for refused in [postgres::down(&data_dir).await, postgres::reset(&data_dir).await] {
        assert!(refused.unwrap_err().to_string().contains(&held));
    }
    let said = postgres::up(&data_dir).await.unwrap();
    assert_eq!(said, format!("already running in {dir}, for a server ({held})"));
    server.stop().await.unwrap();
    assert!(is_alive(pid), "a server that joined leaves it running");
    assert_eq!(read_note(&options).await, "kept");

    assert_eq!(postgres::reset(&data_dir).await.unwrap(), "the database is empty");
    let error = text(&options, "select text from note").await.unwrap_err();
    assert!(error.to_string().contains("\"note\" does not exist"), "{error}");
    assert_eq!(postgres::down(&data_dir).await.unwrap(), "stopped");
    assert!(text(&options, "select 'there'").await.is_err());
    assert_eq!(postgres::down(&data_dir).await.unwrap(), "not running");
}

#[tokio::test]
async fn env_and_psql_connect_to_the_database() {
    let place = open_place();
    let data_dir = place.path().join("data");
    let server = start(&data_dir).await; // they work for a server's cluster as for one of `up`
    write_note(&server.connect_options()).await;

    let env = postgres::env(&data_dir).await.unwrap();
    let url = env.split('\'').nth(1).unwrap().parse::<PgConnectOptions>().unwrap();
    assert_eq!(read_note(&url).await, "kept");
    assert_eq!(shell_output(&format!("{env}\npsql \"$DATABASE_URL\" -Atc 'select text from note'")), "kept\n");
    assert_eq!(shell_output(&format!("{env}\nunset DATABASE_URL; psql -Atc 'select text from note'")), "kept\n");
    let mut psql = child("local_db::commands::child_process_that_becomes_psql");
    let output = psql.env(PSQL, &data_dir).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.ends_with("\nkept\n"), "{said}");
    server.stop().await.unwrap();
}

/// Stops the cluster if the test fails.
struct DownAtTheEnd(PathBuf);

impl Drop for DownAtTheEnd {
    fn drop(&mut self) {
        let file = fs::read_to_string(self.0.join("postgres/postmaster.pid"));
        let pid = file.ok().and_then(|file| file.lines().next()?.parse().ok());
        if let Some(pid) = pid {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
        }
    }
}

fn shell_output(script: &str) -> String {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
