//! Sinks: every event leaves for a RabbitMQ, in order, whatever is killed or stopped.

mod clients;
mod commands;
mod delivery;
mod isolation;
mod ledger;
mod outages;
mod rabbit;
mod refusals;
mod stage;
mod tls;

use secrecy::SecretString;
use sqlx::postgres::{PgConnectOptions, PgPool};

use crate::support::server::Server;
use crate::support::sinks::{until_problem, until_state};
use crate::support::until;

/// A server whose sink `amqp` publishes there.
async fn server(database: PgConnectOptions, url: &str) -> Server {
    let server = Server::with(database, |config| config.amqp_url = Some(SecretString::from(url))).await;
    until("the sink is there", async || server.get("/sinks/amqp").await.status == 200).await;
    server
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
