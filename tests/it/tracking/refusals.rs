//! What is refused, and how: the same over REST and gRPC.

use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use showtime::grpc::proto::tracking::{
    BatchTrackItem, BatchTrackRequest, CheckWebhookRequest, CheckWebhookResponse, DeleteGuildRequest,
    GetDestinationRequest, IssueTokenRequest, ListDestinationsRequest, PreviewRequest, ReplaceWebhookRequest,
    ResolveDeliveryRequest, SendTestRequest, TrackRequest, UntrackRequest, Webhook, WebhookState,
};
use showtime::mock::discord::{DiscordFault, DiscordFaults, Limits, Webhook as DiscordWebhook};
use showtime::tracking::bots;
use time::Duration;
use tonic::{Code, Status};

use super::grpc::{Client, given, problem};
use super::{LOGIN, Stage};
use crate::support::bots::{add, request, token_of};
use crate::support::server::Answer;
use crate::support::twitch::Twitch;

impl Stage {
    /// Verifies a webhook and keeps it, over REST.
    async fn put_webhook(&self, webhook: &DiscordWebhook) -> Answer {
        let path = format!("/v2/channels/{}/webhook", webhook.channel_id);
        self.put(&path, &json!({ "id": webhook.id, "token": webhook.token })).await
    }

    async fn put_track(&self, webhook: &DiscordWebhook, settings: &Value) -> Answer {
        self.put(&format!("/v2/channels/{}/tracks/{LOGIN}", webhook.channel_id), settings).await
    }
}

impl Client {
    /// Verifies a webhook and keeps it.
    async fn replace(&mut self, webhook: &DiscordWebhook) -> Result<(), Status> {
        let (channel_id, webhook) = (webhook.channel_id.to_string(), Some(given(webhook)));
        let request = self.with(ReplaceWebhookRequest { channel_id, webhook });
        self.tracking.replace_webhook(request).await.map(drop)
    }

    async fn check(&mut self, webhook: &DiscordWebhook) -> Result<CheckWebhookResponse, Status> {
        let request = self.with(CheckWebhookRequest { channel_id: webhook.channel_id.to_string() });
        Ok(self.tracking.check_webhook(request).await?.into_inner())
    }

    async fn test(&mut self, webhook: &DiscordWebhook) -> Result<(), Status> {
        let (channel_id, name) = (webhook.channel_id.to_string(), LOGIN.to_owned());
        let request = self.with(SendTestRequest { channel_id, name, dry_run: false });
        self.tracking.send_test(request).await.map(drop)
    }

    async fn list(&mut self) -> Result<(), Status> {
        let request = self.with(ListDestinationsRequest::default());
        self.tracking.list_destinations(request).await.map(drop)
    }
}

/// Fails the test unless both say the same.
#[track_caller]
fn same(document: &Value, status: &Status) {
    assert_eq!(document["detail"], status.message(), "{status:?}");
}

#[tokio::test]
async fn bot_that_is_not_known_and_wrong_secret_get_the_same_answer() {
    let stage = Stage::start().await;
    let (mut client, mut answers) = (stage.client("").await, Vec::new());
    for (name, secret) in [("nobot", stage.secret.clone()), ("tatsu", SecretString::from("stb_wrong"))] {
        let refused = stage.server.post_json("/v1/token", &request(name, &secret)).await.problem(401, "wrong-secret");
        let issue = IssueTokenRequest { name: name.to_owned(), shard: 0, secret: secret.expose_secret().to_owned() };
        let status = problem(client.tracking.issue_token(issue).await, Code::Unauthenticated, "wrong-secret");
        answers.push((refused, status.message().to_owned()));
    }
    assert_eq!(answers[0], answers[1], "which of both is wrong is not said");
    assert_eq!(answers[0].1, "the name or the secret is wrong");
    stage.stop().await;
}

