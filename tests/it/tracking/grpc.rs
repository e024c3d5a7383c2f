//! The gRPC interface, called by tonic's own client.

use prost::Message as _;
use serde_json::{Value, json};
use showtime::grpc::proto::tracking::tracking_service_client::TrackingServiceClient;
use showtime::grpc::proto::tracking::{
    BatchTrackItem, BatchTrackRequest, CheckWebhookRequest, DeleteDestinationRequest, DeleteGuildRequest,
    GetDestinationRequest, GetSettingsRequest, IssueTokenRequest, ListDeliveriesRequest, ListDestinationsRequest,
    PreviewRequest, ReplaceWebhookRequest, ReportWebhookGoneRequest, ResolveDeliveryRequest, SendTestRequest,
    SetSettingsRequest, TrackRequest, UntrackRequest, UpdateDestinationRequest, UpdateTrackRequest, WatchEventsRequest,
    Webhook, WebhookState,
};
use showtime::grpc::proto::twitch::twitch_client::TwitchClient;
use showtime::grpc::proto::twitch::{DeleteWebhookRequest, GetChannelsRequest, NewWebhookRequest};
use showtime::mock::discord::Webhook as DiscordWebhook;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::{LOGIN, Stage};
use crate::support::bots;
use crate::support::messages::CHANNEL;

/// A client of both services, with a token.
pub(super) struct Client {
    pub(super) tracking: TrackingServiceClient<Channel>,
    twitch: TwitchClient<Channel>,
    token: String,
}

impl Stage {
    async fn channel(&self) -> Channel {
        let url = format!("http://{}", self.server.grpc_addr.unwrap());
        Channel::from_shared(url).unwrap().connect().await.unwrap()
    }

    pub(super) async fn client(&self, token: &str) -> Client {
        let channel = self.channel().await;
        let (tracking, twitch) = (TrackingServiceClient::new(channel.clone()), TwitchClient::new(channel));
        Client { tracking, twitch, token: token.to_owned() }
    }
}

impl Client {
    pub(super) fn with<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        request
    }

    pub(super) async fn track(&mut self, webhook: &DiscordWebhook, name: &str) -> Result<bool, Status> {
        let (channel_id, name, webhook) = (webhook.channel_id.to_string(), name.to_owned(), Some(given(webhook)));
        let request = self.with(TrackRequest { channel_id, name, webhook, ..TrackRequest::default() });
        Ok(self.tracking.track(request).await?.into_inner().is_new)
    }
}

pub(super) fn given(webhook: &DiscordWebhook) -> Webhook {
    Webhook { id: webhook.id.to_string(), token: webhook.token.clone() }
}

/// Fails the test unless the status has this code and this type of problem.
#[track_caller]
pub(super) fn problem<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, kind: &str) -> Status {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["type"], format!("urn:showtime:problem:{kind}"), "{status:?}");
    assert_eq!(info.reason, kind.to_uppercase().replace('-', "_"));
    status
}

