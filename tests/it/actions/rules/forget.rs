//! A user who is forgotten: nothing is left in what rules and actions know.

use serde_json::json;
use showtime::store::forget;
use sqlx::AssertSqlSafe;
use time::Duration;

use super::super::{Place, VIEWER, post};
use super::{apply, deliver, ended, judged, line_of, quiet, says, serve};
use crate::support::messages::{notification, text};
use crate::support::server::Server;
use crate::support::until;

const ID: &str = "55120873";

/// They keep something of each kind.
const RULES: &str = r#"
    [[rule]]
    name = "said"
    message = '^hi'
    permit = true
    cooldown = { user = "1h" }
    do = [{ set = { name = "last", value = "{{ user.name }} was here" } }, { say = "Hi {{ user.name }}" }]

    [[rule]]
    name = "links"
    filter = { links = {} }
    do = [{ timeout = { steps = ["10s", "20s"] } }]

    [[rule]]
    name = "welcome"
    on = "channel.follow"
    batch = "10s"
    do = [{ webhook = { sink = "none", body = { text = "Welcome {{ users | map(attribute='name') | join(', ') }}!" } } }]

    [[rule]]
    name = "later"
    on = ["channel.follow", "channel.cheer"]
    batch = "10m"
    do = [{ say = "Welcome!" }]

    [[rule]]
    name = "not for all"
    command = "!go"
    deny = { users = ["DENIED"] }
    do = [{ say = "Gone." }]
"#;

/// The tables that have one of these names, each once.
async fn naming(server: &Server) -> Vec<&'static str> {
    let tables = [
        "action",
        "permit",
        "rule",
        "rule_batch",
        "rule_cooldown",
        "rule_history",
        "rule_outcome",
        "rule_strike",
        "variable",
    ];
    let mut found = Vec::new();
    for table in tables {
        let statement = format!("select exists (select from {table} t where t::text ~* '{ID}|{VIEWER}')");
        if sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&server.pool).await.unwrap() {
            found.push(table);
        }
    }
    found
}

#[tokio::test]
async fn rules_and_actions_keep_nothing_of_a_user_who_is_forgotten() {
    let place = Place::new().await;
    let server = serve(&place).await;
    apply(&server, &RULES.replace("DENIED", VIEWER)).await;
    deliver(&server, &line_of(&server, ("7", "mintcomet"), "m5", "hi", "")).await;
    assert_eq!(says(&server, "m1", "hi", "").await, ["set: done", "say: done"]);
    says(&server, "m2", "see example.com", "").await;
    says(&server, "m3", "!go", "").await;
    deliver(&server, &line_of(&server, ("7", "mintcomet"), "m4", &format!("!permit {VIEWER}"), "moderator")).await;
    let follow = json!({ "user_id": ID, "user_login": VIEWER, "user_name": "QuietOtter", "followed_at": text(server.clock.now()) });
    deliver(&server, &notification("channel.follow", server.clock.now(), follow)).await;
    let cheer = json!({ "is_anonymous": true, "user_id": null, "user_login": null, "user_name": null, "message": "hi", "bits": 5 });
    deliver(&server, &notification("channel.cheer", server.clock.now(), cheer)).await;
    judged(&server).await;
    server.clock.advance(Duration::seconds(11));
    let statement = "select exists (select from action where kind = 'webhook')";
    until("the batch has ended", async || sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap()).await;
    assert_eq!(post(&server, &json!({ "warn": { "user": VIEWER, "reason": "x" } })).await.status, 202);
    assert_eq!(post(&server, &json!({ "say": "@QuietOtter hi" })).await.status, 202);
    assert_eq!(post(&server, &json!({ "say": "quietotters are nice" })).await.status, 202);
    quiet(&server).await;
    apply(&server, &RULES.replace("DENIED", "mintcomet")).await;
    let all =
        ["action", "permit", "rule_batch", "rule_cooldown", "rule_history", "rule_outcome", "rule_strike", "variable"];
    assert_eq!(naming(&server).await, all);

    let mut connection = server.pool.acquire().await.unwrap();
    forget::forget(&mut connection, &ID.parse().unwrap()).await.unwrap();
    drop(connection);
    let action: Vec<String> =
        sqlx::query_scalar("select params::text from action where action::text ~* 'quietotter' and rule_id = 0")
            .fetch_all(&server.pool)
            .await
            .unwrap();
    assert_eq!(action, ["\"quietotters are nice\""], "another word is no name");
    let batch: (i32, i32) = sqlx::query_as("select events, jsonb_array_length(members) from rule_batch")
        .fetch_one(&server.pool)
        .await
        .unwrap();
    assert_eq!(batch, (1, 0), "the event without a user is still in the batch");
    sqlx::query("delete from action where rule_id = 0").execute(&server.pool).await.unwrap();
    assert_eq!(naming(&server).await, [""; 0]);
    assert_eq!(ended(&server, "chat/m5").await, ["set: done", "say: done"], "what is of others stays");
    server.stop().await;
}
