//! Channels that change from webhooks to the WebSocket and back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use showtime::mock::MockConfig;
use sqlx::Row as _;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep};

use super::scene::Scene;

/// Time limit for what is under way when the load ends.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(server: &Path, divisor: u32) {
    let (channels, times) = ((100 / divisor).max(2), (4 / divisor).max(1));
    let logins: Vec<_> = (0..channels).map(|number| format!("channel{number}")).collect();
    let config = MockConfig { channels: logins.clone(), rate_limit: 1_000_000, ..MockConfig::default() };
    let scene = Scene::start(server, config, true).await;
    scene.init(&logins.iter().flat_map(|login| ["--channel", login]).collect::<Vec<_>>()).await;
    let (load, begun) = (Load::start(&scene, logins), Instant::now());
    for _ in 0..times {
        for transport in ["websocket", "webhook"] {
            scene.init(&["--transport", transport]).await;
            scene.until_switched().await;
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let sent = load.stop().await;
    let counted = scene.until_counted(&sent).await;
    let sum = |one: &BTreeMap<String, i64>, other: &BTreeMap<String, i64>| -> i64 {
        one.iter().map(|(login, count)| (count - other.get(login).unwrap_or(&0)).max(0)).sum()
    };
    let echoes: i64 = scene.value("select count(*) from event where is_echo").await;
    println!(
        "{channels} channels there and back {times} times in {took:.0} s: {} of {} equal cheers lost, {} counted twice; \
         {echoes} echoes",
        sum(&sent, &counted),
        sent.values().sum::<i64>(),
        sum(&counted, &sent)
    );
}

/// Equal cheers, 100 per second, each for one channel at random.
struct Load {
    is_over: Arc<AtomicBool>,
    sent: JoinHandle<BTreeMap<String, i64>>,
}

impl Load {
    fn start(scene: &Scene, logins: Vec<String>) -> Self {
        let (world, is_over) = (Arc::clone(&scene.twitch.world), Arc::<AtomicBool>::default());
        let stop = Arc::clone(&is_over);
        let sent = tokio::spawn(async move {
            let (mut tick, mut sent) = (interval(Duration::from_millis(10)), BTreeMap::new());
            while !stop.load(Ordering::Relaxed) {
                tick.tick().await;
                let login = &logins[rand::random_range(0..logins.len())];
                assert!(world.cheer(login, "quietotter", 5).expect("a channel") > 0, "a subscription gets it");
                *sent.entry(login.clone()).or_default() += 1;
            }
            sent
        });
        Self { is_over, sent }
    }

    /// How often each channel was cheered.
    async fn stop(self) -> BTreeMap<String, i64> {
        self.is_over.store(true, Ordering::Relaxed);
        self.sent.await.expect("the load ends")
    }
}

impl Scene {
    async fn value(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.expect("a number")
    }

    async fn until_switched(&self) {
        while self.value("select count(*) from transport_switch where state <> 'done'").await > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The cheers that each channel has, once they are as many as were sent and no more come, or after a minute.
    async fn until_counted(&self, sent: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
        let counts = "select login, cheers from viewer join served_channel on id = channel_id";
        let deadline = Instant::now() + PATIENCE;
        loop {
            sleep(Duration::from_secs(1)).await;
            let rows = sqlx::query(counts).fetch_all(&self.pool).await.expect("the counts");
            let counted: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
            if counted == *sent || Instant::now() > deadline {
                return counted;
            }
        }
    }
}
