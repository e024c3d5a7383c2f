//! `server listen`.

use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::{Place, SERVER, Serving};
use crate::init::free_port;
use crate::support::PATIENCE;

/// A running `server listen`.
struct Listener {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Listener {
    fn start(place: &Place, server: &Serving<'_>, args: &[&str]) -> Self {
        let port = server.addr.port().to_string();
        let mut command = place.command(SERVER, &[("LISTEN_PORT", &port)], &[&["listen"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line comes").unwrap();
        line.expect("it goes on")
    }

    async fn interrupt(self) -> (ExitStatus, String) {
        let pid = Pid::from_raw(self.child.id().unwrap().try_into().unwrap());
        kill(pid, Signal::SIGINT).unwrap();
        ended(self.child).await
    }
}

/// Waits for its end. Returns its exit status and what it printed on stderr.
async fn ended(mut child: Child) -> (ExitStatus, String) {
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    timeout(PATIENCE, stderr.read_to_string(&mut said)).await.expect("it ends").unwrap();
    (timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap(), said)
}

async fn follow(server: &Serving<'_>, user: &str) {
    let (code, said) = server.simulate(&["channel.follow", "--user", user]).await;
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn feed_is_printed_once_and_whole_over_kills_of_the_server() {
    let place = Place::new();
    let mut server = place.serve(&[]).await;
    let port = server.addr.port().to_string();
    follow(&server, "User0").await;
    let mut listener = Listener::start(&place, &server, &["events", "--after", "0"]);
    let mut shown = vec![listener.line().await];
    for round in 0..3 {
        follow(&server, &format!("User{}", 2 * round + 1)).await;
        server.signal(Signal::SIGKILL);
        server.ended().await;
        server = place.serve(&[("LISTEN_PORT", &port)]).await;
        follow(&server, &format!("User{}", 2 * round + 2)).await;
    }
    while shown.len() < 7 {
        shown.push(listener.line().await);
    }
    for (number, line) in shown.iter().enumerate() {
        let columns: Vec<_> = line.split("  ").collect();
        let text = format!("User{number} followed");
        assert_eq!(columns[1..], ["maplearcade", "channel.follow", text.as_str()], "{shown:?}");
        assert!(columns[0].ends_with('Z') && columns[0].len() == 20, "{line}");
    }
    let (status, said) = listener.interrupt().await;
    assert!(status.success(), "{status}");
    assert!(said.contains("opening it again") && said.contains("connected again"), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn every_feed_is_printed_as_text_and_as_json() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    assert_eq!(server.simulate(&["stream.online"]).await.0, Some(0));
    for (kind, text) in
        [("channel.cheer", "message=\u{1b}]0;x\u{7}\u{202e}gg"), ("channel.chat.message", "message.text=hi")]
    {
        assert_eq!(server.simulate(&[kind, "--set", text]).await.0, Some(0));
    }
    for (args, parts) in [
        (
            &["events", "--after", "0", "--type", "channel.cheer"][..],
            &["channel.cheer", "cheered 250 bits: ]0;xgg"][..],
        ),
        (&["alerts", "--last", "1"], &["cheer", "cheered 250 bits: ]0;xgg"]),
        (&["chat", "--last", "1", "--channel", "maplearcade"], &["message", "QuietOtter: "]),
        (&["state"], &["snapshot", "live"]),
    ] {
        let mut listener = Listener::start(&place, &server, args);
        let line = listener.line().await;
        assert!(line.contains("  maplearcade  "), "{args:?}: {line}");
        assert!(parts.iter().all(|part| line.contains(part)), "{args:?}: {line}");
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{args:?}: {line:?}");
        listener.interrupt().await;

        let mut listener = Listener::start(&place, &server, &[args, &["--json"]].concat());
        let line = listener.line().await;
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{args:?}: {line:?}");
        let event: Value = serde_json::from_str(&line).unwrap();
        assert!(event["id"].is_i64() && event["event"].is_string() && event["data"].is_object(), "{line}");
        if event["event"] == "event" {
            assert_eq!(event["data"], server.json(&format!("/events/{}", event["id"])).await);
        }
        assert!(listener.interrupt().await.0.success());
    }
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_listened_to_is_said() {
    let place = Place::new();
    let refused = async |settings: &[(&str, &str)], args: &[&str]| {
        let output = timeout(PATIENCE, place.command(SERVER, settings, args).output()).await.expect("it ends").unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = refused(&[], &["listen", "evnts"]).await;
    assert_eq!(code, Some(2));
    assert!(said.contains("events, alerts, state, chat"), "{said}");
    let free = free_port().to_string();
    let (code, said) = refused(&[("LISTEN_PORT", &free)], &["listen", "events"]).await;
    assert_eq!(code, Some(1));
    assert!(
        said.contains("no access token: there is no .showtime/token") && said.contains("create --name me"),
        "{said}"
    );
    let nowhere = format!("http://127.0.0.1:{free}");
    let (code, said) = refused(&[("SHOWTIME_TOKEN", "x")], &["listen", "events", "--url", &nowhere]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("{nowhere} can't be reached")) && said.contains("start a server with"), "{said}");
    let (code, said) = refused(&[], &["listen", "events", "--url", &nowhere]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("no access token for this server"), "{said}");

    let server = place.serve(&[]).await;
    let url = format!("http://{}/", server.addr);
    let (code, said) = refused(&[("SHOWTIME_TOKEN", "hunter2")], &["listen", "events", "--url", &url]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("refuses the token") && said.contains("401") && !said.contains("hunter2"), "{said}");
    let port = server.addr.port().to_string();
    let (code, said) = refused(&[("LISTEN_PORT", &port)], &["listen", "state", "--type", "channel.cheer"]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("type") && said.contains("400"), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn closed_pipe_ends_it_quietly() {
    let place = Place::new();
    let server = place.serve(&[]).await;
    follow(&server, "First").await;
    let mut listener = Listener::start(&place, &server, &["events", "--after", "0"]);
    assert!(listener.line().await.contains("First followed"));
    let Listener { child, lines } = listener;
    drop(lines);
    follow(&server, "Second").await;
    let (status, said) = ended(child).await;
    assert!(status.success() && said.is_empty(), "{status} {said}");
    server.stop().await;
}
