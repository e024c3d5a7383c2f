//! Bots of Discord, and their tokens.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use showtime::tracking::bots;

use super::server::Server;

/// Adds a bot, and returns its secret.
pub(crate) async fn add(server: &Server, name: &str) -> SecretString {
    let mut connection = server.pool.acquire().await.unwrap();
    bots::add(&mut connection, name, server.clock.now()).await.unwrap()
}

/// A request for a token.
pub(crate) fn request(name: &str, secret: &SecretString) -> Value {
    json!({ "name": name, "shard": 0, "secret": secret.expose_secret() })
}

/// A token for a bot with this secret.
pub(crate) async fn token_of(server: &Server, name: &str, secret: &SecretString) -> String {
    let answer = server.post_json("/v1/token", &request(name, secret)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// A token for a new bot.
pub(crate) async fn token(server: &Server, name: &str) -> String {
    let secret = add(server, name).await;
    token_of(server, name, &secret).await
}

/// Whether a path is one of bots, for which the server's own tokens do not count.
pub(crate) fn is_for_bots(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/v2/")
}
