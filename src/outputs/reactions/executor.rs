//! Executes the actions that are due, on one server at a time.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;

use super::QUERY_TIMEOUT;
use super::act::Actor;
use super::attempt::{Again, Attempt};
use super::limits::{Bucket, Windows};
use super::service;
use super::step::Step;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::services::{Services, Stopper};
use crate::store::actions::execute::{self, DueAction};
use crate::store::actions::settle::{self, Outcome, Recorded};
use crate::store::actions::{self, ActionState};
use crate::store::followers::Lease;
use crate::store::signals::{Signals, Wakeup};
use crate::store::within;

/// How long a lease lasts that is not renewed: the poll interval and the time limit of a transaction. One of a killed
/// server is taken over within 5 s.
const LEASE: Duration = Duration::from_secs(3);

/// The holder looks for what is due, and so renews its lease, at least this often.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Pause while the database is away, or another server holds the lease.
const PAUSE: Duration = Duration::from_millis(500);

/// Limit of calls at once in each [`group`].
const MAX_CALLS: usize = 32;

/// The number of groups.
const GROUPS: usize = 3;

/// Limit of actions that are looked at in one round.
const MAX_DUE: i64 = 512;

/// What was settled so long ago is deleted.
const KEPT: time::Duration = time::Duration::days(30);

/// Pause between two deletions.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

/// A clip that was made so many seconds ago is no news.
const MAX_CLIP_AGE: i64 = 600;

/// What a round has begun.
struct Round {
    begun: Vec<DueAction>,
    /// When there may be more to do.
    next_at: Option<OffsetDateTime>,
}

/// Executes actions while this server holds the lease.
#[derive(Debug)]
pub(super) struct Executor {
    pool: PgPool,
    signals: Signals,
    clock: Clock,
    metrics: Metrics,
    actor: Arc<Actor>,
    stopper: Stopper,
    calls: JoinSet<()>,
    running: HashMap<Id, Running>,
}

/// A call under way.
#[derive(Clone, Copy, Debug)]
struct Running {
    /// The action, and the number of the attempt.
    attempt: (i64, i32),
    group: usize,
}

impl Executor {
    pub(super) fn new(services: &Services, actor: Arc<Actor>, stopper: Stopper) -> Self {
        Self {
            pool: services.follower_pool.clone(),
            signals: services.signals.clone(),
            clock: services.clock.clone(),
            metrics: services.metrics.clone(),
            actor,
            stopper,
            calls: JoinSet::new(),
            running: HashMap::new(),
        }
    }

    pub(super) async fn run(mut self) -> Infallible {
        let stopping = self.stopper.stopping.clone();
        let (mut wakeup, mut held) = (self.signals.actions(), None);
        while let Some(epoch) = stopping.run_until_cancelled(self.lead()).await {
            held = Some(epoch);
            tracing::debug!(actions.epoch = epoch, "lease taken");
            let mut is_away = false;
            while let Err(error) = self.execute(epoch, &mut wakeup).await {
                if !std::mem::replace(&mut is_away, true) {
                    tracing::warn!(%error, "actions can't be executed; trying again");
                }
                if stopping.run_until_cancelled(sleep(PAUSE)).await.is_none() {
                    break;
                }
            }
        }
        self.drain(held).await;
        self.stopper.stopped.cancel();
        pending().await
    }

