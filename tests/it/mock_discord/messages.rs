//! Messages: posted, edited and deleted; their limits, errors, files and pings.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::{ChangeKind, NewWebhook};

use super::{Fixture, error, form_error, long, read};

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
