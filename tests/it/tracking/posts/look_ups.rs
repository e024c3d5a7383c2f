//! What Twitch's API adds to messages: tags, the video of a stream, pictures.

use serde_json::{Value, json};
use showtime::config::Config;
use showtime::mock::discord::{DiscordMessage, Limits};
use showtime::mock::{ChannelEdit, Faults, Notify};
use time::Duration;

use super::super::{LOGIN, Stage};
use crate::support::twitch::{CHANNEL, Twitch};
use crate::support::until;

const VIDEOS: &str = "GET /helix/videos";

impl Stage {
    /// With an application of this Twitch, and a track with these settings.
    async fn asking(twitch: &Twitch, settings: &Value) -> Self {
        twitch.mock.world.update_channel(CHANNEL, edit("First run", "1"), Notify::No).unwrap();
        let stage = Self::with(Limits::NONE, |config: &mut Config| {
            config.tracking.discord_rate = 0;
            twitch.configure(config);
        })
        .await;
        stage.know_streamer().await;
        let webhook = stage.webhook();
        assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
        let path = format!("/v2/channels/{}/tracks/{LOGIN}", webhook.channel_id);
        assert_eq!(stage.put(&path, settings).await.status, 200);
        stage
    }

    /// A stream begins, at Twitch and in an event.
    async fn begin(&self, twitch: &Twitch) -> String {
        let stream = twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
        self.online(&stream).await;
        self.settled().await;
        stream
    }

    async fn finish(&self, twitch: &Twitch) {
        let stream = twitch.mock.world.go_offline(CHANNEL, Notify::No).unwrap();
        self.offline(&stream).await;
        self.settled().await;
    }

    /// Waits until this holds of the only announcement.
    async fn known(&self, what: &str) {
        let statement = format!("select {what} from announcement");
        until(what, async || {
            let found: Option<bool> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(statement.as_str())).fetch_one(&self.server.pool).await.unwrap();
            found == Some(true)
        })
        .await;
    }
}

/// What Twitch's API shows of the channel; the same as the events.
fn edit(title: &str, game_id: &str) -> ChannelEdit {
    let [title, game_id, game_name] = [title, game_id, "Chess"].map(|text| Some(text.to_owned()));
    let tags = Some(["English", "Speedrun"].map(str::to_owned).to_vec());
    ChannelEdit { title, game_id, game_name, tags, ..ChannelEdit::default() }
}

/// The video of a stream as Twitch has it.
async fn video_url(twitch: &Twitch, stream: &str) -> String {
    let channel = crate::support::twitch::CHANNEL_ID.parse().unwrap();
    let video = twitch.helix.video_of(&channel, &stream.parse().unwrap()).await.unwrap().unwrap();
    format!("https://www.twitch.tv/videos/{}", video.id)
}

#[tokio::test]
async fn tags_come_with_the_next_edit_and_the_video_with_the_end() {
    let twitch = Twitch::start().await;
    let settings = json!({
        "message": "{{ stream.title }}: {{ stream.tags | join(' ') }}", "fields": ["tags"],
        "end_message": "{{ vod_url }}{% for it in segments %} {{ it.title }}{% endfor %}",
    });
    let stage = Stage::asking(&twitch, &settings).await;
    // An earlier stream has a video, too.
    twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    twitch.mock.world.go_offline(CHANNEL, Notify::No).unwrap();
    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    let stream = stage.begin(&twitch).await;
    assert!(stage.message().content.starts_with("First run:"), "it does not wait for Twitch's API");
    twitch.mock.world.set_faults(Faults::default()).unwrap();
    stage.clock.advance(Duration::minutes(3));
    stage.known("tags is not null and video_id is not null and look_up_at is null").await;
    stage.settled().await;
    assert_eq!(stage.message().content, "First run:", "nothing is edited for the tags alone");

    twitch.mock.world.update_channel(CHANNEL, edit("Second run", "7"), Notify::No).unwrap();
    stage.update("Second run", "Chess").await;
    stage.after(Duration::seconds(11)).await;
    let message = stage.message();
    assert_eq!(message.content, "Second run: English Speedrun");
    assert_eq!(message.embeds[0]["fields"][0]["value"], "English, Speedrun");

    stage.clock.advance(Duration::hours(1));
    stage.finish(&twitch).await;
    stage.after(Duration::seconds(11)).await;
    let (message, url) = (stage.message(), video_url(&twitch, &stream).await);
    assert_eq!(message.content, format!("{url} First run Second run"));
    let description = message.embeds[0]["description"].as_str().unwrap();
    assert!(description.starts_with("was live for 1 h ") && description.ends_with(&format!("· [VOD]({url})")));
    let edits = stage.count("edit_message 200");
    stage.after(Duration::minutes(10)).await;
    assert_eq!(stage.count("edit_message 200"), edits, "what is known already makes no edit");
    stage.stop().await;
}

