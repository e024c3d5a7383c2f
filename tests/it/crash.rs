//! `simulate crash`: the real server with its own Postgres, killed repeatedly.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::until;

/// Time limit of a run. Each fault takes seconds, and much longer on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

/// Starts `simulate crash` with its own directory for temporary files.
fn start(directory: &tempfile::TempDir, args: &[&str]) -> Child {
    let kept = ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    command.arg("crash").args(args).env_clear().envs(kept).env("TMPDIR", directory.path());
    command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().unwrap()
}

/// A directory that Postgres, which never runs as root, can reach.
fn open_directory() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// Whether a process has this directory in its command line.
fn is_used(directory: &tempfile::TempDir) -> bool {
    let output = std::process::Command::new("ps").args(["-A", "-ww", "-o", "args="]).output().unwrap();
    let name = directory.path().file_name().unwrap().to_str().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().any(|line| line.contains(name))
}

#[track_caller]
fn assert_clean(report: &Value) {
    let ledger = &report["ledger"];
    for name in ["lost", "doubled", "effects_differ"] {
        assert_eq!(ledger[name], 0, "{report}");
    }
    assert!(report["sent"].as_u64() > Some(0), "{report}");
    assert_eq!((&report["acknowledged"], &ledger["stored"]), (&report["sent"], &report["sent"]), "{report}");
    assert_eq!(ledger["unacknowledged_but_stored"], 0, "all were acknowledged in the end: {report}");
}

#[tokio::test]
async fn no_message_is_lost_or_doubled_by_any_fault() {
    let directory = open_directory();
    let child = start(&directory, &["--kills=8", "--seed=5", "--connections=8", "--json"]);
    let output = timeout(LIMIT, child.wait_with_output()).await.expect("it ends").unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["kills"], json!({ "server": 2, "postgres": 2, "both": 2, "pause": 2 }), "{report}");
    assert_eq!(report["seed"], 5);
    assert!(report["resent"].as_u64() > Some(0), "faults leave unacknowledged messages: {report}");
    assert!(report["longest_to_ready_seconds"].as_f64() > Some(0.0), "{report}");
    assert_clean(&report);
    until("nothing runs any more", async || !is_used(&directory)).await;
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn server_that_does_not_start_is_an_error() {
    let directory = open_directory();
    // Without the server program beside it.
    let alone = directory.path().join("simulate");
    std::fs::copy(env!("CARGO_BIN_EXE_simulate"), &alone).unwrap();
    let run = || Command::new(&alone).args(["crash", "--kills=1"]).env_clear().env("TMPDIR", directory.path()).output();
    let output = timeout(LIMIT, run()).await.expect("it ends").unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains("build it with `cargo build --bins`"), "{text}");

    std::os::unix::fs::symlink("/bin/false", directory.path().join("server")).unwrap();
    let output = timeout(LIMIT, run()).await.expect("it ends").unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && text.contains("the server ended by itself"), "{text}");
}

#[tokio::test]
async fn interrupted_crash_run_verifies_its_ledger() {
    let directory = open_directory();
    let mut child = start(&directory, &["--kills=1000", "--connections=4", "--mix=chat", "--json"]);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let first_fault = async {
        while let Some(line) = said.next_line().await.unwrap() {
            if line.contains("unacknowledged") {
                return;
            }
        }
        panic!("it ended without a fault");
    };
    timeout(LIMIT, first_fault).await.expect("a fault is injected");
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), Signal::SIGINT).unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let rest = async {
        let mut report = String::new();
        stdout.read_to_string(&mut report).await.unwrap();
        while said.next_line().await.unwrap().is_some() {}
        (report, child.wait().await.unwrap())
    };
    let (report, status) = timeout(LIMIT, rest).await.expect("it ends");
    assert_eq!(status.code(), Some(0), "{report}");
    let report: Value = serde_json::from_str(&report).unwrap();
    let kills: u64 = report["kills"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert!((1..1_000).contains(&kills), "{report}");
    assert_clean(&report);
    until("nothing runs any more", async || !is_used(&directory)).await;
}
