//! How fast a stream is announced, when neither Discord nor other work limits it.

use std::path::Path;
use std::time::Duration;

use super::figures::percentile;
use super::rig::Rig;

/// Channels of Discord that track one stream.
const CHANNELS: usize = 20_000;

/// Streams that are tracked in one channel.
const SMALL: usize = 100;

/// How long Discord takes to answer, in milliseconds.
const ANSWER: u64 = 50;

/// Longer than planning takes, in milliseconds.
const NO_ANSWER: u64 = 5_000;

pub(crate) async fn run(program: &Path, divisor: u32) {
    let channels = CHANNELS / divisor as usize;
    println!("\n| announcements | |\n|---|---:|");

    // Without a rate posts are planned as fast as can be; while Discord does not answer, the server does nothing else.
    let rig = Rig::start(program, 0).await;
    rig.update("500").await;
    rig.track(&rig.new_webhooks(channels, "channel"), "500").await;
    rig.delay(NO_ANSWER);
    let began = rig.clock.instant();
    rig.online("500", "5001").await;
    rig.until("select coalesce(bool_and(is_expanded), false) from announcement").await;
    let planned = channels as f64 / (rig.clock.instant() - began).as_secs_f64();
    println!("| posts planned per second, for {channels} channels | {planned:.0} |");
    drop(rig);

    let rig = Rig::start(program, 0).await;
    rig.update("500").await;
    rig.track(&rig.new_webhooks(channels, "channel"), "500").await;
    rig.delay(ANSWER);
    let began = rig.clock.now();
    rig.online("500", "5001").await;
    rig.until("select count(*) > 0 and bool_and(state = 'posted') from post").await;
    let posted = rig.posted_since(began);
    assert_eq!(posted.len(), channels, "each channel has its message");
    let last = posted.values().max().copied().unwrap_or(began);
    let rate = channels as f64 / (last - began).as_seconds_f64();
    println!("| requests per second, Discord answers after {ANSWER} ms | {rate:.0} |");

    let webhooks = rig.new_webhooks(SMALL, "small");
    let mut times = Vec::new();
    for (number, webhook) in webhooks.iter().enumerate() {
        let (channel, stream) = ((1_000 + number).to_string(), (10_000 + number).to_string());
        rig.update(&channel).await;
        rig.track(std::slice::from_ref(webhook), &channel).await;
        let began = rig.clock.now();
        rig.online(&channel, &stream).await;
        let at = rig.until_posted(began, &webhook.id.to_string()).await;
        times.push((at - began).as_seconds_f64() * 1e3);
        // Not together with what happens in the database every second.
        tokio::time::sleep(Duration::from_millis(37)).await;
    }
    let (half, most) = (percentile(&mut times, 50), percentile(&mut times, 99));
    println!("| from the event to the message in one channel, p50 and p99 of {SMALL} | {half:.0} and {most:.0} ms |");
}
