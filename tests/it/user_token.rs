//! Users' tokens, which replicas share: refreshed once, and kept before they are used.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::{ExposeSecret as _, SecretString};
use showtime::clock::Clock;
use showtime::config::EncryptionKey;
use showtime::credentials::tokens::{Tokens, TokensError};
use showtime::credentials::vault::Vault;
use showtime::mock::MockConfig;
use showtime::twitch::oauth::{BearerToken, OAuth, TokenUser, UserToken};
use showtime::twitch::token_source::TokenSource;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use url::Url;

use crate::support::postgres::{fresh_database, pool};
use crate::support::proxy::Proxy;
use crate::support::recorder::{Answer, Recorder};
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, clients, quick_retries};
use crate::support::until;

/// Concurrent callers for each replica.
const CALLERS: usize = 5;

/// One replica's tokens, on connections of its own.
fn replica(database: &PgConnectOptions, key: &EncryptionKey, oauth: &OAuth, clock: &Clock) -> Tokens {
    let pool = PgPoolOptions::new().max_connections(3).acquire_timeout(Duration::from_secs(60));
    let vault = Vault::new(key, String::new());
    Tokens::new(pool.connect_lazy_with(database.clone()), vault, oauth.clone(), clock.clone())
}

/// Two replicas that hold this token.
async fn replicas(oauth: &OAuth, clock: &Clock, token: &UserToken) -> [Tokens; 2] {
    let (database, key) = (fresh_database().await, EncryptionKey::generate());
    let replicas = [(); 2].map(|()| replica(&database, &key, oauth, clock));
    let user = TokenUser { id: CHANNEL_ID.parse().unwrap(), login: CHANNEL.to_owned() };
    replicas[0].keep_user(&user, token).await.unwrap();
    replicas
}

/// The results of many concurrent callers.
async fn all_at_once(replicas: &[Tokens; 2]) -> Vec<Result<UserToken, TokensError>> {
    join_all((0..2 * CALLERS).map(|caller| replicas[caller % 2].user(CHANNEL_ID))).await
}

/// A login server that answers refreshes like this, slowly, so that all callers wait for the first.
fn login_server(respond: impl Fn(u32) -> Answer + Send + Sync + 'static) -> (Recorder, OAuth, Clock) {
    let count = AtomicU32::new(0);
    let recorder = Recorder::start(move |_| {
        std::thread::sleep(Duration::from_millis(300));
        respond(count.fetch_add(1, Ordering::SeqCst))
    });
    let (url, clock) = (Url::parse(&recorder.url("")).unwrap(), Clock::default());
    let (oauth, _) = clients(url.clone(), &url, quick_retries(), &clock);
    (recorder, oauth, clock)
}

/// A login server that answers refreshes with a new token once the other value is dropped.
fn login_server_that_waits() -> (Recorder, OAuth, Clock, mpsc::Sender<()>) {
    let (answer, answered) = mpsc::channel();
    let answered = Mutex::new(answered);
    let (login_server, oauth, clock) = login_server(move |_| {
        let _ = answered.lock().unwrap().recv();
        let token = r#"{"access_token":"new","refresh_token":"new","expires_in":9000,"token_type":"bearer"}"#;
        Answer::new(200, "application/json", token)
    });
    (login_server, oauth, clock, answer)
}

/// Whether so many transactions wait for something else than the database.
async fn is_waiting(pool: &PgPool, count: i64) -> bool {
    let statement = "select count(*) >= $1 from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'";
    sqlx::query_scalar(statement).bind(count).fetch_one(pool).await.unwrap()
}

/// An expired token.
fn expired(clock: &Clock) -> UserToken {
    UserToken {
        access_token: SecretString::from("old access"),
        refresh_token: SecretString::from("old refresh"),
        scopes: vec!["bits:read".to_owned()],
        expires_at: Some(clock.now() - Duration::from_secs(1)),
    }
}

