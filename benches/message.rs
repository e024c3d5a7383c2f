//! Cost of one message before the database: verification of its signature, and parsing.

#![expect(clippy::expect_used, reason = "a bench may fail")]

mod support;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput};

use showtime::message::Message;

use crate::support::Signed;

fn verify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    for kind in ["channel.follow", "channel.chat.message"] {
        let signed = Signed::new(kind, None);
        let stamp = &signed.message.stamp;
        let forged = format!("sha256={}", "0".repeat(64));
        group.throughput(Throughput::Bytes(signed.body.len() as u64));
        for (name, signature) in [("genuine", &signed.signature), ("forged", &forged)] {
            group.bench_function(format!("{kind}/{name}"), |bencher| {
                bencher.iter(|| {
                    signed.verifier.is_genuine(
                        black_box(signature),
                        &stamp.message_id,
                        &stamp.timestamp,
                        black_box(&signed.body),
                    )
                });
            });
        }
    }
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for kind in ["channel.follow", "stream.online", "channel.chat.message"] {
        let signed = Signed::new(kind, None);
        group.throughput(Throughput::Bytes(signed.body.len() as u64));
        group.bench_function(kind, |bencher| {
            bencher.iter_batched(
                || signed.verified(),
                |verified| Message::from_webhook(&verified).expect("a message"),
                BatchSize::SmallInput,
            );
        });
    }
}

fn main() {
    let brief = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut criterion = brief.nresamples(10_000).configure_from_args();
    verify(&mut criterion);
    parse(&mut criterion);
    criterion.final_summary();
}
