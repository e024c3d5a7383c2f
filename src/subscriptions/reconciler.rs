//! The only creator of subscriptions: makes those that Twitch holds equal the desired ones. What is missing is created,
//! what ended is deleted and created again, and what needs a person is shown in `/status` and by `init`.
//!
//! A cycle compares everything that Twitch holds over webhooks with what is desired; `sessions` does so for
//! each WebSocket session. One server at a time does it, under a lock of the database; how far each subscription has got is
//! kept there, so that any server can go on. Only remains of desired subscriptions are ever deleted, those to chats that are not
//! to be read now, and what a switch of transports has left over, and only those that deliver to us.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use tokio::sync::watch;
use url::Url;

use super::check;
use super::create::{CONCURRENCY, Log, create, delete};
use super::desired::{self, DesiredSubscription};
use super::error::{CycleError, is_about_the_token};
use super::heartbeat;
use super::plan::{Place, plan};
use super::progress::{self, BACKOFF, Match, OwnSecret};
use super::sessions;
use super::switch;
use super::watched::Watcher;
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::incidents::Incidents;
use crate::incidents::outages::Part;
use crate::services::{Services, Tasks};
use crate::store::desired_subscriptions::{self as rows, DesiredRow, DesiredStatus};
use crate::store::locks::Lock;
use crate::store::reconciler as store;
use crate::store::served_channels::{self, ServedChannel};
use crate::store::servers::{self, ServerRow};
use crate::store::signals::{Channel, Signals};
use crate::store::switches;
use crate::store::tracking::watched;
use crate::store::{answered, connect};
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::helix::{HeldSubscription, Helix, Transport};
use crate::twitch::id::ChannelId;
use crate::twitch::signature::WebhookSecret;
use crate::twitch::subscription_status::SubscriptionStatus;
use crate::twitch::transport::TransportKind;

/// The longest time between two cycles.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// Time between two cycles while nothing is due. A revocation that can't be delivered is only found by a cycle, and even
/// then what it ended must be healed within a minute.
const IDLE_PAUSE: Duration = Duration::from_secs(30);

/// Subscriptions for which [`IDLE_PAUSE`] holds; with more, cycles become rarer. A page of 100 costs a point, so that a
/// server spends at most 100 of the application's 800 points a minute on listing them.
const LISTED_OFTEN: usize = 5_000;

/// The shortest and the longest time between two cycles while Twitch verifies the callback.
const PENDING_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Time until the next cycle if another server holds the lock.
const SKIPPED_PAUSE: Duration = Duration::from_secs(15);

/// Compares and repairs for as long as the server runs.
#[derive(Debug)]
struct Reconciler {
    /// For connections of its own: the lock belongs to one.
    database: PgConnectOptions,
    /// Wakes it at each revocation, when `init` asks, and when the database is back.
    signals: Signals,
    /// Calls with the application's token.
    helix: Helix,
    clock: Clock,
    /// Where items of Twitch's answers that can't be read are recorded.
    incidents: Incidents,
    /// The application's.
    client_id: String,
    /// The login of a channel to serve beside those in the database.
    channel_name: Option<String>,
    /// The types that each channel should have.
    types: Vec<&'static SubscriptionType>,
    /// This server, as the others on the database know it.
    server: ServerRow,
    /// The callback that Twitch is to deliver to; without it nothing is subscribed to over webhooks.
    callback: Option<Url>,
    /// The key of the callback.
    secret: WebhookSecret,
    /// The transport of channels that have none of their own.
    default: TransportKind,
    /// Why the last cycle failed, for `/status`.
    last_error: watch::Sender<Option<String>>,
}

