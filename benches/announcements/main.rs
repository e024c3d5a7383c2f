//! Figures of announcements: a server that posts to a fake Discord on this machine about streams that are tracked in 20,000
//! channels of Discord.
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
mod neighbours;
mod rig;
#[expect(dead_code, reason = "shared with the bench of sinks, which needs more of it")]
#[path = "../support/server.rs"]
mod server;
mod size;

use std::path::PathBuf;

const PARTS: [&str; 3] = ["--fan-out", "--neighbours", "--size"];

#[tokio::main]
async fn main() {
    let (mut program, mut parts, mut divisor) = (PathBuf::from(env!("CARGO_BIN_EXE_server")), Vec::new(), 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--server" => program = arguments.next().expect("a path").into(),
            "--brief" => divisor = 10,
            part if PARTS.contains(&part) => parts.push(argument),
            // cargo adds options of its own.
            _ => {}
        }
    }
    let has = |part: &str| parts.is_empty() || parts.iter().any(|chosen| chosen == part);
    if has("--fan-out") {
        fan_out::run(&program, divisor).await;
    }
    if has("--neighbours") {
        neighbours::run(&program, divisor).await;
    }
    if has("--size") {
        size::run(&program, divisor).await;
    }
}

/// The value below which so many hundredths of the values are.
fn percentile(values: &mut [f64], hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() * hundredths / 100).min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