#[tokio::test]
async fn test_of_a_live_stream_shows_what_its_message_shows() {
    let twitch = Twitch::start().await;
    let settings = json!({
        "message": "{{ stream.tags | join(' ') }}|{{ vod_url }}|{% for it in segments %}{{ it.title }};{% endfor %}", "fields": ["tags"],
    });
    let stage = Stage::asking(&twitch, &settings).await;
    let stream = stage.begin(&twitch).await;
    stage.known("tags is not null").await;
    stage.clock.advance(Duration::minutes(4));
    stage.known("video_id is not null").await;
    twitch.mock.world.update_channel(CHANNEL, edit("Second run", "7"), Notify::No).unwrap();
    stage.update("Second run", "Chess").await;
    stage.after(Duration::seconds(11)).await;
    let (shown, url) = (stage.message(), video_url(&twitch, &stream).await);
    assert_eq!(shown.content, format!("English Speedrun|{url}|First run;Second run;"));
    let path = format!("/v2/channels/{}/tracks/{LOGIN}/test?dry_run=true", stage.webhook().channel_id);
    let payload = stage.post(&path, &json!({})).await.json()["payload"].clone();
    assert_eq!(payload["content"], shown.content, "{payload}");
    assert_eq!(payload["embeds"][0]["fields"], shown.embeds[0]["fields"]);
    stage.stop().await;
}

#[tokio::test]
async fn video_that_is_found_after_the_end_makes_an_edit() {
    let twitch = Twitch::start().await;
    let stage = Stage::asking(&twitch, &json!({ "picture": "preview" })).await;
    twitch.mock.world.set_faults(Faults { hide_videos: 1.0, ..Faults::default() }).unwrap();
    let stream = stage.begin(&twitch).await;
    stage.clock.advance(Duration::minutes(4));
    stage.known("look_up_at is null").await;
    let asked = twitch.mock.world.calls(VIDEOS);
    assert!((1..=2).contains(&asked), "{asked}");
    stage.after(Duration::minutes(56)).await;
    assert_eq!(twitch.mock.world.calls(VIDEOS), asked, "it is not asked again while it is live");
    stage.finish(&twitch).await;
    stage.after(Duration::seconds(11)).await;
    let description =
        |message: DiscordMessage| message.embeds[0]["description"].as_str().unwrap_or_default().to_owned();
    let before = description(stage.message());
    assert!(before.starts_with("was live for 1 h") && !before.contains("VOD"), "{before}");

    twitch.mock.world.set_faults(Faults::default()).unwrap();
    stage.after(Duration::minutes(2)).await;
    stage.known("video_id is not null").await;
    stage.settled().await;
    assert!(description(stage.message()).ends_with(&format!("[VOD]({})", video_url(&twitch, &stream).await)));
    let picture = stage.message().embeds[0]["image"]["url"].as_str().unwrap().to_owned();
    assert!(picture.contains("/cf_vods/"), "{picture}");
    stage.stop().await;
}

#[tokio::test]
async fn picture_after_the_end_is_that_of_the_channel_if_there_is_no_video() {
    let twitch = Twitch::start().await;
    let stage = Stage::asking(&twitch, &json!({ "picture": "preview", "avatar": true })).await;
    twitch.mock.world.set_faults(Faults { hide_videos: 1.0, ..Faults::default() }).unwrap();
    stage.begin(&twitch).await;
    stage.clock.advance(Duration::hours(1));
    stage.finish(&twitch).await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(3)).await;
    let picture = stage.message().embeds[0]["image"]["url"].clone();
    assert!(picture.as_str().is_some_and(|url| url.contains("channel_offline_image")), "{picture}");
    let edits = stage.count("edit_message 200");
    stage.after(Duration::minutes(30)).await;
    assert_eq!(stage.count("edit_message 200"), edits);
    stage.stop().await;
}
