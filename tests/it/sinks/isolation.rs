//! A sink whose receiver is away, silent, refusing or blocked disturbs neither the others nor what comes in.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::rabbit::{Rabbit, Reader, cursor};
use super::{server, until_problem, until_state};
use crate::support::messages::{at, cheer};
use crate::support::postgres::fresh_database;
use crate::support::{PATIENCE, Unused};

/// Far more than an acknowledgement takes, and less than any time limit of a sink.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn sinks_that_fail_disturb_no_other_and_no_message() {
    let (Some(rabbit), Some(blocked)) = tokio::join!(Rabbit::start(), Rabbit::start()) else { return };
    let (unused, silent) = (Unused::new(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let server = server(fresh_database().await, &rabbit.url()).await;
    until_state(&server, "amqp", "ok").await;
    let mut reader = Reader::open(&rabbit, "all", Some(("showtime", "#"))).await;
    let (away, silent_addr) = (unused.addr(), silent.local_addr().unwrap());
    for (name, url) in [
        ("away", format!("amqp://guest:guest@{away}/%2f")),
        ("silent", format!("amqp://guest:guest@{silent_addr}/%2f")),
        ("refusing", rabbit.url_of("guest", "wrong")),
        ("blocked", blocked.url()),
    ] {
        let added = server.post_json("/sinks", &json!({ "name": name, "url": url })).await;
        assert_eq!(added.status, 201, "{added:?}");
    }
    until_state(&server, "blocked", "ok").await;
    blocked.control(&["set_vm_memory_high_watermark", "0"]);
    for (name, problem) in
        [("away", "can't be reached"), ("silent", "does not answer"), ("refusing", "refuses the user")]
    {
        until_problem(&server, name, problem).await;
    }
    for number in 1..=100_i64 {
        let message = cheer("1", 100, at(number));
        let delivered = async {
            assert_eq!(server.deliver(&message).await.status, 204);
            assert_eq!(cursor(&reader.next().await), number);
        };
        timeout(SOON, delivered).await.unwrap_or_else(|_| panic!("event {number} is held up"));
    }
    until_state(&server, "blocked", "blocked").await;
    let sinks = server.json("/sinks").await;
    // What connects to a broker that says nothing ends. Otherwise each attempt would leave a thread.
    let (mut attempt, _) = silent.accept().await.unwrap();
    let mut said = Vec::new();
    timeout(PATIENCE, attempt.read_to_end(&mut said)).await.expect("it is closed").unwrap();
    assert_eq!(said, *b"AMQP\x00\x00\x09\x01");
    let cursor = |name: &str| {
        let sink = sinks["data"].as_array().unwrap().iter().find(|sink| sink["name"] == name);
        sink.unwrap()["cursor"].clone()
    };
    for name in ["away", "silent", "refusing", "blocked"] {
        assert_eq!(cursor(name), Value::from(0), "{name}");
    }
}
