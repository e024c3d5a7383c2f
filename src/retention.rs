//! Deletes events that are older than the setting `SHOWTIME_RETENTION` keeps them. On several servers each does so; they take
//! turns by batches, and the later ones find nothing.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::config::Retention;
use crate::services::{Services, Tasks};
use crate::status::Check;
use crate::store::answered;
use crate::store::prune::{BATCH_TIMEOUT, Pruned, Rule, prune};

/// Pause between two rounds.
const PERIOD: Duration = Duration::from_secs(3_600);

/// Pause after a round that failed.
const RETRY: Duration = Duration::from_secs(60);

/// Starts the task and registers its check, unless everything is kept.
pub fn spawn(services: &Services, tasks: &mut Tasks) {
    let retention = services.config.retention.clone();
    if retention.is_empty() {
        return;
    }
    let problem = Arc::new(Mutex::new(None));
    let shown = problem.clone();
    services.checks.add(move || match &*shown.lock().unwrap_or_else(PoisonError::into_inner) {
        None => Check::pass("retention", "events are deleted when they are old enough"),
        Some(problem) => Check::warn("retention", String::clone(problem)),
    });
    let limit = BATCH_TIMEOUT.as_millis().to_string();
    let options = [("application_name", "showtime retention"), ("statement_timeout", &limit)];
    let database = services.database.clone().options(options);
    tasks.spawn("retention", run(database, services.clock.clone(), retention, problem));
}

async fn run(
    database: PgConnectOptions,
    clock: Clock,
    retention: Retention,
    problem: Arc<Mutex<Option<String>>>,
) -> Infallible {
    loop {
        let (found, pause) = match round(&database, &retention, clock.now()).await {
            Ok(Pruned { events, held_back_by }) => {
                if events > 0 {
                    tracing::info!(events, "old events were deleted");
                }
                let held_back = |follower| {
                    format!("the follower {follower} has not handled events that are old enough to be deleted")
                };
                (held_back_by.map(held_back), PERIOD)
            }
            Err(error) => (Some(format!("old events could not be deleted: {error}")), RETRY),
        };
        if let Some(error) = &found {
            tracing::warn!(error, "not all old events were deleted");
        }
        *problem.lock().unwrap_or_else(PoisonError::into_inner) = found;
        clock.sleep(pause).await;
    }
}

/// Prunes by every rule, on a connection that is closed afterwards.
async fn round(database: &PgConnectOptions, retention: &Retention, now: OffsetDateTime) -> sqlx::Result<Pruned> {
    let mut connection = answered(database.connect()).await?;
    let mut sum = Pruned::default();
    for rule in rules(retention, now) {
        let pruned = prune(&mut connection, &rule).await?;
        sum.events += pruned.events;
        sum.held_back_by = sum.held_back_by.or(pruned.held_back_by);
    }
    let _ = answered(connection.close()).await;
    Ok(sum)
}

fn rules(retention: &Retention, now: OffsetDateTime) -> Vec<Rule> {
    let before = |days: u32| now - time::Duration::days(days.into());
    let of_type =
        |(kind, days): &(String, u32)| Rule { kind: Some(kind.clone()), except: Vec::new(), before: before(*days) };
    let others = retention.others.map(|days| {
        let except = retention.types.iter().map(|(kind, _)| kind.clone()).collect();
        Rule { kind: None, except, before: before(days) }
    });
    retention.types.iter().map(of_type).chain(others).collect()
}
