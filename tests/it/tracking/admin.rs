//! `/bots`: admins list, add, change and remove bots.

use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use showtime::access::grant::Scope;
use time::Duration;

use super::{LOGIN, Stage};
use crate::access::new_token;
use crate::process::Place;
use crate::support::bots::{request, token_of};
use crate::support::postgres::{dump, fresh_database, url};
use crate::support::server::{Answer, Server};

async fn add(server: &Server, name: &str) -> Answer {
    server.post_json("/bots", &json!({ "name": name })).await
}

/// The secret of an answer, which is not to be cached.
fn secret(answer: &Answer, status: u16) -> SecretString {
    let no_store = HeaderValue::from_static("no-store");
    assert_eq!((answer.status.as_u16(), &answer.headers["cache-control"]), (status, &no_store), "{answer:?}");
    let body = answer.json();
    assert_eq!((&body["name"], body.as_object().unwrap().len()), (&json!("tatsu"), 2), "{body}");
    SecretString::from(body["secret"].as_str().unwrap())
}

async fn listed(server: &Server) -> Vec<Value> {
    server.json("/bots").await["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn bot_is_added_and_its_secret_shown_once() {
    let server = Server::start().await;
    assert_eq!(listed(&server).await, Vec::<Value>::new());
    let shown = secret(&add(&server, "tatsu").await, 201);
    token_of(&server, "tatsu", &shown).await;
    let bots = listed(&server).await;
    assert_eq!(bots.len(), 1);
    assert_eq!((&bots[0]["name"], &bots[0]["disabled_at"]), (&json!("tatsu"), &Value::Null));
    assert_eq!((&bots[0]["channels"], &bots[0]["tracks"]), (&json!(0), &json!(0)));
    assert!(bots[0].get("secret").is_none() && bots[0].get("secret_hash").is_none(), "{bots:?}");

    add(&server, "tatsu").await.problem(409, "bot-exists");
    for name in ["", "two words", "12", "-x", &"x".repeat(65)] {
        let problem = add(&server, name).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], "name", "{problem}");
    }
    for body in [json!({}), json!({ "name": 7 }), json!({ "name": "kit", "secret": "stb_mine" })] {
        server.post_json("/bots", &body).await.problem(400, "invalid-field");
    }
    assert_eq!(listed(&server).await.len(), 1);
}

#[tokio::test]
async fn bots_are_listed_by_name_with_what_they_track() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    assert_eq!(stage.track(&stage.webhook(), LOGIN).await.status, 201);
    assert_eq!(add(&stage.server, "kit").await.status, 201);
    let bots = listed(&stage.server).await;
    let shown: Vec<_> = bots.iter().map(|bot| (&bot["name"], &bot["channels"], &bot["tracks"])).collect();
    assert_eq!(shown, [(&json!("kit"), &json!(0), &json!(0)), (&json!("tatsu"), &json!(1), &json!(1))]);
    stage.stop().await;
}

#[tokio::test]
async fn bot_is_rotated_disabled_enabled_and_removed() {
    let server = Server::start().await;
    let is_let_in = async |token: &str| server.send_as(token, Method::GET, "/v1/api").await.status.is_success();
    let post = async |path: &str| server.send(Method::POST, path).await;
    let first = secret(&add(&server, "tatsu").await, 201);
    let token = token_of(&server, "tatsu", &first).await;
    let second = secret(&post("/bots/tatsu/rotate").await, 200);
    server.post_json("/v1/token", &request("tatsu", &first)).await.problem(401, "wrong-secret");
    server.clock.advance(Duration::seconds(5));
    assert!(!is_let_in(&token).await, "the secret of the token was rotated");

    let token = token_of(&server, "tatsu", &second).await;
    assert!(is_let_in(&token).await);
    assert_eq!(post("/bots/tatsu/disable").await.status, 204);
    server.clock.advance(Duration::seconds(5));
    assert!(!is_let_in(&token).await && listed(&server).await[0]["disabled_at"].is_string());
    server.post_json("/v1/token", &request("tatsu", &second)).await.problem(401, "wrong-secret");
    assert_eq!(post("/bots/tatsu/enable").await.status, 204);
    server.clock.advance(Duration::seconds(5));
    assert!(is_let_in(&token_of(&server, "tatsu", &second).await).await);
    assert!(listed(&server).await[0]["disabled_at"].is_null());

    assert_eq!(server.send(Method::DELETE, "/bots/tatsu").await.status, 204);
    assert!(listed(&server).await.is_empty());
    server.post_json("/v1/token", &request("tatsu", &second)).await.problem(401, "wrong-secret");
    for path in ["/bots/tatsu/rotate", "/bots/tatsu/disable", "/bots/tatsu/enable"] {
        post(path).await.problem(404, "not-found");
    }
    let problem = server.send(Method::DELETE, "/bots/tatsu").await.problem(404, "not-found");
    assert_eq!(problem["detail"], "no bot `tatsu` is known");
    post("/bots/two%20words/rotate").await.problem(400, "invalid-path");
    post("/bots/tatsu/rotate?shard=1").await.problem(400, "unknown-parameter");
}

#[tokio::test]
async fn bots_are_for_admins_alone() {
    let server = Server::start().await;
    let read = new_token(&server, "reader", Scope::Read).await;
    let bot = crate::support::bots::token(&server, "tatsu").await;
    for (method, path) in [
        (Method::GET, "/bots"),
        (Method::POST, "/bots"),
        (Method::POST, "/bots/tatsu/rotate"),
        (Method::POST, "/bots/tatsu/disable"),
        (Method::POST, "/bots/tatsu/enable"),
        (Method::DELETE, "/bots/tatsu"),
    ] {
        let reader = server.send_as(read.expose_secret(), method.clone(), path).await;
        reader.problem(403, "scope-too-small");
        server.send_as(&bot, method, path).await.problem(401, "token-invalid");
    }
    assert!(listed(&server).await[0]["disabled_at"].is_null());
}

#[tokio::test]
async fn secret_of_a_bot_is_in_no_log_and_no_row() {
    let (place, database) = (Place::new(), fresh_database().await);
    let address = url(&database, "none");
    let server = place.serve(&[("DATABASE_URL", &address), ("SHOWTIME_LOG", "trace")]).await;
    let post = async |path: &str, body: Value| {
        let request = server.client.post(server.url(path)).bearer_auth(server.token.as_deref().unwrap());
        let answer: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
        answer["secret"].as_str().unwrap().to_owned()
    };
    let secrets = [post("/bots", json!({ "name": "tatsu" })).await, post("/bots/tatsu/rotate", json!({})).await];
    let (log, rows) = (server.stop().await, dump(&database).await);
    assert!(log.contains("insert into discord_bot") && rows.contains("tatsu"), "{log}");
    assert!(!secrets.iter().any(|secret| log.contains(secret) || rows.contains(secret)));
}