#[tokio::test]
async fn expired_token_is_refreshed_once_for_all_callers() {
    let (login_server, oauth, clock) = login_server(|count| {
        let token = format!(
            r#"{{"access_token":"access {count}","refresh_token":"refresh {count}","expires_in":9000,"token_type":"bearer"}}"#
        );
        Answer::new(200, "application/json", &token)
    });
    let replicas = replicas(&oauth, &clock, &expired(&clock)).await;
    for token in all_at_once(&replicas).await {
        let token = token.unwrap();
        assert_eq!(token.access_token.expose_secret(), "access 0");
        assert_eq!(token.refresh_token.expose_secret(), "refresh 0");
        assert_eq!(token.scopes, ["bits:read"]);
    }
    let requests = login_server.requests();
    assert_eq!(requests.len(), 1, "one refresh");
    let form = String::from_utf8(requests[0].body.clone()).unwrap();
    assert!(form.contains("grant_type=refresh_token") && form.contains("refresh_token=old+refresh"), "{form}");
}

#[tokio::test]
async fn refreshes_that_wait_for_twitch_leave_connections_to_requests() {
    let (_login_server, oauth, clock, answer) = login_server_that_waits();
    let pool = PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(5));
    let pool = pool.connect_lazy_with(fresh_database().await);
    let vault = Vault::new(&EncryptionKey::generate(), String::new());
    let tokens = Tokens::new(pool.clone(), vault, oauth, clock.clone());
    let mut refreshing = Vec::new();
    for id in 1..=20 {
        let user = TokenUser { id: id.to_string().parse().unwrap(), login: format!("user{id}") };
        tokens.keep_user(&user, &expired(&clock)).await.unwrap();
        let tokens = tokens.clone();
        refreshing.push(tokio::spawn(async move { tokens.user(user.id.as_str()).await }));
    }
    until("some refreshes wait", async || is_waiting(&pool, 4).await).await;
    let requests = join_all((0..6).map(|_| pool.acquire())).await;
    assert!(requests.iter().all(Result::is_ok), "{requests:?}");
    drop((answer, requests));
    for token in refreshing {
        assert_eq!(token.await.unwrap().unwrap().access_token.expose_secret(), "new");
    }
}

