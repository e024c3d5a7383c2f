//! Channels of Twitch that get another login, vanish and come back.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::Faults;
use showtime::mock::discord::Limits;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use time::Duration;

use super::{LOGIN, Stage};
use crate::support::messages::{CHANNEL, subscription, text, with_person};
use crate::support::twitch::Twitch;

impl Stage {
    /// An event of the channel of the tests, under another login.
    async fn event_as(&self, login: &str, kind: &str, event: Value) {
        let mut event = with_person("broadcaster_user_", CHANNEL, event);
        event["broadcaster_user_login"] = login.into();
        let message = Outgoing::notification(Stamp::new(text(self.clock.now())), &subscription(kind, &event), &event);
        assert_eq!(self.server.deliver(&message).await.status, 204);
    }

    /// The end of a subscription to the channel of the tests.
    async fn revoke(&self, kind: &str, status: &str) {
        let event = with_person("broadcaster_user_", CHANNEL, json!({}));
        let revoked = subscription(kind, &event).with_status(status);
        let message = Outgoing::revocation(Stamp::new(text(self.clock.now())), &revoked);
        assert_eq!(self.server.deliver(&message).await.status, 204);
    }

    /// What the bot was told of Twitch channels.
    async fn told_of_channels(&self) -> Vec<Value> {
        let events = self.send(Method::GET, "/v2/events?after=0").await.json();
        let all = events["data"].as_array().unwrap().iter();
        let of_channels = all.filter(|event| event["type"].as_str().unwrap().starts_with("channel_"));
        of_channels.map(|event| json!([event["type"], event["data"]])).collect()
    }
}

fn titled(title: &str) -> Value {
    json!({ "title": title, "language": "en", "category_id": "1", "category_name": "Chess" })
}

#[tokio::test]
async fn login_that_the_log_does_not_know_is_looked_up_at_twitch() {
    let twitch = Twitch::start().await;
    twitch.mock.world.add_channel("copperkite").unwrap();
    let stage = Stage::with(Limits::NONE, |config| {
        config.tracking.discord_rate = 0;
        twitch.configure(config);
    })
    .await;
    let known = twitch.mock.world.accounts();
    let id = known.iter().find(|account| account.login == "copperkite").unwrap().id.clone();
    let webhook = stage.webhook();
    let problem = stage.track(&webhook, "nosuchlogin").await.problem(404, "not-found");
    assert_eq!(problem["detail"], "Twitch has no channel `nosuchlogin`");
    assert!(stage.discord.world.calls().is_empty(), "Discord is not asked about its webhook");
    for (name, status) in [("CopperKite", 201), (id.as_str(), 200)] {
        assert_eq!(stage.track(&webhook, name).await.status, status, "{name}");
    }
    // It has had no event yet, and is tracked all the same.
    let track = |name: &str| format!("/v2/channels/{}/tracks/{name}", webhook.channel_id);
    for name in ["CopperKite", id.as_str()] {
        let silent = json!({ "silent": true });
        let changed = stage.server.send_json_as(&stage.token, Method::PATCH, &track(name), &silent).await;
        assert_eq!((changed.status.as_u16(), &changed.json()["settings"]), (200, &silent), "{changed:?}");
        let tested = stage.send(Method::POST, &format!("{}/test?dry_run=true", track(name))).await;
        assert_eq!(tested.json()["payload"]["content"], "copperkite is live", "{tested:?}");
    }
    let item = |name: &str| json!({ "channel_id": webhook.channel_id, "name": name, "webhook": { "id": webhook.id, "token": webhook.token } });
    let batch = json!({ "tracks": [item("copperkite"), item("nosuchlogin")] });
    let results = stage.post("/v2/tracks/batch", &batch).await.json()["results"].clone();
    assert_eq!(
        (&results[0]["result"], &results[1]["problem"]["status"]),
        (&json!("unchanged"), &json!(404)),
        "{results}"
    );
    // Twitch does not answer.
    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    stage.track(&webhook, "mintcomet").await.problem(503, "twitch-unavailable");
    stage.stop().await;
}

