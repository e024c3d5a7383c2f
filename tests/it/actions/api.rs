//! `/actions`: keys, lists, errors.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::{Place, VIEWER, post, request, say, settled};
use crate::support::server::Server;
use crate::support::twitch::CHANNEL;

const PATH: &str = "/channels/maplearcade/actions";

#[tokio::test]
async fn raced_requests_with_one_key_make_one_action() {
    let place = Place::new().await;
    let server = place.serve().await;
    let body = say("once");
    let answers = join_all((0..8).map(|_| server.post_json_with(PATH, ("idempotency-key", "k-1"), &body))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 202]);
    let id = answers[0].json()["id"].as_i64().unwrap();
    assert!(answers.iter().all(|answer| answer.json()["id"] == id && answer.json()["key"] == "k-1"));
    assert_eq!(settled(&server, id).await["state"], "done");
    assert_eq!(place.performed("say").len(), 1);
    assert_eq!(answers[0].headers["location"], format!("/actions/{id}"));

    let other = server.post_json_with(PATH, ("idempotency-key", "k-1"), &say("twice")).await;
    let problem = other.problem(409, "key-reused");
    assert!(problem["detail"].as_str().unwrap().contains("`k-1`"), "{problem}");
    let wrong = server.post_json_with(PATH, ("idempotency-key", "two words"), &body).await;
    assert_eq!(wrong.problem(400, "invalid-parameter")["parameters"], json!(["Idempotency-Key"]));
    server.stop().await;
}

#[tokio::test]
async fn wrong_requests_are_named() {
    let place = Place::new().await;
    let server = place.serve().await;
    for (body, field) in [
        (json!({ "say": "" }), "say"),
        (json!({ "say": "x".repeat(501) }), "say"),
        (json!({ "ban": { "user": "no_such_user" } }), "ban.user"),
        (json!({ "ban": { "user": "not a login" } }), "ban.user"),
        (json!({ "timeout": { "user": VIEWER, "seconds": 0 } }), "timeout.seconds"),
        (json!({ "shoutout": "no_such_user" }), "shoutout"),
        (json!({ "timeout": { "user": VIEWER, "second": 1 } }), "timeout.second"),
    ] {
        let problem = post(&server, &body).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{body} {problem}");
    }
    let unknown = post(&server, &json!({ "dance": {} })).await.json();
    assert!(unknown["detail"].as_str().unwrap().contains("unknown variant `dance`"), "{unknown}");
    server.post_json("/channels/nowhere/actions", &say("hi")).await.problem(404, "not-found");
    server.get("/actions/999").await.problem(404, "not-found");
    server.send(Method::POST, "/actions/999/retry").await.problem(404, "not-found");
    server.get("/actions?state=lost").await.problem(400, "invalid-parameter");
    assert!(place.twitch.mock.world.actions().is_empty());
    server.stop().await;
}

#[tokio::test]
async fn actions_are_listed_newest_first() {
    let place = Place::new().await;
    let server = place.serve().await;
    let mut ids = Vec::new();
    for index in 0..3 {
        let id = request(&server, &say(&format!("line {index}"))).await;
        settled(&server, id).await;
        ids.push(id);
    }
    let refused = request(&server, &json!({ "ban": { "user": CHANNEL } })).await;
    settled(&server, refused).await;
    let listed = |page: &serde_json::Value| -> Vec<i64> {
        page["data"].as_array().unwrap().iter().map(|action| action["id"].as_i64().unwrap()).collect()
    };
    let page = server.json("/actions?limit=2").await;
    assert_eq!(listed(&page), [refused, ids[2]]);
    let next = server.json(&format!("/actions?limit=2&after={}", page["next"].as_str().unwrap())).await;
    assert_eq!((listed(&next), &next["next"]), (vec![ids[1], ids[0]], &json!(null)));
    assert_eq!(listed(&server.json("/actions?state=failed&channel=maplearcade").await), [refused]);
    let metrics = server.get("/metrics").await.text;
    assert!(metrics.contains(r#"showtime_actions_total{kind="say",outcome="done"} 3"#), "{metrics}");
    assert!(metrics.contains(r#"showtime_actions_total{kind="ban",outcome="failed"} 1"#), "{metrics}");
    server.stop().await;
}

#[tokio::test]
async fn waiting_actions_are_counted_by_bucket() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.twitch.mock.world.use_up_rate_limit(600);
    request(&server, &say("later")).await;
    let line = r#"showtime_actions_waiting{bucket="chat"} 1"#;
    crate::support::until("it waits", async || server.get("/metrics").await.text.contains(line)).await;
    server.stop().await;
}

#[tokio::test]
async fn without_an_application_nothing_can_be_done() {
    let server = Server::start().await;
    server.sql("insert into served_channel (id, login, display_name, requested_at) values ('1', 'maplearcade', 'm', now())").await;
    server.post_json(PATH, &say("hi")).await.problem(409, "no-application");
    server.stop().await;
}
