//! Figures of announcements: a server that posts to a fake Discord on this machine about streams that are tracked in 20,000
//! Discord channels.
//!
//! `cargo bench --bench announcements` shows
//!
//! - `--fan-out`: how fast the posts of a stream are planned, how many requests a second are made when Discord has no limit and
//!   answers after 50 ms, and how long it takes from the event to a message in Discord for a stream tracked in one channel;
//! - `--neighbours`: how long acknowledgements of 5,000 messages per second take while a stream is announced in 20,000 channels,
//!   in turn with none, and how long streams that are tracked in one channel wait meanwhile;
//! - `--size`: with 1,120,000 tracks, how long it takes to find one channel, to track another, and to start; the server's memory;
//!   how fast 300 processes get their tokens, and their events.
//!
//! An option chooses its part; without one all run. `--brief` divides everything by ten, `--server PATH` measures another build.

#![expect(clippy::expect_used, reason = "a bench may fail")]

mod fan_out;
#[path = "../support/figures.rs"]
mod figures;
mod neighbours;
#[path = "../support/options.rs"]
mod options;
mod rig;
#[expect(dead_code, reason = "shared with the bench of sinks, which needs more of it")]
#[path = "../support/server.rs"]
mod server;
mod size;

use self::options::Options;

const PARTS: [&str; 3] = ["--fan-out", "--neighbours", "--size"];

#[tokio::main]
async fn main() {
    let options = Options::read(&PARTS, 10);
    let (program, divisor) = (options.program.as_path(), options.divisor);
    if options.has("--fan-out") {
        fan_out::run(program, divisor).await;
    }
    if options.has("--neighbours") {
        neighbours::run(program, divisor).await;
    }
    if options.has("--size") {
        size::run(program, divisor).await;
    }
}
