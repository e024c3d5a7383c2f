//! A database that does not answer.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::scene::Scene;

/// The interval of events.
const EVERY: Duration = Duration::from_millis(20);

pub(crate) async fn run(server: &Path, divisor: u32) {
    let away = Duration::from_secs(600) / divisor;
    let (mut scene, _) = Scene::set_up(server).await;
    scene.signal_postgres("STOP");
    scene.cheers_for(away).await;
    scene.signal_postgres("CONT");
    scene.until_logged().await;
    let (rows, distinct) = scene.logged().await;
    let sent = scene.sent;
    println!("database away for {away:.0?}: {} of {sent} events lost, {} doubled", sent - distinct, rows - distinct);
    drop(scene);

    let (mut scene, _) = Scene::set_up(server).await;
    scene.signal_postgres("STOP");
    let times = scene.cheers_for(away / 2).await;
    let killed = Instant::now();
    scene.kill();
    scene.signal_postgres("CONT");
    scene.restart();
    let delivered = scene.twitch.world.delivered_to_sockets();
    scene.sent = i64::try_from(delivered.len()).expect("small");
    scene.until_logged().await;
    let logged: Vec<String> =
        sqlx::query_scalar("select message_id::text from event").fetch_all(&scene.pool).await.expect("ids");
    let logged: BTreeSet<_> = logged.into_iter().collect();
    let lost: Vec<_> = (0..delivered.len()).filter(|&index| !logged.contains(&delivered[index])).collect();
    let oldest = lost.iter().filter_map(|&index| times.get(index)).min().map_or(Duration::ZERO, |at| killed - *at);
    println!(
        "database away for {:.0?}, then `kill -9` of the server: {} of {} events lost, the oldest read {oldest:.0?} before",
        away / 2,
        lost.len(),
        delivered.len()
    );
}

impl Scene {
    /// Events for so long. Returns when each was sent.
    async fn cheers_for(&mut self, span: Duration) -> Vec<Instant> {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (begun, mut times) = (Instant::now(), Vec::new());
        while begun.elapsed() < span {
            tick.tick().await;
            if self.try_cheer() {
                times.push(Instant::now());
            }
        }
        times
    }
}
