//! Sinks: every event leaves for a RabbitMQ, in order, whatever is killed or stopped.

mod clients;
mod commands;
mod delivery;
mod isolation;
mod outages;
mod rabbit;
mod refusals;
mod stage;
mod tls;

use secrecy::SecretString;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPool};

use crate::support::server::Server;
use crate::support::until;

/// A server whose sink `amqp` publishes there.
async fn server(database: PgConnectOptions, url: &str) -> Server {
    let server = Server::with(database, |config| config.amqp_url = Some(SecretString::from(url))).await;
    until("the sink is there", async || server.get("/sinks/amqp").await.status == 200).await;
    server
}

/// Waits until the sink has this state, and returns it.
async fn until_state(server: &Server, name: &str, state: &str) -> Value {
    let mut sink = Value::Null;
    until(state, async || {
        sink = server.json(&format!("/sinks/{name}")).await;
        sink["state"] == state
    })
    .await;
    sink
}

/// Waits until the sink's problem contains this text, and checks that `/status` says so as well.
async fn until_problem(server: &Server, name: &str, text: &str) {
    let mut sink = Value::Null;
    until(text, async || {
        sink = server.json(&format!("/sinks/{name}")).await;
        sink["problem"].as_str().is_some_and(|problem| problem.contains(text))
    })
    .await;
    let status = server.json("/status").await;
    let check = status["checks"].as_array().unwrap().iter().find(|check| check["name"] == "sinks").unwrap();
    assert_eq!(check["status"], "warn", "{check}");
    assert!(check["message"].as_str().unwrap().contains(text), "{check}");
    assert!(!format!("{sink}{status}").contains("guest:guest"), "the password is shown");
}

/// Appends events to the log, as a server does it.
async fn append(pool: &PgPool, count: i32) {
    let statement = "with appended as (
            insert into event (message_id, message_type, type, channel_id, occurred_at, received_at, payload)
            select gen_random_uuid()::text, 'notification', 'channel.cheer', '90210441', now(), clock_timestamp(), '{}'
            from generate_series(1, $1) returning id
        ) select pg_notify('showtime_event', max(id)::text) from appended";
    sqlx::query(statement).bind(count).execute(pool).await.unwrap();
}