#[tokio::test]
async fn channel_with_another_login_goes_on_and_is_told_once() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    for webhook in [stage.webhook(), stage.new_webhook("other")] {
        assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
    }
    for minute in 1..4 {
        stage.clock.advance(Duration::minutes(minute));
        stage.event_as("freshname", "channel.update", titled("First run")).await;
    }
    let live = json!({ "id": "5001", "type": "live", "started_at": text(stage.clock.now()) });
    stage.event_as("freshname", "stream.online", live).await;
    stage.settled().await;
    let renamed = json!({ "twitch_id": CHANNEL, "old_login": LOGIN, "login": "freshname" });
    assert_eq!(stage.told_of_channels().await, [json!(["channel_renamed", renamed])]);
    let messages = stage.messages();
    assert_eq!(messages.len(), 2, "it is tracked by its id");
    assert_eq!(messages[0].embeds[0]["url"], "https://www.twitch.tv/freshname");
    // An event of before that comes late changes nothing.
    stage.event_as("freshname", "channel.update", titled("Second run")).await;
    stage.settled().await;
    assert_eq!(stage.told_of_channels().await.len(), 1);
    stage.stop().await;
}

#[tokio::test]
async fn channel_that_was_tracked_by_its_id_is_not_renamed_by_its_first_login() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    assert_eq!(stage.track(&stage.webhook(), LOGIN).await.status, 201);
    sqlx::query("update track set login = twitch_id").execute(&stage.server.pool).await.unwrap();
    stage.event_as(LOGIN, "channel.update", titled("Second run")).await;
    stage.settled().await;
    assert_eq!(stage.told_of_channels().await, Vec::<Value>::new());
    let login: String = sqlx::query_scalar("select login from track").fetch_one(&stage.server.pool).await.unwrap();
    assert_eq!(login, LOGIN);
    stage.stop().await;
}

#[tokio::test]
async fn channel_that_does_not_exist_any_more_is_told_once_until_it_comes_back() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    for webhook in [stage.webhook(), stage.new_webhook("other")] {
        assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
    }
    // Other reasons say nothing of the channel.
    stage.revoke("stream.online", "authorization_revoked").await;
    stage.settled().await;
    assert_eq!(stage.told_of_channels().await, Vec::<Value>::new());
    let vanished = json!(["channel_vanished", { "twitch_id": CHANNEL, "login": LOGIN }]);
    for kind in ["stream.online", "stream.offline", "channel.update"] {
        stage.revoke(kind, "user_removed").await;
        stage.settled().await;
        assert_eq!(stage.told_of_channels().await, std::slice::from_ref(&vanished), "{kind}");
    }
    // A ban has ended: it is announced as before, and may vanish again.
    stage.clock.advance(Duration::minutes(1));
    let live = json!({ "id": "5001", "type": "live", "started_at": text(stage.clock.now()) });
    stage.event_as(LOGIN, "stream.online", live).await;
    stage.settled().await;
    assert_eq!(stage.messages().len(), 2);
    stage.revoke("stream.online", "user_removed").await;
    stage.settled().await;
    assert_eq!(stage.told_of_channels().await, [vanished.clone(), vanished]);
    stage.stop().await;
}

#[tokio::test]
async fn webhook_of_a_batch_is_verified_by_the_first_message_in_its_channel() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (here, moved) = (stage.webhook(), stage.new_webhook("moved"));
    let elsewhere = stage.new_channel("elsewhere");
    let item = |webhook: &showtime::mock::discord::Webhook| {
        json!({
            "channel_id": webhook.channel_id, "name": LOGIN, "webhook": { "id": webhook.id, "token": webhook.token },
        })
    };
    let batch = stage.post("/v2/tracks/batch", &json!({ "tracks": [item(&here), item(&moved)] })).await;
    assert_eq!(batch.status, 200, "{batch:?}");
    stage.discord.world.move_webhook(&moved.id.to_string(), &elsewhere.name).unwrap();
    let verified = async |webhook: &showtime::mock::discord::Webhook| {
        let shown = stage.send(Method::GET, &format!("/v2/channels/{}", webhook.channel_id)).await.json();
        shown["verified_at"] != Value::Null
    };
    assert!(!verified(&here).await && !verified(&moved).await);
    let live = json!({ "id": "5001", "type": "live", "started_at": text(stage.clock.now()) });
    stage.event_as(LOGIN, "stream.online", live).await;
    stage.settled().await;
    assert!(verified(&here).await && !verified(&moved).await);
    stage.stop().await;
}
