//! Channels that bots track and that are not served: their streams are looked up.

use serde_json::json;
use showtime::config::Config;
use showtime::mock::discord::Limits;
use showtime::mock::{ChannelEdit, Faults, Notify};
use time::Duration;

use super::Stage;
use super::posts::is_notifying;
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, serve_channel};
use crate::support::until;

const STREAMER: &str = "copperkite";
const STREAMS: &str = "GET /helix/streams";

impl Stage {
    /// With an application of this Twitch, and a track of a channel that is not served.
    async fn polling(twitch: &Twitch) -> Self {
        twitch.mock.world.add_channel(STREAMER).unwrap();
        let stage = Self::with(Limits::NONE, |config: &mut Config| {
            config.tracking.discord_rate = 0;
            twitch.configure(config);
        })
        .await;
        assert_eq!(stage.track(&stage.webhook(), STREAMER).await.status, 201);
        stage
    }

    /// How many channels are looked up.
    pub(super) async fn polled(&self) -> usize {
        let (_, message) = self.server.check("polling").await;
        let (count, _) = message.split_once(' ').unwrap();
        count.parse().unwrap()
    }
}

#[tokio::test]
async fn stream_of_a_channel_that_is_not_served_is_announced_edited_and_ended() {
    let twitch = Twitch::start().await;
    let stage = Stage::polling(&twitch).await;
    let world = &twitch.mock.world;
    let edit = |title: &str| ChannelEdit { title: Some(title.to_owned()), ..ChannelEdit::default() };
    world.update_channel(STREAMER, edit("First run"), Notify::No).unwrap();
    world.go_live(STREAMER, Notify::No).unwrap();
    let title = async || {
        let messages = stage.discord.world.messages();
        messages.first().map(|message| message.embeds[0]["title"].as_str().unwrap().to_owned())
    };
    stage.server.advance_until("it is announced", async || !stage.discord.world.messages().is_empty()).await;
    assert_eq!(title().await.as_deref(), Some("First run"), "the title comes with the stream");

    world.update_channel(STREAMER, edit("Second run"), Notify::No).unwrap();
    stage.server.advance_until("the title is changed", async || title().await.as_deref() == Some("Second run")).await;

    world.go_offline(STREAMER, Notify::No).unwrap();
    let has_ended = async || stage.discord.world.messages()[0].content.contains("was live for");
    stage.server.advance_until("the end is shown", has_ended).await;
    assert_eq!(stage.discord.world.messages().len(), 1);
    let events = stage.server.json(&format!("/events?channel={STREAMER}")).await;
    let events = events["data"].as_array().unwrap();
    assert!(events.iter().all(|event| event["message_type"] == "inferred"), "{events:?}");
    stage.stop().await;
}

#[tokio::test]
async fn stream_that_was_live_before_it_was_tracked_is_announced_where_that_is_set() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    for streamer in ["mintcomet", "quietotter"] {
        world.add_channel(streamer).unwrap();
        world.go_live(streamer, Notify::No).unwrap();
    }
    let stage = Stage::polling(&twitch).await;
    stage.clock.advance(Duration::minutes(10));
    assert_eq!(stage.track(&stage.webhook(), "mintcomet").await.status, 201);
    let webhook = stage.new_webhook("current");
    assert_eq!(stage.track(&webhook, STREAMER).await.status, 201);
    let path = format!("/v2/channels/{}/tracks/quietotter", webhook.channel_id);
    assert_eq!(stage.put(&path, &json!({ "announce_current": true })).await.status, 201);
    stage.server.advance_until("it is announced", async || !stage.discord.world.messages().is_empty()).await;
    let starts = "select count(*) = 2 and bool_and(is_expanded) from announcement";
    stage
        .server
        .advance_until("both starts were found", async || {
            sqlx::query_scalar(starts).fetch_one(&stage.server.pool).await.unwrap_or(false)
        })
        .await;
    let messages = stage.discord.world.messages();
    assert_eq!(messages.iter().map(|message| message.webhook_id).collect::<Vec<_>>(), [webhook.id]);
    stage.stop().await;
}