#[tokio::test]
async fn expired_and_rotated_tokens_are_refused() {
    let stage = Stage::start().await;
    let refused = async |token: &str| {
        let answer = stage.server.send_as(token, Method::GET, "/v2/channels").await;
        let document = answer.problem(401, "token-invalid");
        let status = problem(stage.client(token).await.list().await, Code::Unauthenticated, "token-invalid");
        assert!(document["detail"].as_str().unwrap().starts_with(status.message()), "{document} {status:?}");
    };
    let expired = stage.new_token().await;
    stage.client(&expired).await.list().await.unwrap();
    stage.clock.advance(Duration::hours(72));
    refused(&expired).await;
    let old = stage.new_token().await;
    stage.client(&old).await.list().await.unwrap();
    let mut connection = stage.server.pool.acquire().await.unwrap();
    let secret = bots::rotate(&mut connection, "tatsu").await.unwrap();
    stage.clock.advance(Duration::seconds(5));
    refused(&old).await;
    refused("a.b.c").await;
    let new = token_of(&stage.server, "tatsu", &secret).await;
    stage.client(&new).await.list().await.unwrap();
    drop(connection);
    stage.stop().await;
}

#[tokio::test]
async fn malformed_ids_are_named() {
    let stage = Stage::start().await;
    let mut client = stage.client(&stage.token).await;
    let channel = stage.webhook().channel_id.to_string();
    let good = given(&stage.webhook());
    let text = str::to_owned;
    for wrong in ["5", "x", "-146404426746167296", "999999999999999999999"] {
        let path = format!("/v2/channels/{wrong}");
        stage.send(Method::GET, &path).await.problem(400, "invalid-path");
        let get = client.with(GetDestinationRequest { channel_id: text(wrong) });
        let status = problem(client.tracking.get_destination(get).await, Code::InvalidArgument, "invalid-field");
        assert!(status.message().starts_with("invalid field `channel_id`: "), "{status:?}");

        stage.send(Method::DELETE, &format!("/v2/guilds/{wrong}")).await.problem(400, "invalid-path");
        let delete = client.with(DeleteGuildRequest { guild_id: text(wrong) });
        let status = problem(client.tracking.delete_guild(delete).await, Code::InvalidArgument, "invalid-field");
        assert!(status.message().starts_with("invalid field `guild_id`: "), "{status:?}");

        let webhook = json!({ "id": wrong, "token": good.token });
        let refused = stage.put(&format!("/v2/channels/{channel}/webhook"), &webhook).await;
        assert_eq!(refused.problem(400, "invalid-field")["field"], "id", "{refused:?}");
        let webhook = Some(Webhook { id: text(wrong), ..good.clone() });
        let replace = client.with(ReplaceWebhookRequest { channel_id: channel.clone(), webhook });
        let status = problem(client.tracking.replace_webhook(replace).await, Code::InvalidArgument, "invalid-field");
        assert!(status.message().starts_with("invalid field `webhook.id`: "), "{status:?}");

        let item = json!({ "channel_id": wrong, "name": LOGIN, "webhook": { "id": good.id, "token": good.token } });
        let refused = stage.post("/v2/tracks/batch", &json!({ "tracks": [item] })).await;
        assert_eq!(refused.problem(400, "invalid-field")["field"], "tracks[0].channel_id", "{refused:?}");
        let (channel_id, name, webhook) = (text(wrong), text(LOGIN), Some(good.clone()));
        let item = BatchTrackItem { channel_id, name, webhook, ..BatchTrackItem::default() };
        let batch = client.with(BatchTrackRequest { tracks: vec![item] });
        let status = problem(client.tracking.batch_track(batch).await, Code::InvalidArgument, "invalid-field");
        assert!(status.message().starts_with("invalid field `tracks[0].channel_id`: "), "{status:?}");

        let message = json!({ "message_id": wrong });
        stage.post("/v2/deliveries/1/resolve", &message).await.problem(400, "invalid-field");
        let resolve = client.with(ResolveDeliveryRequest { id: 1, message_id: Some(text(wrong)) });
        let status = problem(client.tracking.resolve_delivery(resolve).await, Code::InvalidArgument, "invalid-field");
        assert!(status.message().starts_with("invalid field `message_id`: "), "{status:?}");
    }
    for wrong in ["no-login", "", &"x".repeat(26)] {
        if !wrong.is_empty() {
            let path = format!("/v2/channels/{channel}/tracks/{wrong}");
            stage.send(Method::DELETE, &path).await.problem(400, "invalid-path");
        }
        let untrack = client.with(UntrackRequest { channel_id: channel.clone(), name: text(wrong) });
        let status = problem(client.tracking.untrack(untrack).await, Code::InvalidArgument, "invalid-field");
        assert!(status.message().starts_with("invalid field `name`: "), "{status:?}");
    }
    assert!(stage.discord.world.calls().is_empty(), "Discord is asked nothing");
    stage.stop().await;
}

