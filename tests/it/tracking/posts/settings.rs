//! What settings of a track change.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::{DiscordFault, NewWebhook};
use time::Duration;

use super::super::{LOGIN, Stage};
use super::is_notifying;
use crate::support::messages::CHANNEL;

/// A stage whose track has these settings.
pub(super) async fn with(settings: &Value) -> Stage {
    let stage = Stage::tracking().await;
    stage.set(settings).await;
    stage
}

#[tokio::test]
async fn mentions_are_exactly_those_of_the_list() {
    let stage = Stage::tracking().await;
    let (role, other) = (
        stage.discord.world.add_role("fans", true).unwrap().id,
        stage.discord.world.add_role("mods", true).unwrap().id,
    );
    let member = stage.discord.world.add_member("kit").unwrap().id;
    stage.set(&json!({ "mentions": { "roles": [role], "users": [member], "here": true } })).await;
    stage.update(&format!("@everyone <@&{other}>"), "Chess").await;
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    assert_eq!(message.content, format!("@here <@&{role}> <@{member}> User90210441 is live"));
    assert_eq!((&message.pings.roles, &message.pings.users), (&[role].into(), &[member].into()));
    assert!(message.pings.here && !message.pings.everyone && message.is_notifying());
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.message().content.contains("was live"));
    let pings = stage.discord.world.changes().iter().filter(|change| change.is_notifying).count();
    assert_eq!(pings, 1, "an edit pings no one");
    stage.end().await;
}

#[tokio::test]
async fn mentions_are_where_the_text_places_them_and_only_if_they_are_on_the_list() {
    let stage = Stage::tracking().await;
    let [fans, mods] = ["fans", "mods"].map(|name| stage.discord.world.add_role(name, true).unwrap().id);
    let text = format!("{{{{ role('{fans}') }}}} {{{{ streamer.name }}}}{{{{ role('{mods}') }}}} {{{{ everyone }}}}");
    let settings = json!({ "message": text, "mentions": { "roles": [fans], "here": true } });
    let path = format!("/v2/channels/{}/tracks/{LOGIN}", stage.webhook().channel_id);
    assert_eq!(stage.put(&path, &settings).await.status, 200);
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    assert_eq!(message.content, format!("<@&{fans}> User90210441"));
    assert!(message.pings.roles == [fans].into() && !message.pings.here && !message.pings.everyone, "{message:?}");
    // What is posted again mentions no one, in its text either.
    stage.offline("5001").await;
    stage.after(Duration::minutes(20)).await;
    stage.next(DiscordFault::ErrorAfter, 1);
    stage.online("5002").await;
    stage.after(Duration::seconds(2)).await;
    let repost = stage.messages().pop().unwrap();
    assert!(repost.content == "User90210441" && repost.pings.is_empty(), "{repost:?}");
    stage.end().await;
}

#[tokio::test]
async fn bot_is_told_of_mentions_that_discord_did_not_make() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let channel = stage.new_channel("weak").name;
    let weak = NewWebhook { channel, may_mention_everyone: false, ..NewWebhook::default() };
    let webhook = stage.discord.world.add_webhook(&weak).unwrap();
    assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
    let [open, closed] = [true, false].map(|is_open| stage.discord.world.add_role("role", is_open).unwrap().id);
    stage.set(&json!({ "mentions": { "roles": [open, closed], "everyone": true } })).await;
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    assert_eq!((&message.pings.roles, message.pings.everyone), (&[open].into(), false));
    let events = stage.send(Method::GET, "/v2/events?after=0").await.json();
    let types: Vec<_> = events["data"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect();
    assert_eq!(types, ["post_created", "mention_ineffective"], "{events}");
    let (created, told) = (&events["data"][0]["data"], &events["data"][1]["data"]);
    let expected = json!({
        "delivery_id": created["delivery_id"], "channel_id": webhook.channel_id, "twitch_id": CHANNEL, "login": LOGIN,
        "message_id": message.id, "roles": [closed], "everyone": true,
    });
    assert_eq!(told, &expected);
    // An edit mentions no one, and is no reason to tell.
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    let events = stage.send(Method::GET, "/v2/events?after=0").await.json();
    assert_eq!(events["data"].as_array().unwrap().len(), 3, "{events}");
    stage.end().await;
}

#[tokio::test]
async fn lost_answer_is_treated_as_the_track_says() {
    for (on_uncertain, count, pings, state) in
        [("silent_repost", 2, 1, "posted"), ("repost", 2, 2, "posted"), ("skip", 1, 1, "uncertain")]
    {
        let stage = with(&json!({ "on_uncertain": on_uncertain, "mentions": { "everyone": true } })).await;
        stage.next(DiscordFault::ErrorAfter, 1);
        stage.online("5001").await;
        stage.after(Duration::seconds(2)).await;
        let messages = stage.messages();
        assert_eq!(messages.len(), count, "{on_uncertain}: {messages:?}");
        assert_eq!(messages.iter().filter(|it| it.is_notifying()).count(), pings, "{on_uncertain}");
        assert_eq!(stage.states().await, [state]);
        stage.end().await;
    }
}