#[tokio::test]
async fn bot_gets_a_token_tracks_lists_and_untracks() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    let channel_id = webhook.channel_id.to_string();
    let mut client = stage.client("").await;
    let secret = secrecy::ExposeSecret::expose_secret(&stage.secret).to_owned();
    let wrong = IssueTokenRequest { name: "tatsu".to_owned(), shard: 3, secret: "stb_wrong".to_owned() };
    problem(client.tracking.issue_token(wrong.clone()).await, Code::Unauthenticated, "wrong-secret");
    let large = IssueTokenRequest { shard: 65_536, ..wrong.clone() };
    problem(client.tracking.issue_token(large).await, Code::InvalidArgument, "invalid-field");
    let issued = client.tracking.issue_token(IssueTokenRequest { secret, ..wrong }).await.unwrap().into_inner();
    assert!(!format!("{issued:?}").contains(&issued.token), "{issued:?}");
    client.token = issued.token;

    assert!(client.track(&webhook, LOGIN).await.unwrap());
    assert!(!client.track(&webhook, CHANNEL).await.unwrap());
    let again = TrackRequest { channel_id: channel_id.clone(), name: LOGIN.to_owned(), ..TrackRequest::default() };
    let again = client.with(again);
    assert!(!client.tracking.track(again).await.unwrap().into_inner().is_new);
    let get = client.with(GetDestinationRequest { channel_id: channel_id.clone() });
    let shown = client.tracking.get_destination(get).await.unwrap().into_inner().destination.unwrap();
    assert_eq!((&shown.channel_id, &shown.webhook_id), (&channel_id, &webhook.id.to_string()));
    assert_eq!((shown.guild_id.clone(), shown.state()), (webhook.guild_id.to_string(), WebhookState::Ok));
    assert_eq!((shown.tracks[0].login.as_str(), shown.tracks[0].twitch_id.as_str()), (LOGIN, CHANNEL));
    assert!(shown.verified_at.is_some());
    let list = client.with(ListDestinationsRequest::default());
    let list = client.tracking.list_destinations(list).await.unwrap().into_inner();
    assert_eq!((list.destinations, list.next_page_token.as_str()), (vec![shown], ""));

    let second = stage.second_webhook(&webhook);
    let replace = ReplaceWebhookRequest { channel_id: channel_id.clone(), webhook: Some(given(&second)) };
    let replace = client.with(replace);
    let replaced = client.tracking.replace_webhook(replace).await.unwrap().into_inner().destination.unwrap();
    assert_eq!(replaced.webhook_id, second.id.to_string());
    let untrack = || UntrackRequest { channel_id: channel_id.clone(), name: LOGIN.to_owned() };
    let request = client.with(untrack());
    client.tracking.untrack(request).await.unwrap();
    let request = client.with(untrack());
    problem(client.tracking.untrack(request).await, Code::NotFound, "not-found");
    let delete = client.with(DeleteDestinationRequest { channel_id: channel_id.clone() });
    client.tracking.delete_destination(delete).await.unwrap();
    let get = client.with(GetDestinationRequest { channel_id });
    problem(client.tracking.get_destination(get).await, Code::NotFound, "not-found");
    stage.stop().await;
}

#[tokio::test]
async fn refusals_have_the_type_of_their_problem() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (webhook, elsewhere) = (stage.webhook(), stage.new_webhook("elsewhere"));
    let mut client = stage.client(&stage.token).await;
    let list = || ListDestinationsRequest::default();
    let refused = client.tracking.list_destinations(list()).await;
    problem(refused, Code::Unauthenticated, "token-missing");
    let mut stranger = stage.client("a.b.c").await;
    let request = stranger.with(list());
    problem(stranger.tracking.list_destinations(request).await, Code::Unauthenticated, "token-invalid");

    for (wrong, field) in [
        (ListDestinationsRequest { page_size: 101, ..list() }, "page_size"),
        (ListDestinationsRequest { page_token: "x".to_owned(), ..list() }, "page_token"),
        (ListDestinationsRequest { shard: Some(0), ..list() }, "shard_count"),
        (ListDestinationsRequest { shard: Some(2), shard_count: Some(2), ..list() }, "shard"),
    ] {
        let request = client.with(wrong);
        let refused = client.tracking.list_destinations(request).await;
        let status = problem(refused, Code::InvalidArgument, "invalid-field");
        assert!(status.message().contains(&format!("`{field}`")), "{status:?}");
    }
    problem(client.track(&webhook, "no-login").await, Code::InvalidArgument, "invalid-field");
    problem(client.track(&webhook, "unknown").await, Code::FailedPrecondition, "twitch-not-configured");
    client.track(&webhook, LOGIN).await.unwrap();
    let mismatch = client.track(&stage.second_webhook(&webhook), LOGIN).await;
    let status = problem(mismatch, Code::FailedPrecondition, "webhook-mismatch");
    assert!(status.message().contains(&webhook.id.to_string()), "it names the first: {status:?}");
    let channel_id = webhook.channel_id.to_string();
    let replace = client.with(ReplaceWebhookRequest { channel_id, webhook: Some(given(&elsewhere)) });
    problem(client.tracking.replace_webhook(replace).await, Code::FailedPrecondition, "webhook-elsewhere");
    let watch = client.with(WatchEventsRequest { after: Some(-1), ..WatchEventsRequest::default() });
    problem(client.tracking.watch_events(watch).await.map(|_| ()), Code::InvalidArgument, "invalid-field");
    let large = client.with(UntrackRequest { channel_id: "1".repeat(2 << 20), name: LOGIN.to_owned() });
    assert_eq!(client.tracking.untrack(large).await.unwrap_err().code(), Code::OutOfRange);
    stage.stop().await;
}