#[tokio::test]
async fn webhook_of_another_channel_and_second_webhook_are_refused() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let mut client = stage.client(&stage.token).await;
    let (first, other) = (stage.webhook(), stage.new_webhook("other"));
    let elsewhere = DiscordWebhook { channel_id: first.channel_id, ..other.clone() };
    let refused = stage.track(&elsewhere, LOGIN).await.problem(422, "webhook-elsewhere");
    let status = problem(client.track(&elsewhere, LOGIN).await, Code::FailedPrecondition, "webhook-elsewhere");
    same(&refused, &status);
    assert!(status.message().contains(&other.channel_id.to_string()), "it names where it posts: {status:?}");

    assert_eq!(stage.track(&first, LOGIN).await.status, 201);
    let second = stage.second_webhook(&first);
    let refused = stage.track(&second, LOGIN).await.problem(409, "webhook-mismatch");
    let status = problem(client.track(&second, LOGIN).await, Code::FailedPrecondition, "webhook-mismatch");
    same(&refused, &status);
    assert!(status.message().contains(&first.id.to_string()), "it names the first: {status:?}");
    stage.stop().await;
}

#[tokio::test]
async fn login_that_twitch_does_not_know_is_refused() {
    let twitch = Twitch::start().await;
    let stage = Stage::with(Limits::NONE, |config| {
        config.tracking.discord_rate = 0;
        twitch.configure(config);
    })
    .await;
    let webhook = stage.webhook();
    let refused = stage.track(&webhook, "nosuchlogin").await.problem(404, "not-found");
    let track = stage.client(&stage.token).await.track(&webhook, "nosuchlogin").await;
    same(&refused, &problem(track, Code::NotFound, "not-found"));
    assert_eq!(refused["detail"], "Twitch has no channel `nosuchlogin`");
    stage.stop().await;
}

#[tokio::test]
async fn mistake_in_a_template_is_placed() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (webhook, mut client) = (stage.webhook(), stage.client(&stage.token).await);
    assert_eq!(stage.put_webhook(&webhook).await.status, 200);
    let settings = json!({ "message": "live\n{{ stream.titel }}" });
    let refused = stage.put_track(&webhook, &settings).await.problem(400, "invalid-field");
    let reason = refused["detail"].as_str().unwrap();
    assert!(refused["field"] == "message" && reason.ends_with("(line 2, column 4)"), "{refused}");
    let (channel_id, settings_json) = (webhook.channel_id.to_string(), settings.to_string());
    let track = TrackRequest { channel_id, name: LOGIN.to_owned(), webhook: None, settings_json };
    let status = problem(client.tracking.track(client.with(track)).await, Code::InvalidArgument, "invalid-field");
    assert!(status.message().ends_with("(line 2, column 4)"), "{status:?}");

    let shown = stage.post("/v2/render", &json!({ "settings": settings })).await.json()["errors"][0].clone();
    let preview = PreviewRequest { settings_json: settings.to_string(), ..PreviewRequest::default() };
    let preview = client.tracking.preview(client.with(preview)).await.unwrap().into_inner();
    let error = &preview.errors[0];
    assert_eq!((&shown["line"], &shown["column"], &shown["field"]), (&json!(2), &json!(4), &json!("message")));
    assert_eq!((error.line, error.column, error.field.as_str()), (2, 4, "message"));
    stage.stop().await;
}

