//! What mock-twitch has of twitch-cli: its commands, and its address for subscriptions with its answers.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::{MockConfig, Notify};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch};
use crate::support::{PATIENCE, until};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a session.
async fn session(twitch: &Twitch) -> (Socket, String) {
    let (mut socket, _) = connect_async(twitch.mock.websocket_url().as_str()).await.unwrap();
    let welcome = frame(&mut socket).await;
    let id = welcome["payload"]["session"]["id"].as_str().unwrap().to_owned();
    (socket, id)
}

async fn message(socket: &mut Socket) -> Message {
    loop {
        match timeout(PATIENCE, socket.next()).await.expect("a frame").unwrap().unwrap() {
            Message::Ping(_) => {}
            message => return message,
        }
    }
}

async fn frame(socket: &mut Socket) -> Value {
    serde_json::from_str(message(socket).await.to_text().unwrap()).unwrap()
}

async fn close_code(socket: &mut Socket) -> u16 {
    match message(socket).await {
        Message::Close(Some(close)) => close.code.into(),
        other => panic!("{other:?}"),
    }
}

/// Runs a command of mock-twitch, and returns whether it succeeded and what it printed.
async fn run(twitch: &Twitch, line: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-twitch"));
    let url = twitch.mock.base_url();
    let output = command.args(line.split_whitespace()).args(["--url", &url]).output().await.unwrap();
    let printed = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(printed).unwrap().trim_end().to_owned())
}

/// Calls the address for subscriptions.
async fn call(twitch: &Twitch, method: Method, query: &str, body: &Value) -> (u16, Value) {
    let request = twitch.browser.request(method, format!("{}/eventsub/subscriptions{query}", twitch.mock.base_url()));
    let answer = request.header("Client-Id", "any").json(body).send().await.unwrap();
    assert_eq!(answer.headers()["ratelimit-limit"], "800");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}

fn wanted(kind: &str, version: &str, session: &str) -> Value {
    json!({
        "type": kind,
        "version": version,
        "condition": { "broadcaster_user_id": CHANNEL_ID },
        "transport": { "method": "websocket", "session_id": session },
    })
}