    /// Waits until this server has the lease, and returns the epoch.
    async fn lead(&self) -> i64 {
        loop {
            match within(QUERY_TIMEOUT, execute::try_lease(&self.pool, LEASE)).await {
                Ok(Lease::Taken(epoch)) => return epoch,
                Ok(Lease::HeldFor(time)) => sleep(time.clamp(PAUSE / 10, LEASE)).await,
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Executes what is due until the lease is taken over or the server stops.
    async fn execute(&mut self, epoch: i64, wakeup: &mut Wakeup) -> sqlx::Result<()> {
        if !within(QUERY_TIMEOUT, self.recover(epoch)).await? {
            return Ok(());
        }
        let stopping = self.stopper.stopping.clone();
        let mut prune_at = self.clock.instant();
        while !stopping.is_cancelled() {
            let Some(round) = within(QUERY_TIMEOUT, self.round(epoch)).await? else {
                tracing::info!("another server executes the actions now");
                return Ok(());
            };
            round.begun.into_iter().for_each(|due| self.begin(due));
            if self.clock.instant() >= prune_at {
                within(QUERY_TIMEOUT, actions::prune(&self.pool, self.clock.now() - KEPT)).await?;
                prune_at = self.clock.instant() + PRUNE_INTERVAL;
            }
            let wait =
                round.next_at.map_or(POLL_INTERVAL, |at| Duration::try_from(at - self.clock.now()).unwrap_or_default());
            tokio::select! {
                () = wakeup.notified() => {}
                Some(ended) = self.calls.join_next_with_id() => self.end(ended.map_or_else(|error| error.id(), |(id, ())| id)),
                () = self.clock.sleep(wait.min(POLL_INTERVAL)) => {}
                () = stopping.cancelled() => {}
            }
            self.reap();
        }
        Ok(())
    }

    /// Forgets the calls that have ended.
    fn reap(&mut self) {
        while let Some(ended) = self.calls.try_join_next_with_id() {
            self.end(ended.map_or_else(|error| error.id(), |(id, ())| id));
        }
    }

    /// Takes over what another server, or this one before it lost the database, had begun. False if the lease is lost.
    async fn recover(&mut self, epoch: i64) -> sqlx::Result<bool> {
        self.reap();
        let mut transaction = self.pool.begin().await?;
        if !execute::renew(&mut *transaction, epoch, LEASE).await? {
            return Ok(false);
        }
        let own: Vec<_> = self.running.values().map(|running| running.attempt).collect();
        let uncertain = execute::recover(&mut *transaction, &own, self.clock.now()).await?;
        transaction.commit().await?;
        uncertain.iter().for_each(|kind| self.metrics.action(kind, "uncertain"));
        Ok(true)
    }

    /// Marks as under way what is due and within the limits. `None` if the lease is lost.
    async fn round(&self, epoch: i64) -> sqlx::Result<Option<Round>> {
        let mut transaction = self.pool.begin().await?;
        if !execute::renew(&mut *transaction, epoch, LEASE).await? {
            return Ok(None);
        }
        let now = self.clock.now();
        let ended = execute::expire(&mut *transaction, now).await?;
        let mut due = execute::due(&mut *transaction, now, MAX_DUE).await?;
        let mut next_at = execute::next_at(&mut *transaction, now).await?;
        if !due.is_empty() {
            let mut windows = Windows::new(execute::sent(&mut *transaction, now).await?);
            let mut free = [MAX_CALLS; GROUPS];
            self.running.values().for_each(|running| free[running.group] -= 1);
            due.retain(|due| {
                let free = &mut free[group(due)];
                if *free == 0 {
                    return false;
                }
                match windows.admit(due, now) {
                    Ok(()) => {
                        *free -= 1;
                        true
                    }
                    Err(at) => {
                        next_at = Some(next_at.map_or(at, |next| next.min(at)));
                        false
                    }
                }
            });
            let ids: Vec<_> = due.iter().map(|due| due.id).collect();
            execute::begin(&mut *transaction, &ids, now).await?;
        }
        transaction.commit().await?;
        ended.iter().for_each(|ended| self.metrics.action(&ended.kind, ended.state.into()));
        Ok(Some(Round { begun: due, next_at }))
    }

    fn begin(&mut self, due: DueAction) {
        let (actor, pool, clock, metrics) =
            (self.actor.clone(), self.pool.clone(), self.clock.clone(), self.metrics.clone());
        let running = Running { attempt: (due.id, due.attempts + 1), group: group(&due) };
        let call = self.calls.spawn(async move {
            let attempt = actor.attempt(&due).await;
            record(&pool, &clock, &metrics, &due, &attempt).await;
        });
        self.running.insert(call.id(), running);
    }

    fn end(&mut self, call: Id) {
        self.running.remove(&call);
    }

    /// Waits for the calls under way, also those that began before the lease was lost, and gives up the lease if this server
    /// still has it.
    async fn drain(&mut self, held: Option<i64>) {
        let epoch = held.unwrap_or_default();
        while !self.calls.is_empty() {
            tokio::select! {
                Some(_) = self.calls.join_next() => {}
                () = sleep(POLL_INTERVAL) => drop(within(QUERY_TIMEOUT, execute::renew(&self.pool, epoch, LEASE)).await),
            }
        }
        drop(within(QUERY_TIMEOUT, execute::release(&self.pool, epoch)).await);
    }
}

/// What shares a limit of calls at once: a slow Twitch that holds up messages does not hold up bans, nor does a slow webhook
/// hold up either.
fn group(due: &DueAction) -> usize {
    match due.bucket.parse() {
        Ok(Bucket::Moderation) => 0,
        Ok(Bucket::Webhook) => 1,
        _ => 2,
    }
}

/// Records what came of an attempt, as soon as the database takes it.
async fn record(pool: &PgPool, clock: &Clock, metrics: &Metrics, due: &DueAction, attempt: &Attempt) {
    loop {
        match within(QUERY_TIMEOUT, record_once(pool, clock.now(), due, attempt)).await {
            Ok(None) => return,
            Ok(Some((state, Recorded { due_at, stopped }))) => {
                if state != ActionState::Pending {
                    metrics.action(&due.kind, state.into());
                }
                if state == ActionState::Done {
                    metrics.reaction(clock.now() - due_at);
                }
                return stopped.iter().for_each(|kind| metrics.action(kind, ActionState::Off.into()));
            }
            Err(error) => {
                tracing::warn!(action.id = due.id, %error, "the outcome of an action is not recorded yet");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn record_once(
    pool: &PgPool,
    now: OffsetDateTime,
    due: &DueAction,
    attempt: &Attempt,
) -> sqlx::Result<Option<(ActionState, Recorded)>> {
    let dropped;
    let number = (due.id, due.attempts + 1);
    let (state, result, problem, retry_at) = match attempt {
        Attempt::Resolved(user) => {
            let lane = Step::of(&due.kind, &due.params).map(|step| step.lane(Some(user))).unwrap_or_default();
            settle::record_target(pool, number, user, &lane).await?;
            return Ok(None);
        }
        Attempt::Done(result) => (ActionState::Done, Some(result), None, None),
        Attempt::Dropped(code, words) => {
            dropped = json!({ "code": code });
            (ActionState::Dropped, Some(&dropped), Some(words), None)
        }
        Attempt::Failed(problem) => (ActionState::Failed, None, Some(problem), None),
        Attempt::Uncertain(problem) => (ActionState::Uncertain, None, Some(problem), None),
        Attempt::Again(Again { at, problem, result }) => {
            (ActionState::Pending, result.as_ref(), problem.as_ref(), Some(*at))
        }
    };
    let outcome = Outcome { state, result, problem: problem.map(String::as_str), retry_at };
    let mut transaction = pool.begin().await?;
    let Some(recorded) = settle::record(&mut *transaction, number, &outcome, now).await? else { return Ok(None) };
    if let Attempt::Done(result) = attempt {
        announce_clip(&mut transaction, due, result, now).await?;
    }
    transaction.commit().await?;
    Ok(Some((state, recorded)))
}

/// Adds the message about a clip that can be seen now, unless it was made long ago: the server was away since.
async fn announce_clip(
    conn: &mut PgConnection,
    due: &DueAction,
    clip: &Value,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let Ok(Step::Clip(step)) = Step::of(&due.kind, &due.params) else { return Ok(()) };
    let url = clip.get("url").and_then(Value::as_str).unwrap_or_default();
    let Some(text) = step.said(url) else { return Ok(()) };
    let made_at = due.result.as_ref().and_then(|made| made.get("made_at")?.as_i64());
    if made_at.is_some_and(|at| now.unix_timestamp() - at > MAX_CLIP_AGE) {
        return Ok(());
    }
    let (said, subject) = (Step::Say(text), format!("clip {}", due.id));
    let as_user = service::author(&mut *conn, &said, &due.channel_id).await?;
    let params = said.params();
    actions::insert(conn, &said.new_action(&subject, &params, (&due.channel_id, &as_user), None, now)).await?;
    Ok(())
}
