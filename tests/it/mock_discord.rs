//! The fake Discord: state, limits, errors, pings, threads, faults, the control API and the commands.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::mock::discord::{
    ChangeKind, ChannelEdit, ChannelKind, DiscordConfig, DiscordFault, DiscordFaults, DiscordMessage, FakeDiscord,
    Limits, NewChannel, NewWebhook, Webhook,
};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

use crate::support::{PATIENCE, until};

/// A running fake Discord, its first webhook, and a client.
struct Fixture {
    discord: FakeDiscord,
    clock: Clock,
    webhook: Webhook,
    client: Client,
}

impl Fixture {
    /// Without limits on calls.
    async fn start() -> Self {
        Self::with(Limits::NONE).await
    }

    async fn with(limits: Limits) -> Self {
        let clock = Clock::default();
        let config = DiscordConfig { clock: clock.clone(), limits, ..DiscordConfig::default() };
        let discord = FakeDiscord::start(config).await.unwrap();
        let webhook = discord.world.webhooks().remove(0);
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { discord, clock, webhook, client }
    }

    fn url_of(&self, webhook: &Webhook, rest: &str) -> String {
        format!("{}/webhooks/{}/{}{rest}", self.discord.api_url(), webhook.id, webhook.token)
    }

    async fn call(&self, method: Method, rest: &str, body: Option<&Value>) -> Response {
        let mut request = self.client.request(method, self.url_of(&self.webhook, rest));
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    /// Posts a message, and returns status and body.
    async fn post(&self, body: Value) -> (u16, Value) {
        read(self.call(Method::POST, "?wait=true", Some(&body)).await).await
    }

    async fn post_to(&self, query: &str, body: Value) -> (u16, Value) {
        read(self.call(Method::POST, &format!("?wait=true&{query}"), Some(&body)).await).await
    }

    async fn edit(&self, id: &str, query: &str, body: Value) -> (u16, Value) {
        read(self.call(Method::PATCH, &format!("/messages/{id}{query}"), Some(&body)).await).await
    }

    async fn bot(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.discord.api_url()));
        let token = &self.discord.world.config().bot_token;
        read(request.header("Authorization", format!("Bot {token}")).json(body).send().await.unwrap()).await
    }

    fn next(&self, fault: DiscordFault, count: u32) {
        self.discord.world.set_faults(DiscordFaults::next(fault, count)).unwrap();
    }

    fn messages(&self) -> Vec<DiscordMessage> {
        self.discord.world.messages()
    }

    /// Makes the first webhook one of this channel.
    async fn move_to(&mut self, channel: &str) {
        self.webhook = self.discord.world.move_webhook(&self.webhook.id.to_string(), channel).unwrap();
    }

    async fn stop(self) {
        self.discord.stop().await.unwrap();
    }
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}

/// Status and code of an error.
fn error(answer: &(u16, Value)) -> (u16, u64) {
    (answer.0, answer.1["code"].as_u64().unwrap_or_else(|| panic!("{answer:?}")))
}

/// The code of the first error of a form at this path.
fn form_error(answer: &(u16, Value), path: &str) -> String {
    assert_eq!(error(answer), (400, 50_035), "{answer:?}");
    let pointer = format!("/errors/{}/_errors/0/code", path.replace('.', "/")).replace("//", "/");
    answer.1.pointer(&pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{path} in {}", answer.1)).to_owned()
}

fn long(characters: usize) -> String {
    "é".repeat(characters)
}

#[tokio::test]
async fn message_is_posted_shown_edited_and_deleted() {
    let fixture = Fixture::start().await;
    let embed = json!({
        "title": "Speedrun practice", "url": "https://www.twitch.tv/maplearcade", "color": 9_520_895,
        "timestamp": "2026-03-14T17:30:05Z", "author": { "name": "MapleArcade" },
        "fields": [{ "name": "Category", "value": "Minecraft", "inline": true }],
    });
    let (status, message) =
        fixture.post(json!({ "content": " live! ", "embeds": [embed], "username": "Maple", "nonce": "1", "enforce_nonce": true })).await;
    assert_eq!(status, 200, "{message}");
    assert_eq!((&message["content"], &message["author"]["username"]), (&json!("live!"), &json!("Maple")));
    assert_eq!(message["webhook_id"], fixture.webhook.id.to_string());
    assert_eq!(message["channel_id"], fixture.webhook.channel_id.to_string());
    assert_eq!(message["embeds"][0]["type"], "rich");
    let id = message["id"].as_str().unwrap();

    let (status, edited) = fixture.edit(id, "", json!({ "content": null })).await;
    assert_eq!((status, &edited["content"], edited["embeds"].as_array().unwrap().len()), (200, &json!(""), 1));
    assert!(edited["edited_timestamp"].is_string());
    let path = format!("/messages/{id}");
    assert_eq!(read(fixture.call(Method::GET, &path, None).await).await, (200, edited));
    assert_eq!(error(&fixture.edit(id, "", json!({ "embeds": [] })).await), (400, 50_006));
    assert_eq!(fixture.call(Method::DELETE, &path, None).await.status(), 204);
    assert_eq!(error(&fixture.edit(id, "", json!({ "content": "again" })).await), (404, 10_008));
    let kinds: Vec<_> = fixture.discord.world.changes().iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Created, ChangeKind::Edited, ChangeKind::Deleted]);

    let answer = fixture.call(Method::POST, "", Some(&json!({ "content": "no answer" }))).await;
    assert_eq!((answer.status().as_u16(), answer.bytes().await.unwrap().len()), (204, 0));
    fixture.post(json!({ "content": "twice", "nonce": "7", "enforce_nonce": true })).await;
    fixture.post(json!({ "content": "twice", "nonce": "7", "enforce_nonce": true })).await;
    assert_eq!(fixture.messages().len(), 3, "webhooks have no nonces");
    fixture.stop().await;
}

