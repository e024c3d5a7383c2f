//! Independent clients against the mock: twurple (npm), `pyTwitchAPI` and `TwitchIO` (`PyPI`) listen over WebSocket, and twurple
//! calls what changes something, and chats over IRC.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use showtime::mock::{MockConfig, Notify, Role};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch};
use crate::support::{skip, until};

/// How long a client may take for one step. pyTwitchAPI notices a cut late.
const STEP: Duration = Duration::from_secs(60);

/// How many events happen while a client reconnects.
const ACROSS: usize = 200;

const SCOPES: [&str; 2] = ["moderator:read:followers", "user:read:chat"];

/// The client program, which prints what happens to it.
struct Client {
    program: Child,
    lines: Lines<BufReader<ChildStdout>>,
    seen: Vec<(String, Value)>,
}

impl Client {
    fn start(command: &mut Command, settings: &Value) -> Self {
        let command = command.arg(settings.to_string()).current_dir(directory()).kill_on_drop(true);
        let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap()).lines();
        Self { program, lines, seen: Vec::new() }
    }

    fn values(&self, what: &str) -> Vec<&Value> {
        self.seen.iter().filter(|(seen, _)| seen == what).map(|(_, value)| value).collect()
    }

    /// Waits until this has happened so often in all.
    async fn until(&mut self, what: &str, count: usize) {
        while self.values(what).len() < count {
            let line = timeout(STEP, self.lines.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("{count} of {what}, but only: {:?}", self.seen));
            let line = line.unwrap().unwrap_or_else(|| panic!("the client ended after {:?}", self.seen));
            let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            self.seen.push((said["what"].as_str().unwrap().to_owned(), said["value"].clone()));
        }
    }

    /// Writes a line to its input.
    async fn tell(&mut self, line: &Value) {
        self.program.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn stop(mut self) {
        drop(self.program.stdin.take());
        let status = timeout(STEP, self.program.wait()).await.expect("it ends").unwrap();
        assert!(status.success(), "{status}");
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// The addresses and a user's token for a client.
async fn settings(twitch: &Twitch, scopes: &[&str]) -> Value {
    let config = twitch.mock.world.config();
    let parameters = [
        ("client_id", config.client_id.as_str()),
        ("client_secret", &config.client_secret),
        ("grant_type", "user_token"),
        ("user_id", CHANNEL_ID),
        ("scope", &scopes.join(" ")),
    ];
    let url = format!("{}/auth/authorize", twitch.mock.base_url());
    let token: Value = twitch.browser.post(url).query(&parameters).send().await.unwrap().json().await.unwrap();
    json!({
        "api": format!("{}/", twitch.mock.api_url()),
        "auth": format!("{}/", twitch.mock.auth_url()),
        "websocket": twitch.mock.websocket_url(),
        "client_id": config.client_id,
        "client_secret": config.client_secret,
        "token": token["access_token"],
        "refresh_token": token["refresh_token"],
        "user_id": CHANNEL_ID,
        "scopes": scopes,
    })
}

async fn control(twitch: &Twitch, path: &str, body: &Value) -> Value {
    let url = format!("{}/mock/{path}", twitch.mock.base_url());
    let answer = twitch.browser.post(url).json(body).send().await.unwrap();
    let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
    assert!(status.is_success(), "{path}: {body}");
    body
}

/// Whether the only session has followed the request to reconnect, and closed its old connection.
async fn has_moved(twitch: &Twitch) -> bool {
    let url = format!("{}/mock/websocket", twitch.mock.base_url());
    let shown: Value = twitch.browser.get(url).send().await.unwrap().json().await.unwrap();
    let session = &shown["sessions"][0];
    session["is_reconnecting"] == false && session["sockets"] == 1
}

fn emit(twitch: &Twitch, kind: &str) {
    let sent = twitch.mock.world.emit(kind, None, Some(CHANNEL), None, &[]).unwrap();
    assert_eq!(sent, 1, "one subscription to {kind}: {:#?}", twitch.mock.world.subscriptions());
}

/// When events happen around a requested reconnect.
#[derive(PartialEq, Eq)]
enum Traffic {
    /// From the request on.
    Across,
    /// Once the session has moved. (pyTwitchAPI 4.5.0 begins another session if it reads a message while it closes the old
    /// connection; `TwitchIO` 3.3.2 does not read what the old one still has.)
    AfterMove,
}

/// Subscribes, events, a requested reconnect with events, and a cut.
async fn listens(twitch: Twitch, mut client: Client, traffic: Traffic) {
    client.until("subscribed", 3).await;
    for (kind, what) in [("channel.follow", "follow"), ("stream.online", "online"), ("channel.chat.message", "chat")] {
        emit(&twitch, kind);
        client.until(what, 1).await;
    }

    control(&twitch, "websocket/reconnect", &json!({})).await;
    if traffic == Traffic::AfterMove {
        until("the session has moved", async || has_moved(&twitch).await).await;
    }
    for _ in 0..ACROSS {
        emit(&twitch, "channel.chat.message");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    client.until("chat", 1 + ACROSS).await;
    let mut messages: Vec<_> = client.values("chat").into_iter().map(Value::to_string).collect();
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 1 + ACROSS, "each once");
    assert_eq!(client.values("subscribed").len(), 3, "a session that has moved keeps its subscriptions");

    let session = client.values("session")[0].as_str().unwrap().to_owned();
    control(&twitch, &format!("websocket/{session}/close"), &json!({ "code": 4000 })).await;
    client.until("subscribed", 6).await;
    assert_ne!(client.values("session").last().unwrap().as_str(), Some(session.as_str()));
    emit(&twitch, "channel.follow");
    client.until("follow", 2).await;
    client.stop().await;
    twitch.mock.stop().await.unwrap();
}

/// Node with twurple, if it is installed.
fn twurple(program: &str, twitch: &Twitch) -> Option<Command> {
    let port = twitch.mock.websocket_url().port().unwrap().to_string();
    let mut command = Command::new("node");
    command.arg(program).env("TWURPLE_MOCK_API_PORT", port);
    directory().join("node_modules/@twurple/chat").is_dir().then_some(command)
}

const TWURPLE: &str = "twurple: run `npm ci` in tests/clients";

#[tokio::test]
async fn twurple_listens_by_the_addresses_of_twitch_cli() {
    let twitch = Twitch::with(MockConfig::default()).await;
    let Some(mut command) = twurple("twurple.js", &twitch) else { return skip(TWURPLE) };
    let client = Client::start(&mut command, &settings(&twitch, &SCOPES).await);
    listens(twitch, client, Traffic::Across).await;
}

/// What `twurple_actions.js` calls and subscribes to.
const ACTION_SCOPES: [&str; 25] = [
    "channel:edit:commercial",
    "channel:manage:broadcast",
    "channel:manage:vips",
    "channel:moderate",
    "channel:read:ads",
    "clips:edit",
    "moderator:manage:announcements",
    "moderator:manage:banned_users",
    "moderator:manage:blocked_terms",
    "moderator:manage:chat_messages",
    "moderator:manage:chat_settings",
    "moderator:manage:shield_mode",
    "moderator:manage:shoutouts",
    "moderator:manage:unban_requests",
    "moderator:manage:warnings",
    "moderator:read:blocked_terms",
    "moderator:read:chat_messages",
    "moderator:read:chat_settings",
    "moderator:read:chatters",
    "moderator:read:moderators",
    "moderator:read:unban_requests",
    "moderator:read:vips",
    "user:manage:whispers",
    "user:read:chat",
    "user:write:chat",
];

/// What it prints once, in an action or about its event.
fn expected_of_actions(viewer_id: &str, spam_id: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("replied", json!(true)),
        ("no parent", json!(400)),
        ("too soon", json!(429)),
        ("chatters", json!(2)),
        ("settings", json!(10)),
        ("deleted twice", json!(404)),
        ("own message", json!(400)),
        ("timeout", json!(60_000)),
        ("ban", Value::Null),
        ("banned twice", json!(400)),
        ("not banned", json!(400)),
        ("warning", json!("careful")),
        ("shield", json!(true)),
        ("channel", json!({ "title": "New title", "game": "Just Chatting", "tags": ["Speedrun"] })),
        ("found", json!(["Just Chatting"])),
        ("game", json!("509660")),
        ("vip already", json!(422)),
        ("marker", json!("here")),
        ("clip", json!(true)),
        ("heard notice", json!({ "type": "announcement", "text": "soon", "color": "PURPLE" })),
        ("heard delete", json!({ "id": spam_id, "of": viewer_id })),
        ("heard clear", Value::Null),
        ("heard settings", json!(10)),
        ("heard update", json!({ "title": "New title", "game": "Just Chatting" })),
        ("heard unban", json!(viewer_id)),
        ("heard warning", json!({ "user": viewer_id, "reason": "careful" })),
        ("heard shield", json!(CHANNEL_ID)),
        ("heard shoutout", json!({ "to": viewer_id, "by": CHANNEL_ID })),
        ("heard vip", json!(viewer_id)),
        ("heard unvip", json!(viewer_id)),
        ("heard ad", json!(60)),
    ]
}

#[tokio::test]
async fn twurple_acts_and_hears_of_it() {
    let twitch = Twitch::with(MockConfig::default()).await;
    let Some(mut command) = twurple("twurple_actions.js", &twitch) else { return skip(TWURPLE) };
    let world = &twitch.mock.world;
    world.go_live(CHANNEL, Notify::No).unwrap();
    let viewer_id = world.add_channel("quietotter").unwrap().id;
    let spam_id = world.say(CHANNEL, "quietotter", "buy followers now").unwrap();
    let mut settings = settings(&twitch, &ACTION_SCOPES).await;
    settings["viewer_id"] = viewer_id.as_str().into();
    settings["spam_id"] = spam_id.as_str().into();
    let mut client = Client::start(&mut command, &settings);
    client.until("done", 1).await;
    for (what, value) in expected_of_actions(&viewer_id, &spam_id) {
        client.until(what, 1).await;
        assert_eq!(client.values(what), [&value], "{what}");
    }

    client.until("heard message", 2).await;
    let (said, heard) = (client.values("said"), client.values("heard message"));
    assert_eq!(said[0]["isSent"], true);
    assert_eq!([&heard[0]["id"], &heard[1]["to"]], [&said[0]["id"]; 2]);
    client.until("heard clear user", 2).await;
    client.until("heard ban", 2).await;
    let ends: Vec<_> = client.values("heard ban").into_iter().map(|ban| ban["ends"].as_bool()).collect();
    assert_eq!(ends, [Some(true), Some(false)]);
    client.until("heard moderate", 6).await;
    let actions: Vec<_> = client.values("heard moderate").into_iter().filter_map(|it| it["action"].as_str()).collect();
    assert_eq!(actions, ["delete", "timeout", "ban", "unban", "warn", "clear"]);
    client.stop().await;
    let violations = twitch.mock.world.violations();
    assert_eq!(violations.len(), 1, "the second announcement: {violations:#?}");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn twurple_chats_over_irc() {
    let twitch = Twitch::with(MockConfig::default()).await;
    let Some(mut command) = twurple("twurple_chat.js", &twitch) else { return skip(TWURPLE) };
    let (world, url) = (&twitch.mock.world, twitch.mock.irc_url());
    let mut settings = settings(&twitch, &["chat:read", "chat:edit"]).await;
    settings["host"] = format!("{}:{}{}", url.host_str().unwrap(), url.port().unwrap(), url.path()).into();
    settings["channel"] = CHANNEL.into();
    let mut client = Client::start(&mut command, &settings);
    client.until("join", 1).await;
    assert_eq!((client.values("logged in"), client.values("join")), (vec![&json!(CHANNEL)], vec![&json!(CHANNEL)]));

    world.set_role(CHANNEL, "quietotter", Some(Role::Moderator)).unwrap();
    let said_at = twitch.clock.now().unix_timestamp_nanos() / 1_000_000;
    let id = world.say(CHANNEL, "quietotter", "hello; :there").unwrap();
    client.until("message", 1).await;
    let viewer = world.add_channel("quietotter").unwrap().id;
    let mut heard = client.values("message")[0].clone();
    let at = i128::from(heard["at"].take().as_i64().unwrap());
    assert!((said_at..said_at + 60_000).contains(&at), "{at} is not after {said_at}");
    let expected = json!({
        "user": "quietotter", "text": "hello; :there", "id": id, "by": viewer, "channel": CHANNEL_ID, "mod": true,
        "to": null, "at": null,
    });
    assert_eq!(heard, expected);
    world.say(CHANNEL, "copperkite", "\u{1}ACTION waves\u{1}").unwrap();
    client.until("action", 1).await;
    assert_eq!(client.values("action"), [&json!("waves")]);

    client.tell(&json!({ "text": "indeed", "replyTo": id })).await;
    client.until("said", 1).await;
    let replies = async || world.room(CHANNEL).unwrap().messages.iter().any(|it| it.reply_to.as_ref() == Some(&id));
    until("the reply is in the chat", replies).await;
    control(&twitch, "irc/membership", &json!({ "joined": ["mintcomet"] })).await;
    client.until("join", 2).await;
    control(&twitch, "irc/membership", &json!({ "left": ["mintcomet"] })).await;
    client.until("part", 1).await;
    assert_eq!((client.values("join")[1], client.values("part")[0]), (&json!("mintcomet"), &json!("mintcomet")));

    // twurple does not move by itself when it is asked to, but waits for the end.
    control(&twitch, "irc/reconnect", &json!({})).await;
    control(&twitch, "irc/close", &json!({})).await;
    client.until("logged in", 2).await;
    client.until("join", 3).await;
    control(&twitch, "irc/close", &json!({ "how": "reset" })).await;
    client.until("logged in", 3).await;
    client.stop().await;
    assert_eq!(world.violations().len(), 0, "{:#?}", world.violations());
    twitch.mock.stop().await.unwrap();
}

/// Python with the clients, if they are installed.
fn python(program: &str) -> Option<Command> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/bin/python3");
    let mut command = Command::new(&path);
    command.arg(program);
    path.exists().then_some(command)
}

const PYTHON: &str = "pyTwitchAPI and TwitchIO: run `python3 -m venv target/clients` and `target/clients/bin/pip install -r tests/clients/requirements.txt`";

#[tokio::test]
async fn pytwitchapi_listens_by_the_addresses_of_twitch() {
    let Some(mut command) = python("pytwitchapi.py") else { return skip(PYTHON) };
    let twitch = Twitch::with(MockConfig::default()).await;
    let client = Client::start(&mut command, &settings(&twitch, &SCOPES).await);
    listens(twitch, client, Traffic::AfterMove).await;
}

#[tokio::test]
async fn pytwitchapi_listens_by_the_addresses_of_twitch_cli() {
    let Some(mut command) = python("pytwitchapi.py") else { return skip(PYTHON) };
    let twitch = Twitch::with(MockConfig::default()).await;
    let mut settings = settings(&twitch, &SCOPES).await;
    settings["subscriptions"] = format!("{}/", twitch.mock.base_url()).into();
    let client = Client::start(&mut command, &settings);
    listens(twitch, client, Traffic::AfterMove).await;
}

#[tokio::test]
async fn twitchio_listens_by_the_addresses_of_twitch() {
    let Some(mut command) = python("listen_twitchio.py") else { return skip(PYTHON) };
    let twitch = Twitch::with(MockConfig::default()).await;
    let client = Client::start(&mut command, &settings(&twitch, &SCOPES).await);
    listens(twitch, client, Traffic::AfterMove).await;
}
