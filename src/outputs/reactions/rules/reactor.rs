//! The reactor: judges each event of the log once by the rules, and plans what is due at its time.
//!
//! All that it decides about a batch of events is written in the transaction that saves the cursor: actions, cooldowns,
//! counters, permits, timers. The rules are those of the same transaction, so what comes after a change of the rules is
//! judged by the new ones.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sqlx::PgConnection;

use super::acting::acting;
use super::changes;
use super::compiled::Compiled;
use super::known;
use super::occurrence::Occurrence;
use super::plan::{plan_due, plan_one};
use super::planned::Plan;
use super::service;
use super::write;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::outputs::follow::HandlerError;
use crate::services::Services;
use crate::store::read::events::LoggedEvent;
use crate::store::rules::{self as store, facts, save_values};

/// Pause between two deletions of what has ended.
const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

/// The rules of a revision.
#[derive(Debug)]
struct Current {
    revision: i64,
    compiled: Compiled,
    /// The login of the account that acts.
    bot: Option<String>,
}

/// Judges events by the stored rules.
#[derive(Debug)]
pub struct Reactor {
    clock: Clock,
    metrics: Metrics,
    has_application: bool,
    current: Option<Current>,
    prune_at: Instant,
}

impl Reactor {
    /// A reactor that reads the rules when it is first called.
    #[must_use]
    pub fn new(services: &Services, has_application: bool) -> Self {
        let (clock, metrics) = (services.clock.clone(), services.metrics.clone());
        Self { prune_at: clock.instant(), clock, metrics, has_application, current: None }
    }

    /// The rules that are stored now, if there are any.
    ///
    /// # Errors
    /// If the database fails, or the rules can't be compiled.
    pub async fn rules(&mut self, db: &mut PgConnection) -> Result<Option<&Compiled>, HandlerError> {
        self.update(db).await?;
        Ok(self.current.as_ref().map(|current| &current.compiled).filter(|compiled| !compiled.rules.is_empty()))
    }

    /// Decides what follows from these events, which may be none, and what is due by now.
    ///
    /// # Errors
    /// If the database fails, or the rules can't be compiled.
    pub async fn react(&mut self, db: &mut PgConnection, events: &[LoggedEvent]) -> Result<(), HandlerError> {
        self.update(&mut *db).await?;
        let Some(Current { compiled, bot, .. }) = &self.current else { return Ok(()) };
        if compiled.rules.is_empty() {
            return Ok(());
        }
        let occurrences = events.iter().flat_map(Occurrence::read);
        let mut occurrences: Vec<_> = occurrences.filter(|it| compiled.is_relevant(it)).collect();
        if !occurrences.is_empty() {
            let channels: BTreeSet<_> = occurrences.iter().map(|it| it.channel.clone()).collect();
            let others = facts::only_tracked(&mut *db, &Vec::from_iter(channels)).await?;
            occurrences.retain(|it| !others.contains(&it.channel));
        }
        if occurrences.is_empty() && !compiled.is_timed() {
            return Ok(());
        }
        let now = self.clock.now();
        let (acting, own) = acting(&mut *db, bot.as_deref(), self.has_application).await?;
        let mut state = known::read(&mut *db, compiled, own, &occurrences, now).await?;
        let mut plan = Plan::default();
        for occurrence in &occurrences {
            plan_one(compiled, &mut state, occurrence, now, &mut plan);
        }
        plan.append(plan_due(compiled, &mut state, now));
        for (kind, state) in write::actions(&mut *db, &acting, &plan, now).await? {
            self.metrics.action(kind, state.into());
        }
        changes::save(&mut *db, &plan).await?;
        write::outcomes(&mut *db, &plan, now).await?;
        if self.clock.instant() >= self.prune_at {
            save_values::prune(&mut *db, now).await?;
            self.prune_at = self.clock.instant() + PRUNE_INTERVAL;
        }
        Ok(())
    }

    /// Reads the rules, if they were changed.
    async fn update(&mut self, db: &mut PgConnection) -> Result<(), HandlerError> {
        let revision = store::revision(&mut *db).await?;
        if self.current.as_ref().is_some_and(|current| current.revision == revision) {
            return Ok(());
        }
        let stored = service::read(db).await?;
        for problem in &stored.unreadable {
            tracing::warn!(problem, "a stored rule can't be used by this version");
        }
        let compiled = stored.compile()?;
        tracing::info!(rules.revision = stored.set.revision, rules.count = compiled.rules.len(), "rules read");
        self.current = Some(Current { revision: stored.set.revision, compiled, bot: stored.set.bot });
        Ok(())
    }
}
