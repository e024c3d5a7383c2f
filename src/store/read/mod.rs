//! The reading side: what the API asks. Lookups answer `None` for what isn't there; pages take how
//! many rows to return at most and the key of the row to start after.

pub mod broadcasts;
pub mod channels;
pub mod events;
pub mod health;
pub mod live;
pub mod metrics;
pub mod segments;
pub mod viewers;

/// Whether an error says that the database can't be reached or can't answer now, so that trying
/// again later makes sense.
#[must_use]
pub fn is_outage(error: &sqlx::Error) -> bool {
    use sqlx::Error as E;
    match error {
        E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed | E::BeginFailed => {
            true
        }
        E::Database(error) => error.code().is_some_and(|code| is_outage_state(&code)),
        _ => false,
    }
}

/// Connection exceptions, insufficient resources, operator intervention (shutdown, timeout, not
/// accepting connections yet) and failures of the system beneath Postgres.
fn is_outage_state(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "53" | "57" | "58"))
}
