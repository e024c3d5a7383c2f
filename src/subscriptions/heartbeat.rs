//! Tells the other servers on this database that this one runs, and with which webhook secret. Servers that verify with
//! different secrets refuse each other's messages, so nothing is created again on account of a secret while they run.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::check;
use crate::clock::Clock;
use crate::services::{Services, Tasks};
use crate::store::outages;
use crate::store::servers::{self, ServerRow};
use crate::store::{self, answered};
use crate::twitch::signature::WebhookSecret;

/// Time between two heartbeats. `init` takes five seconds of silence for the absence of a server: one heartbeat may fail
/// or be a second late. A heartbeat is one small statement that is not even logged.
const BEAT_PAUSE: Duration = Duration::from_secs(2);

/// Starts the heartbeats, with or without a configured application, and returns what they say.
pub(super) fn spawn(services: &Services, secret: &WebhookSecret, tasks: &mut Tasks) -> ServerRow {
    let twitch = &services.config.twitch;
    let server = ServerRow {
        id: rand::random(),
        secret_fingerprint: secret.fingerprint(),
        creates_subscriptions: twitch.client.is_some() && check::can_be_reached(twitch),
    };
    tasks.spawn("heartbeat", run(services.database.clone(), services.clock.clone(), server.clone()));
    server
}

/// Writes heartbeats, over a connection of its own: they must not wait for the API's.
async fn run(database: PgConnectOptions, clock: Clock, server: ServerRow) -> Infallible {
    let (mut is_first, mut have_differed) = (true, false);
    loop {
        if let Err(error) = beat_until_failure(&database, &clock, &server, &mut is_first, &mut have_differed).await {
            tracing::debug!(%error, "no heartbeat could be written");
        }
        clock.sleep(BEAT_PAUSE).await;
    }
}

async fn beat_until_failure(
    database: &PgConnectOptions,
    clock: &Clock,
    server: &ServerRow,
    is_first: &mut bool,
    have_differed: &mut bool,
) -> sqlx::Result<()> {
    let mut db = store::connect(database, "showtime heartbeat").await?;
    if *is_first {
        answered(outages::record_absence(&mut db)).await?;
        *is_first = false;
    }
    loop {
        answered(servers::beat(&mut db, server)).await?;
        let differ = answered(servers::count_secrets(&mut db)).await? > 1;
        if differ && !*have_differed {
            tracing::warn!(
                "servers on this database have different webhook secrets: each refuses what is signed for another"
            );
        }
        *have_differed = differ;
        clock.sleep(BEAT_PAUSE).await;
    }
}
