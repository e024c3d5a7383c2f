//! Bots, their secrets and tokens.

use std::time::Instant;

use futures_util::future::join_all;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use showtime::tracking::bots;
use time::Duration;

use crate::process::Place;
use crate::support::bots::{add, request, token_of};
use crate::support::postgres::{dump, fresh_database, url};
use crate::support::server::{Answer, Server};

async fn check(server: &Server, token: &str) -> Answer {
    server.send_as(token, Method::GET, "/v1/api").await
}

/// The part of a token that holds its claims.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn token_is_issued_for_json_and_forms_and_is_let_in() {
    let server = Server::start().await;
    let secret = add(&server, "tatsu").await;
    let json = server.post_json("/v1/token", &request("tatsu", &secret)).await;
    assert_eq!((json.status.as_u16(), json.headers["cache-control"].to_str().unwrap()), (200, "no-store"), "{json:?}");
    assert_eq!(json.json().as_object().unwrap().len(), 1);
    let form = format!("name=tatsu&shard=7&secret={}", secret.expose_secret());
    let form = server.post_as("/v1/token", Some("application/x-www-form-urlencoded"), &form).await;
    let token = form.json()["token"].as_str().unwrap().to_owned();
    let said = claims(&token);
    assert_eq!((&said["iss"], &said["aud"]), (&json!("showtime"), &json!("tracking")), "{said}");
    assert_eq!((&said["name"], &said["shard"], &said["gen"]), (&json!("tatsu"), &json!(7), &json!(1)), "{said}");
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 72 * 3_600);
    for token in [&token, json.json()["token"].as_str().unwrap()] {
        let answer = check(&server, token).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "Authorized"));
    }
}

#[tokio::test]
async fn unknown_name_and_wrong_secret_are_refused_alike() {
    let server = Server::start().await;
    let secret = add(&server, "tatsu").await;
    let wrong = SecretString::from("stb_wrong");
    let refused = async |name: &str, secret: &SecretString| {
        let answer = server.post_json("/v1/token", &request(name, secret)).await;
        answer.problem(401, "wrong-secret")
    };
    let (one, other) = (refused("tatsu", &wrong).await, refused("nobot", &secret).await);
    assert_eq!(one, other);
    assert_eq!(one["message"], one["detail"], "{one}");
    // A hash is computed for both: a refusal is no faster for a name that is not known.
    let fastest = async |name: &str| {
        let mut fastest = std::time::Duration::MAX;
        for _ in 0..5 {
            let began = Instant::now();
            refused(name, &wrong).await;
            fastest = fastest.min(began.elapsed());
        }
        fastest
    };
    let (known, unknown) = (fastest("tatsu").await, fastest("nobot").await);
    assert!(unknown * 4 > known, "{unknown:?} for an unknown name, {known:?} for a known one");
    server.post_as("/v1/token", Some("application/json"), "{}").await.problem(400, "invalid-field");
    server.post_as("/v1/token", Some("text/plain"), "").await.problem(415, "unsupported-media-type");
    let query = format!("/v1/token?name=tatsu&secret={}", secret.expose_secret());
    server.post_as(&query, Some("application/json"), "{}").await.problem(400, "unknown-parameter");
}

#[tokio::test]
async fn rotated_disabled_removed_and_expired_tokens_are_refused() {
    let server = Server::start().await;
    let secret = add(&server, "tatsu").await;
    let refused = async |token: &str| {
        let problem = check(&server, token).await.problem(401, "token-invalid");
        assert_eq!(problem["message"], problem["detail"]);
    };
    let mut connection = server.pool.acquire().await.unwrap();
    let old = token_of(&server, "tatsu", &secret).await;
    assert_eq!(check(&server, &old).await.status, 200);
    let rotated = bots::rotate(&mut connection, "tatsu").await.unwrap();
    server.clock.advance(Duration::seconds(5));
    refused(&old).await;
    server.post_json("/v1/token", &request("tatsu", &secret)).await.problem(401, "wrong-secret");

    let second = token_of(&server, "tatsu", &rotated).await;
    assert_eq!(check(&server, &second).await.status, 200);
    bots::switch(&mut connection, "tatsu", Some(server.clock.now())).await.unwrap();
    server.clock.advance(Duration::seconds(5));
    refused(&second).await;
    server.post_json("/v1/token", &request("tatsu", &rotated)).await.problem(401, "wrong-secret");
    bots::switch(&mut connection, "tatsu", None).await.unwrap();
    server.clock.advance(Duration::seconds(5));
    refused(&second).await;

    let third = token_of(&server, "tatsu", &rotated).await;
    server.clock.advance(Duration::hours(72));
    refused(&third).await;
    let fourth = token_of(&server, "tatsu", &rotated).await;
    bots::remove(&mut connection, "tatsu").await.unwrap();
    add(&server, "tatsu").await;
    server.clock.advance(Duration::seconds(5));
    refused(&fourth).await;
    for token in ["", "a.b.c", "showtime_a", &format!("{fourth}x")] {
        refused(token).await;
    }
    let missing = reqwest::get(server.url("/v1/api")).await.unwrap();
    assert_eq!(
        (missing.status().as_u16(), missing.headers()["www-authenticate"].to_str().unwrap()),
        (401, "Bearer realm=\"showtime\"")
    );
}

