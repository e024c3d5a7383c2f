//! The character U+0000, which Postgres can store in the log and nowhere else: no message with it stops the rules.

use serde_json::json;

use super::super::Place;
use super::{apply, count, deliver, judged, line, line_of, quiet, said, says, serve};
use crate::support::twitch::{CHANNEL, CHANNEL_ID};

/// They keep what was written in each way that there is.
const RULES: &str = r#"
    [[rule]]
    name = "note"
    command = "!note"
    do = [{ set = { name = "note", value = "{{ args | join(' ') }}" } }, { say = "Noted: {{ var.note }}" }]

    [[rule]]
    name = "tell"
    message = '^!note'
    do = [{ webhook = { sink = "none", body = { text = "{{ event.message.text }}" } } }]

    [[rule]]
    name = "pass on"
    message = '^!note'
    permit = true
    do = [{ webhook = { sink = "none" } }]
"#;

/// What follows from a note; there is no sink of this name.
const NOTED: [&str; 4] = ["set: done", "say: done", "webhook: failed", "webhook: failed"];

#[tokio::test]
async fn message_with_nul_does_not_stop_the_rules() {
    let place = Place::new().await;
    let server = serve(&place).await;
    apply(&server, RULES).await;
    assert_eq!(says(&server, "m1", "!note a\0b", "").await, NOTED);
    let message = json!({ "text": "!note c\0d", "fragments": [] });
    let test = json!({ "type": "channel.chat.message", "event": { "message": message } });
    assert_eq!(server.post_json(&format!("/channels/{CHANNEL}/test"), &test).await.status, 202);
    quiet(&server).await;
    assert_eq!(count(&server, "dry").await, 4);
    // A message of the account that has just written, as an echo would be.
    deliver(&server, &line_of(&server, (CHANNEL_ID, CHANNEL), "m\u{0}2", "by hand", "broadcaster")).await;
    judged(&server).await;
    for name in ["a\0b", "a-b"] {
        deliver(&server, &line(&server, name, &format!("!permit {name}"), "moderator")).await;
    }
    judged(&server).await;
    let permitted: Vec<String> = sqlx::query_scalar("select login from permit").fetch_all(&server.pool).await.unwrap();
    assert_eq!(permitted, ["ab"]);
    assert_eq!(says(&server, "m3", "!note e", "").await, NOTED);
    assert_eq!(said(&place), ["Noted: ab", "Noted: e"]);
    server.stop().await;
}
