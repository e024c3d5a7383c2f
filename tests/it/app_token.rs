//! The application's own token, which all replicas and runs share.

use secrecy::ExposeSecret as _;
use showtime::config::{Config, EncryptionKey};
use showtime::credentials::tokens::Tokens;
use showtime::credentials::vault::Vault;
use showtime::twitch::oauth::BearerToken;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::twitch::Twitch;
use crate::support::until;

/// The tokens of a replica, on connections of its own.
fn replica(twitch: &Twitch, database: &PgConnectOptions, key: &EncryptionKey) -> Tokens {
    let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(database.clone());
    let vault = Vault::new(key, "SHOWTIME_ENCRYPTION_KEY".to_owned());
    Tokens::new(pool, vault, twitch.oauth.clone(), twitch.clock.clone())
}

/// The number of requests for app tokens.
fn asked(twitch: &Twitch) -> usize {
    twitch.mock.world.calls("POST /oauth2/token client_credentials")
}

#[track_caller]
fn assert_same(one: &BearerToken, other: &BearerToken) {
    assert_eq!(one.access_token.expose_secret(), other.access_token.expose_secret());
}

#[tokio::test]
async fn app_token_is_kept_for_the_next_start() {
    let twitch = Twitch::start().await;
    let database = fresh_database().await;
    let configure = |config: &mut Config, key: &EncryptionKey| {
        config.encryption_key = Some(key.clone());
        twitch.configure(config);
        config.twitch.channel_name = Some("nosuchchannel".to_owned());
    };
    let key = EncryptionKey::generate();
    // With another key the token is unreadable: it is replaced.
    for (key, expected) in [(&key, 1), (&key, 1), (&EncryptionKey::generate(), 2)] {
        let calls = || twitch.mock.world.calls("GET /helix/users");
        let before = calls();
        let server = Server::with(database.clone(), |config| configure(config, key)).await;
        until("it has called Helix", async || calls() > before).await;
        server.stop().await;
        assert_eq!(asked(&twitch), expected);
    }
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn two_replicas_share_one_app_token() {
    let twitch = Twitch::start().await;
    let (database, key) = (fresh_database().await, EncryptionKey::generate());
    let [one, other] = [(); 2].map(|()| replica(&twitch, &database, &key).shared_app());
    let (first, same) = tokio::join!(one.get(), other.get());
    let (first, same) = (first.unwrap(), same.unwrap());
    assert_same(&first, &same);
    assert_eq!(asked(&twitch), 1);

    twitch.mock.world.end_app_tokens();
    let second = one.replace(&first.access_token).await.unwrap();
    assert_same(&other.replace(&first.access_token).await.unwrap(), &second);
    assert_eq!(asked(&twitch), 2, "one replaces the refused token, the other finds the new one");

    twitch.clock.advance(time::Duration::days(61));
    let (third, same) = tokio::join!(one.get(), other.get());
    assert_same(&third.unwrap(), &same.unwrap());
    assert_eq!(asked(&twitch), 3, "an expired one is replaced, too");
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn hourly_check_replaces_a_refused_token_for_all_replicas() {
    let twitch = Twitch::start().await;
    let (database, key) = (fresh_database().await, EncryptionKey::generate());
    let [one, other] = [(); 2].map(|()| replica(&twitch, &database, &key));
    let [app, other_app] = [&one, &other].map(Tokens::shared_app);
    let first = app.get().await.unwrap();
    assert_same(&other_app.get().await.unwrap(), &first);
    twitch.mock.world.end_app_tokens();
    one.check(&app).await.unwrap();
    other.check(&other_app).await.unwrap();
    assert_eq!(asked(&twitch), 2);
    assert_same(&app.get().await.unwrap(), &other_app.get().await.unwrap());
    twitch.oauth.validate(&app.get().await.unwrap().access_token).await.unwrap();
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn app_token_waits_for_the_database() {
    let twitch = Twitch::start().await;
    let nowhere = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1).username("nouser");
    let error = replica(&twitch, &nowhere, &EncryptionKey::generate()).shared_app().get().await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("can't be read or kept"), "{error}");
    assert_eq!(asked(&twitch), 0, "a token that could not be kept is not requested");
    twitch.mock.stop().await.unwrap();
}
