//! Events over gRPC, and a Python client that is generated from the same files.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use showtime::grpc::proto::tracking::watch_events_response::Event;
use showtime::grpc::proto::tracking::{
    CheckWebhookRequest, ReportWebhookGoneRequest, TrackRequest, WatchEventsRequest, WatchEventsResponse, WebhookState,
};
use showtime::tracking::bots;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use super::grpc::{Client, problem};
use super::{LOGIN, Stage};
use crate::support::{PATIENCE, skip};

impl Client {
    async fn watch(&mut self, request: WatchEventsRequest) -> Streaming<WatchEventsResponse> {
        let request = self.with(request);
        self.tracking.watch_events(request).await.unwrap().into_inner()
    }
}

async fn next(stream: &mut Streaming<WatchEventsResponse>) -> Result<Option<WatchEventsResponse>, Status> {
    timeout(PATIENCE, stream.message()).await.expect("something comes")
}

#[tokio::test]
async fn events_are_watched_from_a_cursor_until_the_server_stops() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    stage.server.sql("insert into channel (id, anonymous_bits, anonymous_gifts) values ('500001', 0, 0)").await;
    let (gone, moved) = (stage.webhook(), stage.new_webhook("second"));
    let mut client = stage.client(&stage.token).await;
    for webhook in [&gone, &moved] {
        client.track(webhook, LOGIN).await.unwrap();
    }
    let mut stream = client.watch(WatchEventsRequest::default()).await;
    let other = stage.new_channel("other");
    stage.discord.world.move_webhook(&moved.id.to_string(), &other.name).unwrap();
    let request = client.with(ReportWebhookGoneRequest { channel_id: gone.channel_id.to_string() });
    client.tracking.report_webhook_gone(request).await.unwrap();
    let request = client.with(CheckWebhookRequest { channel_id: moved.channel_id.to_string() });
    let checked = client.tracking.check_webhook(request).await.unwrap().into_inner();
    assert_eq!((checked.state(), checked.moved_to.as_str()), (WebhookState::Moved, other.id.to_string().as_str()));
    let first = next(&mut stream).await.unwrap().unwrap();
    for (webhook, kind) in [(&gone, "webhook-gone"), (&moved, "webhook-elsewhere")] {
        let track = TrackRequest {
            channel_id: webhook.channel_id.to_string(),
            name: "500001".to_owned(),
            ..Default::default()
        };
        let track = client.with(track);
        problem(client.tracking.track(track).await, Code::FailedPrecondition, kind);
    }
    assert_eq!(first.guild_id, gone.guild_id.to_string());
    let Some(Event::WebhookGone(told)) = &first.event else { panic!("{first:?}") };
    assert_eq!((told.channel_id.clone(), told.logins.clone()), (gone.channel_id.to_string(), vec![LOGIN.to_owned()]));
    let second = next(&mut stream).await.unwrap().unwrap();
    assert!(
        matches!(&second.event, Some(Event::WebhookMoved(told)) if told.moved_to == other.id.to_string()),
        "{second:?}"
    );

    let mut resumed = client.watch(WatchEventsRequest { after: Some(first.cursor), ..Default::default() }).await;
    assert_eq!(next(&mut resumed).await.unwrap().unwrap(), second);
    let guild: u64 = gone.guild_id.to_string().parse().unwrap();
    let shard = |number: u64| u32::try_from(number % 2).unwrap();
    let of = |number| WatchEventsRequest { after: Some(0), shard: Some(number), shard_count: Some(2) };
    let mut ours = client.watch(of(shard(guild >> 22))).await;
    assert_eq!(next(&mut ours).await.unwrap().unwrap(), first);
    let mut others = client.watch(of(shard((guild >> 22) + 1))).await;

    let stopped = tokio::spawn(stage.stop());
    let status = next(&mut others).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    timeout(Duration::from_secs(8), stopped).await.expect("it drains at once").unwrap();
}

#[tokio::test]
async fn stream_ends_when_the_secret_is_rotated() {
    let stage = Stage::start().await;
    let mut client = stage.client(&stage.token).await;
    let mut stream = client.watch(WatchEventsRequest::default()).await;
    let mut connection = stage.server.pool.acquire().await.unwrap();
    bots::rotate(&mut connection, "tatsu").await.unwrap();
    stage.clock.advance(time::Duration::seconds(5));
    problem(next(&mut stream).await, Code::Unauthenticated, "token-invalid");
    let again = client.with(WatchEventsRequest::default());
    problem(client.tracking.watch_events(again).await.map(|_| ()), Code::Unauthenticated, "token-invalid");
    stage.stop().await;
}

#[tokio::test]
async fn python_client_that_is_generated_from_the_same_files_tracks() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/clients/bin/python3");
    let has_tools = async || {
        let tried = Command::new(&python).args(["-c", "import grpc_tools"]).status().await;
        tried.is_ok_and(|status| status.success())
    };
    if !has_tools().await {
        return skip("grpcio-tools: install tests/clients/requirements.txt in target/clients");
    }
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    let settings = json!({
        "address": stage.server.grpc_addr.unwrap().to_string(),
        "name": "tatsu",
        "secret": secrecy::ExposeSecret::expose_secret(&stage.secret),
        "channel": webhook.channel_id,
        "webhook": { "id": webhook.id, "token": webhook.token },
        "login": LOGIN,
    });
    let mut command = Command::new(&python);
    let command = command.arg("tests/clients/tracking_grpc.py").arg(settings.to_string()).current_dir(root);
    let mut client = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let (mut lines, mut printed) = (BufReader::new(client.stdout.take().unwrap()).lines(), Vec::new());
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.expect("it goes on").unwrap() {
        let is_watching = line == "watching";
        printed.push(line);
        if is_watching {
            stage.broadcast().await;
        }
    }
    assert!(client.wait().await.unwrap().success(), "{printed:?}");
    let expected = [
        "tracked",
        "known",
        "listed",
        "previewed",
        "watching",
        "post_created",
        "post_updated",
        "post_ended",
        "old messages understood",
        "untracked",
        "refused NOT_FOUND",
    ];
    assert_eq!(printed, expected);
    assert_eq!(stage.messages().len(), 1);
    stage.stop().await;
}
