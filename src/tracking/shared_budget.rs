//! The budget of requests to Discord that all servers share, for requests that are made one at a time.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};

use super::budget::Budget;
use super::error::TrackingError;
use crate::clock::Clock;
use crate::discord::error::DiscordError;
use crate::services::Services;
use crate::store::answered;
use crate::store::tracking::egress;

/// How often a request tries to get its part of the budget, and the pause between two tries.
pub(super) const MAX_TRIES: u32 = 50;
pub(super) const TRY_PAUSE: Duration = Duration::from_millis(100);

/// The budget in the database.
#[derive(Clone, Debug)]
pub struct SharedBudget {
    pool: PgPool,
    clock: Clock,
    /// Requests per second; 0 for any number.
    rate: u32,
}

/// What came of taking a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    One,
    /// The rate allows none at the moment.
    NoneYet,
    /// Discord wants none for a while.
    NoneWhileStopped,
}

impl SharedBudget {
    /// The budget in the database, which this pool connects to.
    #[must_use]
    pub fn new(services: &Services, pool: PgPool) -> Self {
        Self { pool, clock: services.clock.clone(), rate: services.config.tracking.discord_rate }
    }

    /// Takes one request, for which it waits up to five seconds.
    ///
    /// # Errors
    /// [`TrackingError::Busy`] if no request may be made in that time, or the database's.
    pub async fn take(&self) -> Result<(), TrackingError> {
        for _ in 0..MAX_TRIES {
            let taken = answered(async {
                let mut transaction = self.pool.begin().await?;
                let taken = self.try_take(&mut transaction).await?;
                transaction.commit().await?;
                Ok(taken)
            });
            match taken.await? {
                Taken::One => return Ok(()),
                Taken::NoneWhileStopped => break,
                Taken::NoneYet => self.clock.sleep(TRY_PAUSE).await,
            }
        }
        Err(TrackingError::Busy)
    }

    /// Takes one request in this transaction, if one may be made now.
    pub(super) async fn try_take(&self, db: &mut PgConnection) -> sqlx::Result<Taken> {
        let mut egress = egress::lock(&mut *db).await?;
        let mut budget = Budget::new(&mut egress, self.rate, self.clock.now());
        if budget.stopped_until().is_some() {
            return Ok(Taken::NoneWhileStopped);
        }
        if budget.available(1) == 0 {
            return Ok(Taken::NoneYet);
        }
        budget.take(1);
        egress::save(db, &egress).await?;
        Ok(Taken::One)
    }

    /// Records what an answer says of the address that calls, if it says something.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn record(&self, error: &DiscordError) -> sqlx::Result<()> {
        if !error.is_of_address() {
            return Ok(());
        }
        answered(async {
            let mut transaction = self.pool.begin().await?;
            let mut egress = egress::lock(&mut transaction).await?;
            Budget::new(&mut egress, self.rate, self.clock.now()).record(error);
            egress::save(&mut transaction, &egress).await?;
            transaction.commit().await
        })
        .await
    }
}