/// Starts the heartbeats and, if an application is configured, the reconcilers of webhooks and of sessions; registers the
/// check `twitch`.
pub fn spawn(services: &Services, application: Option<&Application>, secret: &WebhookSecret, tasks: &mut Tasks) {
    let (last_error, read_error) = watch::channel(None);
    let config = services.config.clone();
    services.checks.add(move || check::twitch(&config.twitch, read_error.borrow().as_deref()));
    let server = heartbeat::spawn(services, secret, tasks);
    let Some(application) = application else { return };
    let twitch = &services.config.twitch;
    tasks.spawn("reconciler of sessions", sessions::run(services, application));
    tasks.spawn("switches of transports", switch::run(services, application));
    let reconciler = Reconciler {
        database: services.database.clone(),
        signals: services.signals.clone(),
        helix: application.helix.clone(),
        clock: services.clock.clone(),
        incidents: services.incidents.clone(),
        client_id: application.oauth.client_id().to_owned(),
        channel_name: twitch.channel_name.clone(),
        types: desired::types(&twitch.extra_types),
        server,
        callback: twitch.callback_url.clone(),
        secret: secret.clone(),
        default: twitch.transport(),
        last_error,
    };
    tasks.spawn("reconciler", reconciler.run());
}

/// How a cycle ended that did not fail.
#[derive(Debug)]
enum Cycle {
    /// This server compared; the next cycle is due after this time.
    Compared(Duration),
    /// Another server holds the lock. How long ago the last complete comparison began, by the database's clock.
    Skipped { age: Option<Duration> },
}