#[tokio::test]
async fn text_that_can_not_be_stored_is_named_at_each_level() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (webhook, mut client) = (stage.webhook(), stage.client(&stage.token).await);
    assert_eq!(stage.put_webhook(&webhook).await.status, 200);
    let channel = format!("/v2/channels/{}/settings", webhook.channel_id);
    for (settings, field) in [
        (json!({ "button": "a\0" }), "button"),
        (json!({ "message": "a\0" }), "message"),
        (json!({ "filter": { "categories": ["a\0"] } }), "filter.categories"),
        (json!({ "forum": { "title": "a\0" } }), "forum.title"),
    ] {
        let refused = stage.put_track(&webhook, &settings).await.problem(400, "invalid-field");
        assert!(refused["field"] == field && refused["detail"].as_str().unwrap().contains("U+0000"), "{refused}");
        assert_eq!(stage.put(&channel, &settings).await.problem(400, "invalid-field")["field"], field);
        let defaults = stage.put("/v2/settings", &json!({ "defaults": settings })).await;
        assert_eq!(defaults.problem(400, "invalid-field")["field"], format!("defaults.{field}"));
        let (channel_id, settings_json) = (webhook.channel_id.to_string(), settings.to_string());
        let track = TrackRequest { channel_id, name: LOGIN.to_owned(), webhook: None, settings_json };
        let request = client.with(track);
        let status = problem(client.tracking.track(request).await, Code::InvalidArgument, "invalid-field");
        assert!(status.message().contains(&format!("`settings_json.{field}`")), "{status:?}");
    }
    let item = |button: &str| {
        let given = json!({ "id": webhook.id, "token": webhook.token });
        json!({ "channel_id": webhook.channel_id, "webhook": given, "name": LOGIN, "settings": { "button": button } })
    };
    let batch = json!({ "tracks": [item("a\0"), item("Watch")] });
    let results = stage.post("/v2/tracks/batch", &batch).await.json()["results"].clone();
    assert_eq!((&results[0]["result"], &results[1]["result"]), (&json!("refused"), &json!("created")), "{results}");
    assert_eq!(results[0]["problem"]["field"], "button");
    stage.stop().await;
}

#[tokio::test]
async fn webhooks_that_were_moved_or_deleted_are_told_apart() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let mut client = stage.client(&stage.token).await;
    let webhooks = [stage.webhook(), stage.new_webhook("second")];
    for webhook in &webhooks {
        assert_eq!(stage.track(webhook, LOGIN).await.status, 201);
    }
    let [deleted, moved] = &webhooks;
    let other = stage.new_channel("other");
    stage.discord.world.delete_webhook(&deleted.id.to_string()).unwrap();
    stage.discord.world.move_webhook(&moved.id.to_string(), &other.name).unwrap();
    let is = |checked: CheckWebhookResponse| (checked.state(), checked.moved_to);
    assert_eq!(is(client.check(deleted).await.unwrap()), (WebhookState::Gone, String::new()));
    assert_eq!(is(client.check(moved).await.unwrap()), (WebhookState::Moved, other.id.to_string()));
    for (webhook, kind) in [(deleted, "webhook-gone"), (moved, "webhook-elsewhere")] {
        let refused = stage.put_webhook(webhook).await.problem(422, kind);
        same(&refused, &problem(client.replace(webhook).await, Code::FailedPrecondition, kind));
        let path = format!("/v2/channels/{}/tracks/{LOGIN}/test", webhook.channel_id);
        let refused = stage.send(Method::POST, &path).await.problem(422, kind);
        same(&refused, &problem(client.test(webhook).await, Code::FailedPrecondition, kind));
    }
    stage.stop().await;
}

#[tokio::test]
async fn thread_that_is_not_there_is_named() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    assert_eq!(stage.put_webhook(&webhook).await.status, 200);
    assert_eq!(stage.put_track(&webhook, &json!({ "thread_id": "146404426746167299" })).await.status, 201);
    let path = format!("/v2/channels/{}/tracks/{LOGIN}/test", webhook.channel_id);
    let refused = stage.send(Method::POST, &path).await.problem(422, "discord-refuses");
    stage.clock.advance(Duration::seconds(6));
    let status =
        problem(stage.client(&stage.token).await.test(&webhook).await, Code::FailedPrecondition, "discord-refuses");
    same(&refused, &status);
    assert!(status.message().starts_with("the thread does not exist in this channel: "), "{status:?}");
    stage.stop().await;
}