#[tokio::test]
async fn bots_are_isolated_from_each_other() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    let (mut one, mut other) =
        (stage.client(&stage.token).await, stage.client(&bots::token(&stage.server, "other").await).await);
    one.track(&webhook, LOGIN).await.unwrap();
    let (channel_id, guild_id) = (webhook.channel_id.to_string(), webhook.guild_id.to_string());
    let request = other.with(GetDestinationRequest { channel_id: channel_id.clone() });
    problem(other.tracking.get_destination(request).await, Code::NotFound, "not-found");
    let request = other.with(DeleteDestinationRequest { channel_id: channel_id.clone() });
    problem(other.tracking.delete_destination(request).await, Code::NotFound, "not-found");
    let request = other.with(CheckWebhookRequest { channel_id: channel_id.clone() });
    problem(other.tracking.check_webhook(request).await, Code::NotFound, "not-found");
    let name = LOGIN.to_owned();
    let request = other.with(UntrackRequest { channel_id: channel_id.clone(), name: name.clone() });
    problem(other.tracking.untrack(request).await, Code::NotFound, "not-found");
    let settings_json = "{}".to_owned();
    let update = UpdateTrackRequest { channel_id: channel_id.clone(), name: name.clone(), settings_json };
    problem(other.tracking.update_track(other.with(update)).await, Code::NotFound, "not-found");
    let update = UpdateDestinationRequest { channel_id: channel_id.clone(), settings_json: "{}".to_owned() };
    problem(other.tracking.update_destination(other.with(update)).await, Code::NotFound, "not-found");
    let test = SendTestRequest { channel_id: channel_id.clone(), name, dry_run: true };
    problem(other.tracking.send_test(other.with(test)).await, Code::NotFound, "not-found");
    let request = other.with(ReportWebhookGoneRequest { channel_id: channel_id.clone() });
    problem(other.tracking.report_webhook_gone(request).await, Code::NotFound, "not-found");
    let request = other.with(DeleteGuildRequest { guild_id: guild_id.clone() });
    problem(other.tracking.delete_guild(request).await, Code::NotFound, "not-found");
    let request = other.with(GetChannelsRequest { id: channel_id });
    problem(other.twitch.get_channels(request).await, Code::NotFound, "not-found");
    let request = one.with(DeleteGuildRequest { guild_id });
    one.tracking.delete_guild(request).await.unwrap();
    stage.stop().await;
}

#[tokio::test]
async fn batch_has_a_result_for_each_track() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let mut client = stage.client(&stage.token).await;
    let webhook = Some(Webhook { id: "400000000000000001".to_owned(), token: "token".to_owned() });
    let item = BatchTrackItem {
        channel_id: "200000000000000001".to_owned(),
        guild_id: String::new(),
        webhook,
        name: LOGIN.to_owned(),
        settings_json: r#"{"silent":true}"#.to_owned(),
    };
    let unknown = BatchTrackItem { name: "unknown".to_owned(), ..item.clone() };
    let request = client.with(BatchTrackRequest { tracks: vec![item.clone(), unknown] });
    let results = client.tracking.batch_track(request).await.unwrap().into_inner().results;
    assert_eq!((results[0].is_new, results[0].problem_type.as_str()), (true, ""));
    assert_eq!(results[1].problem_type, "urn:showtime:problem:twitch-not-configured");
    let wrong = BatchTrackItem { guild_id: "5".to_owned(), ..item };
    let request = client.with(BatchTrackRequest { tracks: vec![wrong.clone()] });
    let status = problem(client.tracking.batch_track(request).await, Code::InvalidArgument, "invalid-field");
    assert!(status.message().contains("`tracks[0].guild_id`"), "{status:?}");
    let request = client.with(BatchTrackRequest { tracks: vec![wrong; 1_001] });
    problem(client.tracking.batch_track(request).await, Code::InvalidArgument, "invalid-field");
    stage.stop().await;
}

