//! What the server does when a session ends.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use showtime::mock::Faults;
use tokio::time::Instant;

use super::percentiles;
use super::scene::Scene;

/// The share of calls of Helix that fail.
const FAILING: f64 = 0.3;

/// Each end is the first one of a server: those that follow it wait longer.
pub(crate) async fn run(server: &Path, divisor: u32) {
    let rounds = (10 / divisor).max(1);
    for end in [End::Silence, End::Close] {
        let (mut noticed, mut enabled) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (mut scene, _) = Scene::set_up(server).await;
            let known: BTreeSet<_> = scene.twitch.world.sessions().into_iter().collect();
            let begun = end.cause(&mut scene).await;
            let session = scene.next_session(&known).await;
            noticed.push(begun.elapsed());
            let begun = Instant::now();
            scene.is_subscribed(&session).await;
            enabled.push(begun.elapsed());
        }
        let words = end.words();
        println!("{words}, {rounds} times: a new session after {}", percentiles(&mut noticed));
        println!("{words}: all 10 enabled after {}", percentiles(&mut enabled));
    }
    let (scene, _) = Scene::set_up(server).await;
    scene.subscribes(100 / divisor, "all 10 subscribed").await;
    scene.set(Faults { helix_error: FAILING, ..Faults::default() });
    scene.subscribes(100 / divisor, "the same, while 30 % of the calls of Helix fail").await;
}

enum End {
    /// Nothing more comes, and nothing is read. Counts from the last message, after which the keepalive takes 10 s.
    Silence,
    /// A close frame.
    Close,
}

impl End {
    fn words(&self) -> &'static str {
        match self {
            Self::Silence => "silent death, keepalive 10 s",
            Self::Close => "close frame",
        }
    }

    async fn cause(&self, scene: &mut Scene) -> Instant {
        match self {
            Self::Silence => {
                scene.set(Faults { ws_half_open: 1.0, ..Faults::default() });
                scene.cheer();
                scene.set(Faults::default());
            }
            Self::Close => close(scene, &scene.twitch.world.sessions()[0], 4000).await,
        }
        Instant::now()
    }
}

async fn close(scene: &Scene, session: &str, code: u16) {
    scene.control(&format!("websocket/{session}/close"), &json!({ "code": code })).await;
}

impl Scene {
    /// So many new sessions, one after the other: the time from each until everything is subscribed to on it. The sessions
    /// end with 4004, after which the server does not wait.
    async fn subscribes(&self, count: u32, words: &str) {
        let (mut times, mut cut_off) = (Vec::new(), 0);
        let mut session = self.twitch.world.sessions().remove(0);
        let mut known = BTreeSet::from([session.clone()]);
        for _ in 0..count {
            close(self, &session, 4004).await;
            loop {
                session = self.next_session(&known).await;
                known.insert(session.clone());
                let begun = Instant::now();
                if self.is_subscribed(&session).await {
                    times.push(begun.elapsed());
                    break;
                }
                cut_off += 1;
            }
        }
        println!(
            "{count} new sessions, {words} after {}; {cut_off} sessions ended before that",
            percentiles(&mut times)
        );
    }
}
