//! Subscriptions that were created with another webhook secret than the server's, and servers with different ones.

use std::net::SocketAddr;

use showtime::twitch::signature::WebhookSecret;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

use crate::reconcile::{CREATE, SCOPES, configure, held, own_callback, until_next_cycle, until_shown};
use crate::support::postgres::fresh_database;
use crate::support::server::{Server, secret};
use crate::support::twitch::{CHANNEL, Twitch};
use crate::support::{Unused, until};

const OTHER: &str = "another secret of the tests";

/// A server that Twitch delivers to at this address, with this secret.
async fn serve(twitch: &Twitch, database: PgConnectOptions, addr: SocketAddr, secret: WebhookSecret) -> Server {
    Server::with(database, |config| {
        configure(config, twitch, &own_callback(addr));
        config.listen_port = addr.port();
        config.twitch.webhook_secret = Some(secret);
    })
    .await
}

/// A server with 10 enabled subscriptions.
async fn serve_and_subscribe(twitch: &Twitch, database: PgConnectOptions) -> Server {
    twitch.consent(&SCOPES).await;
    let place = Unused::new();
    let addr = place.addr();
    drop(place);
    let server = serve(twitch, database, addr, secret()).await;
    until_shown(&server, 10, "enabled").await;
    server
}

/// Ends the leases of servers with other secrets, and makes the one with this secret as old as it must be.
pub(crate) async fn let_leases_end(pool: &PgPool, secret: &WebhookSecret) {
    let statement = "update server set
            beat_at = beat_at - case when secret_fingerprint = $1 then interval '0' else interval '1 minute' end,
            since = since - interval '1 hour'";
    until_it_lives(pool, secret).await;
    sqlx::query(statement).bind(secret.fingerprint().as_str().to_owned()).execute(pool).await.unwrap();
}

/// Lets the server with this secret be too new to create anything again, until [`let_leases_end`].
pub(crate) async fn keep_from_creating_again(pool: &PgPool, secret: &WebhookSecret) {
    until_it_lives(pool, secret).await;
    sqlx::query("update server set since = since + interval '30 minutes'").execute(pool).await.unwrap();
}

async fn until_it_lives(pool: &PgPool, secret: &WebhookSecret) {
    until("the server has a heartbeat", async || {
        let is_there = "select exists (select from living_server where secret_fingerprint = $1)";
        let is_there = sqlx::query_scalar(is_there).bind(secret.fingerprint().as_str().to_owned());
        is_there.fetch_one(pool).await.unwrap()
    })
    .await;
}

/// Replaces the secret, and lets everything be created again.
async fn replace_secret(is_database_lost: bool) {
    let twitch = Twitch::start().await;
    let database = fresh_database().await;
    let server = serve_and_subscribe(&twitch, database.clone()).await;
    let addr = server.addr;
    server.stop().await;

    let database = if is_database_lost { fresh_database().await } else { database };
    let other = WebhookSecret::new(OTHER).unwrap();
    let server = serve(&twitch, database, addr, other.clone()).await;
    until("it shows", async || {
        let (verdict, message) = server.check("subscriptions").await;
        verdict == "warn" && message.contains("webhook secret")
    })
    .await;
    let_leases_end(&server.pool, &other).await;
    until("all are created again", async || {
        server.clock.advance(time::Duration::SECOND);
        let held = held(&twitch, &own_callback(addr)).len();
        assert!(held >= 9, "one at a time: {held}");
        server.check("subscriptions").await.0 == "pass"
    })
    .await;
    assert_eq!(twitch.mock.world.calls(CREATE), 20, "each once");
    let before = server.count_events().await;
    twitch.mock.world.follow(CHANNEL, "copperkite").unwrap();
    until("the message arrives", async || server.count_events().await > before).await;
    for _ in 0..2 {
        until_next_cycle(&server, &twitch).await;
    }
    assert_eq!(twitch.mock.world.calls(CREATE), 20);
    server.stop().await;
}

#[tokio::test]
async fn subscriptions_are_created_again_after_the_secret_was_edited() {
    replace_secret(false).await;
}

#[tokio::test]
async fn subscriptions_are_created_again_after_the_data_directory_was_lost() {
    replace_secret(true).await;
}

#[tokio::test]
async fn servers_with_different_secrets_warn_and_create_nothing_again() {
    let twitch = Twitch::start().await;
    let database = fresh_database().await;
    let one = serve_and_subscribe(&twitch, database.clone()).await;
    let other_secret = WebhookSecret::new(OTHER).unwrap();
    let other = Server::with(database.clone(), |config| {
        configure(config, &twitch, &own_callback(one.addr));
        config.twitch.webhook_secret = Some(other_secret.clone());
    })
    .await;
    let bystander = Server::with(database, |config| {
        config.twitch.webhook_secret = Some(WebhookSecret::new("a third secret of the tests").unwrap());
    })
    .await;
    for server in [&one, &other, &bystander] {
        until("it warns", async || {
            let (verdict, message) = server.check("subscriptions").await;
            verdict == "warn" && message.contains("have 3 different webhook secrets")
        })
        .await;
    }
    one.sql("update server set since = since - interval '1 hour'").await;
    for server in [&one, &other, &one, &other] {
        until_next_cycle(server, &twitch).await;
    }
    assert_eq!(twitch.mock.world.calls(CREATE), 10, "nothing is created again");

    bystander.stop().await;
    other.stop().await;
    let_leases_end(&one.pool, &secret()).await;
    until("all is well", async || one.check("subscriptions").await.0 == "pass").await;
    until_next_cycle(&one, &twitch).await;
    assert_eq!(twitch.mock.world.calls(CREATE), 10);
    one.stop().await;
}

#[tokio::test]
async fn lease_of_a_dead_server_ends_by_the_clock_of_the_database() {
    let server = Server::start().await;
    let warns = async || server.check("subscriptions").await.1.contains("different webhook secrets");
    server.sql("insert into server values (1, 'x', false, now(), now())").await;
    until("it warns", warns).await;
    server.clock.advance(time::Duration::HOUR);
    assert!(warns().await, "whatever the server's clock says");
    server.sql("update server set beat_at = beat_at - interval '10 seconds' where id = 1").await;
    until("the lease ends", async || !warns().await).await;
    server.stop().await;
}