#[tokio::test]
async fn channels_that_are_served_or_not_tracked_are_not_polled() {
    let twitch = Twitch::start().await;
    let stage = Stage::polling(&twitch).await;
    stage.server.advance_until("one is polled", async || stage.polled().await == 1).await;
    let (_, message) = stage.server.check("polling").await;
    assert!(message.ends_with(": copperkite"), "{message}");
    let path = format!("/v1/api/webhooks/{0}/{STREAMER}/{1}", stage.webhook().channel_id, stage.webhook().id);
    assert_eq!(stage.send(reqwest::Method::DELETE, &path).await.status, 200);
    serve_channel(&stage.server.pool, CHANNEL_ID, CHANNEL).await;
    assert_eq!(stage.track(&stage.webhook(), CHANNEL).await.status, 201);
    stage.server.advance_until("none is polled", async || stage.polled().await == 0).await;
    stage.stop().await;
}

/// A round over 20,000 channels takes 20 seconds at least.
#[tokio::test]
async fn samples_come_on_time_while_a_long_round_is_under_way() {
    const CHANNELS: usize = 20_000;
    let twitch = Twitch::start().await;
    let stage = Stage::polling(&twitch).await;
    let world = &twitch.mock.world;
    serve_channel(&stage.server.pool, CHANNEL_ID, CHANNEL).await;
    world.go_live(CHANNEL, Notify::No).unwrap();
    let samples = async || {
        let count = "select count(*) from event where type = 'showtime.stream.viewers'";
        sqlx::query_scalar::<_, i64>(count).fetch_one(&stage.server.pool).await.unwrap()
    };
    stage.server.advance_until("it is sampled", async || samples().await > 0).await;

    let tracks = "insert into track (destination_id, twitch_id, login, created_at)
        select (select min(id) from destination), (1000000 + n)::text, 'streamer_' || n, now() from generate_series(1, $1) n";
    sqlx::query(tracks).bind(i64::try_from(CHANNELS).unwrap()).execute(&stage.server.pool).await.unwrap();
    stage.server.advance_until("the round begins", async || stage.polled().await > CHANNELS).await;
    let (asked, sampled) = (world.calls(STREAMS), samples().await);
    for number in 1..=3 {
        stage.clock.advance(Duration::MINUTE);
        until("there is a sample", async || samples().await >= sampled + number).await;
    }
    let calls = world.calls(STREAMS);
    assert!(calls - asked < CHANNELS / 100, "the round was over before");
    until("the round goes on", async || world.calls(STREAMS) > calls + 2).await;
    stage.stop().await;
}

#[tokio::test]
async fn two_servers_find_a_start_once() {
    let twitch = Twitch::start().await;
    let stage = Stage::polling(&twitch).await;
    let url = stage.discord.api_url();
    let second = Server::at(stage.clock.clone(), stage.database.clone(), |config| {
        config.tracking.discord_url = url;
        twitch.configure(config);
    })
    .await;
    twitch.mock.world.go_live(STREAMER, Notify::No).unwrap();
    let starts = async || {
        let count = sqlx::query_scalar::<_, i64>("select count(*) from event where type = 'stream.online'");
        count.fetch_one(&stage.server.pool).await.unwrap()
    };
    stage.server.advance_until("the start is found", async || starts().await > 0).await;
    // The clock stands still meanwhile, or else a lease could end before the request, and the message would notify no one.
    until("it is announced", async || !stage.discord.world.messages().is_empty()).await;
    let asked = twitch.mock.world.calls(STREAMS);
    stage.server.advance_until("it is looked up again", async || twitch.mock.world.calls(STREAMS) > asked + 4).await;
    assert_eq!(starts().await, 1);
    let messages = stage.discord.world.messages();
    assert_eq!(messages.iter().filter(|message| is_notifying(message)).count(), 1, "{messages:?}");
    second.stop().await;
    stage.stop().await;
}

#[tokio::test]
async fn status_says_that_channels_cant_be_looked_up() {
    let twitch = Twitch::start().await;
    let stage = Stage::polling(&twitch).await;
    let world = &twitch.mock.world;
    world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    stage.server.advance_until("it warns", async || stage.server.check("polling").await.0 == "warn").await;
    world.set_faults(Faults::default()).unwrap();
    stage.server.advance_until("it is well", async || stage.server.check("polling").await.0 == "pass").await;
    stage.stop().await;
}
