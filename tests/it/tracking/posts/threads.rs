//! Threads, forums and channels for announcements.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::{Channel, ChannelEdit, ChannelKind, DiscordFault, NewChannel, NewWebhook, Webhook};
use time::Duration;

use super::super::{LOGIN, Stage};
use super::is_notifying;

impl Stage {
    /// A channel of this kind, and a webhook in it over which the channel of the tests is tracked.
    async fn in_channel(kind: ChannelKind, tags: &[&str]) -> (Self, Channel, Webhook) {
        let stage = Self::start().await;
        stage.know_streamer().await;
        let tags: Vec<_> = tags.iter().map(|&tag| tag.to_owned()).collect();
        let requires_tag = !tags.is_empty();
        let new = NewChannel { name: "place".to_owned(), kind, tags, requires_tag, ..NewChannel::default() };
        let channel = stage.discord.world.add_channel(&new).unwrap();
        let new = NewWebhook { channel: "place".to_owned(), ..NewWebhook::default() };
        let webhook = stage.discord.world.add_webhook(&new).unwrap();
        assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
        (stage, channel, webhook)
    }

    /// A thread of the first channel, that messages go into.
    async fn in_thread(mut settings: Value) -> (Self, Channel) {
        let stage = Self::tracking().await;
        let parent = Some(stage.webhook().channel_id.to_string());
        let new = NewChannel { name: "thread".to_owned(), parent, ..NewChannel::default() };
        let thread = stage.discord.world.add_channel(&new).unwrap();
        settings["thread_id"] = json!(thread.id);
        stage.set(&settings).await;
        (stage, thread)
    }

    async fn problems(&self) -> Vec<Value> {
        let deliveries = self.send(Method::GET, "/v2/deliveries?state=failed").await.json();
        deliveries["data"].as_array().unwrap().iter().map(|it| it["problem"].clone()).collect()
    }

    async fn types(&self) -> Vec<Value> {
        let events = self.send(Method::GET, "/v2/events?after=0").await.json();
        events["data"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect()
    }
}

#[tokio::test]
async fn messages_of_a_track_are_in_its_thread_from_begin_to_end() {
    let (stage, thread) = Stage::in_thread(json!({ "on_end": "post", "delete_after": 5 })).await;
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.message().channel_id, thread.id);
    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Second run");
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(16)).await;
    let messages = stage.messages();
    assert!(messages.len() == 2 && messages.iter().all(|message| message.channel_id == thread.id), "{messages:?}");
    stage.after(Duration::minutes(6)).await;
    assert_eq!(stage.message().content, "User90210441 was live for less than a minute");
    let shown = stage.send(Method::GET, &format!("/v2/channels/{}", stage.webhook().channel_id)).await.json();
    assert_eq!(shown["state"], "ok", "a thread is not another channel: {shown}");
    stage.end().await;
}

#[tokio::test]
async fn thread_that_is_closed_ends_the_delivery_with_the_reason() {
    // Locked, or deleted, before a message is posted: Discord is asked once.
    for (is_deleted, reason) in [(false, "the thread is locked"), (true, "the thread does not exist in this channel")] {
        let (stage, thread) = Stage::in_thread(json!({})).await;
        let name = thread.id.to_string();
        if is_deleted {
            stage.discord.world.delete_channel(&name).unwrap();
        } else {
            stage.discord.world.edit_channel(&name, ChannelEdit { is_locked: Some(true), is_archived: None }).unwrap();
        }
        stage.online("5001").await;
        stage.after(Duration::minutes(2)).await;
        stage.update("Second run", "Go").await;
        stage.after(Duration::minutes(2)).await;
        let problem = stage.problems().await.remove(0);
        assert!(problem.as_str().unwrap().starts_with(reason), "{problem}");
        assert_eq!(stage.types().await, ["delivery_failed"]);
        assert_eq!(stage.count("execute 400") + stage.count("execute 404"), 1);
        stage.stop().await;
    }

    // Archived before an edit.
    let (stage, thread) = Stage::in_thread(json!({})).await;
    let archived = ChannelEdit { is_archived: Some(true), is_locked: None };
    stage.discord.world.edit_channel(&thread.id.to_string(), archived).unwrap();
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.message().channel_id, thread.id, "a post opens it");
    stage.discord.world.edit_channel(&thread.id.to_string(), archived).unwrap();
    for title in ["Second run", "Third run"] {
        stage.update(title, "Go").await;
        stage.after(Duration::minutes(2)).await;
    }
    let problem = stage.problems().await.remove(0);
    assert!(problem.as_str().unwrap().starts_with("the thread is archived"), "{problem}");
    assert_eq!((stage.count("edit_message 400"), stage.types().await.len()), (1, 2));
    stage.stop().await;
}