#[tokio::test]
async fn each_limit_of_a_message_is_inclusive() {
    let fixture = Fixture::start().await;
    let embed = |embed: Value| json!({ "embeds": [embed] });
    let field = |name: usize, value: usize| json!({ "name": long(name), "value": long(value) });
    let cases = [
        ("content", json!({ "content": long(2_000) }), json!({ "content": long(2_001) })),
        ("embeds.0.title", embed(json!({ "title": long(256) })), embed(json!({ "title": long(257) }))),
        (
            "embeds.0.description",
            embed(json!({ "description": long(4_096) })),
            embed(json!({ "description": long(4_097) })),
        ),
        (
            "embeds.0.footer.text",
            embed(json!({ "footer": { "text": long(2_048) } })),
            embed(json!({ "footer": { "text": long(2_049) } })),
        ),
        (
            "embeds.0.author.name",
            embed(json!({ "author": { "name": long(256) } })),
            embed(json!({ "author": { "name": long(257) } })),
        ),
        (
            "embeds.0.fields.0.name",
            embed(json!({ "fields": [field(256, 1)] })),
            embed(json!({ "fields": [field(257, 1)] })),
        ),
        (
            "embeds.0.fields.0.value",
            embed(json!({ "fields": [field(1, 1_024)] })),
            embed(json!({ "fields": [field(1, 1_025)] })),
        ),
        (
            "embeds.0.fields",
            embed(json!({ "fields": vec![field(1, 1); 25] })),
            embed(json!({ "fields": vec![field(1, 1); 26] })),
        ),
        (
            "embeds",
            json!({ "embeds": vec![json!({ "title": "a" }); 10] }),
            json!({ "embeds": vec![json!({ "title": "a" }); 11] }),
        ),
    ];
    for (path, allowed, refused) in cases {
        assert_eq!(fixture.post(allowed).await.0, 200, "{path}");
        assert_eq!(form_error(&fixture.post(refused).await, path), "BASE_TYPE_MAX_LENGTH", "{path}");
    }
    let total = |last: usize| {
        let first = json!({ "title": long(256), "description": long(2_744), "footer": { "text": "  " .to_owned() + &long(1_000) } });
        json!({ "embeds": [first, { "author": { "name": long(256) }, "fields": [field(256, 488)], "description": long(last) }] })
    };
    assert_eq!(fixture.post(total(1_000)).await.0, 200, "6000 in all");
    assert_eq!(form_error(&fixture.post(total(1_001)).await, "embeds"), "MAX_EMBED_SIZE_EXCEEDED");
    let posted = fixture.messages().len();
    assert_eq!(posted, 10, "what is refused is not posted");
    fixture.stop().await;
}

#[tokio::test]
async fn invalid_forms_have_discords_errors() {
    let fixture = Fixture::start().await;
    let cases = [
        (json!({ "embeds": [{}] }), "embeds.0.description", "BASE_TYPE_REQUIRED"),
        (json!({ "embeds": [{ "title": "a", "url": "maplearcade" }] }), "embeds.0.url", "URL_TYPE_INVALID_URL"),
        (json!({ "embeds": [{ "title": "a", "url": "javascript:x" }] }), "embeds.0.url", "URL_TYPE_INVALID_SCHEME"),
        (json!({ "embeds": [{ "image": { "url": "ftp://a/b" } }] }), "embeds.0.image.url", "URL_TYPE_INVALID_SCHEME"),
        (json!({ "embeds": [{ "title": "a", "timestamp": "now" }] }), "embeds.0.timestamp", "DATE_TIME_TYPE_PARSE"),
        (json!({ "embeds": [{ "title": "a", "color": 0x100_0000 }] }), "embeds.0.color", "NUMBER_TYPE_MAX"),
        (
            json!({ "embeds": [{ "title": "a", "fields": [{ "name": "b" }] }] }),
            "embeds.0.fields.0.value",
            "BASE_TYPE_REQUIRED",
        ),
        (json!({ "embeds": {} }), "embeds", "LIST_TYPE_CONVERT"),
        (json!({ "content": ["a"] }), "content", "STRING_TYPE_CONVERT"),
        (json!({ "content": "a", "tts": "yes" }), "tts", "BOOLEAN_TYPE_CONVERT"),
        (json!({ "content": "a", "username": "My Discord" }), "username", "USERNAME_INVALID_CONTAINS"),
        (json!({ "content": "a", "username": "clydes" }), "username", "USERNAME_INVALID_CONTAINS"),
        (json!({ "content": "a", "username": "Everyone" }), "username", "USERNAME_INVALID"),
        (json!({ "content": "a", "username": "\u{200b}" }), "username", "BASE_TYPE_BAD_LENGTH"),
        (json!({ "content": "a", "username": long(81) }), "username", "BASE_TYPE_BAD_LENGTH"),
        (
            json!({ "content": "a", "allowed_mentions": { "parse": ["all"] } }),
            "allowed_mentions.parse.0",
            "BASE_TYPE_CHOICES",
        ),
        (
            json!({ "content": "a", "allowed_mentions": { "parse": ["roles"], "roles": ["1"] } }),
            "allowed_mentions",
            "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
        ),
        (
            json!({ "content": "a", "allowed_mentions": { "users": vec!["1"; 101] } }),
            "allowed_mentions.users",
            "BASE_TYPE_MAX_LENGTH",
        ),
        (
            json!({ "content": "a", "allowed_mentions": { "users": ["x"] } }),
            "allowed_mentions.users.0",
            "NUMBER_TYPE_COERCE",
        ),
        (json!({ "content": "a", "flags": 1 << 15 }), "content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"),
        (json!({ "poll": { "question": { "text": "a" }, "answers": [] } }), "poll.answers", "BASE_TYPE_REQUIRED"),
    ];
    for (body, path, code) in cases {
        assert_eq!(form_error(&fixture.post(body.clone()).await, path), code, "{body}");
    }
    let tolerated =
        json!({ "content": "a", "allowed_mentions": { "parse": ["roles", "users"], "roles": [], "users": null } });
    assert_eq!(fixture.post(tolerated).await.0, 200);
    assert_eq!(error(&fixture.post(json!({})).await), (400, 50_006));
    assert_eq!(error(&fixture.post(json!({ "content": "  " })).await), (400, 50_006));

    let url = fixture.url_of(&fixture.webhook, "");
    let send = async |content_type: &str, body: &'static str| {
        read(fixture.client.post(&url).header("Content-Type", content_type).body(body).send().await.unwrap()).await
    };
    assert_eq!(error(&send("application/json", "{\"content\":").await), (400, 50_109));
    assert_eq!(form_error(&send("text/plain", "hello").await, ""), "CONTENT_TYPE_INVALID");
    let method = read(fixture.call(Method::PUT, "", None).await).await;
    assert_eq!(method, (405, json!({ "message": "405: Method Not Allowed", "code": 0 })));
    let flag = fixture.call(Method::POST, "?wait=perhaps", Some(&json!({ "content": "a" }))).await;
    assert_eq!(form_error(&read(flag).await, "wait"), "BOOLEAN_TYPE_CONVERT");
    fixture.stop().await;
}