#[tokio::test]
async fn ws_commands_show_and_disturb_sessions() {
    let twitch = Twitch::start().await;
    assert_eq!(run(&twitch, "ws list").await, (true, "there is no session".to_owned()));
    assert_eq!(run(&twitch, "ws close --reason 4000").await, (false, "error: there is no session".to_owned()));
    let (mut first, one) = session(&twitch).await;
    let (mut second, two) = session(&twitch).await;

    let (_, listed) = run(&twitch, "ws list").await;
    assert_eq!(listed.lines().count(), 2);
    assert!(listed.contains(&format!("{one}  since 2")), "{listed}");
    let listed: Value = serde_json::from_str(&run(&twitch, "ws list --json").await.1).unwrap();
    let ids: BTreeSet<_> = listed.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap()).collect();
    assert_eq!(ids, BTreeSet::from([one.as_str(), two.as_str()]));
    let (succeeded, error) = run(&twitch, "ws close --reason 4000").await;
    assert!(!succeeded && error.contains("there are 2 sessions; choose one") && error.contains(&two), "{error}");
    let (_, error) = run(&twitch, "ws close --session nothing --reason 4000").await;
    assert!(error.starts_with("error: there is no session nothing; there are:") && error.contains(&one), "{error}");
    let (_, error) = run(&twitch, "ws close --reason 4008").await;
    assert!(error.contains("there is no reason 4008; there are:") && error.contains("connection unused"), "{error}");

    assert!(run(&twitch, &format!("ws keepalive --session {one} --enabled=false")).await.0);
    let created = call(&twitch, Method::POST, "", &wanted("channel.cheer", "1", &one)).await.1;
    let id = created["data"][0]["id"].as_str().unwrap();
    assert_eq!(
        run(&twitch, &format!("trigger cheer -T websocket --session {one} -u {id}")).await.1,
        "channel.cheer: 1 message"
    );
    assert_eq!(frame(&mut first).await["payload"]["subscription"]["id"], id);
    let status = format!("subscription --subscription {id} --status");
    assert_eq!(run(&twitch, &format!("{status} revoked")).await.1, format!("{id} is authorization_revoked"));
    let (_, error) = run(&twitch, &format!("{status} gone")).await;
    assert!(error.contains("there is no status gone; there are:\n  enabled\n"), "{error}");
    let (_, error) = run(&twitch, "subscription --subscription nothing --status enabled").await;
    assert!(error.contains("there is no subscription nothing; there are:") && error.contains(id), "{error}");
    let (_, error) = run(&twitch, "trigger cheer -u nothing").await;
    assert!(error.contains("there is no subscription nothing; there are:") && error.contains(id), "{error}");

    assert_eq!(run(&twitch, &format!("websocket reconnect -s {}", &two[..12])).await.1, "asked to reconnect: 1");
    assert_eq!(frame(&mut second).await["metadata"]["message_type"], "session_reconnect");
    assert!(run(&twitch, &format!("ws close --session {two} --reason 4005")).await.0);
    assert_eq!(close_code(&mut second).await, 4005);
    for code in [1000, 4000, 4001, 4002, 4003, 4004, 4006, 4007] {
        let (mut socket, id) = session(&twitch).await;
        assert!(run(&twitch, &format!("ws close --session {id} --reason {code}")).await.0);
        assert_eq!(close_code(&mut socket).await, code);
    }
    assert!(run(&twitch, "ws close --reason abort").await.0, "the only session");
    until("both sessions have ended", async || twitch.mock.world.sessions().is_empty()).await;
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn subscriptions_at_the_address_of_twitch_cli_have_its_answers() {
    let twitch = Twitch::start().await;
    let (_socket, session) = session(&twitch).await;
    let good = || wanted("channel.cheer", "1", &session);
    let with = |pointer: &str, value: Value| {
        let mut body = good();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let (status, created) = call(&twitch, Method::POST, "", &good()).await;
    assert_eq!((status, &created["total"], &created["max_total_cost"]), (202, &json!(0), &json!(10)));
    let id = created["data"][0]["id"].as_str().unwrap();
    assert_eq!(created["data"][0]["status"], "enabled");
    assert_eq!(created["data"][0]["transport"]["session_id"], session.as_str());

    let field = |name: &str| format!("The value specified in the '{name}' field is not valid");
    let taken = "Subscription by the specified type and version combination for the specified Client ID already exists";
    for (body, status, error, text) in [
        (json!("no object"), 400, "Bad Request", "error validating json".to_owned()),
        (with("/transport/method", json!("webhook")), 400, "Bad Request", field("method")),
        (with("/transport/session_id", json!("")), 400, "Bad Request", field("session_id")),
        (with("/type", json!("")), 400, "Bad Request", field("type")),
        (with("/version", json!("")), 400, "Bad Request", field("version")),
        (wanted("channel.follow", "1", &session), 410, "Gone", "This subscription type is not available.".to_owned()),
        (
            with("/version", json!("7")),
            400,
            "Bad Request",
            "The combination of values in the type and version fields is not valid".to_owned(),
        ),
        (with("/transport/session_id", json!("a_b")), 400, "Bad Request", "non-existent session_id".to_owned()),
        (good(), 409, "Conflict", taken.to_owned()),
    ] {
        let refusal = json!({ "error": error, "message": text, "status": status });
        assert_eq!(call(&twitch, Method::POST, "", &body).await, (status, refusal), "{body}");
    }
    let other = with("/condition/broadcaster_user_id", json!("1"));
    assert_eq!(call(&twitch, Method::POST, "", &other).await.0, 202, "conditions are compared");
    let url = format!("{}/eventsub/subscriptions", twitch.mock.base_url());
    let nameless = twitch.browser.post(&url).json(&good()).send().await.unwrap();
    assert_eq!(nameless.status(), 400);
    assert_eq!(nameless.json::<Value>().await.unwrap()["status"], 401);
    assert_eq!(twitch.browser.request(Method::OPTIONS, &url).send().await.unwrap().status(), 200);
    assert_eq!(twitch.browser.put(&url).send().await.unwrap().status(), 405);

    let (status, listed) = call(&twitch, Method::GET, "", &json!({})).await;
    assert_eq!((status, &listed["total"], &listed["pagination"]), (200, &json!(2), &json!({})));
    let missing = call(&twitch, Method::DELETE, "", &json!({})).await.1;
    assert_eq!(missing["message"], "The id query parameter is required");
    assert_eq!(call(&twitch, Method::DELETE, "?id=none", &json!({})).await, (404, Value::Null));
    assert_eq!(call(&twitch, Method::DELETE, &format!("?id={id}"), &json!({})).await.0, 204);
    for count in 1..100 {
        let body = with("/condition/broadcaster_user_id", json!((1 + count).to_string()));
        assert_eq!(call(&twitch, Method::POST, "", &body).await.0, 202, "{count}");
    }
    let (status, full) = call(&twitch, Method::POST, "", &good()).await;
    assert_eq!(
        (status, &full["message"]),
        (400, &json!("You may only create 100 subscriptions within a single WebSocket connection"))
    );
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn addresses_of_twitch_cli_grant_tokens_and_require_none() {
    let twitch = Twitch::start().await;
    let url = |path: &str| format!("{}{path}", twitch.mock.base_url());
    let config = MockConfig::default();
    let client = format!("client_id={}&client_secret={}", config.client_id, config.client_secret);
    let post = async |path: String| twitch.browser.post(url(&path)).send().await.unwrap();
    let user = format!("/auth/authorize?{client}&grant_type=user_token&user_id={CHANNEL_ID}&scope=bits:read");
    let token: Value = post(user).await.json().await.unwrap();
    let validate = twitch.browser.get(url("/auth/validate")).bearer_auth(token["access_token"].as_str().unwrap());
    let validated: Value = validate.send().await.unwrap().json().await.unwrap();
    assert_eq!((&validated["login"], &validated["scopes"]), (&json!(CHANNEL), &json!(["bits:read"])));
    assert_eq!(post(format!("/auth/token?{client}&grant_type=client_credentials")).await.status(), 200);
    assert_eq!(post(format!("/auth/authorize?{client}&grant_type=user_token&user_id=1")).await.status(), 400);

    twitch.mock.world.go_live(CHANNEL, Notify::No).unwrap();
    for (path, field) in [
        (format!("/mock/users?login={CHANNEL}"), "id"),
        (format!("/mock/streams?user_id={CHANNEL_ID}"), "user_id"),
        (format!("/mock/channels?broadcaster_id={CHANNEL_ID}"), "broadcaster_id"),
    ] {
        let answer = twitch.browser.get(url(&path)).send().await.unwrap();
        assert!(answer.headers().contains_key("ratelimit-remaining"), "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap()["data"][0][field], CHANNEL_ID, "{path}");
    }
    twitch.mock.stop().await.unwrap();
}
