//! Secrets are in nothing that shows rules, actions and their receivers: not in an export, an answer, the log or `Debug`.

use secrecy::ExposeSecret as _;
use serde_json::json;
use showtime::clock::Clock;
use showtime::config::Config;
use showtime::store::sinks;
use showtime::twitch::signature::WebhookSecret;
use sqlx::PgPool;

use super::super::kill::settings;
use super::super::{Place, SCOPES};
use crate::process;
use crate::support::Unused;
use crate::support::messages::notification;
use crate::support::twitch::{CHANNEL, CHANNEL_ID};
use crate::support::until;
use crate::webhooks::receiver::{Receiver, Reply};

const SECRET: &str = "the secret that signs hunter2";

const RULES: &str = r#"
[[rule]]
name = "tell"
message = '.+'
do = [{ webhook = { sink = "hook" } }]

[[rule]]
name = "tell another"
message = '.+'
do = [{ webhook = { sink = "away" } }]

[[rule]]
name = "tell a broker"
message = '.+'
do = [{ webhook = { sink = "broker" } }]

[[rule]]
name = "say"
message = '.+'
do = [{ say = "told" }]
"#;

#[tokio::test]
async fn secrets_are_in_no_export_answer_log_or_debug() {
    let (twitch, dir) = (Place::new().await, process::Place::new());
    let pool = PgPool::connect_lazy_with(twitch.database.clone());
    let user_token = twitch.twitch.consent(&SCOPES).await;
    twitch.keep(CHANNEL_ID, CHANNEL, &user_token).await;
    let mut owned = settings(&twitch);
    let extra = [("TWITCH_WEBHOOK_SECRET", SECRET), ("SHOWTIME_LOG", "debug"), ("RUST_BACKTRACE", "0")];
    owned.extend(extra.map(|(name, value)| (name, value.to_owned())));
    let settings: Vec<_> = owned.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = dir.serve(&settings).await;
    let token = server.token.clone().unwrap();
    let (hook, unused) = (Receiver::start(|_| Reply::Status(500)).await, Unused::new());
    let mut key = String::new();
    for (name, kind, url) in [
        ("hook", "webhook", hook.url()),
        ("away", "webhook", format!("http://{}/hunter2", unused.addr())),
        ("broker", "amqp", format!("amqp://me:hunter2@{}/%2f", unused.addr())),
    ] {
        let mut sink = json!({ "name": name, "kind": kind, "url": url, "types": [] });
        if kind == "webhook" {
            sink["settings"] = json!({ "allow": ["127.0.0.0/8"] });
        }
        let added = server.client.post(server.url("/sinks")).bearer_auth(&token).json(&sink).send().await.unwrap();
        assert_eq!(added.status(), 201, "{name}");
        let added: serde_json::Value = added.json().await.unwrap();
        if let Some(given) = added["key"].as_str() {
            key = given.trim_start_matches("whsec_").to_owned();
        }
    }
    std::fs::write(dir.path().join("rules.toml"), RULES).unwrap();
    dir.done(&settings, &["rules", "apply", "rules.toml"]).await;
    let event = json!({ "chatter_user_id": "55120873", "message_id": "m1", "message": { "text": "hi", "fragments": [] }, "badges": [] });
    let message = notification("channel.chat.message", Clock::default().now(), event);
    let signature = message.sign(&WebhookSecret::new(SECRET).unwrap());
    let request = server.client.post(server.url("/callback")).body(message.body.clone());
    let headers = message.headers(Some(&signature));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    assert_eq!(request.send().await.unwrap().status(), 204);
    until("all were tried", async || {
        let statement =
            "select count(*) = 4 from action where rule_id <> 0 and (problem is not null or state = 'done')";
        sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap()
    })
    .await;

    let mut shown = Vec::new();
    for path in ["/actions", "/rules", "/rules/tell/history", "/rule-set", "/sinks", "/status", "/metrics", "/"] {
        let answer = server.client.get(server.url(path)).bearer_auth(&token).send().await.unwrap();
        shown.push((path, answer.text().await.unwrap()));
    }
    dir.done(&settings, &["rules", "export", "exported.toml"]).await;
    shown.push(("export", std::fs::read_to_string(dir.path().join("exported.toml")).unwrap()));
    shown.push(("test", dir.done(&settings, &["rules", "test", "--chat", "hi"]).await));
    let definitions = sinks::definitions(&pool).await.unwrap();
    assert_eq!(definitions.len(), 3);
    shown.push(("Debug of sinks", format!("{definitions:?}")));
    let environment = |name: &str| owned.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    shown.push(("Debug of the configuration", format!("{:?}", Config::from_lookup(&environment).unwrap())));
    shown.push(("log", server.stop().await));
    let value = |name: &str| owned.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    let secrets = [
        "hunter2".to_owned(),
        key,
        token,
        value("TWITCH_CLIENT_SECRET"),
        twitch.key.expose_secret().to_owned(),
        user_token.access_token.expose_secret().to_owned(),
    ];
    assert!(secrets.iter().all(|secret| secret.len() > 6), "{secrets:?}");
    for (place, text) in shown {
        assert!(!text.is_empty());
        let found = secrets.iter().find(|secret| text.contains(secret.as_str()));
        assert_eq!(found, None, "{place}: {text}");
    }
}
