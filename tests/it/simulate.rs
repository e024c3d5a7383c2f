//! `simulate` as a child process, against a server that records the messages.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use showtime::twitch::catalogue::{self, Availability};
use showtime::twitch::signature::{Verifier, WebhookSecret};
use tokio::process::Command;

use crate::support::recorder::{Answer, Recorder, Request};
use crate::support::{PATIENCE, Unused};

const SECRET: &str = "the secret of these tests";

/// Runs `simulate` with only the given environment, in the given directory.
async fn run_in(directory: &Path, environment: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simulate"));
    command.args(args).env_clear().envs(environment.iter().copied()).current_dir(directory);
    command.stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap()
}

/// Runs `simulate` with the tests' secret against the recorder.
async fn run(recorder: &Recorder, args: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let target = recorder.url("/callback");
    run_in(directory.path(), &[("TWITCH_WEBHOOK_SECRET", SECRET)], &[args, &["--target", &target]].concat()).await
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
}

fn is_genuine(request: &Request) -> bool {
    let header = |name| request.twitch(name).unwrap_or_default();
    Verifier::new([&WebhookSecret::new(SECRET).unwrap()]).is_genuine(
        header("message-signature"),
        header("message-id"),
        header("message-timestamp"),
        &request.body,
    )
}

/// Answers as the server does, without a check of the time.
fn server_answer(request: &Request) -> Answer {
    match request.twitch("message-type") {
        _ if !is_genuine(request) => Answer::status(403),
        _ if serde_json::from_slice::<Value>(&request.body).is_err() => Answer::status(400),
        Some("webhook_callback_verification") => {
            Answer::new(200, "text/plain", request.json()["challenge"].as_str().unwrap())
        }
        _ => Answer::status(204),
    }
}

#[tokio::test]
async fn event_is_signed_and_formed_as_by_twitch() {
    let recorder = Recorder::start(server_answer);
    let output = run(&recorder, &["channel.follow", "--user", "NewFriend", "--broadcaster-id", "77"]).await;
    assert_exit(&output, 0);
    let [request] = &recorder.requests()[..] else { panic!("one request") };
    assert!(is_genuine(request));
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/callback"));
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.twitch("message-type"), Some("notification"));
    assert_eq!(request.twitch("message-retry"), Some("0"));
    assert_eq!(request.twitch("subscription-type"), Some("channel.follow"));
    assert_eq!(request.twitch("subscription-version"), Some("2"));
    let body = request.json();
    assert_eq!(body["event"]["user_login"], "newfriend");
    assert_eq!(body["event"]["user_name"], "NewFriend");
    assert_eq!(body["event"]["broadcaster_user_id"], "77");
    assert_eq!(body["subscription"]["condition"]["broadcaster_user_id"], "77");
    assert_eq!(body["subscription"]["transport"]["callback"], recorder.url("/callback"));
    let shown = text(&output);
    for part in ["channel.follow v2", "NewFriend", request.twitch("message-id").unwrap(), "204 No Content in "] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(!shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn every_offered_type_and_version_can_be_sent() {
    let recorder = Recorder::start(server_answer);
    let offered: Vec<_> = catalogue::all().iter().filter(|kind| kind.status != Availability::Deprecated).collect();
    for kind in &offered {
        assert_exit(&run(&recorder, &[&kind.name, "--type-version", &kind.version]).await, 0);
    }
    let requests = recorder.requests();
    let sent = requests.iter().filter(|request| request.method == "POST");
    let sent: Vec<_> = sent.map(|request| request.json()["subscription"]["type"].clone()).collect();
    assert_eq!(sent, offered.iter().map(|kind| Value::from(kind.name.as_str())).collect::<Vec<_>>());
}

#[tokio::test]
async fn set_fields_and_headers_are_sent() {
    let recorder = Recorder::start(server_answer);
    let timestamp = "2026-03-14T18:02:11.500Z";
    let output = run(
        &recorder,
        &[
            "channel.cheer",
            "--set=bits=500",
            "--set=message=123",
            "--set=brand_new:=[1]",
            "--message-id=my-own-id",
            "--timestamp",
            timestamp,
            "--retry=3",
        ],
    )
    .await;
    assert_exit(&output, 0);
    let request = &recorder.requests()[0];
    assert!(is_genuine(request));
    assert_eq!(request.twitch("message-id"), Some("my-own-id"));
    assert_eq!(request.twitch("message-timestamp"), Some(timestamp), "with its trailing zeros");
    assert_eq!(request.twitch("message-retry"), Some("3"));
    let event = &request.json()["event"];
    assert_eq!((&event["bits"], &event["message"]), (&500.into(), &"123".into()));
    assert_eq!(event["brand_new"], serde_json::json!([1]));
}

#[tokio::test]
async fn test_is_marked_in_the_signed_body() {
    let recorder = Recorder::start(server_answer);
    assert_exit(&run(&recorder, &["channel.follow", "--test"]).await, 0);
    assert_exit(&run(&recorder, &["channel.follow"]).await, 0);
    let requests = recorder.requests();
    assert!(requests.iter().all(is_genuine));
    assert_eq!((&requests[0].json()["is_test"], requests[1].json().get("is_test")), (&true.into(), None));
}

#[tokio::test]
async fn repeated_events_have_different_ids() {
    let recorder = Recorder::start(server_answer);
    let output = run(&recorder, &["stream.online", "--count", "5"]).await;
    assert_exit(&output, 0);
    let requests = recorder.requests();
    let mut ids: Vec<_> = requests.iter().map(|r| r.twitch("message-id").unwrap().to_owned()).collect();
    ids.extend(requests.iter().map(|r| r.json()["event"]["id"].to_string()));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 10, "five messages, five streams");
    assert!(text(&output).contains("5 sent, 5 answered as expected, 0 not"), "{}", text(&output));
}

