//! Rules from `/callback` to the mock's ledger: what follows from an event, and what never does.

mod api;
mod commands;
mod crash;
mod files;
mod forget;
mod never;
mod nul;
mod refusals;
mod secrets;
mod skills;
mod timing;

use serde_json::{Value, json};
use showtime::outputs::reactions::rules::read::from_toml;
use showtime::outputs::reactions::rules::service::{self, Applied};
use showtime::twitch::eventsub::outgoing::Outgoing;
use time::Duration;

use super::{Place, VIEWER};
use crate::support::messages::notification;
use crate::support::server::Server;
use crate::support::until;

/// The scopes of a bot that may do what a moderator may.
const BOT_SCOPES: [&str; 8] = [
    "clips:edit",
    "moderator:manage:announcements",
    "moderator:manage:banned_users",
    "moderator:manage:chat_messages",
    "moderator:manage:shoutouts",
    "moderator:manage:warnings",
    "user:bot",
    "user:write:chat",
];

/// A server that has noticed the stream that runs at the mock, and judged that without any rule.
async fn serve(place: &Place) -> Server {
    let server = place.serve().await;
    let statement = "select exists (select from event where type = 'stream.online')
        and exists (select from follower where name = 'reactions')";
    until("the server knows the stream", async || sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap())
        .await;
    judged(&server).await;
    server
}

/// Makes the stored rules these.
pub(super) async fn apply(server: &Server, rules: &str) -> Vec<Applied> {
    let rules = from_toml(rules).unwrap_or_else(|problems| panic!("{}", problems[0]));
    let statement = "select exists (select from follower where name = 'reactions')";
    until("the reactor runs", async || sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap()).await;
    let mut connection = server.pool.acquire().await.unwrap();
    service::apply(&mut connection, rules, "tests", server.clock.now()).await.unwrap()
}

/// A message of a viewer with this badge; one without a badge is empty.
fn line(server: &Server, message_id: &str, text: &str, badge: &str) -> Outgoing {
    line_of(server, ("55120873", VIEWER), message_id, text, badge)
}

fn line_of(server: &Server, (id, login): (&str, &str), message_id: &str, text: &str, badge: &str) -> Outgoing {
    let badges = if badge.is_empty() { json!([]) } else { json!([{ "set_id": badge, "id": "1", "info": "" }]) };
    let event = json!({
        "chatter_user_id": id, "chatter_user_login": login, "chatter_user_name": login, "message_id": message_id,
        "message": { "text": text, "fragments": [] }, "message_type": "text", "badges": badges,
    });
    notification("channel.chat.message", server.clock.now(), event)
}

pub(super) async fn deliver(server: &Server, message: &Outgoing) {
    assert_eq!(server.deliver(message).await.status, 204);
}

/// Delivers a message of a viewer, and returns what follows once all of it has ended.
async fn says(server: &Server, message_id: &str, text: &str, badge: &str) -> Vec<String> {
    deliver(server, &line(server, message_id, text, badge)).await;
    ended(server, &format!("chat/{message_id}")).await
}

/// Waits until the reactor has judged the whole log.
pub(super) async fn judged(server: &Server) {
    let statement = "select coalesce((select cursor from follower where name = 'reactions'), 0)
        >= coalesce((select max(id) from event), 0)";
    until("the reactor has judged the log", async || {
        sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap()
    })
    .await;
}

/// Waits until the log is judged and all actions have ended. The clock is put forward meanwhile.
async fn quiet(server: &Server) {
    judged(server).await;
    let statement = "select not exists (select from action where state in ('pending', 'sending'))";
    until("all actions have ended", async || {
        server.clock.advance(Duration::milliseconds(100));
        sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap()
    })
    .await;
}

/// Waits until all is quiet, and returns what follows from this subject, as `kind: state`.
async fn ended(server: &Server, subject: &str) -> Vec<String> {
    quiet(server).await;
    let statement = "select kind || ': ' || state from action where subject = $1 and rule_id <> 0 order by id";
    sqlx::query_scalar(statement).bind(subject).fetch_all(&server.pool).await.unwrap()
}

/// How many actions of rules are in this state.
async fn count(server: &Server, state: &str) -> i64 {
    let statement = "select count(*) from action where rule_id <> 0 and state = $1";
    sqlx::query_scalar(statement).bind(state).fetch_one(&server.pool).await.unwrap()
}

/// The texts that were said in the chat.
fn said(place: &Place) -> Vec<Value> {
    place.performed("say").into_iter().map(|call| call.effect["text"].clone()).collect()
}
