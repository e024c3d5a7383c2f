//! A log that can't be written: the pipe is closed, as when a collector ends, or the disk is full.

use std::fs::OpenOptions;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use super::{PATIENCE, Place, SERVER, Settings, TOKEN, address_in};
use crate::support::messages::{at, follow};
use crate::support::server::{SECRET, secret};

const SETTINGS: Settings<'_> = &[("TWITCH_WEBHOOK_SECRET", SECRET), ("SHOWTIME_LOG", "info")];

/// Delivers messages, one of which gets a warning, while the server can't log, and ends it in order. Also ends Postgres
/// once, which gets more warnings.
async fn serve_without_log(place: &Place, mut child: Child) -> ExitStatus {
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = timeout(PATIENCE, stdout.next_line()).await.unwrap().unwrap().unwrap();
    let addr = address_in(&first).unwrap();
    drop(child.stderr.take());

    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let deliver = async |user: &str, forged: bool| {
        let message = follow(user, at(0));
        let signature = if forged { format!("sha256={}", "0".repeat(64)) } else { message.sign(&secret()) };
        let headers = message.headers(Some(&signature));
        let request = client.post(format!("http://{addr}/callback")).body(message.body);
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.send().await.map(|answer| answer.status().as_u16())
    };
    for user in 1..=5 {
        assert_eq!(deliver(&user.to_string(), true).await.unwrap(), 403);
        assert_eq!(deliver(&user.to_string(), false).await.unwrap(), 204);
    }
    kill(place.postmaster(), Signal::SIGKILL).unwrap();
    crate::support::until("messages are stored again", async || {
        let status = deliver("6", false).await.expect("the server answers");
        assert!([204, 503].contains(&status), "{status}");
        status == 204
    })
    .await;
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), Signal::SIGTERM).unwrap();
    timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap()
}

#[tokio::test]
async fn server_whose_log_has_no_reader_goes_on_and_ends_in_order() {
    let place = Place::new();
    let mut command = place.command(SERVER, SETTINGS, &[]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = serve_without_log(&place, child).await;
    assert!(status.success(), "{status}");
    assert_eq!(place.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn server_whose_log_is_on_a_full_disk_goes_on_and_ends_in_order() {
    let place = Place::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = place.command(SERVER, SETTINGS, &[]);
    let child = command.stdout(Stdio::piped()).stderr(full).spawn().unwrap();
    let status = serve_without_log(&place, child).await;
    assert!(status.success(), "{status}");
    assert_eq!(place.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn command_whose_output_cannot_be_written_still_does_its_work() {
    let place = Place::new();
    let code = async |program: &str, args: &[&str]| {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = place.command(program, &[], args);
        let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
        let output = timeout(PATIENCE, output).await.expect("it ends").unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(code(SERVER, &["migrate", "up"]).await.0, Some(0));
    assert!(!place.done(&[], &["migrate", "status"]).await.contains("missing"));
    let (status, said) = code(TOKEN, &["create", "--name", "lost", "--scope", "read"]).await;
    assert_eq!(status, Some(1), "a token that is not shown is of no use");
    assert!(said.contains("the token can't be shown: revoke it"), "{said}");
}

#[tokio::test]
async fn error_that_cannot_be_shown_still_ends_with_1() {
    let place = Place::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = place.command(SERVER, &[("LISTEN_PORT", "70000")], &[]);
    let status = timeout(PATIENCE, command.stderr(full).status()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(1));
}