#[tokio::test]
async fn each_fault_is_sent_and_has_its_expected_answer() {
    let recorder = Recorder::start(|request| match request.twitch("message-timestamp") {
        Some(timestamp) if timestamp.starts_with("2020-") => Answer::status(403),
        _ => server_answer(request),
    });
    let fault = async |fault: &str, more: &[&str]| {
        let before = recorder.requests().len();
        assert_exit(&run(&recorder, &[&["channel.follow", "--fault", fault], more].concat()).await, 0);
        recorder.requests()[before..].to_vec()
    };
    let duplicates = fault("duplicate", &[]).await;
    assert_eq!(duplicates.len(), 2);
    assert_eq!(duplicates[0].twitch("message-id"), duplicates[1].twitch("message-id"));
    assert_eq!(duplicates[0].body, duplicates[1].body);
    assert!(!is_genuine(&fault("bad-signature", &[]).await[0]));
    assert_eq!(fault("no-signature", &[]).await[0].twitch("message-signature"), None);
    assert!(is_genuine(&fault("stale", &["--timestamp", "2020-01-01T00:00:00Z"]).await[0]));
    assert!(is_genuine(&fault("garbage", &[]).await[0]));
    assert_eq!(fault("bad-signature", &["--fault", "duplicate"]).await.len(), 2, "faults add up");
}

#[tokio::test]
async fn stale_message_is_older_than_ten_minutes_and_must_be_refused() {
    let recorder = Recorder::start(server_answer);
    let output = run(&recorder, &["channel.follow", "--fault", "stale"]).await;
    assert_exit(&output, 1);
    assert!(text(&output).contains("NOT as expected (403): its status is 204"), "{}", text(&output));
    let requests = recorder.requests();
    let at = showtime::twitch::eventsub::parse_timestamp(requests[0].twitch("message-timestamp").unwrap()).unwrap();
    let age = showtime::clock::Clock::default().now() - at;
    assert!((660..720).contains(&age.whole_seconds()), "{age}");
}

