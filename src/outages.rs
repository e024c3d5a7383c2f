//! Stores the outages of this server when they are over, so that another server, or a later run, can show them, too. One that
//! lasts when the server is killed is not stored.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::PgPool;

use crate::clock::Clock;
use crate::incidents::outages::{Outage, Outages};
use crate::services::{Services, Tasks};
use crate::store::answered;
use crate::store::outages::{self as store, OutageRow};

/// Pause after a failure: the database is just back, or away again.
const PAUSE: Duration = Duration::from_secs(2);

/// Starts the task.
pub fn spawn(services: &Services, tasks: &mut Tasks) {
    let outages = services.incidents.outages.clone();
    tasks.spawn("storing of outages", run(outages, services.pool.clone(), services.clock.clone()));
}

async fn run(outages: Outages, pool: PgPool, clock: Clock) -> Infallible {
    loop {
        let outage = outages.to_store().await;
        match answered(record(&pool, &outage)).await {
            Ok(()) => outages.record_stored(&outage),
            Err(error) => {
                tracing::debug!(%error, "an outage can't be stored; trying again");
                clock.sleep(PAUSE).await;
            }
        }
    }
}

async fn record(pool: &PgPool, outage: &Outage) -> sqlx::Result<()> {
    let part: &str = outage.part.into();
    let row = OutageRow {
        part: part.to_owned(),
        began_at: outage.began_at,
        ended_at: outage.ended_at.unwrap_or(outage.began_at),
        cause: outage.cause.clone(),
    };
    store::record(&mut *pool.acquire().await?, &row).await
}
