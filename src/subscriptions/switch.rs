//! Changes a channel from one transport to another, without losing an event: the new subscriptions are created while the old
//! ones deliver, and the old ones are deleted once both have delivered for a while. Meanwhile each event comes twice, and
//! [`projection::echo`](crate::projection::echo) finds the second one.
//!
//! How far each switch has got is in the table `transport_switch`, so any server can go on with it; one at a time does, under
//! a lock. The reconcilers create what the table [says](crate::store::served_channels::over) that a channel should have
//! now. A switch whose subscriptions can't be created is given up, and the channel stays as it was.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use super::create::{CONCURRENCY, delete_by_id};
use super::error::{CycleError, is_about_the_token};
use super::explain::describe;
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::program::Program;
use crate::projection::echo::OVERLAP;
use crate::services::Services;
use crate::status::Check;
use crate::store::desired_subscriptions as rows;
use crate::store::locks::Lock;
use crate::store::signals::{Channel, Signals};
use crate::store::switches::{self, Switch, SwitchState};
use crate::store::{self, answered};
use crate::twitch::transport::TransportKind;

/// Before anything is created, so that what the old subscriptions tell of an event that the new ones tell, too, is known.
const OPENING: f64 = 2.0;

/// After the old subscriptions were deleted, for what is under way.
const LINGERING: f64 = 10.0;

/// The time in which the new subscriptions must be enabled, if an attempt has failed, and otherwise: a limit on calls may hold
/// many channels up.
const LIMIT: (f64, f64) = (180.0, 3_600.0);

/// Time between two rounds while a switch is under way, and while none is.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Switches that a round moves. Deleting takes time, and the others must not wait for all of it.
const BATCH: i64 = 100;

/// Switches that `/status` names.
const MAX_NAMED: usize = 5;

/// Registers the check `switches`, and moves the switches for as long as the server runs.
pub(super) fn run(services: &Services, application: &Application) -> impl Future<Output = Infallible> + use<> {
    services.checks.add_on_records(|records| check(&records.switches));
    let switcher = Switcher {
        database: services.database.clone(),
        signals: services.signals.clone(),
        clock: services.clock.clone(),
        application: application.clone(),
        default: services.config.twitch.transport(),
    };
    switcher.run()
}

struct Switcher {
    /// For a connection of its own: the lock belongs to one.
    database: PgConnectOptions,
    signals: Signals,
    clock: Clock,
    application: Application,
    /// The transport of channels that have none of their own.
    default: TransportKind,
}