#[tokio::test]
async fn challenge_expects_exactly_its_text() {
    let recorder = Recorder::start(server_answer);
    assert_exit(&run(&recorder, &["challenge"]).await, 0);
    assert_exit(&run(&recorder, &["challenge", "channel.follow"]).await, 0);
    assert_exit(&run(&recorder, &["challenge", "--conduit-shard"]).await, 0);
    let requests = recorder.requests();
    assert_eq!(requests[1].json()["subscription"]["status"], "webhook_callback_verification_pending");
    assert_eq!(requests[1].json()["subscription"]["type"], "channel.follow");
    assert_eq!(requests[2].json()["subscription"], Value::Null);
    assert_eq!(requests[2].twitch("subscription-type"), None);
    assert_eq!(requests[2].json()["conduit_shard"]["shard"], "0");

    let quoting = Recorder::start(|request| Answer::new(200, "text/plain", &request.json()["challenge"].to_string()));
    let output = run(&quoting, &["challenge"]).await;
    assert_exit(&output, 1);
    assert!(text(&output).contains("its body is not just"), "{}", text(&output));
}

#[tokio::test]
async fn revocation_has_its_status() {
    let recorder = Recorder::start(server_answer);
    assert_exit(&run(&recorder, &["revoke", "channel.follow", "--status", "user_removed"]).await, 0);
    let request = &recorder.requests()[0];
    assert_eq!(request.twitch("message-type"), Some("revocation"));
    assert_eq!(request.json()["subscription"]["status"], "user_removed");
    assert_eq!(request.json().get("event"), None);
}