/// The edge of Discord refuses the address, and after too many such answers Discord is left alone.
#[tokio::test]
async fn address_that_discord_blocks_is_told_of() {
    let stage = Stage::start().await;
    let (webhook, mut client) = (stage.webhook(), stage.client(&stage.token).await);
    let unavailable = "discord-unavailable";
    for fault in [DiscordFault::BlockedByEdge, DiscordFault::RateLimitedWithoutJson] {
        stage.discord.world.set_faults(DiscordFaults::next(fault, 1)).unwrap();
        let refused = stage.put_webhook(&webhook).await;
        refused.problem(503, unavailable);
        assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
        stage.clock.advance(Duration::minutes(11));
        stage.discord.world.set_faults(DiscordFaults::next(fault, 1)).unwrap();
        problem(client.replace(&webhook).await, Code::Unavailable, unavailable);
        stage.clock.advance(Duration::minutes(11));
    }
    let many = "update egress set invalid_count = 5000, invalid_since = $1";
    sqlx::query(many).bind(stage.clock.now()).execute(&stage.server.pool).await.unwrap();
    let calls = stage.discord.world.calls().len();
    let refused = stage.put_webhook(&webhook).await.problem(503, unavailable);
    same(&refused, &problem(client.replace(&webhook).await, Code::Unavailable, unavailable));
    assert_eq!(stage.discord.world.calls().len(), calls, "Discord is not asked");
    stage.stop().await;
}

/// What a program prints of messages and of refusals shows no secret.
#[tokio::test]
async fn messages_and_statuses_show_no_secret() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (webhook, mut client) = (stage.webhook(), stage.client(&stage.token).await);
    let secret = add(&stage.server, "other").await.expose_secret().to_owned();
    let issue = IssueTokenRequest { name: "other".to_owned(), shard: 0, secret: secret.clone() };
    let issued = client.tracking.issue_token(issue.clone()).await.unwrap();
    let token = issued.get_ref().token.clone();
    let item = BatchTrackItem { webhook: Some(given(&webhook)), ..BatchTrackItem::default() };
    let track = TrackRequest { webhook: Some(given(&webhook)), ..TrackRequest::default() };
    let mut texts = vec![format!("{issue:?} {issued:?} {track:?} {item:?}")];
    let wrong = IssueTokenRequest { name: "nobot".to_owned(), ..issue };
    texts.push(format!("{:?}", client.tracking.issue_token(wrong).await.unwrap_err()));
    let unsigned = token.rsplit_once('.').unwrap().0;
    texts.push(format!("{:?}", stage.client(&format!("{unsigned}.AAAA")).await.list().await.unwrap_err()));
    let wrong = DiscordWebhook { token: format!("{}x", webhook.token), ..webhook.clone() };
    texts.push(format!("{:?}", client.track(&wrong, LOGIN).await.unwrap_err()));
    for fault in [DiscordFault::ResetBefore, DiscordFault::BadGateway, DiscordFault::BlockedByEdge] {
        stage.discord.world.set_faults(DiscordFaults::next(fault, 1)).unwrap();
        texts.push(format!("{:?}", client.track(&webhook, LOGIN).await.unwrap_err()));
        stage.discord.world.set_faults(DiscordFaults::next(fault, 1)).unwrap();
        texts.push(stage.track(&webhook, LOGIN).await.text);
    }
    for path in ["/metrics", "/status"] {
        texts.push(stage.server.get(path).await.text);
    }
    for text in &texts {
        for (name, canary) in [("token of the webhook", &webhook.token), ("secret", &secret), ("JWT", &token)] {
            assert!(!text.contains(canary), "the {name} is in {text}");
        }
        assert!(!text.contains(unsigned), "the claims of the JWT are in {text}");
    }
    stage.stop().await;
}