impl Reconciler {
    /// Never ends by itself.
    async fn run(self) -> Infallible {
        let mut woken = self.signals.reconcile();
        let (mut failures, mut failed_at, mut is_first) = (0, None, true);
        loop {
            let outcome = self.cycle(is_first).await;
            let now = self.clock.instant();
            let pause = match outcome {
                Ok(Cycle::Compared(pause)) => {
                    (failures, failed_at, is_first) = (0, None, false);
                    self.incidents.outages.observe(Part::Subscriptions, None);
                    pause
                }
                Ok(Cycle::Skipped { age }) => {
                    is_first = false;
                    if failed_at.zip(age).is_some_and(|(failed_at, age)| is_newer(age, failed_at, now)) {
                        (failures, failed_at) = (0, None);
                        self.incidents.outages.observe(Part::Subscriptions, None);
                        self.last_error.send_replace(None);
                    }
                    SKIPPED_PAUSE
                }
                Err(error) => {
                    tracing::warn!(%error, "the subscriptions could not be compared with the desired ones");
                    (failures, failed_at) = (failures + 1, Some(now));
                    let pause = if error.is_transient() { BACKOFF.pause(failures) } else { MAX_PAUSE };
                    self.incidents.outages.observe(Part::Subscriptions, Some(error.to_string()));
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

    /// Compares and repairs once, unless another server holds the lock.
    async fn cycle(&self, is_first: bool) -> Result<Cycle, CycleError> {
        let mut db = connect(&self.database, "showtime reconciler").await?;
        let cycle = if answered(Lock::Reconciler.try_hold(&mut db)).await? {
            Cycle::Compared(self.cycle_alone(&mut db, is_first).await?)
        } else {
            let now = answered(store::now(&mut db)).await?;
            let compared_at = answered(store::compared_at(&mut db)).await?;
            Cycle::Skipped { age: compared_at.map(|at| Duration::try_from(now - at).unwrap_or_default()) }
        };
        answered(db.close()).await?;
        Ok(cycle)
    }

    async fn cycle_alone(&self, db: &mut PgConnection, is_first: bool) -> Result<Duration, CycleError> {
        let channel_error = self.serve_channel(db).await?;
        let began_at = answered(store::now(db)).await?;
        let channels = match self.callback {
            Some(_) => answered(served_channels::over(db, TransportKind::Webhook, self.default)).await?,
            None => Vec::new(),
        };
        let now = self.clock.now();
        let over_webhooks = channels.iter().map(|channel| (&channel.id, TransportKind::Webhook));
        let desired = answered(desired::of_channels(db, &self.types, over_webhooks, &self.client_id, now)).await?;
        answered(desired::write(db, TransportKind::Webhook, &desired, now)).await?;
        let pause = match &self.callback {
            Some(callback) => self.compare(db, callback, (&channels, &desired), is_first).await?,
            None => {
                answered(watched::set_none_enabled(db)).await?;
                MAX_PAUSE
            }
        };
        answered(store::complete(db, began_at)).await?;
        self.last_error.send_replace(channel_error);
        Ok(pause)
    }

    /// Compares and repairs what is to deliver to the callback.
    async fn compare(
        &self,
        db: &mut PgConnection,
        callback: &Url,
        (channels, desired): (&[ServedChannel], &[DesiredSubscription]),
        is_first: bool,
    ) -> Result<Duration, CycleError> {
        let now = self.clock.now();
        let mut rows = answered(rows::list(db, None, None)).await?;
        rows.retain(|row| row.transport == TransportKind::Webhook);
        let requests: HashMap<_, _> = channels.iter().map(|it| (&it.id, it.requested_at)).collect();
        let listed = self.helix.subscriptions().await?;
        self.incidents.record_items("Get EventSub Subscriptions", listed.unreadable);
        let held = &listed.subscriptions;
        let place = Place::Webhook(callback.clone());
        let plan = plan(held, desired, &place);
        let mut matches = progress::match_held(&plan, desired);
        let (mut due, mut again, mut own_secret) = (Vec::new(), Vec::new(), OwnSecret::default());
        for row in &mut rows {
            let key = (row.channel_id.clone(), row.kind.clone(), row.version.clone());
            let (Some(found), Some(&requested_at)) = (matches.remove(&key), requests.get(&row.channel_id)) else {
                continue;
            };
            if progress::observe(row, &found, now) {
                answered(rows::update(db, row)).await?;
            }
            if own_secret.observe(row, &self.server.secret_fingerprint) {
                again.push((row, found));
            } else if found.alive.is_none() && progress::is_due(row, requested_at, is_first, now) {
                due.push((row, found));
            }
        }
        let transport = &Transport::Webhook { callback: callback.clone(), secret: self.secret.clone() };
        self.create_all(db, transport, due, now).await?;
        self.create_again(db, transport, again, own_secret.allowance(), now).await?;
        let ids = channels.iter().map(|channel| channel.id.as_str()).collect();
        for closed in plan.unwanted.iter().filter(|held| desired::is_of_chat(held, &ids)) {
            delete(&self.helix, closed).await?;
            tracing::info!(id = closed.id, "deleted a subscription to a chat that is not to be read now");
        }
        self.delete_left_over(db, held, &place).await?;
        let (helix, client_id, server, place) = (&self.helix, &*self.client_id, &self.server, &place);
        let watching = Watcher { helix, client_id, server, place, transport }.cycle(db, &listed, now).await?;
        let pause = self.pause(&rows, held.len());
        Ok(watching.map_or(pause, |watching| watching.min(pause)))
    }

    /// Deletes what still delivers to the callback although its channel has changed to the WebSocket, or could not change
    /// back: what was being created when the switch counted its subscriptions.
    async fn delete_left_over(
        &self,
        db: &mut PgConnection,
        held: &[HeldSubscription],
        place: &Place,
    ) -> Result<(), CycleError> {
        let channels = answered(switches::without_webhooks(db, self.default)).await?;
        if channels.is_empty() {
            return Ok(());
        }
        let desired = DesiredSubscription::all(&self.types, &channels, &self.client_id);
        let plan = plan(held, &desired, place);
        let ids = channels.iter().map(ChannelId::as_str).collect();
        let of_chats = plan.unwanted.iter().copied().filter(|held| desired::is_of_chat(held, &ids));
        for old in plan.keep.iter().chain(&plan.dead).map(|(_, old)| *old).chain(of_chats) {
            delete(&self.helix, old).await?;
            tracing::info!(id = old.id, "deleted what a switch of transports had left over");
        }
        Ok(())
    }

    /// Adds the configured channel to the served ones, and returns why it can't be served.
    async fn serve_channel(&self, db: &mut PgConnection) -> Result<Option<String>, CycleError> {
        let Some(login) = &self.channel_name else { return Ok(None) };
        let login = login.to_lowercase();
        if answered(served_channels::all(db)).await?.iter().any(|channel| channel.login == login) {
            return Ok(None);
        }
        let Some(user) = self.helix.users_by_login(&[&login]).await?.into_iter().next() else {
            return Ok(Some(format!("Twitch knows no user {login}: check TWITCH_CHANNEL_NAME")));
        };
        answered(served_channels::put(db, &ServedChannel::new(user, self.clock.now()))).await?;
        answered(Channel::Session.notify(db, "")).await?;
        tracing::info!(channel.login = login, "serving a new channel");
        Ok(None)
    }

    /// Creates some at a time. If all of these fail because Twitch or the application's token is not usable now, so would
    /// the rest.
    async fn create_all(
        &self,
        db: &mut PgConnection,
        transport: &Transport,
        mut due: Vec<(&mut DesiredRow, Match<'_>)>,
        began_at: OffsetDateTime,
    ) -> Result<(), CycleError> {
        let mut log = Log::default();
        for batch in due.chunks_mut(CONCURRENCY) {
            let outcomes = join_all(batch.iter().map(|(_, found)| create(&self.helix, transport, found))).await;
            let mut failure = None;
            let (mut failed, count) = (0, batch.len());
            for ((row, found), outcome) in batch.iter_mut().zip(outcomes) {
                log.add(&row.channel_login, found, &outcome);
                let secret = Some(&self.server.secret_fingerprint);
                progress::record_outcome(row, &outcome, secret, began_at, self.clock.now());
                answered(rows::update(db, row)).await?;
                if let Err(error) = outcome
                    && (error.is_transient() || is_about_the_token(&error))
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

    /// Creates those again, one at a time, whose messages are not signed with this server's secret. Other servers must not
    /// need the secret that they have.
    async fn create_again(
        &self,
        db: &mut PgConnection,
        transport: &Transport,
        again: Vec<(&mut DesiredRow, Match<'_>)>,
        allowance: usize,
        began_at: OffsetDateTime,
    ) -> Result<(), CycleError> {
        let count = again.len();
        for (done, one) in again.into_iter().take(allowance).enumerate() {
            if !answered(servers::has_only_secret(db, self.server.id)).await? {
                break;
            }
            if done == 0 {
                tracing::warn!(count, "subscriptions were created with another webhook secret: creating them again");
            }
            self.create_all(db, transport, vec![one], began_at).await?;
        }
        Ok(())
    }

    /// The time until something is due, or until it makes sense to compare again.
    fn pause(&self, rows: &[DesiredRow], held: usize) -> Duration {
        let now = self.clock.now();
        let idle = idle_pause(held);
        let until = |at: OffsetDateTime| Duration::try_from(at - now).unwrap_or_default();
        let pause_of = |row: &DesiredRow| match row.status {
            DesiredStatus::Held(SubscriptionStatus::Enabled)
                if row.secret_fingerprint.as_ref() == Some(&self.server.secret_fingerprint) =>
            {
                idle
            }
            DesiredStatus::Held(SubscriptionStatus::Enabled) => idle / 2,
            DesiredStatus::Held(SubscriptionStatus::WebhookCallbackVerificationPending) => {
                let age = Duration::try_from(now - row.since).unwrap_or_default();
                age.clamp(PENDING_PAUSE.0, PENDING_PAUSE.1)
            }
            _ => row.next_attempt_at.map_or(BACKOFF.max, until).max(PENDING_PAUSE.0),
        };
        rows.iter().map(pause_of).fold(idle, Ord::min)
    }
}

/// Whether a comparison of this age began after a failure of then.
fn is_newer(age: Duration, failed_at: Instant, now: Instant) -> bool {
    age < now.saturating_duration_since(failed_at)
}

/// The time between two cycles if Twitch holds so many subscriptions.
fn idle_pause(held: usize) -> Duration {
    let times = u32::try_from(held.div_ceil(LISTED_OFTEN)).unwrap_or(u32::MAX);
    IDLE_PAUSE.saturating_mul(times.max(1)).min(MAX_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_comparison_after_the_failure_is_newer() {
        let failed_at = Instant::now();
        let now = failed_at + Duration::from_secs(60);
        for (age, newer) in [(0, true), (59, true), (60, false), (3_600, false)] {
            assert_eq!(is_newer(Duration::from_secs(age), failed_at, now), newer, "{age}");
        }
    }

    #[test]
    fn cycles_are_frequent_until_listing_costs_too_many_points() {
        for (held, seconds) in [(0, 30), (350, 30), (5_000, 30), (5_001, 60), (1_000_000, 600)] {
            assert_eq!(idle_pause(held), Duration::from_secs(seconds), "{held}");
        }
    }
}
