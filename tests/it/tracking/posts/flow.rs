//! From the begin of a stream to its end.

use serde_json::json;
use showtime::mock::discord::{ChangeKind, DiscordMessage};
use showtime::tracking::bots;
use time::Duration;

use super::super::{LOGIN, Stage};
use super::about;
use crate::support::messages::{CHANNEL, text};
use crate::support::postgres::dump;

#[tokio::test]
async fn stream_is_announced_edited_and_ended_in_one_message() {
    let stage = Stage::tracking().await;
    let began = stage.clock.now();
    stage.online("5001").await;
    stage.settled().await;
    let message = stage.message();
    assert_eq!(message.content, "User90210441 is live");
    let card = &message.embeds[0];
    assert_eq!((&card["title"], &card["url"]), (&json!("First run"), &json!("https://www.twitch.tv/user90210441")));
    assert_eq!((&card["author"]["name"], &card["author"]["url"]), (&json!("User90210441"), &card["url"]));
    assert_eq!(card["fields"], json!([{ "name": "Category", "value": "Chess", "inline": true }]));
    let shown = time::OffsetDateTime::parse(
        card["timestamp"].as_str().unwrap(),
        &time::format_description::well_known::Rfc3339,
    );
    assert!((shown.unwrap() - began).abs() < Duration::SECOND, "{card}");
    assert_eq!(card.get("description"), None, "{card}");

    // Changes within ten seconds are one edit.
    stage.update("Second run", "Chess").await;
    stage.settled().await;
    stage.clock.advance(Duration::seconds(2));
    stage.update("Second run", "Go").await;
    stage.settled().await;
    assert_eq!(stage.message().embeds[0]["title"], "First run");
    stage.after(Duration::seconds(9)).await;
    let card = stage.message().embeds[0].clone();
    assert_eq!((&card["title"], &card["fields"][0]["value"]), (&json!("Second run"), &json!("Go")));
    // The next one comes a minute after the last.
    stage.update("Third run", "Go").await;
    stage.after(Duration::seconds(12)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Second run");
    stage.after(Duration::seconds(50)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Third run");

    stage.clock.advance(began + Duration::minutes(192) + Duration::SECOND - stage.clock.now());
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    let message = stage.message();
    assert_eq!(message.content, "User90210441 was live for 3 h 12 min");
    assert_eq!(message.embeds[0]["description"], "was live for 3 h 12 min");
    assert_eq!(message.embeds[0]["title"], "Third run");
    let kinds: Vec<_> = stage.discord.world.changes().iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Created, ChangeKind::Edited, ChangeKind::Edited, ChangeKind::Edited]);

    let token = stage.new_token().await;
    let events = stage.server.send_as(&token, reqwest::Method::GET, "/v2/events?after=0").await.json();
    let types: Vec<_> = events["data"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["post_created", "post_updated", "post_updated", "post_ended"], "{events}");
    let created = &events["data"][0]["data"];
    assert_eq!((&created["login"], &created["stream_id"]), (&json!(LOGIN), &json!("5001")), "{events}");
    assert_eq!(created["message_id"], json!(message.id));
    assert_eq!(
        (&created["channel_id"], &created["posted_channel_id"]),
        (&json!(message.channel_id), &json!(message.channel_id))
    );

    // What changes afterwards is not about this broadcast.
    stage.update("Tomorrow", "Chess").await;
    stage.after(Duration::minutes(10)).await;
    assert_eq!(stage.message().embeds[0]["title"], "Third run");
    for check in ["posts", "announcements"] {
        let (verdict, message) = stage.server.check(check).await;
        assert_eq!(verdict, "pass", "{message}");
    }
    let metrics = stage.server.get("/metrics").await.text;
    for line in [
        "showtime_discord_posts_total{outcome=\"posted\"} 1",
        "showtime_discord_posts_total{outcome=\"edited\"} 3",
        "showtime_discord_post_delay_seconds_count 1",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    stage.end().await;
}

#[tokio::test]
async fn message_of_an_hour_is_edited_every_five_minutes_but_for_the_end() {
    let stage = Stage::tracking().await;
    stage.online("5001").await;
    stage.after(Duration::minutes(70)).await;
    let edits = || stage.count("edit_message 200");
    stage.update("Second run", "Chess").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(edits(), 1);
    stage.update("Third run", "Chess").await;
    stage.after(Duration::seconds(280)).await;
    assert_eq!(edits(), 1, "Discord lets these be edited less often");
    stage.after(Duration::seconds(25)).await;
    assert_eq!((edits(), &stage.message().embeds[0]["title"]), (2, &json!("Third run")));
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(edits(), 3, "the end does not wait");
    stage.end().await;
}

#[tokio::test]
async fn stream_that_goes_on_within_a_quarter_of_an_hour_is_the_same_message() {
    let stage = Stage::tracking().await;
    stage.online("5001").await;
    stage.settled().await;
    stage.clock.advance(Duration::hours(1));
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.message().content.contains("was live"));
    stage.clock.advance(Duration::minutes(14));
    stage.online("5002").await;
    stage.after(Duration::minutes(6)).await;
    assert_eq!(stage.message().content, "User90210441 is live");
    stage.offline("5002").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.message().content.contains("was live for 1 h 20 min"), "{:?}", stage.message());

    stage.clock.advance(Duration::minutes(16));
    stage.online("5003").await;
    stage.settled().await;
    let messages = stage.messages();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].content, "User90210441 is live");
    stage.end().await;
}