#[tokio::test]
async fn stream_in_a_forum_is_a_thread_of_its_own() {
    let (stage, forum, _) = Stage::in_channel(ChannelKind::Forum, &["live"]).await;
    let tag = forum.tags[0].id;
    stage.set(&json!({ "forum": { "title": "{{ streamer.name }} plays {{ stream.category }}", "tags": [tag] } })).await;
    stage.update("First run", "Chess_2").await;
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    let thread = stage.discord.world.channel(&message.channel_id.to_string()).unwrap();
    assert_eq!((thread.name.as_str(), thread.parent_id), ("User90210441 plays Chess_2", Some(forum.id)));
    assert_eq!((&thread.applied_tags, thread.id), (&vec![tag], message.id));
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.message().content.contains("was live"));
    // Without a title it has the names of streamer and stream.
    stage.set(&json!({ "on_end": "post", "forum": { "tags": [tag] } })).await;
    stage.after(Duration::minutes(20)).await;
    stage.update(&"é".repeat(140), "Go").await;
    stage.online("5002").await;
    stage.settled().await;
    let second = stage.messages().remove(1);
    let thread = stage.discord.world.channel(&second.channel_id.to_string()).unwrap();
    assert!(thread.name.starts_with("User90210441: éé") && thread.name.chars().count() == 100, "{}", thread.name);
    stage.offline("5002").await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(16)).await;
    let end = stage.messages().remove(2);
    assert_eq!((end.channel_id, is_notifying(&end)), (thread.id, false), "the end is in the same thread");
    stage.end().await;
}

#[tokio::test]
async fn repost_in_a_forum_is_deleted_when_the_bot_finds_the_first_message() {
    let (stage, _, _) = Stage::in_channel(ChannelKind::Forum, &[]).await;
    stage.set(&json!({ "forum": {} })).await;
    stage.next(DiscordFault::ErrorAfter, 1);
    stage.online("5001").await;
    stage.after(Duration::seconds(2)).await;
    let [first, second] = &stage.messages()[..] else { panic!("two messages") };
    assert_ne!(first.channel_id, second.channel_id);
    let id = stage.send(Method::GET, "/v2/deliveries").await.json()["data"][0]["id"].clone();
    let resolved = stage.post(&format!("/v2/deliveries/{id}/resolve"), &json!({ "message_id": first.id })).await;
    assert_eq!(resolved.status, 204);
    stage.settled().await;
    assert_eq!(stage.message().id, first.id);
    stage.end().await;
}

#[tokio::test]
async fn forum_that_the_settings_do_not_fit_is_told_plainly() {
    for (settings, kind, reason) in [
        (json!({}), ChannelKind::Forum, "the channel is a forum: set `forum` or `thread_id`"),
        (json!({ "forum": {} }), ChannelKind::Forum, "the forum wants a tag: set `forum.tags`"),
        (json!({ "forum": { "tags": ["146404426746167299"] } }), ChannelKind::Forum, "the forum has no such tag"),
        (json!({ "forum": {} }), ChannelKind::Text, "the channel is not a forum, so `forum` can't be set"),
    ] {
        let (stage, ..) = Stage::in_channel(kind, if kind == ChannelKind::Forum { &["live"] } else { &[] }).await;
        stage.set(&settings).await;
        stage.online("5001").await;
        stage.after(Duration::minutes(2)).await;
        let problem = stage.problems().await.remove(0);
        assert!(problem.as_str().unwrap().starts_with(reason), "{problem}");
        assert_eq!(stage.types().await, ["delivery_failed"]);
        assert_eq!(stage.count("execute 400"), 1);
        stage.stop().await;
    }
}

#[tokio::test]
async fn bot_is_asked_to_publish_the_message() {
    let (stage, _, webhook) = Stage::in_channel(ChannelKind::Announcement, &[]).await;
    let path = format!("/v2/channels/{}/tracks/{LOGIN}", webhook.channel_id);
    assert_eq!(stage.put(&path, &json!({ "crosspost": true, "on_end": "post" })).await.status, 200);
    stage.online("5001").await;
    stage.settled().await;
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::minutes(16)).await;
    let events = stage.send(Method::GET, "/v2/events?after=0").await.json();
    let asked: Vec<_> =
        events["data"].as_array().unwrap().iter().map(|it| it["data"]["crosspost_requested"].clone()).collect();
    assert_eq!(asked, [true, false, false].map(Value::from), "{events}");
    let wrong = json!({ "forum": {}, "thread_id": "146404426746167299" });
    assert_eq!(stage.put(&path, &wrong).await.problem(400, "invalid-field")["field"], "forum");
    stage.end().await;
}