impl Switcher {
    async fn run(self) -> Infallible {
        let (mut woken, mut connection, mut is_first) = (self.signals.reconcile(), None, true);
        loop {
            let pause = match self.round(&mut connection, is_first).await {
                Ok(pause) => {
                    is_first = false;
                    pause
                }
                Err(error) => {
                    tracing::warn!(%error, "the switches of transports could not be moved");
                    // The lock is gone with the connection.
                    connection = None;
                    PAUSE.0 * 4
                }
            };
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = woken.notified() => {}
            }
        }
    }

    /// Moves what can be moved, and returns the time until the next round. At the start of a server the setting may have
    /// changed; later only `init` changes what is wanted, so that servers with different settings don't undo each other's.
    async fn round(&self, connection: &mut Option<PgConnection>, is_first: bool) -> sqlx::Result<Duration> {
        let db = match connection {
            Some(db) => db,
            None => connection.insert(store::connect(&self.database, "showtime switches").await?),
        };
        answered(switches::adopt(db, self.default)).await?;
        if is_first {
            self.start(db).await?;
        }
        answered(switches::remove_ended(db)).await?;
        if answered(switches::pending(db, 1)).await?.is_empty() {
            return Ok(PAUSE.1);
        }
        if answered(Lock::Switch.try_hold(db)).await? {
            self.advance_all(db).await?;
            answered(Lock::Switch.release(db)).await?;
        }
        Ok(PAUSE.0)
    }

    /// Opens a switch for each channel that the settings want elsewhere, or that could not change before.
    async fn start(&self, db: &mut PgConnection) -> sqlx::Result<()> {
        let mut transaction = answered(db.begin()).await?;
        let opened = answered(switches::open(&mut transaction, None, Some(self.default))).await?;
        answered(switches::resume(&mut transaction)).await?;
        wake(&mut transaction).await?;
        answered(transaction.commit()).await?;
        if opened > 0 {
            tracing::info!(channels = opened, default = self.default.as_str(), "channels change their transport");
        }
        Ok(())
    }

    async fn advance_all(&self, db: &mut PgConnection) -> sqlx::Result<()> {
        let mut has_moved = false;
        for switch in answered(switches::pending(db, BATCH)).await? {
            match self.advance(db, &switch).await {
                Ok(moved) => has_moved |= moved,
                Err(CycleError::Database(error)) => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, channel.login = switch.login, "a subscription could not be deleted; trying again");
                }
            }
        }
        if has_moved {
            wake(db).await?;
        }
        Ok(())
    }

    /// Takes the next step of a switch, if it is time. Returns whether it did.
    async fn advance(&self, db: &mut PgConnection, switch: &Switch) -> Result<bool, CycleError> {
        use SwitchState as S;
        let next = match switch.state {
            S::Opening if switch.age >= OPENING => S::Creating,
            S::Creating if switch.is_ready => S::Overlapping,
            S::Creating if switch.age >= LIMIT.1 || (switch.has_failed && switch.age >= LIMIT.0) => {
                return self.abort(db, switch).await;
            }
            S::Overlapping if !switch.is_ready => S::Creating,
            S::Overlapping if switch.age >= OVERLAP.as_seconds_f64() => S::Deleting,
            S::Deleting => {
                self.delete(switch, switch.from).await?;
                S::Lingering
            }
            S::Lingering if switch.age >= LINGERING => S::Done,
            S::Aborted if !switch.to_delete.is_empty() => {
                self.delete(switch, switch.to).await?;
                answered(switches::record_deleted(db, switch)).await?;
                return Ok(false);
            }
            _ => return Ok(false),
        };
        let has_moved = answered(switches::advance(db, switch, next)).await?;
        if has_moved {
            tracing::info!(channel.login = switch.login, switch.state = %next, switch.to = switch.to.as_str(), "switching");
        }
        Ok(has_moved)
    }

    async fn abort(&self, db: &mut PgConnection, switch: &Switch) -> Result<bool, CycleError> {
        let rows = answered(rows::list(db, Some(std::slice::from_ref(&switch.channel_id)), None)).await?;
        let failed = rows.iter().filter(|row| row.transport == switch.to && !row.status.is_enabled());
        let first = failed.clone().find(|row| row.problem.is_some()).or(failed.clone().next());
        let problem = first.map_or("no server creates its subscriptions".to_owned(), describe);
        let is_aborted = answered(switches::abort(db, switch, &problem)).await?;
        if is_aborted {
            tracing::warn!(channel.login = switch.login, to = switch.to.as_str(), problem, "the switch is given up");
        }
        Ok(is_aborted)
    }

    /// Deletes the subscriptions that are over, which were created over this transport. Those of a WebSocket may need a
    /// token that is gone; they end with their session.
    async fn delete(&self, switch: &Switch, transport: TransportKind) -> Result<(), CycleError> {
        let helix = match transport {
            TransportKind::Webhook => self.application.helix.clone(),
            TransportKind::Websocket => self.application.as_user(&switch.channel_id.user()).await?,
        };
        for batch in switch.to_delete.chunks(CONCURRENCY) {
            for outcome in join_all(batch.iter().map(|id| delete_by_id(&helix, id))).await {
                match outcome {
                    Err(error) if transport == TransportKind::Webhook || !is_about_the_token(&error) => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Has the subscriptions and the sessions compared with what they should be now.
async fn wake(db: &mut PgConnection) -> sqlx::Result<()> {
    answered(Channel::Reconcile.notify(&mut *db, "")).await?;
    answered(Channel::Session.notify(db, "")).await
}

/// The switches that go on, and those that failed.
fn check(switches: &[Switch]) -> Check {
    let mut texts: Vec<_> = switches.iter().map(explain).collect();
    let more = texts.len().saturating_sub(MAX_NAMED);
    texts.truncate(MAX_NAMED);
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    let message = texts.join("; ");
    if switches.is_empty() {
        Check::pass("switches", "no channel changes its transport")
    } else if switches.iter().any(|it| it.state == SwitchState::Aborted) {
        Check::warn("switches", message)
    } else {
        Check::pass("switches", message)
    }
}

/// A switch in words, with what to do if it failed.
#[must_use]
pub fn explain(switch: &Switch) -> String {
    let (login, from, to) = (&switch.login, switch.from.as_str(), switch.to.as_str());
    if switch.state == SwitchState::Aborted {
        let problem = switch.problem.as_deref().unwrap_or_default();
        return format!(
            "{login} stays on the {from}, since it could not change to the {to} ({problem}): run `{}` to try again",
            Program::Init
        );
    }
    let step = match switch.state {
        SwitchState::Opening | SwitchState::Creating => "the new subscriptions are being created",
        SwitchState::Overlapping => "both deliver",
        _ => "the old subscriptions are being deleted",
    };
    format!("{login} changes from the {from} to the {to}: {step}")
}
