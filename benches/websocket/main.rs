//! Figures of EventSub over WebSockets, against the fake Twitch: the server as a client, and the fake Twitch itself.
//!
//! `cargo bench --bench websocket` starts fake Twitches and servers with private Postgres clusters, sets these up with
//! `init`, and shows
//!
//! - how long that took, without a person;
//! - 1,000 requested reconnects under 200 events per second: how many events are missing in the log, and how many are
//!   there twice;
//! - how many events per second of one connection get into the log;
//! - the time from reading an event until it is committed, at 1,000 per second;
//! - how soon there is a new session after a silent death and after a close frame, and how soon all is subscribed to on a
//!   new session, also while calls of Helix fail;
//! - what is lost of 50 events per second while the database does not answer for ten minutes, and if the server is killed
//!   meanwhile;
//! - the memory of each of 1,000 sessions over TLS;
//! - how many cheers are lost, and how many count twice, while 100 channels change from webhooks to the WebSocket and back
//!   under 100 equal cheers per second.
//!
//! Then it opens 10,000 sessions at a fake Twitch of its own, 500 at a time, and shows the memory of each, the time until
//! one event has reached all, how late keepalives are, and what is lost when all are asked to reconnect at once under 1,000
//! events per second. Options, after `--`:
//!
//! - `--source`, `--ends`, `--outage`, `--sessions`, `--switch`, `--mock`: only these parts
//! - `--server PATH`: the server to measure, to compare with another build; `init` and `mock-twitch` must be beside it
//! - `--brief`: a twentieth of everything

#![expect(clippy::expect_used, reason = "a bench may fail")]

mod ends;
mod mock;
#[path = "../support/options.rs"]
mod options;
mod outage;
mod scene;
mod sessions;
mod source;
mod switch;

use std::path::Path;
use std::time::Duration;

use self::options::Options;

/// Parts that can be chosen.
const PARTS: [&str; 6] = ["--source", "--ends", "--outage", "--sessions", "--switch", "--mock"];

/// Resident memory of a process in bytes (Linux).
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
    let status = status.expect("a /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// `p50 1.23 ms, p99 4.56 ms, max 7.89 ms`.
fn percentiles(times: &mut [Duration]) -> String {
    times.sort();
    let millis = |took: Option<&Duration>| took.map_or(f64::NAN, |took| took.as_secs_f64() * 1_000.0);
    let at = |share: usize| millis(times.get(times.len() * share / 100));
    format!("p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms", at(50), at(99), millis(times.last()))
}

#[tokio::main]
async fn main() {
    let options = Options::read(&PARTS, 20);
    let (server, divisor) = (options.program.as_path(), options.divisor);
    let _ = rlimit::increase_nofile_limit(1 << 16);
    if options.has("--source") {
        source::run(server, divisor).await;
    }
    if options.has("--ends") {
        ends::run(server, divisor).await;
    }
    if options.has("--outage") {
        outage::run(server, divisor).await;
    }
    if options.has("--sessions") {
        sessions::run(server, divisor).await;
    }
    if options.has("--switch") {
        switch::run(server, divisor).await;
    }
    if options.has("--mock") {
        mock::run(&server.with_file_name("mock-twitch"), divisor).await;
    }
}
