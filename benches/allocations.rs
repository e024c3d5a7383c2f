//! Allocations for one message before it waits for the writer: verification of its signature, and parsing. Exact, and so the same
//! on every machine: `cargo bench --bench allocations`.

#![expect(clippy::expect_used, reason = "a bench may fail")]

mod support;

use std::hint::black_box;

use dhat::HeapStats;
use showtime::message::Message;

use crate::support::Signed;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Prints how often something allocates, and how many bytes.
fn count<T>(name: &str, work: impl Fn() -> T) {
    // What is made once and kept.
    black_box(work());
    let before = HeapStats::get();
    black_box(work());
    let after = HeapStats::get();
    println!("| {name} | {} | {} |", after.total_blocks - before.total_blocks, after.total_bytes - before.total_bytes);
}

fn main() {
    let _profiler = dhat::Profiler::builder().testing().build();
    println!("| | allocations | bytes |\n|---|---:|---:|");
    for kind in ["channel.follow", "stream.online", "channel.chat.message"] {
        let signed = Signed::new(kind, None);
        println!("| {kind}: the body, as it came | | {} |", signed.body.len());
        count(&format!("{kind}: verify"), || signed.verified());
        count(&format!("{kind}: verify and parse"), || Message::from_webhook(&signed.verified()).expect("a message"));
    }
}