#[tokio::test]
async fn settings_are_set_and_changed_and_deliveries_listed_and_resolved() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    let mut client = stage.client(&stage.token).await;
    let channel_id = webhook.channel_id.to_string();
    let track = |settings: &str| TrackRequest {
        channel_id: channel_id.clone(),
        name: LOGIN.to_owned(),
        webhook: Some(given(&webhook)),
        settings_json: settings.to_owned(),
    };
    let request = client.with(track(r#"{"silent":true}"#));
    assert!(client.tracking.track(request).await.unwrap().into_inner().is_new);
    let untrack = UntrackRequest { channel_id: channel_id.clone(), name: LOGIN.to_owned() };
    let untrack = client.with(untrack);
    client.tracking.untrack(untrack).await.unwrap();
    for (wrong, reason) in [
        (r#"{"on_end":"burn"}"#, "`settings_json.on_end`"),
        (r#"{"message":"{{ streamer.nam }}"}"#, "`settings_json.message`: there is no value `streamer.nam`"),
        (r#"{"message":"a\n{{ streamer.nam }}"}"#, "(line 2, column 4)"),
        ("x", "`settings_json`"),
        (r#"{"silent":true} {"silent":false}"#, "`settings_json`: trailing characters"),
    ] {
        let request = client.with(track(wrong));
        let status = problem(client.tracking.track(request).await, Code::InvalidArgument, "invalid-field");
        assert!(status.message().contains(reason), "{status:?}");
        let get = client.with(GetDestinationRequest { channel_id: channel_id.clone() });
        let shown = client.tracking.get_destination(get).await.unwrap().into_inner().destination.unwrap();
        assert_eq!(shown.tracks, [], "what is refused tracks nothing");
    }
    let request = client.with(track(r#"{"silent":true}"#));
    assert!(client.tracking.track(request).await.unwrap().into_inner().is_new);
    let update = |settings: &str| UpdateTrackRequest {
        channel_id: channel_id.clone(),
        name: LOGIN.to_owned(),
        settings_json: settings.to_owned(),
    };
    let request = client.with(update(r#"{"on_uncertain":"skip"}"#));
    let updated = client.tracking.update_track(request).await.unwrap().into_inner().track.unwrap();
    let set: serde_json::Value = serde_json::from_str(&updated.settings_json).unwrap();
    assert_eq!(set, json!({ "silent": true, "on_uncertain": "skip" }));
    let request = client.with(update(r#"{"on_end":"burn"}"#));
    problem(client.tracking.update_track(request).await, Code::InvalidArgument, "invalid-field");

    stage
        .server
        .sql(
            "insert into announcement
        (stream_id, twitch_id, login, display_name, started_at, ended_at, created_at, is_expanded)
        values ('7', '90210441', 'user90210441', 'User', now(), now(), now(), true);
        insert into post (stream_id, destination_id, state, lost_answers, problem)
        select '7', id, 'uncertain', 1, 'lost' from destination",
        )
        .await;
    let list = |state: &str| ListDeliveriesRequest { state: state.to_owned(), ..ListDeliveriesRequest::default() };
    let request = client.with(list("uncertain"));
    let listed = client.tracking.list_deliveries(request).await.unwrap().into_inner();
    let [delivery] = &listed.deliveries[..] else { panic!("{listed:?}") };
    assert_eq!((delivery.channel_id.as_str(), delivery.login.as_str()), (channel_id.as_str(), LOGIN));
    assert_eq!((delivery.problem.as_str(), delivery.lost_answers, listed.next_after), ("lost", 1, 0));
    let request = client.with(list("posted"));
    assert_eq!(client.tracking.list_deliveries(request).await.unwrap().into_inner().deliveries, []);
    let request = client.with(list("lost"));
    problem(client.tracking.list_deliveries(request).await, Code::InvalidArgument, "invalid-field");
    let resolve = |id| ResolveDeliveryRequest { id, message_id: None };
    let request = client.with(resolve(delivery.id + 1));
    problem(client.tracking.resolve_delivery(request).await, Code::NotFound, "not-found");
    let mut other = stage.client(&bots::token(&stage.server, "other").await).await;
    let request = other.with(resolve(delivery.id));
    problem(other.tracking.resolve_delivery(request).await, Code::NotFound, "not-found");
    let request = client.with(resolve(delivery.id));
    client.tracking.resolve_delivery(request).await.unwrap();
    let request = client.with(list("uncertain"));
    assert_eq!(client.tracking.list_deliveries(request).await.unwrap().into_inner().deliveries, []);
    stage.stop().await;
}

#[tokio::test]
async fn old_messages_are_understood() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    let channel = webhook.channel_id.to_string();
    let mut client = stage.client(&stage.token).await;
    // A message that was encoded when it had two fields: their tags, lengths and texts.
    let old =
        [&[0x0a, u8::try_from(channel.len()).unwrap()], channel.as_bytes(), &[0x12, 12], LOGIN.as_bytes()].concat();
    let message = NewWebhookRequest::decode(old.as_slice()).unwrap();
    assert_eq!((&message.channel, message.twitchname.as_str()), (&channel, LOGIN));
    let request = client.with(message.clone());
    problem(client.twitch.new_webhook(request).await, Code::NotFound, "not-found");
    let (webhook_id, webhook_token) = (webhook.id.to_string(), webhook.token.clone());
    let request = client.with(NewWebhookRequest { webhook_id, webhook_token, ..message.clone() });
    client.twitch.new_webhook(request).await.unwrap();
    let request = client.with(message);
    client.twitch.new_webhook(request).await.unwrap();
    let request = client.with(GetChannelsRequest { id: channel.clone() });
    assert_eq!(client.twitch.get_channels(request).await.unwrap().into_inner().name, [LOGIN]);
    let request = client.with(DeleteWebhookRequest { channel: channel.clone(), twitchname: LOGIN.to_owned() });
    client.twitch.delete_webhook(request).await.unwrap();
    let request = client.with(GetChannelsRequest { id: channel });
    assert_eq!(client.twitch.get_channels(request).await.unwrap().into_inner().name, Vec::<String>::new());
    stage.stop().await;
}

#[tokio::test]
async fn message_is_shown_tested_and_set_for_all_that_a_bot_tracks() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let mut client = stage.client(&stage.token).await;
    let webhook = stage.webhook();
    client.track(&webhook, LOGIN).await.unwrap();
    let channel_id = webhook.channel_id.to_string();

    let defaults = json!({ "defaults": { "message": "bot: {{ stream.title }}", "color": "#00ff00" } });
    let set = client.with(SetSettingsRequest { settings_json: defaults.to_string() });
    client.tracking.set_settings(set).await.unwrap();
    let get = client.with(GetSettingsRequest {});
    let shown: Value =
        serde_json::from_str(&client.tracking.get_settings(get).await.unwrap().into_inner().settings_json).unwrap();
    assert_eq!((&shown["defaults"], &shown["on_webhook_gone"]), (&defaults["defaults"], &json!("keep")));
    let wrong = client.with(SetSettingsRequest { settings_json: r#"{"defaults":{"message":"{{"}}"#.to_owned() });
    let status = problem(client.tracking.set_settings(wrong).await, Code::InvalidArgument, "invalid-field");
    assert!(status.message().contains("defaults.message"), "{status:?}");

    let settings_json = json!({ "color": "#0000ff" }).to_string();
    let change = client.with(UpdateDestinationRequest { channel_id: channel_id.clone(), settings_json });
    let changed = client.tracking.update_destination(change).await.unwrap().into_inner().destination.unwrap();
    assert_eq!(changed.settings_json, r##"{"color":"#0000ff"}"##);

    let preview = client.with(PreviewRequest {
        channel_id: channel_id.clone(),
        settings_json: json!({ "end_message": "{{ x }}" }).to_string(),
        sample_json: json!({ "title": "Chess_" }).to_string(),
    });
    let preview = client.tracking.preview(preview).await.unwrap().into_inner();
    let payload: Value = serde_json::from_str(&preview.payload_json).unwrap();
    assert_eq!((&payload["content"], &payload["embeds"][0]["color"]), (&json!(r"bot: Chess\_"), &json!(255)));
    let error = &preview.errors[0];
    assert_eq!((error.field.as_str(), error.line, error.column), ("end_message", 1, 4), "{error:?}");

    let test = SendTestRequest { channel_id: channel_id.clone(), name: LOGIN.to_owned(), dry_run: true };
    let dry = client.tracking.send_test(client.with(test.clone())).await.unwrap().into_inner();
    assert_eq!(dry.message_id, "");
    let test = SendTestRequest { dry_run: false, ..test };
    let sent = client.tracking.send_test(client.with(test.clone())).await.unwrap().into_inner();
    let messages = stage.discord.world.messages();
    assert_eq!((messages[0].id.to_string(), messages[0].content.as_str()), (sent.message_id, "bot: First run"));
    problem(client.tracking.send_test(client.with(test)).await, Code::ResourceExhausted, "too-many-tests");
    stage.stop().await;
}

#[tokio::test]
async fn services_are_healthy_and_described() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let stage = Stage::start().await;
    let channel = stage.channel().await;
    for service in ["showtime.tracking.v1.TrackingService", "twitch.Twitch", ""] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner().status;
        assert_eq!(status, 1, "{service} is serving");
    }
    let list = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let requests = futures_util::stream::iter([request]);
    let mut answers = ServerReflectionClient::new(channel).server_reflection_info(requests).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"showtime.tracking.v1.TrackingService") && names.contains(&"twitch.Twitch"), "{names:?}");
    stage.stop().await;
}