#[tokio::test]
async fn silent_message_makes_no_sound() {
    let stage = with(&json!({ "silent": true })).await;
    stage.online("5001").await;
    stage.settled().await;
    assert!(!is_notifying(&stage.message()));
    stage.end().await;
}

#[tokio::test]
async fn message_is_edited_only_for_what_the_track_wants() {
    let stage = with(&json!({ "on_update": "ignore" })).await;
    stage.online("5001").await;
    stage.settled().await;
    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.message().embeds[0]["title"], "First run");
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.message().content.contains("was live"));
    stage.online("5002").await;
    stage.after(Duration::minutes(1)).await;
    assert!(stage.message().content.contains("is live"), "what says that it has ended is edited if it goes on");
    stage.end().await;

    let stage = with(&json!({ "on_end": "leave" })).await;
    stage.online("5001").await;
    stage.settled().await;
    stage.offline("5001").await;
    stage.after(Duration::minutes(20)).await;
    assert!(stage.message().content.contains("is live"));
    stage.end().await;
}

#[tokio::test]
async fn message_is_deleted_once_the_stream_can_not_go_on() {
    let stage = with(&json!({ "on_end": "delete" })).await;
    stage.online("5001").await;
    stage.settled().await;
    stage.offline("5001").await;
    stage.after(Duration::minutes(14)).await;
    stage.message();
    stage.after(Duration::minutes(2)).await;
    assert!(stage.messages().is_empty());
    assert_eq!(stage.states().await, ["dismissed"]);
    stage.end().await;
}

#[tokio::test]
async fn stream_is_announced_once_its_category_is_one_of_the_filter() {
    let stage = with(&json!({ "filter": { "categories": ["go"], "not_titles": ["rerun"] } })).await;
    stage.online("5001").await;
    stage.settled().await;
    assert!(stage.messages().is_empty());
    stage.clock.advance(Duration::minutes(20));
    stage.update("Rerun", "Go").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.states().await, ["filtered"]);
    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Second run");
    // What is posted stays.
    stage.update("Third run", "Chess").await;
    stage.after(Duration::minutes(2)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Third run");
    stage.end().await;
}

/// Also what the list allows is notified by the text alone, not by what a streamer calls a stream.
#[tokio::test]
async fn title_notifies_none_of_the_list() {
    let stage = Stage::tracking().await;
    let role = stage.discord.world.add_role("fans", true).unwrap().id;
    let text =
        "{% if stream.category == 'Chess' %}{{ mentions }}{% endif %}{{ stream.title | raw }} {{ stream.title }}";
    stage.set(&json!({ "message": text, "mentions": { "roles": [role], "everyone": true } })).await;
    stage.update(&format!("@everyone <@&{role}> @here @"), "Go").await;
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    assert!(message.content.contains("everyone") && message.pings.is_empty(), "{message:?}");
    stage.end().await;
}

#[tokio::test]
async fn text_of_a_message_has_conditions_times_and_samples() {
    let text = "{{ stream.started_at | timestamp('R') }}{% if stream.viewers %} {{ stream.viewers }} watch{% endif %} \
                ({{ stream.language | upper }}) {{ stream.title | raw }}";
    let stage = with(&json!({ "message": text })).await;
    stage.update("**bold** @everyone", "Go").await;
    stage.online("5001").await;
    stage.settled().await;
    let began = stage.clock.now().unix_timestamp();
    let content = stage.message().content;
    let is_it = |at: i64| content == format!("<t:{at}:R> (EN) **bold** @\u{2060}everyone");
    assert!((began - 5..=began).any(is_it), "{content}");
    assert!(stage.message().pings.is_empty());
    // The next edit shows what is known by then.
    let sample =
        "insert into activity (channel_id, minute, subscriptions, resubscriptions, gifts, bits, raids, raid_viewers,
            redemptions, messages, viewers, viewer_samples)
        select id, $1, 0, 0, 0, 0, 0, 0, 0, 0, 300, 2 from channel";
    sqlx::query(sample).bind(stage.clock.now()).execute(&stage.server.pool).await.unwrap();
    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.message().content.contains("> 150 watch (EN) Second run"), "{}", stage.message().content);
    stage.end().await;
}

#[tokio::test]
async fn text_of_a_message_is_that_of_the_track() {
    let settings = json!({
        "message": "**{{ streamer.name }}** plays {{ stream.category }}: {{ stream.title }} {{ streamer.url }} @everyone",
        "end_message": "It was {{ duration }}",
    });
    let stage = with(&settings).await;
    stage.update("_Second_ {{ duration }}", "Go").await;
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    let text = r"**User90210441** plays Go: \_Second\_ \{\{ duration \}\} https://www.twitch.tv/user90210441 @everyone";
    assert_eq!(message.content, text);
    assert!(message.pings.is_empty());
    stage.clock.advance(Duration::minutes(5));
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.message().content, "It was 5 min");
    // What this version can't use is not a reason to post nothing.
    stage.set(&json!({ "message": "{{ unknown }}" })).await;
    stage.after(Duration::minutes(20)).await;
    stage.online("5002").await;
    stage.settled().await;
    assert_eq!(stage.messages()[1].content, "User90210441 is live");
    stage.end().await;
}
