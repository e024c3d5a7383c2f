//! The schedule `a-bad-day`: every fault of a WebSocket.

use std::time::Duration;

use tokio::time::sleep;

use super::{Outcome, Scene, lasting};
use crate::process::Place;

/// In the suite ten times as fast; the deadlines of the protocol are not.
#[tokio::test]
async fn bad_day_leaves_every_event_in_the_log_or_within_a_gap() {
    let (scene, place) = (Scene::start().await, Place::new());
    let server = scene.serve_live(&place).await;
    let traffic = scene.traffic();
    let day = lasting(60, 600);
    scene.twitch.mock.world.start_schedule("a-bad-day", 600.0 / day.as_secs_f64()).unwrap();
    sleep(day + Duration::from_secs(1)).await;
    scene.until_more(50).await;
    traffic.stop().await;
    let outcome = scene.outcome().await;
    let Outcome { sent, logged, unread, ref missing, ref gaps } = outcome;
    println!("{sent} events: {logged} in the log, {} in {} gaps, {unread} of them written", missing.len(), gaps.len());
    // Silence takes twelve seconds to be noticed, twice.
    assert!(logged * 4 > sent && gaps.len() > 3, "{outcome:?}");
    server.stop().await;
}
