//! The server as a client of the fake Twitch.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use showtime::clock::Clock;
use sqlx::Row as _;
use sqlx::postgres::PgListener;
use time::OffsetDateTime;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::percentiles;
use super::scene::Scene;

/// Events that may be on their way while the throughput is measured. The fake Twitch closes a connection on which 1,024 wait.
const MAX_WAITING: i64 = 768;

pub(crate) async fn run(server: &Path, divisor: u32) {
    let (mut scene, took) = Scene::set_up(server).await;
    println!("set-up with `init`: {:.2} s", took.as_secs_f64());
    let begun = Instant::now();
    scene.cheer();
    scene.until_logged().await;
    println!("the first event is in the log after {:.0} ms more", begun.elapsed().as_secs_f64() * 1_000.0);
    scene.reconnects(1_000 / divisor).await;
    scene.throughput(100_000 / divisor).await;
    scene.latency(20_000 / divisor).await;
}

impl Scene {
    /// So many requested reconnects, each when the last one is complete, under 200 events per second.
    async fn reconnects(&mut self, count: u32) {
        let begun = Instant::now();
        let mut tick = interval(Duration::from_millis(5));
        let (mut moved, mut is_moving) = (0, false);
        while moved < count || is_moving {
            tick.tick().await;
            self.cheer();
            is_moving = self.is_moving().await;
            if !is_moving && moved < count {
                self.control("websocket/reconnect", &json!({})).await;
                (moved, is_moving) = (moved + 1, true);
            }
        }
        let took = begun.elapsed().as_secs_f64();
        self.until_logged().await;
        let (rows, distinct) = self.logged().await;
        println!(
            "{moved} requested reconnects in {took:.1} s, under {:.0} events/s: {} of {} events lost, {} doubled",
            self.sent as f64 / took,
            self.sent - distinct,
            self.sent,
            rows - distinct
        );
    }

    /// Whether the server still has to follow a request.
    async fn is_moving(&self) -> bool {
        let answer = self.client.get(format!("{}/mock/websocket", self.twitch.base_url())).send().await;
        let listed: serde_json::Value =
            serde_json::from_slice(&answer.expect("an answer").bytes().await.expect("a body")).expect("JSON");
        let session = &listed["sessions"][0];
        session["is_reconnecting"] == true || session["sockets"] != 1
    }

    /// So many events, as fast as the log takes them.
    async fn throughput(&mut self, count: u32) {
        let (first, before, begun) = (self.logged().await.0, self.newest().await, Instant::now());
        let mut written = 0;
        while written < count {
            for _ in 0..256.min(count - written) {
                self.cheer();
                written += 1;
            }
            tokio::task::yield_now().await;
            // Ids have no gaps here.
            while i64::from(written) - (self.newest().await - before) > MAX_WAITING {
                sleep(Duration::from_micros(200)).await;
            }
        }
        self.until_logged().await;
        let (took, logged) = (begun.elapsed().as_secs_f64(), self.logged().await.0 - first);
        println!(
            "one connection: {logged} of {count} events in the log after {took:.2} s, {:.0}/s",
            logged as f64 / took
        );
    }

    /// The newest id of the log.
    async fn newest(&self) -> i64 {
        let newest = sqlx::query_scalar("select coalesce(max(id), 0) from event").fetch_one(&self.pool).await;
        newest.expect("the newest id")
    }

    /// So many events at 1,000 per second: the time from reading one until other connections are notified of its commit.
    async fn latency(&mut self, count: u32) {
        let mut listener = PgListener::connect_with(&self.pool).await.expect("a listener");
        listener.listen("showtime_event").await.expect("it listens");
        let clock = Clock::default();
        let commits = tokio::spawn(async move {
            let mut commits = BTreeMap::new();
            while let Ok(Ok(notification)) = tokio::time::timeout(Duration::from_secs(2), listener.recv()).await {
                let newest: i64 = notification.payload().parse().expect("an id");
                commits.insert(newest, clock.now());
            }
            commits
        });
        let after = self.newest().await;
        let mut tick = interval(Duration::from_millis(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..count {
            tick.tick().await;
            self.cheer();
        }
        self.until_logged().await;
        let commits = commits.await.expect("the listener ends");
        let rows = sqlx::query("select id, received_at from event where id > $1 order by id").bind(after);
        let rows = rows.fetch_all(&self.pool).await.expect("the events");
        let took = |id: i64, received_at: OffsetDateTime| {
            let (_, committed_at) = commits.range(id..).next()?;
            Duration::try_from(*committed_at - received_at).ok()
        };
        let mut times: Vec<_> = rows.iter().filter_map(|row| took(row.get(0), row.get(1))).collect();
        println!("read → committed at 1,000/s, of {} events: {}", times.len(), percentiles(&mut times));
    }
}