/// Twitch may have ended the old token by then.
#[tokio::test]
async fn new_token_is_kept_although_its_caller_is_cancelled() {
    let (login_server, oauth, clock, answer) = login_server_that_waits();
    let [tokens, others] = replicas(&oauth, &clock, &expired(&clock)).await;
    let caller = tokio::spawn(async move { tokens.user(CHANNEL_ID).await });
    until("Twitch is asked", async || login_server.requests().len() == 1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    drop(answer);
    assert_eq!(others.user(CHANNEL_ID).await.unwrap().access_token.expose_secret(), "new");
    assert_eq!(login_server.requests().len(), 1, "the other replica found it");
}

#[tokio::test]
async fn new_token_is_kept_although_the_database_fails_meanwhile() {
    let (login_server, oauth, clock, answer) = login_server_that_waits();
    let (database, key) = (fresh_database().await, EncryptionKey::generate());
    let proxy = Proxy::start(&database).await;
    let tokens = replica(&proxy.options(&database), &key, &oauth, &clock);
    let user = TokenUser { id: CHANNEL_ID.parse().unwrap(), login: CHANNEL.to_owned() };
    tokens.keep_user(&user, &expired(&clock)).await.unwrap();
    let direct = pool(&database);
    let failure = async {
        until("Twitch is asked", async || login_server.requests().len() == 1).await;
        proxy.cut();
        until("the transaction is gone", async || !is_waiting(&direct, 1).await).await;
        drop(answer);
        proxy.mend();
    };
    let (token, ()) = tokio::join!(tokens.user(CHANNEL_ID), failure);
    assert_eq!(token.unwrap().access_token.expose_secret(), "new");
    let other = replica(&database, &key, &oauth, &clock);
    assert_eq!(other.user(CHANNEL_ID).await.unwrap().access_token.expose_secret(), "new");
    assert_eq!(login_server.requests().len(), 1);
}

#[tokio::test]
async fn refresh_token_is_used_once() {
    let twitch = Twitch::start().await;
    let token = twitch.consent(&["bits:read"]).await;
    let replicas = replicas(&twitch.oauth, &twitch.clock, &token).await;
    let mut last = token.access_token.expose_secret().to_owned();
    for _ in 0..3 {
        twitch.clock.advance(time::Duration::hours(4));
        let tokens: Vec<_> = all_at_once(&replicas).await.into_iter().map(Result::unwrap).collect();
        let new = tokens[0].access_token.expose_secret();
        assert_ne!(new, last);
        assert!(tokens.iter().all(|token| token.access_token.expose_secret() == new));
        assert_eq!(twitch.oauth.validate(&tokens[0].access_token).await.unwrap().scopes, ["bits:read"]);
        last = new.to_owned();
    }
    twitch.mock.stop().await.unwrap();
}

#[tokio::test]
async fn refused_refresh_is_not_repeated() {
    let refusal = r#"{"error":"Bad Request","status":400,"message":"Invalid refresh token"}"#;
    let (login_server, oauth, clock) = login_server(move |_| Answer::new(400, "application/json", refusal));
    let replicas = replicas(&oauth, &clock, &expired(&clock)).await;
    for _ in 0..2 {
        for token in all_at_once(&replicas).await {
            assert_eq!(
                token.unwrap_err().to_string(),
                format!(
                    "{CHANNEL_ID} has to consent (again): Twitch refuses the refresh token: Invalid refresh token; run \
                     `cargo run --bin init`"
                )
            );
        }
    }
    assert_eq!(login_server.requests().len(), 1, "asked once, and not again later");
}

/// The hourly validation of the token before the consent is under way when the new one is kept.
#[tokio::test]
async fn consent_during_a_validation_keeps_its_scopes() {
    let (answer, answered) = mpsc::channel();
    let answered = Mutex::new(answered);
    let valid = format!(
        r#"{{"client_id":"{}","login":"{CHANNEL}","user_id":"{CHANNEL_ID}","scopes":["bits:read"],"expires_in":9000}}"#,
        MockConfig::default().client_id
    );
    let (login_server, oauth, clock) = login_server(move |_| {
        let _ = answered.lock().unwrap().recv();
        Answer::new(200, "application/json", &valid)
    });
    let [tokens, others] = replicas(&oauth, &clock, &expired(&clock)).await;
    let held = BearerToken { access_token: SecretString::from("app access"), expires_at: None };
    let app = Arc::new(TokenSource::app(oauth, Some(held)));
    let (checking, its_app) = (tokens.clone(), Arc::clone(&app));
    let checking = tokio::spawn(async move { checking.check(&its_app).await });
    answer.send(()).unwrap();
    until("the user's token is validated", async || login_server.requests().len() == 2).await;

    let new = UserToken {
        access_token: SecretString::from("new access"),
        refresh_token: SecretString::from("new refresh"),
        scopes: vec!["channel:read:polls".to_owned()],
        expires_at: Some(clock.now() + Duration::from_secs(3_600)),
    };
    let user = TokenUser { id: CHANNEL_ID.parse().unwrap(), login: CHANNEL.to_owned() };
    others.keep_user(&user, &new).await.unwrap();
    drop(answer);
    checking.await.unwrap().unwrap();
    let kept = others.user(CHANNEL_ID).await.unwrap();
    assert_eq!((kept.access_token.expose_secret(), &kept.scopes), ("new access", &new.scopes));

    tokens.check(&app).await.unwrap();
    assert_eq!(others.user(CHANNEL_ID).await.unwrap().scopes, ["bits:read"], "what Twitch says of this one");
}
