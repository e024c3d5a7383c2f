//! Keeps Twitch's subscriptions as they are wanted: what is missing is created, what died is
//! deleted and created again, and what only a person can help is said in words.
//!
//! A cycle compares everything that Twitch holds with what is wanted. One server at a time does
//! it, under a lock of the database; how far each subscription has got is kept there, so that any
//! server can go on. Only what is at our callback and wanted is ever deleted, and only when dead.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use tokio::sync::watch;
use url::Url;

use super::attempt::{self, BACKOFF, Known};
use super::check;
use super::desired;
use super::plan::{self as subscribe, PENDING, Wanted};
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::services::{Services, Tasks};
use crate::store::desired_subscriptions as store;
use crate::store::locks::Lock;
use crate::store::served_channels::{self, ServedChannel};
use crate::store::signals::Signals;
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::helix::{Helix, HelixError, NewSubscription, RefusalKind, Subscription};
use crate::twitch::signature::WebhookSecret;

/// The longest time between two looks at what Twitch holds.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// Between two looks. A revocation that can't be delivered is only found by looking, and even then
/// what it ended must be healed within a minute.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Subscriptions for which [`LOOK_EVERY`] holds; with more, looks become rarer. A page of 100 costs
/// a point, so that a server spends at most 100 of the application's 800 points a minute on looking.
const LOOKED_AT_OFTEN: usize = 5_000;

/// The shortest and the longest time between two looks while Twitch verifies the callback.
const PENDING_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// When another server is at it.
const SKIPPED_PAUSE: Duration = Duration::from_secs(15);

/// How many subscriptions are created at the same time.
const CONCURRENCY: usize = 8;

/// Compares and repairs for as long as the server runs.
#[derive(Debug)]
pub struct Reconciler {
    /// For the lock, and what is kept under it.
    pub database: PgConnectOptions,
    /// Wakes it at each revocation, and when the database is back.
    pub signals: Signals,
    /// Whom it asks.
    pub helix: Helix,
    /// What time it is.
    pub clock: Clock,
    /// The application's.
    pub client_id: String,
    /// The login of a channel to serve beside those that the database knows.
    pub channel_name: Option<String>,
    /// What each channel should have.
    pub types: Vec<&'static SubscriptionType>,
    /// Where Twitch is to deliver to; without it nothing is subscribed to.
    pub callback: Option<Url>,
    /// What Twitch is to sign with.
    pub secret: WebhookSecret,
    /// Why the last cycle came to nothing, for `/status`.
    pub last_error: watch::Sender<Option<String>>,
}

/// Starts the reconciler, if an application is configured, and registers the check `twitch`.
pub fn spawn(services: &Services, application: Option<&Application>, secret: &WebhookSecret, tasks: &mut Tasks) {
    let (last_error, read_error) = watch::channel(None);
    let config = services.config.clone();
    services.checks.add(move || check::twitch(&config.twitch, read_error.borrow().as_deref()));
    let Some(application) = application else { return };
    let twitch = &services.config.twitch;
    let reconciler = Reconciler {
        database: services.database.clone(),
        signals: services.signals.clone(),
        helix: application.helix.clone(),
        clock: services.clock.clone(),
        client_id: application.oauth.client_id().to_owned(),
        channel_name: twitch.channel_name.clone(),
        types: desired::types(&twitch.extra_types),
        callback: twitch.callback_url.clone(),
        secret: secret.clone(),
        last_error,
    };
    tasks.spawn("reconciler", reconciler.run());
}

/// Why a cycle came to nothing.
#[derive(Debug, thiserror::Error)]
enum CycleError {
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Helix(#[from] HelixError),
}

impl CycleError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Database(_) => true,
            Self::Helix(error) => error.is_transient(),
        }
    }
}

