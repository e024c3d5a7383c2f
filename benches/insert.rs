//! Insertion of messages into the database: queue, transaction, state, commit, answer. The number in a benchmark's name is how
//! many messages are submitted at once through [`Ingest::submit`]; `elem/s` are rows per second.
//!
//! `durable` waits for the disk at each commit, as a server does; `throwaway` does not.

#![expect(clippy::expect_used, reason = "a bench may fail")]

mod support;

use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use futures_util::future::try_join_all;
use showtime::clock::Clock;
use showtime::incidents::Incidents;
use showtime::ingest::Ingest;
use showtime::message::{Incoming, Message};
use showtime::metrics::Metrics;
use showtime::postgres::{Durability, LocalPostgres};
use showtime::store::migrations;
use sqlx::ConnectOptions as _;
use tokio::runtime::Runtime;

use crate::support::Signed;

/// New messages, each of another viewer.
fn messages(kind: &str, count: usize) -> impl Iterator<Item = Box<Message>> {
    (0..count).map(move |_| {
        let signed = Signed::new(kind, Some(&rand::random::<u32>().to_string()));
        match Message::from_webhook(&signed.verified()) {
            Ok(Incoming::Message(message)) => message,
            other => panic!("{other:?}"),
        }
    })
}

fn insert(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, ingest: &Ingest, name: &str, kind: &str) {
    for count in [1, 16, 128] {
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{name}/{kind}/{count}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut took = Duration::ZERO;
                for _ in 0..iterations {
                    let submissions: Vec<_> = messages(kind, count).map(|message| ingest.submit(message)).collect();
                    let begun = Instant::now();
                    runtime.block_on(try_join_all(submissions)).expect("all are committed");
                    took += begun.elapsed();
                }
                took
            });
        });
    }
}

fn on(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, durability: Durability, kinds: &[&str]) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let (postgres, ingest) = runtime.block_on(async {
        let postgres = LocalPostgres::start(dir.path(), durability).await.expect("a Postgres");
        let mut connection = postgres.connect_options().connect().await.expect("a connection");
        migrations::up(&mut connection).await.expect("the migrations");
        let (ingest, writer) =
            Ingest::new(postgres.connect_options(), Clock::default(), Incidents::default(), Metrics::default());
        tokio::spawn(writer.run());
        (postgres, ingest)
    });
    for kind in kinds {
        insert(group, &runtime, &ingest, name, kind);
    }
    runtime.block_on(postgres.stop()).expect("it stops");
}

fn main() {
    let brief = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut criterion = brief.sample_size(10).nresamples(10_000).configure_from_args();
    let mut group = criterion.benchmark_group("insert");
    on(&mut group, "durable", Durability::Durable, &["channel.follow", "channel.chat.message"]);
    on(&mut group, "throwaway", Durability::Throwaway, &["channel.follow"]);
    group.finish();
    criterion.final_summary();
}