#[tokio::test]
async fn only_what_is_news_is_announced() {
    let stage = Stage::tracking().await;
    let rerun = json!({ "id": "5001", "type": "rerun", "started_at": text(stage.clock.now()) });
    stage.deliver(about(CHANNEL, "stream.online", stage.clock.now(), rerun)).await;
    let other = json!({ "id": "5002", "type": "live", "started_at": text(stage.clock.now()) });
    stage.deliver(about("777", "stream.online", stage.clock.now(), other)).await;
    let test = format!("/channels/{CHANNEL}/test");
    assert_eq!(stage.server.post_json(&test, &json!({ "type": "stream.online" })).await.status, 202);
    stage.update("Second run", "Chess").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.messages().is_empty());
    // The end of the rerun, then a stream that was told of twice.
    stage.offline("5001").await;
    stage.clock.advance(Duration::minutes(20));
    stage.online("5003").await;
    stage.online("5003").await;
    stage.after(Duration::minutes(2)).await;
    stage.online("5003").await;
    stage.after(Duration::minutes(2)).await;
    stage.message();
    stage.end().await;
}

#[tokio::test]
async fn stream_that_ended_is_not_announced_and_one_that_goes_on_is() {
    let stage = Stage::tracking().await;
    stage.next(showtime::mock::discord::DiscordFault::RateLimited, 1);
    stage.online("5001").await;
    stage.settled().await;
    stage.offline("5001").await;
    stage.after(Duration::seconds(2)).await;
    assert_eq!(stage.states().await, ["expired"]);
    assert!(stage.messages().is_empty());
    // The same broadcast goes on.
    stage.clock.advance(Duration::minutes(5));
    stage.online("5002").await;
    stage.after(Duration::seconds(11)).await;
    assert_eq!(stage.message().content, "User90210441 is live");
    stage.end().await;
}

