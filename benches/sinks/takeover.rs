//! A server that is killed while it publishes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::rig::Rig;
use super::support::until;

const KILLS: u32 = 10;

/// Events per second.
const RATE: u32 = 100;

pub(crate) async fn run(program: &Path, divisor: u32) {
    let rig = Rig::start(program).await;
    let url = rig.rabbit.url();
    let settings = [("SHOWTIME_AMQP_URL", url.as_str())];
    let mut publishing = rig.serve(&settings).await;
    until("the sink is there", async || {
        let leased = "select exists(select from follower_state where is_leased)";
        sqlx::query_scalar(leased).fetch_one(rig.pool()).await.unwrap_or(false)
    })
    .await;
    let _appending = AbortOnDropHandle::new(tokio::spawn(append(rig.pool().clone())));
    let (count, mut reader) = (Arc::new(AtomicU64::new(0)), rig.reader().await);
    let counter = count.clone();
    let _reading = AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            reader.next().await;
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let mut gaps = Vec::new();
    for _ in 0..(KILLS / divisor).max(1) {
        let standby = rig.serve(&settings).await;
        let arrived = count.load(Ordering::Relaxed);
        until("events come", async || count.load(Ordering::Relaxed) > arrived + u64::from(RATE)).await;
        std::mem::replace(&mut publishing, standby).kill();
        let killed_at = Instant::now();
        // What the killed server had published before.
        sleep(Duration::from_millis(200)).await;
        let arrived = count.load(Ordering::Relaxed);
        until("events come again", async || count.load(Ordering::Relaxed) > arrived).await;
        gaps.push(killed_at.elapsed().as_secs_f64());
    }
    gaps.sort_by(f64::total_cmp);
    let (least, most) = (gaps.first().copied().unwrap_or(f64::NAN), gaps.last().copied().unwrap_or(f64::NAN));
    println!(
        "\nanother server publishes {least:.2} to {most:.2} s after `kill -9` of the one that did ({} kills)",
        gaps.len()
    );
}

async fn append(pool: sqlx::PgPool) {
    let statement = "with appended as (
            insert into event (message_id, message_type, type, channel_id, occurred_at, received_at, payload)
            values (gen_random_uuid()::text, 'notification', 'channel.cheer', '90210441', now(), clock_timestamp(), '{}')
            returning id
        ) select pg_notify('showtime_event', id::text) from appended";
    let mut tick = interval(Duration::from_secs(1) / RATE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        sqlx::query(statement).execute(&pool).await.expect("an event");
    }
}