/// Also a token of the server itself is none for bots, and that of a bot none for the rest of the API.
#[tokio::test]
async fn tokens_of_bots_and_of_the_api_are_not_exchanged() {
    let server = Server::start().await;
    let token = crate::support::bots::token(&server, "tatsu").await;
    server.get("/v1/api").await.problem(401, "token-invalid");
    server.send_as(&token, Method::GET, "/channels").await.problem(401, "token-invalid");
    // Found by the decoded path, without the check of the bot's token.
    server.get("/%761/api").await.problem(401, "token-missing");
}

#[tokio::test]
async fn three_hundred_processes_get_their_tokens_at_once() {
    let server = Server::start().await;
    let secret = add(&server, "tatsu").await;
    let began = Instant::now();
    let tokens = join_all((0..300).map(|_| token_of(&server, "tatsu", &secret))).await;
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    let jtis: std::collections::HashSet<_> = tokens.iter().map(|token| claims(token)["jti"].to_string()).collect();
    assert_eq!(jtis.len(), 300);
}

#[tokio::test]
async fn replicas_accept_each_others_tokens() {
    let database = fresh_database().await;
    let key = showtime::config::EncryptionKey::generate();
    let start = async || Server::with(database.clone(), |config| config.encryption_key = Some(key.clone())).await;
    let (one, other) = (start().await, start().await);
    let secret = add(&one, "tatsu").await;
    let token = token_of(&one, "tatsu", &secret).await;
    assert_eq!(check(&other, &token).await.status, 200);
    let token = token_of(&other, "tatsu", &secret).await;
    assert_eq!(check(&one, &token).await.status, 200);
    let dump = dump(&database).await;
    assert!(!dump.contains(secret.expose_secret()) && !dump.contains(&token));
}

#[tokio::test]
async fn commands_add_list_rotate_disable_and_remove_a_bot() {
    let (place, database) = (Place::new(), url(&fresh_database().await, "none"));
    let settings = [("DATABASE_URL", database.as_str())];
    let bot = async |arguments: &[&str]| place.done(&settings, &[&["bot"], arguments].concat()).await;
    let secret = bot(&["add", "tatsu"]).await;
    assert!(secret.starts_with("stb_") && secret.lines().count() == 1, "{secret}");
    assert_ne!(bot(&["rotate", "tatsu"]).await, secret);
    let refused = place.refused(&settings, &["bot", "add", "tatsu"]).await;
    assert!(refused.contains("there is a bot named `tatsu` already"), "{refused}");
    assert_eq!(bot(&["disable", "tatsu"]).await, "tatsu gets no tokens\n");
    let listed = bot(&["list"]).await;
    assert!(listed.contains("tatsu  disabled") && !listed.contains("stb_"), "{listed}");
    assert_eq!(bot(&["enable", "tatsu"]).await, "tatsu gets tokens again\n");
    assert_eq!(bot(&["remove", "tatsu"]).await, "removed tatsu\n");
    for command in ["rotate", "disable", "enable", "remove"] {
        let refused = place.refused(&settings, &["bot", command, "tatsu"]).await;
        assert!(refused.contains("there is no bot named `tatsu`"), "{refused}");
    }
    let refused = place.refused(&settings, &["bot", "add", "two words"]).await;
    assert!(refused.contains("without spaces"), "{refused}");
}
