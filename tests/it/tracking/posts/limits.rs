//! Discord's limits, switched on. `POST_DESTINATIONS` is the number of channels of a fan-out.

use std::time::Instant;

use serde_json::json;
use showtime::mock::discord::{DiscordFault, DiscordFaults, Limits};
use time::Duration;

use super::super::{Stage, setting};
use super::online;
use crate::support::messages::at;

#[tokio::test]
async fn fan_out_stays_below_the_global_limit() {
    let count = setting("POST_DESTINATIONS", 150);
    let stage = Stage::with(Limits::default(), |_| {}).await;
    stage.know_streamer().await;
    for number in 0..count {
        stage.track_anew(&format!("channel-{number}")).await;
        // Verifying webhooks counts, too.
        stage.clock.advance(Duration::milliseconds(50));
    }
    stage.clock.advance(Duration::minutes(2));
    let (before, began) = (stage.discord.world.calls().len(), Instant::now());
    stage.online("5001").await;
    crate::support::until("all are posted", async || stage.messages().len() == count).await;
    let (took, calls) = (began.elapsed().as_secs_f64(), stage.discord.world.calls().len() - before);
    // Half a percent, or one: Discord counts requests when they arrive.
    assert!((calls - count) * 200 <= count.max(200), "{:?}", stage.discord.world.counts());
    let ideal = count as f64 / 45.0;
    assert!(took > ideal * 0.9, "{took} s for {count} messages is faster than the limit");
    showtime::cli::note(format_args!(
        "{count} messages in {took:.1} s, at best {ideal:.1} s, {} requests refused",
        calls - count
    ));
    stage.end().await;
}

#[tokio::test]
async fn post_for_one_channel_is_not_behind_those_for_many() {
    let stage = Stage::with(Limits::NONE, |config| config.tracking.discord_rate = 20).await;
    stage.know_streamer().await;
    for number in 0..100 {
        stage.track_anew(&format!("channel-{number}")).await;
        stage.clock.advance(Duration::milliseconds(50));
    }
    stage.deliver(super::update("1001", "Run", "Chess", at(0))).await;
    assert_eq!(stage.track(&stage.webhook(), "1001").await.status, 201);
    stage.online("5001").await;
    crate::support::until("the fan-out has begun", async || !stage.messages().is_empty()).await;
    stage.deliver(online("1001", "6001", stage.clock.now())).await;
    let small = stage.webhook().id;
    let is_posted = async || stage.messages().iter().any(|message| message.webhook_id == small);
    crate::support::until("the post for one channel is made", is_posted).await;
    let before = stage.messages().len();
    assert!(before < 60, "{before} of 101 were posted before");
    stage.stop().await;
}

#[tokio::test]
async fn post_is_not_behind_edits() {
    let stage = Stage::with(Limits::NONE, |config| config.tracking.discord_rate = 20).await;
    stage.know_streamer().await;
    for number in 0..60 {
        stage.track_anew(&format!("channel-{number}")).await;
        stage.clock.advance(Duration::milliseconds(50));
    }
    stage.deliver(super::update("1001", "Run", "Chess", at(0))).await;
    assert_eq!(stage.track(&stage.webhook(), "1001").await.status, 201);
    stage.online("5001").await;
    crate::support::until("all are posted", async || stage.messages().len() == 60).await;
    stage.update("Second run", "Chess").await;
    stage.followed().await;
    stage.clock.advance(Duration::seconds(11));
    crate::support::until("the edits have begun", async || stage.count("edit_message 200") > 0).await;
    stage.deliver(online("1001", "6001", stage.clock.now())).await;
    crate::support::until("the post is made", async || stage.messages().len() == 61).await;
    let edits = stage.count("edit_message 200");
    assert!(edits < 40, "{edits} of 60 messages were edited before");
    stage.stop().await;
}

#[tokio::test]
async fn fan_out_without_limits_is_as_fast_as_the_answers() {
    let count = setting("POST_DESTINATIONS", 150);
    let stage = Stage::start().await;
    stage.know_streamer().await;
    for number in 0..count {
        stage.track_anew(&format!("channel-{number}")).await;
    }
    let chances = [(DiscordFault::Delay, 1.0)].into();
    stage.discord.world.set_faults(DiscordFaults { delay_ms: 50, chances, ..DiscordFaults::default() }).unwrap();
    let began = Instant::now();
    stage.online("5001").await;
    crate::support::until("one is posted", async || !stage.messages().is_empty()).await;
    let first = began.elapsed().as_millis();
    crate::support::until("all are posted", async || stage.messages().len() == count).await;
    let took = began.elapsed().as_secs_f64();
    let rate = count as f64 / took;
    showtime::cli::note(format_args!("the first of {count} messages after {first} ms, {rate:.0} a second"));
    stage.end().await;
}

