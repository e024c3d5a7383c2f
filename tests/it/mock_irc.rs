//! The fake Twitch's chat over IRC.

use futures_util::{SinkExt as _, StreamExt as _};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use showtime::mock::{Faults, Role};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::PATIENCE;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch};

const VIEWER: &str = "quietotter";

/// A client of IRC.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    lines: Vec<String>,
}

impl Client {
    async fn open(twitch: &Twitch) -> Self {
        let url = twitch.mock.irc_url();
        Self { socket: connect_async(url.as_str()).await.unwrap().0, lines: Vec::new() }
    }

    /// Logged in, with all capabilities, and in the channel.
    async fn joined(twitch: &Twitch, login: &str, token: &str) -> Self {
        let mut client = Self::open(twitch).await;
        client.say("CAP REQ :twitch.tv/tags twitch.tv/commands twitch.tv/membership").await;
        client.say(&format!("PASS oauth:{token}\r\nNICK {login}")).await;
        client.until("GLOBALUSERSTATE").await;
        client.say(&format!("JOIN #{CHANNEL}")).await;
        client.until("ROOMSTATE").await;
        client
    }

    async fn say(&mut self, lines: &str) {
        self.socket.send(Message::text(format!("{lines}\r\n"))).await.unwrap();
    }

    /// Reads a frame. False at the end.
    async fn read(&mut self) -> bool {
        match timeout(PATIENCE, self.socket.next()).await.expect("nothing comes") {
            Some(Ok(Message::Text(text))) => {
                assert!(text.ends_with("\r\n"), "{text:?}");
                self.lines.extend(text.lines().map(str::to_owned));
                true
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => false,
            Some(Ok(_)) => true,
        }
    }

    /// The next line that contains this; those before it are forgotten.
    async fn until(&mut self, part: &str) -> String {
        loop {
            if let Some(at) = self.lines.iter().position(|line| line.contains(part)) {
                return self.lines.drain(..=at).next_back().unwrap();
            }
            assert!(self.read().await, "it ended without {part}: {:?}", self.lines);
        }
    }

    async fn until_end(mut self) -> Vec<String> {
        while self.read().await {}
        self.lines
    }
}

/// A token of a user who is added.
async fn token(twitch: &Twitch, user: &str, scope: &str) -> String {
    let user_id = twitch.mock.world.add_channel(user).unwrap().id;
    let config = twitch.mock.world.config();
    let parameters = [
        ("client_id", config.client_id.as_str()),
        ("client_secret", &config.client_secret),
        ("grant_type", "user_token"),
        ("user_id", &user_id),
        ("scope", scope),
    ];
    let url = format!("{}/auth/authorize", twitch.mock.base_url());
    let answer: Value = twitch.browser.post(url).query(&parameters).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn control(twitch: &Twitch, path: &str, body: &Value) {
    let url = format!("{}/mock/irc/{path}", twitch.mock.base_url());
    assert!(twitch.browser.post(url).json(body).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn client_logs_in_and_reads_the_chat() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    world.set_role(CHANNEL, "showbot", Some(Role::Moderator)).unwrap();
    let token = token(&twitch, "showbot", "chat:read chat:edit").await;
    let mut client = Client::open(&twitch).await;
    client.say("CAP LS 302").await;
    client.until(":tmi.twitch.tv CAP * LS :twitch.tv/membership twitch.tv/tags twitch.tv/commands").await;
    client.say("CAP REQ :twitch.tv/tags twitch.tv/unknown").await;
    client.until("CAP * NAK :twitch.tv/tags twitch.tv/unknown").await;
    client.say("CAP REQ :twitch.tv/membership twitch.tv/tags twitch.tv/commands").await;
    client.until("CAP * ACK :twitch.tv/membership twitch.tv/tags twitch.tv/commands").await;
    client.say(&format!("PASS oauth:{token}\r\nNICK ShowBot")).await;
    client.until(":tmi.twitch.tv 001 showbot :Welcome, GLHF!").await;
    client.until(":tmi.twitch.tv 376 showbot :>").await;
    client.say("JOIN #maplearcade,#missing").await;
    client.until(":showbot!showbot@showbot.tmi.twitch.tv JOIN #maplearcade").await;
    client.until(":showbot.tmi.twitch.tv 353 showbot = #maplearcade :showbot").await;
    client.until(":showbot.tmi.twitch.tv 366 showbot #maplearcade :End of /NAMES list").await;
    let state = client.until("USERSTATE #maplearcade").await;
    assert!(state.contains("badges=moderator/1;") && state.contains(";mod=1;"), "{state}");
    let room = client.until("ROOMSTATE #maplearcade").await;
    assert!(room.starts_with("@emote-only=0;followers-only=-1;r9k=0;room-id=90210441;slow=0;subs-only=0 "), "{room}");

    let id = world.say(CHANNEL, VIEWER, "hello :there").unwrap();
    let said = client.until("PRIVMSG").await;
    assert!(
        said.ends_with(" :quietotter!quietotter@quietotter.tmi.twitch.tv PRIVMSG #maplearcade :hello :there"),
        "{said}"
    );
    assert!(said.contains(&format!(";id={id};")) && said.contains(";display-name="), "{said}");
    client.say("PING :are you there").await;
    client.until(":tmi.twitch.tv PONG tmi.twitch.tv :are you there").await;
}

#[tokio::test]
async fn moderation_is_sent_over_irc() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    let (bot, viewer) = (token(&twitch, "showbot", "chat:read").await, token(&twitch, VIEWER, "chat:read").await);
    let scopes = ["moderator:manage:banned_users", "moderator:manage:chat_messages", "moderator:manage:chat_settings"];
    let moderator = twitch.consent(&scopes).await.access_token;
    let mut client = Client::joined(&twitch, "showbot", &bot).await;
    let mut banned = Client::joined(&twitch, VIEWER, &viewer).await;
    let call = async |method: &str, path: &str, body: Value| {
        let url = format!("{}{path}broadcaster_id={CHANNEL_ID}&moderator_id={CHANNEL_ID}", twitch.mock.api_url());
        let request = twitch.browser.request(method.parse().unwrap(), url).bearer_auth(moderator.expose_secret());
        let request = request.header("Client-Id", &world.config().client_id).json(&body);
        assert!(request.send().await.unwrap().status().is_success(), "{path}");
    };
    let id = world.say(CHANNEL, VIEWER, "buy followers").unwrap();
    call("DELETE", &format!("/moderation/chat?message_id={id}&"), Value::Null).await;
    let deleted = client.until("CLEARMSG #maplearcade :buy followers").await;
    assert!(deleted.contains(&format!(";target-msg-id={id};")) && deleted.contains("login=quietotter;"), "{deleted}");
    let viewer_id = world.add_channel(VIEWER).unwrap().id;
    call("POST", "/moderation/bans?", json!({ "data": { "user_id": viewer_id, "duration": 60 } })).await;
    let timeout = client.until("CLEARCHAT #maplearcade :quietotter").await;
    assert!(timeout.contains("ban-duration="), "{timeout}");
    call("POST", "/moderation/bans?", json!({ "data": { "user_id": viewer_id } })).await;
    let ban = client.until("CLEARCHAT #maplearcade :quietotter").await;
    assert!(!ban.contains("ban-duration="), "{ban}");
    banned.until("PART #maplearcade").await;
    client.until(":quietotter!quietotter@quietotter.tmi.twitch.tv PART #maplearcade").await;
    banned.say("JOIN #maplearcade").await;
    banned.until("@msg-id=msg_banned :tmi.twitch.tv NOTICE #maplearcade :").await;
    call("PATCH", "/chat/settings?", json!({ "slow_mode_wait_time": 10 })).await;
    client.until(";slow=10;").await;
    call("DELETE", "/moderation/chat?", Value::Null).await;
    client.until(":tmi.twitch.tv CLEARCHAT #maplearcade").await;
}

#[tokio::test]
async fn message_over_irc_is_like_one_of_helix() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    let (bot, viewer) =
        (token(&twitch, "showbot", "chat:read chat:edit").await, token(&twitch, VIEWER, "chat:read").await);
    let mut writer = Client::joined(&twitch, "showbot", &bot).await;
    let mut reader = Client::joined(&twitch, VIEWER, &viewer).await;
    writer.say("PRIVMSG #maplearcade :hello").await;
    let id = id_in(&writer.until("USERSTATE #maplearcade").await);
    assert!(reader.until("PRIVMSG #maplearcade :hello").await.contains(&format!(";id={id};")));
    assert_eq!(world.room(CHANNEL).unwrap().messages[0].id, id);
    writer.say("PRIVMSG #maplearcade :too fast").await;
    writer.until("@msg-id=msg_ratelimit :tmi.twitch.tv NOTICE #maplearcade").await;
    assert_eq!(world.violations()[0].violation, Some("1 message per second in a channel"));
    twitch.clock.advance(time::Duration::seconds(2));
    writer.say(&format!("@reply-parent-msg-id={id} PRIVMSG #maplearcade :indeed")).await;
    assert!(reader.until("PRIVMSG #maplearcade :indeed").await.contains(&format!("reply-parent-msg-id={id};")));
    reader.say("PRIVMSG #maplearcade :without the scope\r\nPING :x").await;
    reader.until("PONG").await;
    assert_eq!(world.room(CHANNEL).unwrap().messages.len(), 2);
}

/// The id in a line's tags.
fn id_in(line: &str) -> String {
    let tag = line.split(['@', ';', ' ']).find_map(|tag| tag.strip_prefix("id="));
    tag.unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[tokio::test]
async fn login_fails_as_at_twitch() {
    let twitch = Twitch::start().await;
    let of_viewer = token(&twitch, VIEWER, "chat:read").await;
    let without_scope = token(&twitch, "showbot", "user:read:chat").await;
    let wrong_user = format!("PASS oauth:{of_viewer}\r\nNICK showbot");
    let no_scope = format!("PASS oauth:{without_scope}\r\nNICK showbot");
    for (login, reason) in [
        ("PASS oauth:wrong\r\nNICK showbot", "Login authentication failed"),
        (wrong_user.as_str(), "Login authentication failed"),
        (no_scope.as_str(), "Login authentication failed"),
        ("PASS wrong\r\nNICK showbot", "Improperly formatted auth"),
        ("NICK showbot", "Improperly formatted auth"),
    ] {
        let mut client = Client::open(&twitch).await;
        client.say(login).await;
        assert_eq!(client.until_end().await, [format!(":tmi.twitch.tv NOTICE * :{reason}")], "{login}");
    }
    let mut anonymous = Client::open(&twitch).await;
    anonymous.say("NICK justinfan123\r\nJOIN #maplearcade").await;
    anonymous.until("366").await;
    anonymous.say("PRIVMSG #maplearcade :hello").await;
    twitch.mock.world.say(CHANNEL, VIEWER, "hi").unwrap();
    let line = anonymous.until("PRIVMSG").await;
    assert_eq!(line, ":quietotter!quietotter@quietotter.tmi.twitch.tv PRIVMSG #maplearcade :hi", "without tags");
}

#[tokio::test]
async fn viewers_come_and_go_in_batches() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    let bot = token(&twitch, "showbot", "chat:read").await;
    let mut client = Client::joined(&twitch, "showbot", &bot).await;
    control(&twitch, "membership", &json!({ "joined": ["copperkite", "mintcomet"] })).await;
    client.until(":copperkite!copperkite@copperkite.tmi.twitch.tv JOIN #maplearcade").await;
    client.until(":mintcomet!mintcomet@mintcomet.tmi.twitch.tv JOIN #maplearcade").await;
    world.set_faults(Faults { irc_repeat: 1.0, ..Faults::default() }).unwrap();
    control(&twitch, "membership", &json!({ "left": ["mintcomet"] })).await;
    client.until("PART #maplearcade").await;
    client.until(":mintcomet!mintcomet@mintcomet.tmi.twitch.tv PART #maplearcade").await;
    world.set_faults(Faults { irc_loss: 1.0, ..Faults::default() }).unwrap();
    control(&twitch, "membership", &json!({ "left": ["copperkite"] })).await;
    world.set_faults(Faults { irc_delay: 1.0, delay_ms: 3_600_000, ..Faults::default() }).unwrap();
    control(&twitch, "membership", &json!({ "joined": ["velvetyak"] })).await;
    client.say("PING :x").await;
    client.until("PONG").await;
    assert!(client.lines.is_empty(), "one is lost and one is late: {:?}", client.lines);
    twitch.clock.advance(time::Duration::HOUR);
    client.until(":velvetyak!velvetyak@velvetyak.tmi.twitch.tv JOIN #maplearcade").await;
    let mut other = Client::open(&twitch).await;
    other.say("CAP REQ :twitch.tv/membership\r\nNICK justinfan1\r\nJOIN #maplearcade").await;
    other.until("353 justinfan1 = #maplearcade :justinfan1 showbot velvetyak").await;
    client.say("PING :y").await;
    client.until("PONG").await;
    assert!(client.lines.is_empty(), "an anonymous reader is not shown: {:?}", client.lines);
}

#[tokio::test]
async fn connections_are_pinged_asked_to_reconnect_and_ended() {
    let twitch = Twitch::start().await;
    let bot = token(&twitch, "showbot", "chat:read").await;
    let mut answering = Client::joined(&twitch, "showbot", &bot).await;
    let mut silent = Client::joined(&twitch, "showbot", &bot).await;
    twitch.clock.advance(time::Duration::minutes(5));
    for client in [&mut answering, &mut silent] {
        client.until("PING :tmi.twitch.tv").await;
    }
    answering.say("PONG :tmi.twitch.tv\r\nPING :x").await;
    answering.until("PONG").await;
    twitch.clock.advance(time::Duration::minutes(5));
    assert!(silent.until_end().await.iter().all(|line| !line.starts_with("PING")), "it did not answer");
    answering.until("PING :tmi.twitch.tv").await;
    control(&twitch, "reconnect", &json!({})).await;
    answering.until(":tmi.twitch.tv RECONNECT").await;
    control(&twitch, "close", &json!({ "how": "silence" })).await;
    answering.say("PING :x").await;
    let mut other = Client::joined(&twitch, "showbot", &bot).await;
    assert!(answering.lines.is_empty(), "another one has logged in meanwhile: {:?}", answering.lines);
    control(&twitch, "close", &json!({ "how": "reset" })).await;
    while other.read().await {}
}

#[tokio::test]
async fn joins_have_a_limit() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    let channels: Vec<_> = (0..21).map(|n| format!("#channel{n}")).collect();
    for channel in &channels {
        world.add_channel(&channel[1..]).unwrap();
    }
    let mut client = Client::open(&twitch).await;
    client.say(&format!("NICK justinfan1\r\nJOIN {}\r\nPING :x", channels.join(","))).await;
    client.until("366 justinfan1 #channel19").await;
    client.until("PONG").await;
    assert_eq!(world.violations()[0].violation, Some("20 joins in 10 s"));
}