#[tokio::test]
async fn components_require_the_parameter_or_an_application() {
    let fixture = Fixture::start().await;
    let row = |button: Value| json!({ "content": "a", "components": [{ "type": 1, "components": [button] }] });
    let watch = |label: usize| json!({ "type": 2, "style": 5, "label": long(label), "url": "https://www.twitch.tv/a" });
    assert_eq!(fixture.post(row(watch(80))).await.1["components"], json!([]), "dropped without an error");
    let (status, message) = fixture.post_to("with_components=true", row(watch(80))).await;
    assert_eq!((status, &message["components"][0]["components"][0]["style"]), (200, &json!(5)), "{message}");
    let refused = fixture.post_to("with_components=1", row(watch(81))).await;
    assert_eq!(form_error(&refused, "components.0.components.0.label"), "BASE_TYPE_MAX_LENGTH");
    let interactive = row(json!({ "type": 2, "style": 1, "label": "Go", "custom_id": "go" }));
    let refused = fixture.post_to("with_components=true", interactive.clone()).await;
    assert_eq!(form_error(&refused, "components.0.components.0"), "APPLICATION_COMPONENT_NOT_ALLOWED");
    let of_app = NewWebhook { is_of_app: true, ..NewWebhook::default() };
    let of_app = fixture.discord.world.add_webhook(&of_app).unwrap();
    let url = fixture.url_of(&of_app, "?wait=true");
    assert_eq!(fixture.client.post(url).json(&interactive).send().await.unwrap().status(), 200);
    let texts =
        |count: usize| json!({ "flags": 1 << 15, "components": vec![json!({ "type": 10, "content": "a" }); count] });
    let (_, message) = fixture.post_to("with_components=true", texts(40)).await;
    let too_many = fixture.post_to("with_components=true", texts(41)).await;
    assert_eq!(form_error(&too_many, "components"), "BASE_TYPE_MAX_LENGTH");
    let edited = fixture.edit(message["id"].as_str().unwrap(), "", json!({ "flags": 0, "content": "text" })).await;
    assert_eq!(form_error(&edited, "content"), "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "the flag stays");
    fixture.stop().await;
}

#[tokio::test]
async fn files_are_attached_and_limited() {
    let fixture = Fixture::start().await;
    let send = async |size: usize| {
        let boundary = "a-boundary";
        let mut body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{{\"content\":\"a\"}}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
        )
        .into_bytes();
        body.resize(body.len() + size, b'x');
        body.extend(format!("\r\n--{boundary}--\r\n").bytes());
        let request = fixture.client.post(fixture.url_of(&fixture.webhook, "?wait=true"));
        let content_type = format!("multipart/form-data; boundary={boundary}");
        read(request.header("Content-Type", content_type).body(body).send().await.unwrap()).await
    };
    let (status, message) = send(1_000).await;
    assert_eq!((status, &message["attachments"][0]["filename"]), (200, &json!("a.png")), "{message}");
    assert_eq!(message["attachments"][0]["size"], 1_000);
    assert_eq!(error(&send((10 << 20) + 1).await), (413, 40_005));
    let id = message["id"].as_str().unwrap();
    let kept = json!({ "content": "b", "attachments": [{ "id": message["attachments"][0]["id"] }] });
    assert_eq!(fixture.edit(id, "", kept).await.1["attachments"].as_array().unwrap().len(), 1);
    let (_, edited) = fixture.edit(id, "", json!({ "attachments": [] })).await;
    assert_eq!((&edited["content"], &edited["attachments"]), (&json!("b"), &json!([])));
    fixture.stop().await;
}

#[tokio::test]
async fn pings_require_text_permission_and_allowed_mentions() {
    let fixture = Fixture::start().await;
    let world = &fixture.discord.world;
    let [pings, moderators] = &world.roles()[..] else { panic!("two roles") };
    let member = &world.members()[0];
    let all = format!("<@&{}> <@&{}> <@{}> <@!1> @everyone @here", pings.id, moderators.id, member.id);
    let last = || world.changes().pop().unwrap();
    let post = async |content: &str, mut body: Value| {
        body["content"] = content.into();
        let (status, message) = fixture.post(body).await;
        assert_eq!(status, 200, "{message}");
        message
    };

    let message = post(&all, json!({})).await;
    assert_eq!(
        (last().pings.users.len(), last().pings.roles.len(), last().pings.everyone),
        (1, 0, false),
        "by default"
    );
    assert_eq!(
        (&message["mentions"][0]["username"], &message["mention_everyone"]),
        (&json!(member.username), &json!(false))
    );
    post(&all, json!({ "allowed_mentions": { "parse": [] } })).await;
    assert!(last().pings.is_empty() && !last().is_notifying);
    post("no mention", json!({ "allowed_mentions": { "roles": [pings.id] } })).await;
    assert!(last().pings.is_empty(), "the text has none");
    let message = post(&all, json!({ "allowed_mentions": { "parse": ["everyone"], "roles": [pings.id] } })).await;
    assert_eq!(last().pings.roles, [pings.id].into());
    assert!(last().pings.everyone && last().pings.here && last().is_notifying);
    assert_eq!((&message["mention_roles"], &message["mention_everyone"]), (&json!([pings.id]), &json!(true)));
    post(&all, json!({ "flags": 1 << 12, "allowed_mentions": { "roles": [pings.id] } })).await;
    assert!(!last().pings.is_empty() && !last().is_notifying, "notifications are suppressed");

    let (_, edited) = fixture.edit(message["id"].as_str().unwrap(), "", json!({})).await;
    assert_eq!(
        (&edited["mention_roles"], &edited["mention_everyone"]),
        (&json!([]), &json!(false)),
        "edits parse by default"
    );
    assert!(last().pings.is_empty() && last().kind == ChangeKind::Edited, "edits ping no one");

    let weak = NewWebhook { may_mention_everyone: false, ..NewWebhook::default() };
    let weak = world.add_webhook(&weak).unwrap();
    let body = json!({ "content": all, "allowed_mentions": { "parse": ["everyone", "roles"] } });
    fixture.client.post(fixture.url_of(&weak, "")).json(&body).send().await.unwrap();
    assert_eq!((last().pings.roles, last().pings.everyone), ([pings.id].into(), false), "without the permission");
    fixture.stop().await;
}

#[tokio::test]
async fn gone_and_wrong_webhooks_have_their_codes() {
    let fixture = Fixture::start().await;
    let (status, shown) = read(fixture.call(Method::GET, "", None).await).await;
    assert_eq!((status, &shown["type"], shown.get("user")), (200, &json!(1), None));
    assert_eq!(shown["token"], fixture.webhook.token);
    let renamed = read(fixture.call(Method::PATCH, "", Some(&json!({ "name": "Other", "avatar": null }))).await).await;
    assert_eq!((renamed.0, &renamed.1["name"]), (200, &json!("Other")));
    let refused = read(fixture.call(Method::PATCH, "", Some(&json!({ "name": "discord" }))).await).await;
    assert_eq!(form_error(&refused, "name"), "USERNAME_INVALID_CONTAINS");

    let wrong = Webhook { token: "wrong".to_owned(), ..fixture.webhook.clone() };
    let request = fixture.client.post(fixture.url_of(&wrong, "")).json(&json!({ "content": "a" }));
    assert_eq!(error(&read(request.send().await.unwrap()).await), (401, 50_027));
    let malformed = fixture.client.get(format!("{}/webhooks/x/y", fixture.discord.api_url())).send().await.unwrap();
    assert_eq!(form_error(&read(malformed).await, "webhook_id"), "NUMBER_TYPE_COERCE");
    let version = format!("{}/api/v5/webhooks/1/y", fixture.discord.base_url());
    assert_eq!(error(&read(fixture.client.get(version).send().await.unwrap()).await), (400, 50_041));

    assert_eq!(fixture.call(Method::DELETE, "", None).await.status(), 204);
    assert_eq!(error(&fixture.post(json!({ "content": "a" })).await), (404, 10_015));
    let calls = fixture.discord.world.calls();
    let last = calls.last().unwrap();
    assert_eq!(
        (last.call, last.webhook_id, last.status, last.code),
        ("execute", Some(fixture.webhook.id), 404, Some(10_015))
    );
    assert_eq!(fixture.discord.world.counts()["execute 404"], 1);

    let of_channel = fixture.discord.world.add_webhook(&NewWebhook::default()).unwrap();
    fixture.discord.world.delete_channel("go-live").unwrap();
    let request = fixture.client.get(fixture.url_of(&of_channel, ""));
    assert_eq!(error(&read(request.send().await.unwrap()).await), (404, 10_015), "gone with its channel");
    fixture.stop().await;
}

#[tokio::test]
async fn moved_webhook_posts_in_the_other_channel() {
    let mut fixture = Fixture::start().await;
    let (_, before) = fixture.post(json!({ "content": "before" })).await;
    fixture.move_to("news").await;
    let (_, after) = fixture.post(json!({ "content": "after" })).await;
    let news = fixture.discord.world.channel("news").unwrap();
    assert_eq!(after["channel_id"], news.id.to_string());
    let (_, shown) = read(fixture.call(Method::GET, "", None).await).await;
    assert_eq!(shown["channel_id"], news.id.to_string());
    let edit = fixture.edit(before["id"].as_str().unwrap(), "", json!({ "content": "x" })).await;
    assert_eq!(error(&edit), (404, 10_008));
    fixture.stop().await;
}

#[tokio::test]
async fn forum_requires_a_thread_and_its_tags() {
    let mut fixture = Fixture::start().await;
    let body = |extra: Value| {
        let mut body = json!({ "content": "live" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let name = json!({ "thread_name": "Maple" });
    assert_eq!(error(&fixture.post(body(name.clone())).await), (400, 220_003), "in a text channel");
    fixture.move_to("streams").await;
    assert_eq!(error(&fixture.post(body(json!({}))).await), (400, 220_001));
    assert_eq!(error(&fixture.post_to("thread_id=1", body(name.clone())).await), (400, 220_002));
    assert_eq!(error(&fixture.post_to("thread_id=1", body(json!({}))).await), (404, 10_003));
    let unknown = body(json!({ "thread_name": "Maple", "applied_tags": ["1"] }));
    assert_eq!(error(&fixture.post(unknown).await), (400, 10_087));
    let tag = fixture.discord.world.channel("streams").unwrap().tags[0].id;
    let (status, message) = fixture.post(body(json!({ "thread_name": "Maple", "applied_tags": [tag] }))).await;
    assert_eq!((status, &message["channel_id"]), (200, &message["id"]), "the thread has the id of its first message");

    let thread = message["id"].as_str().unwrap();
    let query = format!("?thread_id={thread}");
    assert_eq!(error(&fixture.edit(thread, "", json!({ "content": "x" })).await), (404, 10_008), "without the thread");
    assert_eq!(fixture.edit(thread, &query, json!({ "content": "x" })).await.0, 200);
    let world = fixture.discord.world.clone();
    let edit = |edit: ChannelEdit| world.edit_channel(thread, edit).unwrap();
    edit(ChannelEdit { is_archived: Some(true), ..ChannelEdit::default() });
    assert_eq!(error(&fixture.edit(thread, &query, json!({ "content": "y" })).await), (400, 50_083));
    let (status, second) = fixture.post_to(&query[1..], body(json!({}))).await;
    assert_eq!((status, &second["channel_id"]), (200, &json!(thread)));
    assert!(!world.channel(thread).unwrap().is_archived, "posting ended that");
    edit(ChannelEdit { is_locked: Some(true), ..ChannelEdit::default() });
    assert_eq!(error(&fixture.post_to(&query[1..], body(json!({}))).await), (400, 160_005));
    world.delete_channel(thread).unwrap();
    assert_eq!(error(&fixture.edit(thread, &query, json!({ "content": "z" })).await), (404, 10_003));

    let strict =
        NewChannel { name: "tagged".to_owned(), kind: ChannelKind::Forum, requires_tag: true, ..NewChannel::default() };
    world.add_channel(&strict).unwrap();
    fixture.move_to("tagged").await;
    assert_eq!(error(&fixture.post(body(name)).await), (400, 40_067));
    fixture.stop().await;
}

#[tokio::test]
async fn role_that_a_thread_could_not_mention_sets_a_flag() {
    let fixture = Fixture::start().await;
    let world = &fixture.discord.world;
    let parent = Some("go-live".to_owned());
    let thread = world.add_channel(&NewChannel { name: "a".to_owned(), parent, ..NewChannel::default() }).unwrap();
    let weak = world.add_webhook(&NewWebhook { may_mention_everyone: false, ..NewWebhook::default() }).unwrap();
    let role = world.roles()[1].id;
    let body = json!({ "content": format!("<@&{role}>"), "allowed_mentions": { "roles": [role] } });
    let url = fixture.url_of(&weak, &format!("?wait=true&thread_id={}", thread.id));
    let (status, message) = read(fixture.client.post(url).json(&body).send().await.unwrap()).await;
    assert_eq!((status, &message["flags"], &message["channel_id"]), (200, &json!(1 << 8), &json!(thread.id)));
    fixture.stop().await;
}

#[tokio::test]
async fn calls_of_a_webhook_are_limited_with_headers() {
    let fixture = Fixture::with(Limits { webhook: 5, ..Limits::NONE }).await;
    let send =
        async |n: usize| fixture.call(Method::POST, "?wait=true", Some(&json!({ "content": n.to_string() }))).await;
    for left in (0..5).rev() {
        let answer = send(left).await;
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!((header("x-ratelimit-limit"), header("x-ratelimit-remaining")), ("5".to_owned(), left.to_string()));
        let after: f64 = header("x-ratelimit-reset-after").parse().unwrap();
        assert!(after > 0.0 && after <= 2.0, "{after}");
        assert!(header("x-ratelimit-reset").contains('.') && header("x-ratelimit-bucket").len() == 32);
    }
    let refused = send(5).await;
    let header = |name: &str| refused.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((header("retry-after").as_deref(), header("x-ratelimit-scope").as_deref()), (Some("2"), Some("user")));
    assert_eq!((header("x-ratelimit-remaining").as_deref(), header("x-ratelimit-global")), (Some("0"), None));
    let (status, body) = read(refused).await;
    assert_eq!((status, &body["global"]), (429, &json!(false)));
    let wait = body["retry_after"].as_f64().unwrap();
    assert!(wait > 0.0 && wait <= 2.0, "{body}");

    let old = format!("{}/api/webhooks/{}/{}", fixture.discord.base_url(), fixture.webhook.id, fixture.webhook.token);
    let (_, body) = read(fixture.client.post(old).json(&json!({ "content": "a" })).send().await.unwrap()).await;
    assert!(body["retry_after"].as_u64().unwrap() > 100, "without a version in milliseconds: {body}");
    let other = fixture.discord.world.add_webhook(&NewWebhook::default()).unwrap();
    let url = fixture.url_of(&other, "");
    assert_eq!(fixture.client.post(url).json(&json!({ "content": "a" })).send().await.unwrap().status(), 204);
    assert_eq!(fixture.call(Method::GET, "", None).await.status(), 200, "another kind of call");
    fixture.clock.advance(time::Duration::seconds(2));
    assert_eq!(send(6).await.status(), 200);
    fixture.stop().await;
}

#[tokio::test]
async fn messages_to_a_channel_have_a_limit_that_no_header_tells_of() {
    let fixture = Fixture::with(Limits { channel: 30, webhook: 100, ..Limits::NONE }).await;
    for n in 0..30 {
        assert_eq!(fixture.post(json!({ "content": n.to_string() })).await.0, 200);
    }
    let other = fixture.discord.world.add_webhook(&NewWebhook::default()).unwrap();
    let refused =
        fixture.client.post(fixture.url_of(&other, "")).json(&json!({ "content": "a" })).send().await.unwrap();
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "99");
    let (status, body) = read(refused).await;
    assert_eq!(status, 429);
    assert!(body["retry_after"].as_f64().unwrap() > 30.0, "{body}");
    assert_eq!(fixture.messages().len(), 30);
    fixture.clock.advance(time::Duration::MINUTE);
    assert_eq!(fixture.post(json!({ "content": "a" })).await.0, 200);
    fixture.stop().await;
}

#[tokio::test]
async fn calls_of_an_address_are_limited_globally() {
    let fixture = Fixture::with(Limits { global: 3, ..Limits::NONE }).await;
    let refused = loop {
        let answer = fixture.call(Method::GET, "", None).await;
        if answer.status() == 429 {
            break answer;
        }
    };
    assert_eq!(
        (&refused.headers()["x-ratelimit-global"], &refused.headers()["x-ratelimit-scope"]),
        (&"true".parse().unwrap(), &"global".parse().unwrap())
    );
    assert_eq!(read(refused).await.1["global"], true);
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let other = Client::builder().no_proxy().local_address(address).build().unwrap();
    assert_eq!(other.get(fixture.url_of(&fixture.webhook, "")).send().await.unwrap().status(), 200, "another address");
    fixture.stop().await;
}

#[tokio::test]
async fn edits_of_old_messages_have_a_limit() {
    let fixture = Fixture::with(Limits { old_edits: 3, ..Limits::NONE }).await;
    let (_, message) = fixture.post(json!({ "content": "a" })).await;
    let id = message["id"].as_str().unwrap();
    for n in 0..5 {
        assert_eq!(fixture.edit(id, "", json!({ "content": n.to_string() })).await.0, 200);
    }
    fixture.clock.advance(time::Duration::minutes(61));
    for n in 0..3 {
        assert_eq!(fixture.edit(id, "", json!({ "content": n.to_string() })).await.0, 200);
    }
    assert_eq!(error(&fixture.edit(id, "", json!({ "content": "b" })).await), (429, 30_046));
    fixture.clock.advance(time::Duration::seconds(6));
    assert_eq!(fixture.edit(id, "", json!({ "content": "b" })).await.0, 200);
    fixture.stop().await;
}

#[tokio::test]
async fn address_with_too_many_invalid_requests_is_banned() {
    let fixture = Fixture::with(Limits { invalid: 20, ..Limits::NONE }).await;
    fixture.next(DiscordFault::ChannelWriteLimit, 30);
    for _ in 0..30 {
        assert_eq!(error(&fixture.post(json!({ "content": "a" })).await), (429, 20_028));
    }
    assert!(fixture.discord.world.bans().is_empty(), "shared limits do not count");
    for _ in 0..30 {
        fixture.post(json!({ "content": "" })).await;
    }
    let wrong = Webhook { token: "wrong".to_owned(), ..fixture.webhook.clone() };
    for _ in 0..20 {
        assert_eq!(fixture.client.get(fixture.url_of(&wrong, "")).send().await.unwrap().status(), 401);
    }
    let banned = fixture.call(Method::GET, "", None).await;
    assert!(!banned.headers().contains_key("retry-after") && !banned.headers().contains_key("x-ratelimit-limit"));
    let (status, body) = read(banned).await;
    assert_eq!((status, &body["code"], body.get("retry_after")), (429, &json!(0), None));
    assert!(body["message"].as_str().unwrap().starts_with("You are being blocked from accessing our API temporarily"));
    assert_eq!(fixture.discord.world.bans(), [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    fixture.clock.advance(time::Duration::minutes(10));
    assert_eq!(fixture.call(Method::GET, "", None).await.status(), 200);
    fixture.stop().await;
}

#[test]
fn default_limits_are_those_of_discord() {
    let expected = Limits {
        webhook: 5,
        channel: 30,
        global: 50,
        old_edits: 3,
        published_edits: 3,
        crossposts: 10,
        invalid: 10_000,
    };
    assert_eq!(DiscordConfig::default().limits, expected);
}

#[tokio::test]
async fn bot_lists_publishes_and_makes_webhooks() {
    let mut fixture = Fixture::with(Limits { published_edits: 3, crossposts: 10, ..Limits::NONE }).await;
    fixture.move_to("news").await;
    let channel = fixture.webhook.channel_id;
    let mut ids = Vec::new();
    for n in 0..12 {
        let (_, message) = fixture.post(json!({ "content": n.to_string() })).await;
        ids.push(message["id"].as_str().unwrap().to_owned());
    }
    let (status, page) =
        fixture.bot(Method::GET, &format!("/channels/{channel}/messages?after={}&limit=2", ids[8]), &json!(null)).await;
    let contents: Vec<_> = page.as_array().unwrap().iter().map(|message| message["content"].clone()).collect();
    assert_eq!((status, contents), (200, vec![json!("10"), json!("9")]), "newest first");
    let (_, page) = fixture.bot(Method::GET, &format!("/channels/{channel}/messages?limit=1"), &json!(null)).await;
    assert_eq!((&page[0]["content"], &page[0]["webhook_id"]), (&json!("11"), &json!(fixture.webhook.id)));
    let anonymous = fixture.client.get(format!("{}/channels/{channel}/messages", fixture.discord.api_url()));
    assert_eq!(error(&read(anonymous.send().await.unwrap()).await), (401, 0));

    let publish = async |id: &str| {
        fixture.bot(Method::POST, &format!("/channels/{channel}/messages/{id}/crosspost"), &json!({})).await
    };
    assert_eq!(publish(&ids[0]).await.1["flags"], 1);
    assert_eq!(error(&publish(&ids[0]).await), (400, 40_033));
    for id in &ids[1..10] {
        assert_eq!(publish(id).await.0, 200);
    }
    assert_eq!(publish(&ids[10]).await.0, 429);
    for n in 0..3 {
        assert_eq!(fixture.edit(&ids[0], "", json!({ "content": n.to_string() })).await.0, 200);
    }
    assert_eq!(error(&fixture.edit(&ids[0], "", json!({ "content": "x" })).await), (429, 20_022));

    let create = async |name: &str| {
        fixture.bot(Method::POST, &format!("/channels/{channel}/webhooks"), &json!({ "name": name })).await
    };
    assert_eq!(form_error(&create("Clyde").await, "name"), "USERNAME_INVALID_CONTAINS");
    for _ in 0..14 {
        assert_eq!(create("Alerts").await.0, 200);
    }
    assert_eq!(error(&create("Alerts").await), (400, 30_007));
    let (_, webhooks) = fixture.bot(Method::GET, &format!("/channels/{channel}/webhooks"), &json!(null)).await;
    assert_eq!(webhooks.as_array().unwrap().len(), 15);
    fixture.stop().await;
}

#[tokio::test]
async fn faults_before_the_effect_post_nothing() {
    use DiscordFault as F;
    let fixture = Fixture::start().await;
    let codes = [
        (F::ErrorBefore, 500, Some(0)),
        (F::BadGateway, 502, None),
        (F::Overloaded, 503, Some(130_000)),
        (F::ChannelWriteLimit, 429, Some(20_028)),
        (F::ServerWriteLimit, 429, Some(20_029)),
        (F::ResourceRateLimit, 429, Some(40_062)),
        (F::RateLimited, 429, None),
        (F::RateLimitedGlobally, 429, None),
        (F::RateLimitedWithoutJson, 429, None),
        (F::Forbidden, 403, Some(50_013)),
        (F::BlockedByEdge, 403, Some(40_333)),
        (F::AutoModeration, 400, Some(200_000)),
        (F::HarmfulLink, 400, Some(240_000)),
        (F::TooManyThreads, 400, Some(160_006)),
        (F::NotFoundWithoutJson, 404, None),
    ];
    for (fault, status, code) in codes {
        fixture.next(fault, 1);
        let answer = fixture.post(json!({ "content": "a" })).await;
        assert_eq!((answer.0, answer.1["code"].as_u64()), (status, code), "{fault}");
        if matches!(fault, F::BadGateway | F::RateLimitedWithoutJson | F::NotFoundWithoutJson) {
            assert!(answer.1.is_null(), "{fault} has no JSON");
        } else if status == 429 {
            assert_eq!(answer.1["retry_after"], 1.0, "{fault}");
            assert_eq!(answer.1["global"], fault == F::RateLimitedGlobally);
        }
        assert_eq!(fixture.discord.world.calls().last().unwrap().fault, Some(fault));
    }
    for status in [500, 502, 503] {
        let faults = DiscordFaults { error_status: status, ..DiscordFaults::next(F::ErrorBefore, 1) };
        fixture.discord.world.set_faults(faults).unwrap();
        assert_eq!(fixture.post(json!({ "content": "a" })).await.0, status);
    }
    fixture.next(F::ResetBefore, 1);
    let request = fixture.client.post(fixture.url_of(&fixture.webhook, "")).json(&json!({ "content": "a" }));
    assert!(request.send().await.is_err());
    assert!(fixture.messages().is_empty());
    assert_eq!(fixture.post(json!({ "content": "a" })).await.0, 200, "the countdown has ended");
    fixture.stop().await;
}

#[tokio::test]
async fn faults_after_the_effect_lose_only_the_answer() {
    use DiscordFault as F;
    let fixture = Fixture::start().await;
    let send =
        || fixture.client.post(fixture.url_of(&fixture.webhook, "?wait=true")).json(&json!({ "content": "a" })).send();
    fixture.next(F::ErrorAfter, 1);
    assert_eq!(send().await.unwrap().status(), 500);
    assert_eq!(fixture.messages().len(), 1);
    fixture.next(F::ResetAfter, 1);
    assert!(send().await.unwrap_err().is_request());
    assert_eq!(fixture.messages().len(), 2);
    fixture.next(F::Truncated, 1);
    let answer = send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err(), "it breaks off");
    assert_eq!(fixture.messages().len(), 3);
    fixture.next(F::HangAfter, 1);
    let hanging = tokio::spawn(send());
    until("the message is there", async || fixture.messages().len() == 4).await;
    assert!(!hanging.is_finished(), "no answer");
    hanging.abort();
    let calls = fixture.discord.world.calls();
    assert!(calls.iter().all(|call| call.status == 200 && call.fault.is_some()), "{calls:?}");
    fixture.stop().await;
}

#[tokio::test]
async fn late_call_has_its_effect_without_its_client() {
    let fixture = Fixture::start().await;
    let faults = DiscordFaults { delay_ms: 3_600_000, ..DiscordFaults::next(DiscordFault::Delay, 1) };
    fixture.discord.world.set_faults(faults).unwrap();
    let request = fixture.client.post(fixture.url_of(&fixture.webhook, "")).json(&json!({ "content": "late" }));
    let began = Instant::now();
    assert!(request.timeout(Duration::from_millis(300)).send().await.unwrap_err().is_timeout());
    assert!(began.elapsed() < PATIENCE && fixture.messages().is_empty());
    fixture.clock.advance(time::Duration::HOUR);
    until("the message is there", async || fixture.messages().len() == 1).await;

    let hang = DiscordFaults { hang_ms: 3_600_000, ..DiscordFaults::next(DiscordFault::HangBefore, 1) };
    fixture.discord.world.set_faults(hang).unwrap();
    let request = fixture.client.post(fixture.url_of(&fixture.webhook, "")).json(&json!({ "content": "never" }));
    assert!(request.timeout(Duration::from_millis(300)).send().await.unwrap_err().is_timeout());
    assert_eq!(fixture.messages().len(), 1);
    timeout(PATIENCE, fixture.stop()).await.expect("a hanging call does not hold up the end");
}

#[tokio::test]
async fn control_api_and_commands_change_the_world() {
    let fixture = Fixture::start().await;
    let url = fixture.discord.base_url();
    let run = async |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-discord"));
        let output = command.args(line.split(' ')).args(["--url", &url]).output().await.unwrap();
        let printed = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.success(), String::from_utf8(printed).unwrap().trim_end().to_owned())
    };
    let role = fixture.discord.world.roles()[0].id;
    let body = json!({ "content": format!("<@&{role}> live"), "allowed_mentions": { "roles": [role] } });
    let (_, message) = fixture.post(body).await;
    let id = message["id"].as_str().unwrap();
    assert_eq!(run("messages").await, (true, format!("{id}  Stream alerts: <@&{role}> live  pings role {role}")));
    assert!(run("pings").await.1.contains(&format!("message {id} in {}: role {role}", fixture.webhook.channel_id)));
    assert!(run(&format!("delete-message {id}")).await.0 && fixture.messages().is_empty());
    let (is_done, text) = run("messages nowhere").await;
    assert!(!is_done && text.contains("there is no channel nowhere"), "{text}");

    assert!(run("channel create thread-1 --parent go-live").await.1.contains("thread  #thread-1"));
    assert!(run("channel lock thread-1").await.1.ends_with(", locked"));
    assert!(run("channel list").await.1.lines().count() == 4);
    assert!(run("channel delete thread-1").await.0);
    assert!(run("webhook create news --name Other").await.1.ends_with("Other"));
    let webhook = fixture.webhook.id;
    assert!(run(&format!("webhook move {webhook} news")).await.0);
    assert!(run("webhook list").await.1.lines().count() == 2);
    assert!(run("faults --next error_before=1 reset_after=0.5 delay_ms=7").await.0);
    let faults = fixture.discord.world.faults();
    assert_eq!(
        (faults.next[&DiscordFault::ErrorBefore], faults.chances[&DiscordFault::ResetAfter], faults.delay_ms),
        (1, 0.5, 7)
    );
    assert!(run("faults --off").await.0 && fixture.discord.world.faults() == DiscordFaults::default());
    let (is_done, text) = run("faults reset_afer=1").await;
    assert!(!is_done && text.contains("reset_afer") && text.contains("`reset_after`"), "{text}");
    let before = fixture.clock.now();
    assert!(run("advance 2h").await.0 && fixture.clock.now() - before >= time::Duration::hours(2));
    assert!(run(&format!("webhook delete {webhook}")).await.0);
    assert_eq!(error(&fixture.post(json!({ "content": "a" })).await), (404, 10_015));
    assert!(!run("--port 1 messages").await.0, "a setting of the start");
    fixture.stop().await;
    let (is_done, text) = run("messages").await;
    assert!(!is_done && text.contains("no mock-discord answers at"), "{text}");
}

#[tokio::test]
async fn start_prints_what_to_paste() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-discord"));
    let mut child =
        command.args(["--port", "0"]).stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut output = Vec::new();
    while output.iter().filter(|line: &&String| line.starts_with("curl ")).count() < 3 {
        output.push(timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap());
    }
    let value = |name: &str| output.iter().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let api = value("export DISCORD_API_URL=");
    let webhook: Value = serde_json::from_str(&value("Webhook")).unwrap();
    let url = format!("{api}/webhooks/{}/{}", webhook["id"].as_str().unwrap(), webhook["token"].as_str().unwrap());
    assert!(output.iter().any(|line| line == &format!("curl -s {url}")), "{output:?}");
    let client = Client::builder().no_proxy().build().unwrap();
    let shown: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert!(value("Channel").starts_with(shown["channel_id"].as_str().unwrap()), "{output:?}");
    let line = output.iter().find(|line| line.contains("MapleArcade is live!")).unwrap();
    let curl = Command::new("sh").args(["-c", line]).output().await.unwrap();
    let message: Value = serde_json::from_slice(&curl.stdout).unwrap();
    assert_eq!(message["content"], "MapleArcade is live!");
    child.kill().await.unwrap();
}