impl Reconciler {
    /// Never ends by itself.
    pub async fn run(self) -> Infallible {
        let mut woken = self.signals.reconcile();
        let (mut failures, mut is_first) = (0, true);
        loop {
            let pause = match self.cycle(is_first).await {
                Ok(pause) => {
                    (failures, is_first) = (0, false);
                    pause
                }
                Err(error) => {
                    tracing::warn!(%error, "the subscriptions could not be compared with what is wanted");
                    failures += 1;
                    let pause = if error.is_transient() { BACKOFF.pause(failures) } else { MAX_PAUSE };
                    self.last_error.send_replace(Some(error.to_string()));
                    pause
                }
            };
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = woken.notified() => {}
            }
        }
    }

    /// Does what there is to do, and says how long there will be nothing.
    async fn cycle(&self, is_first: bool) -> Result<Duration, CycleError> {
        let mut db = store::connect(&self.database).await?;
        let pause = if Lock::Reconciler.try_hold(&mut db).await? {
            self.cycle_alone(&mut db, is_first).await?
        } else {
            SKIPPED_PAUSE
        };
        db.close().await?;
        Ok(pause)
    }

    async fn cycle_alone(&self, db: &mut PgConnection, is_first: bool) -> Result<Duration, CycleError> {
        let trouble = self.serve_channel(db).await?;
        let Some(callback) = &self.callback else {
            self.last_error.send_replace(trouble);
            return Ok(MAX_PAUSE);
        };
        let now = self.clock.now();
        let (kinds, versions): (Vec<_>, Vec<_>) =
            self.types.iter().map(|kind| (kind.name.as_str(), kind.version.as_str())).unzip();
        let mut rows = store::want(db, &kinds, &versions, now).await?;
        let channels = served_channels::all(db).await?;
        let wanted = Wanted::all(&self.types, channels.iter().map(|channel| channel.id.as_str()), &self.client_id);
        let held = self.helix.subscriptions().await?.subscriptions;
        let mut known = attempt::known(&held, &wanted, callback);
        let consents: HashMap<_, _> = store::consents(db).await?.into_iter().collect();
        let mut due = Vec::new();
        for row in &mut rows {
            let key = (row.channel_id.clone(), row.kind.clone(), row.version.clone());
            let Some(known) = known.remove(&key) else { continue };
            if attempt::note(row, &known, now) {
                store::update(db, row).await?;
            }
            let is_alive = known.alive.is_some();
            if !is_alive && attempt::is_due(row, consents.get(&row.channel_id), is_first, now) {
                due.push((row, known));
            }
        }
        self.heal_all(db, callback, due).await?;
        self.last_error.send_replace(trouble);
        Ok(self.pause(&rows, held.len()))
    }

    /// Adds the configured channel to those served, and says what is wrong with it.
    async fn serve_channel(&self, db: &mut PgConnection) -> Result<Option<String>, CycleError> {
        let Some(login) = &self.channel_name else { return Ok(None) };
        let login = login.to_lowercase();
        if served_channels::all(db).await?.iter().any(|channel| channel.login == login) {
            return Ok(None);
        }
        let Some(user) = self.helix.users_by_login(&[&login]).await?.into_iter().next() else {
            return Ok(Some(format!("Twitch knows no user {login}: check TWITCH_CHANNEL_NAME")));
        };
        let channel = ServedChannel { id: user.id, login: user.login, display_name: user.display_name };
        served_channels::put(db, &channel, self.clock.now()).await?;
        tracing::info!(channel.login = channel.login, "serving a new channel");
        Ok(None)
    }

    /// Some at a time. When all of these fail for the same passing reason, so would the rest.
    async fn heal_all(
        &self,
        db: &mut PgConnection,
        callback: &Url,
        mut due: Vec<(&mut store::Wanted, Known<'_>)>,
    ) -> Result<(), CycleError> {
        for some in due.chunks_mut(CONCURRENCY) {
            let outcomes = join_all(some.iter().map(|(_, known)| self.heal(callback, known))).await;
            let mut failure = None;
            let (mut failed, count) = (0, some.len());
            for ((row, known), outcome) in some.iter_mut().zip(outcomes) {
                let kind = &known.wanted.kind.name;
                match &outcome {
                    Ok(created) => tracing::info!(subscription.r#type = kind, id = created.id, "subscribed"),
                    Err(error) => tracing::warn!(subscription.r#type = kind, %error, "could not subscribe"),
                }
                attempt::settle(row, &outcome, self.clock.now());
                store::update(db, row).await?;
                if let Err(error) = outcome
                    && (error.is_transient() || is_about_the_application(&error))
                {
                    failed += 1;
                    failure = Some(error);
                }
            }
            if let Some(error) = failure.filter(|_| failed == count) {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Deletes the remains, and creates anew.
    async fn heal(&self, callback: &Url, known: &Known<'_>) -> Result<Subscription, HelixError> {
        for dead in &known.dead {
            match self.helix.delete_subscription(&dead.id).await {
                Err(error) if error.refusal() != Some(RefusalKind::NotFound) => return Err(error),
                _ => {}
            }
        }
        let Wanted { kind, condition, .. } = known.wanted;
        let (kind, version) = (kind.name.as_str(), kind.version.as_str());
        let new = NewSubscription { kind, version, condition, callback, secret: &self.secret };
        self.helix.create_subscription(&new).await
    }

    /// Until something is due, or until it makes sense to look again.
    fn pause(&self, rows: &[store::Wanted], held: usize) -> Duration {
        let now = self.clock.now();
        let idle = pause_between_looks(held);
        let until = |at: OffsetDateTime| Duration::try_from(at - now).unwrap_or_default();
        let of_row = |row: &store::Wanted| match row.status.as_str() {
            subscribe::ENABLED => idle,
            PENDING => {
                let age = Duration::try_from(now - row.since).unwrap_or_default();
                age.clamp(PENDING_PAUSE.0, PENDING_PAUSE.1)
            }
            _ => row.next_attempt_at.map_or(BACKOFF.max, until).max(PENDING_PAUSE.0),
        };
        rows.iter().map(of_row).fold(idle, Ord::min)
    }
}

/// Of this many subscriptions.
fn pause_between_looks(held: usize) -> Duration {
    let times = u32::try_from(held.div_ceil(LOOKED_AT_OFTEN)).unwrap_or(u32::MAX);
    LOOK_EVERY.saturating_mul(times.max(1)).min(MAX_PAUSE)
}

/// Client id or secret are wrong, so every call fails alike.
fn is_about_the_application(error: &HelixError) -> bool {
    matches!(error, HelixError::Token(_)) || error.refusal() == Some(RefusalKind::TokenRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_frequent_until_they_would_cost_too_many_points() {
        for (held, seconds) in [(0, 30), (350, 30), (5_000, 30), (5_001, 60), (1_000_000, 600)] {
            assert_eq!(pause_between_looks(held), Duration::from_secs(seconds), "{held}");
        }
    }
}