#[tokio::test]
async fn thirty_streamers_of_one_channel_that_go_live_together_are_posted_in_order() {
    let stage = Stage::with(Limits::default(), |_| {}).await;
    let webhook = stage.webhook();
    let channels: Vec<_> = (0..30).map(|number| (1_001 + number).to_string()).collect();
    for channel in &channels {
        stage.deliver(super::update(channel, "Run", "Chess", at(0))).await;
        assert_eq!(stage.track(&webhook, channel).await.status, 201);
    }
    // The ids of streams say nothing of their order.
    for (number, channel) in channels.iter().enumerate() {
        stage.deliver(online(channel, &format!("60{:02}", 99 - number), stage.clock.now())).await;
    }
    let is_done = async || stage.messages().len() == channels.len();
    crate::support::until("all are posted", is_done).await;
    let names: Vec<_> = stage.messages().iter().map(|it| it.embeds[0]["author"]["name"].clone()).collect();
    assert_eq!(names, channels.iter().map(|id| json!(format!("User{id}"))).collect::<Vec<_>>());
    let limited = stage.count("execute 429");
    assert!(limited <= 1, "the headers say when a request may be made: {:?}", stage.discord.world.counts());
    stage.end().await;
}

#[tokio::test]
async fn global_limit_stops_all_and_ban_stops_for_minutes() {
    let stage = Stage::tracking().await;
    for number in 0..10 {
        stage.track_anew(&format!("channel-{number}")).await;
    }
    let faults = DiscordFaults { retry_after_ms: 30_000, ..DiscordFaults::next(DiscordFault::RateLimitedGlobally, 1) };
    stage.discord.world.set_faults(faults).unwrap();
    stage.online("5001").await;
    let limited = async || stage.count("execute 429") > 0;
    crate::support::until("the limit is met", limited).await;
    let stopped = "select not_before > $1 from egress";
    crate::support::until("all is stopped", async || {
        sqlx::query_scalar(stopped).bind(stage.clock.now()).fetch_one(&stage.server.pool).await.unwrap_or(false)
    })
    .await;
    stage.clock.advance(Duration::seconds(20));
    stage.update("Second run", "Chess").await;
    stage.followed().await;
    stage.after_stop(Duration::seconds(11)).await;
    assert_eq!(stage.messages().len(), 11);
    let calls = stage.discord.world.calls();
    let limited_at = calls.iter().find(|call| call.status == 429).unwrap().at;
    let meanwhile = limited_at + Duration::seconds(10)..limited_at + Duration::seconds(29);
    assert!(!calls.iter().any(|call| meanwhile.contains(&call.at)), "{calls:?}");
    stage.end().await;
}

#[tokio::test]
async fn too_many_invalid_requests_stop_all_posts_and_status_fails() {
    let stage = Stage::tracking().await;
    sqlx::query("update egress set invalid_count = 4999, invalid_since = $1")
        .bind(stage.clock.now())
        .execute(&stage.server.pool)
        .await
        .unwrap();
    stage.next(DiscordFault::BlockedByEdge, 1);
    stage.online("5001").await;
    crate::support::until("a request is refused", async || stage.count("execute 403") > 0).await;
    let status = async || stage.server.get("/status").await.text;
    crate::support::until("the status says so", async || status().await.contains("nothing is posted for some minutes"))
        .await;
    stage.clock.advance(Duration::minutes(2));
    stage.followed().await;
    assert!(stage.messages().is_empty());
    stage.after_stop(Duration::minutes(9)).await;
    stage.message();
    stage.end().await;
}

impl Stage {
    /// Waits until the log is followed.
    async fn followed(&self) {
        let statement = "select coalesce((select cursor from follower where name = 'announcements')
            >= (select max(id) from event), false)";
        crate::support::until("the log is followed", async || {
            sqlx::query_scalar(statement).fetch_one(&self.server.pool).await.unwrap()
        })
        .await;
    }

    /// Lets the time pass, and waits until all is done.
    async fn after_stop(&self, time: Duration) {
        self.clock.advance(time);
        self.settled().await;
    }
}