#[tokio::test]
async fn offline_ends_the_live_stream() {
    let recorder = Recorder::start(|request| match request.path.as_str() {
        "/channels/90210441" => Answer::new(200, "application/json", r#"{"login":"x","stream":{"id":"4711"}}"#),
        "/channels/77" => Answer::new(200, "application/json", r#"{"login":"x","stream":null}"#),
        path if path.starts_with("/channels/") => Answer::status(404),
        _ => server_answer(request),
    });
    let ended = async |args: &[&str]| {
        assert_exit(&run(&recorder, &[&["stream.offline"], args].concat()).await, 0);
        recorder.requests().last().unwrap().json()["event"]["id"].clone()
    };
    assert_eq!(ended(&[]).await, "4711");
    assert_eq!(ended(&["--set", "id=5"]).await, "5");
    assert_eq!(ended(&["--broadcaster-id", "77"]).await, "42170003821", "the sample's, if none is live");
    assert_eq!(ended(&["--broadcaster-id", "78"]).await, "42170003821", "or the channel isn't known");
    assert_eq!(ended(&["--variant", "before-2026-06"]).await, Value::Null);
}

#[tokio::test]
async fn event_is_about_the_configured_channel() {
    let recorder = Recorder::start(|request| match request.path.as_str() {
        "/channels/copperkite" => {
            Answer::new(200, "application/json", r#"{"id":"4242","login":"copperkite","display_name":"CopperKite"}"#)
        }
        path if path.starts_with("/channels/") => Answer::status(404),
        _ => server_answer(request),
    });
    let (directory, target) = (tempfile::tempdir().unwrap(), recorder.url("/callback"));
    let channel = async |name: &str, args: &[&str]| {
        let environment = [("TWITCH_WEBHOOK_SECRET", SECRET), ("TWITCH_CHANNEL_NAME", name)];
        let args = [args, &["--target", &target]].concat();
        assert_exit(&run_in(directory.path(), &environment, &args).await, 0);
        let body = recorder.requests().last().unwrap().json();
        let condition = &body["subscription"]["condition"]["broadcaster_user_id"];
        let names = ["broadcaster_user_id", "broadcaster_user_login", "broadcaster_user_name"];
        let [id, login, name] = names.map(|field| body["event"][field].as_str().unwrap_or_default().to_owned());
        assert!(body.get("event").is_none() || condition.is_null() || condition == id.as_str(), "{body}");
        (id, login, name)
    };
    let known = ("4242".to_owned(), "copperkite".to_owned(), "CopperKite".to_owned());
    assert_eq!(channel("copperkite", &["channel.follow"]).await, known);
    let (_, login, name) = channel("unknownkite", &["channel.follow"]).await;
    assert_eq!((login.as_str(), name.as_str()), ("unknownkite", "unknownkite"), "the id is not known");
    let (_, login, _) = channel("copperkite", &["channel.follow", "--broadcaster", "AnotherChannel"]).await;
    assert_eq!(login, "anotherchannel");
    channel("copperkite", &["user.update"]).await;
    channel("copperkite", &["revoke", "channel.follow"]).await;
}

#[tokio::test]
async fn message_is_marked_as_a_test_where_the_real_twitch_is_configured() {
    let recorder = Recorder::start(server_answer);
    let (directory, target) = (tempfile::tempdir().unwrap(), recorder.url("/callback"));
    let application =
        [("TWITCH_WEBHOOK_SECRET", SECRET), ("TWITCH_CLIENT_ID", "client"), ("TWITCH_CLIENT_SECRET", "secret")];
    let mock = [("TWITCH_API_URL", "http://127.0.0.1:1/helix")];
    let with_mock = [&application[..], &mock[..]].concat();
    for (environment, is_test) in [(&application[..1], false), (&application[..], true), (&with_mock[..], false)] {
        for args in [&["channel.follow"][..], &["revoke", "channel.follow"]] {
            let args = [args, &["--target", &target]].concat();
            let output = run_in(directory.path(), environment, &args).await;
            assert_exit(&output, 0);
            let body = recorder.requests().last().unwrap().json();
            assert_eq!(body.get("is_test"), Some(&Value::Bool(true)).filter(|_| is_test), "{body}");
            assert_eq!(text(&output).contains("note: marked as a test"), is_test, "{}", text(&output));
        }
    }
}

#[tokio::test]
async fn unexpected_answer_is_explained() {
    let problem = r#"{"type":"x","title":"Forbidden","status":403,"detail":"the signature does not match"}"#;
    let recorder = Recorder::start(|_| Answer::new(403, "application/problem+json", problem));
    let output = run(&recorder, &["channel.follow"]).await;
    assert_exit(&output, 1);
    for part in ["403 Forbidden in ", "the signature does not match", "NOT as expected", "TWITCH_WEBHOOK_SECRET"] {
        assert!(text(&output).contains(part), "{part} is not in {}", text(&output));
    }
}

#[tokio::test]
async fn refused_connection_names_the_command_that_starts_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let unused = Unused::new();
    let free = unused.addr().port().to_string();
    let environment = [("TWITCH_WEBHOOK_SECRET", SECRET), ("LISTEN_PORT", free.as_str())];
    for kind in ["channel.follow", "stream.offline"] {
        let output = run_in(directory.path(), &environment, &[kind]).await;
        assert_exit(&output, 1);
        let expected =
            format!("error: nothing listens at http://127.0.0.1:{free}/callback: start the server with `cargo run`\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
    }
}

#[tokio::test]
async fn default_secret_is_the_servers() {
    let recorder = Recorder::start(server_answer);
    let target = recorder.url("/callback");
    let directory = tempfile::tempdir().unwrap();
    let output = run_in(directory.path(), &[], &["channel.follow", "--target", &target]).await;
    assert_exit(&output, 2);
    for part in ["TWITCH_WEBHOOK_SECRET", ".showtime/webhook-secret", "cargo run", "--secret-file"] {
        assert!(text(&output).contains(part), "{part} is not in {}", text(&output));
    }

    std::fs::create_dir(directory.path().join(".showtime")).unwrap();
    std::fs::write(directory.path().join(".showtime/webhook-secret"), format!("{SECRET}\n")).unwrap();
    assert_exit(&run_in(directory.path(), &[], &["channel.follow", "--target", &target]).await, 0);
    std::fs::write(directory.path().join("mine"), SECRET).unwrap();
    let environment = [("TWITCH_WEBHOOK_SECRET", "another one than these")];
    for args in [["--secret-file", "mine"], ["--secret", SECRET]] {
        let args = [&["channel.follow", "--target", &target], &args[..]].concat();
        assert_exit(&run_in(directory.path(), &environment, &args).await, 0);
    }
    assert!(recorder.requests().iter().all(is_genuine));
}

#[tokio::test]
async fn remote_target_requires_allow_remote() {
    let recorder = Recorder::start(server_answer);
    let directory = tempfile::tempdir().unwrap();
    let environment = [("TWITCH_WEBHOOK_SECRET", SECRET)];
    for target in ["http://192.0.2.1/callback", "http://[2001:db8::1]/callback", "http://0.0.0.0:1/callback"] {
        let output = run_in(directory.path(), &environment, &["channel.follow", "--target", target]).await;
        assert_exit(&output, 2);
        assert!(text(&output).contains("--allow-remote"), "{}", text(&output));
    }
    let named = recorder.url("/callback").replace("127.0.0.1", "localhost");
    assert_exit(&run_in(directory.path(), &environment, &["channel.follow", "--target", &named]).await, 0);
    let allowed = ["channel.follow", "--allow-remote", "--target", &recorder.url("/callback")];
    assert_exit(&run_in(directory.path(), &environment, &allowed).await, 0);
}

#[tokio::test]
async fn invalid_arguments_are_a_usage_error_and_nothing_is_sent() {
    let recorder = Recorder::start(server_answer);
    for (args, expected) in [
        (&["channel.fellow"][..], "did you mean channel.follow?"),
        (&["channel.follow", "--type-version", "1"], "withdrawn version 1 of channel.follow; it offers 2"),
        (&["channel.cheer", "--variant", "x"], "has the variants anonymous"),
        (&["channel.cheer", "--set", "bit=5"], "no field `bit`; it has "),
        (&["channel.cheer", "--set", "bits"], "expected path=value"),
        (&["channel.cheer", "--set", "bits=lots"], "`bits` can't be \"lots\": it must be a whole number, such as "),
        (&["stream.online", "--user", "X"], "names no user"),
        (&["stream.online", "--broadcaster", "Ü"], "give the login as well"),
        (&["stream.online", "--timestamp", "yesterday"], "RFC 3339"),
        (&["stream.online", "--count", "2", "--message-id", "x"], "--message-id"),
        (&["stream.online", "--count", "0"], "--count"),
        (&["stream.online", "--message-id", "x\ny"], "can't be a header"),
        (&["stream.online", "--fault", "bad-signature", "--fault", "no-signature"], "can't both"),
    ] {
        let output = run(&recorder, args).await;
        assert_exit(&output, 2);
        assert!(text(&output).contains(expected), "{expected} is not in {}", text(&output));
    }
    assert_eq!(recorder.requests().len(), 0);
}

#[tokio::test]
async fn list_needs_no_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let output = run_in(directory.path(), &[], &["list", "cheer"]).await;
    assert_exit(&output, 0);
    let shown = text(&output);
    assert!(shown.contains("channel.cheer ") && shown.contains("variants: anonymous"), "{shown}");
    let json = run_in(directory.path(), &[], &["list", "channel.cheer", "--json"]).await;
    let listed: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let fields = (&listed[0]["type"], &listed[0]["version"], &listed[0]["status"]);
    assert_eq!(fields, (&"channel.cheer".into(), &"1".into(), &"current".into()), "{listed}");
    assert_eq!(listed[0]["variants"], serde_json::json!(["anonymous"]));
    let help = run_in(directory.path(), &[], &["--help"]).await;
    assert_exit(&help, 0);
    assert!(text(&help).contains("Exit status"), "{}", text(&help));
}