#[tokio::test]
async fn nothing_is_posted_for_what_is_not_tracked_any_more() {
    let stage = Stage::tracking().await;
    let (webhook, kept) = (stage.webhook(), stage.track_anew("kept").await);
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.messages().len(), 2);
    let path = format!("/v1/api/webhooks/{}/{LOGIN}/{}", webhook.channel_id, webhook.id);
    assert_eq!(stage.send(reqwest::Method::DELETE, &path).await.status, 200);
    stage.update("Second run", "Chess").await;
    stage.after(Duration::seconds(11)).await;
    let title = |messages: &[DiscordMessage], id| {
        messages.iter().find(|it| it.webhook_id == id).unwrap().embeds[0]["title"].clone()
    };
    let messages = stage.messages();
    assert_eq!((title(&messages, webhook.id), title(&messages, kept.id)), ("First run".into(), "Second run".into()));

    stage.offline("5001").await;
    stage.after(Duration::minutes(20)).await;
    let mut connection = stage.server.pool.acquire().await.unwrap();
    bots::switch(&mut connection, "tatsu", Some(stage.clock.now())).await.unwrap();
    stage.online("5002").await;
    stage.settled().await;
    assert_eq!(stage.messages().len(), 2, "the bot is switched off");
    bots::switch(&mut connection, "tatsu", None).await.unwrap();
    drop(connection);
    stage.offline("5002").await;
    stage.after(Duration::minutes(20)).await;
    stage.online("5003").await;
    stage.settled().await;
    let messages = stage.messages();
    assert_eq!((messages.len(), messages[2].webhook_id), (3, kept.id));
    stage.end().await;
}

#[tokio::test]
async fn two_bots_that_track_the_same_have_a_message_each() {
    let stage = Stage::tracking().await;
    let other = crate::support::bots::token(&stage.server, "other").await;
    let webhook = stage.webhook();
    let path = format!("/v1/api/{}/{LOGIN}", webhook.channel_id);
    let body = json!({ "id": webhook.id, "token": webhook.token });
    let tracked = stage.server.send_json_as(&other, reqwest::Method::POST, &path, &body).await;
    assert_eq!(tracked.status, 201, "{tracked:?}");
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.messages().len(), 2);
    for token in [&stage.token, &other] {
        let events = stage.server.send_as(token, reqwest::Method::GET, "/v2/events?after=0").await.json();
        assert_eq!(events["data"].as_array().unwrap().len(), 1, "{events}");
    }
    stage.end().await;
}

#[tokio::test]
async fn hostile_titles_are_shown_as_they_are() {
    let stage = Stage::tracking().await;
    let role = stage.discord.world.add_role("fans", true).unwrap();
    stage.online("5001").await;
    stage.settled().await;
    let titles = [
        format!("@everyone @here <@&{}> <@{}>", role.id, role.id),
        "[free](https://evil.example/) **bold** `code` ||spoiler|| discord clyde".to_owned(),
        "\u{202e}txet\u{200b}\u{feff} \u{0}\u{7}".to_owned(),
        "é".repeat(10_000),
        "*".repeat(3_000),
        " \n\t ".to_owned(),
    ];
    for title in titles {
        stage.update(&title, &title).await;
        stage.after(Duration::minutes(6)).await;
        let message = stage.message();
        assert!(message.mentions.is_empty(), "{message:?}");
        let shown = message.embeds[0]["title"].as_str().unwrap();
        assert!(!shown.contains("](") && !shown.contains("<@") && !shown.contains('\u{202e}'), "{shown}");
        let is_cut = shown.chars().count() == 256 || title.chars().count() < 256;
        assert!(is_cut || shown.ends_with('…'), "{shown}");
    }
    assert_eq!(stage.count("edit_message 200"), 6, "{:?}", stage.discord.world.counts());
    stage.end().await;
}

#[tokio::test]
async fn webhook_tokens_are_in_no_row_no_log_and_no_answer() {
    let stage = Stage::tracking().await;
    let webhook = stage.webhook();
    stage.online("5001").await;
    stage.settled().await;
    stage.discord.world.delete_webhook(&webhook.id.to_string()).unwrap();
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    stage.after(Duration::seconds(6)).await;
    let (dump, status) = (dump(&stage.database).await, stage.server.get("/status").await.text);
    for text in [&dump, &status, &stage.server.get("/metrics").await.text] {
        assert!(!text.contains(&webhook.token), "the token is shown");
    }
    stage.end().await;
}
