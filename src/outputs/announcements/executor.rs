//! Sends what is due: on every server, each Discord channel on one of them at a time.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::sleep;

use super::attempt::{Attempt, Sender};
use super::news::{bot_events, lost_event};
use super::plan::{FollowUp, Request, Step, due_at, follow_up, plan};
use crate::clock::Clock;
use crate::credentials::profile_images::ProfileImages;
use crate::discord::message::Posted;
use crate::metrics::Metrics;
use crate::services::{Services, Stopper};
use crate::store::signals::{Signals, Wakeup};
use crate::store::tracking::destinations;
use crate::store::tracking::egress;
use crate::store::tracking::events;
use crate::store::tracking::outcomes::{self, Outcome};
use crate::store::tracking::posts::{self, DuePost, PostKind, PostState, Release};
use crate::store::tracking::spread;
use crate::store::{answered, is_outage};
use crate::tracking::budget::Budget;

/// How long a server keeps a Discord channel for a request. If it was killed, another one takes over after this.
const LEASE: time::Duration = time::Duration::seconds(60);

/// It looks for what is due at least this often, also when no notification came.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Pause while the database is away.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the answers that come after another one are waited for, to be recorded with it.
const GATHERING: Duration = Duration::from_millis(5);

/// Limit of requests at once.
const MAX_REQUESTS: usize = 128;

/// A request that has ended.
#[derive(Debug)]
struct Finished {
    post: DuePost,
    attempt: Attempt,
}

impl Finished {
    /// Whether Discord has said that the webhook posts into its channel. That of a thread is not known.
    fn is_verified(&self) -> bool {
        let is_here = |posted: &Posted| posted.channel_id == self.post.channel_id;
        matches!(&self.attempt.outcome, Outcome::Posted(Some(posted), _) if is_here(posted))
    }
}

/// What a round has begun.
#[derive(Debug, Default)]
struct Round {
    requests: Vec<(DuePost, Request)>,
    /// When there may be more to do.
    next_at: Option<OffsetDateTime>,
}

/// Sends what is due.
#[derive(Debug)]
pub(super) struct Executor {
    pool: PgPool,
    signals: Signals,
    clock: Clock,
    metrics: Metrics,
    images: ProfileImages,
    sender: Arc<Sender>,
    stopper: Stopper,
    /// Requests per second.
    rate: u32,
    /// Random: names this server in the leases.
    server: i64,
    requests: JoinSet<Finished>,
    /// The destinations of the requests under way.
    running: HashMap<Id, i64>,
    /// What is not recorded yet.
    finished: Vec<Finished>,
    /// Nothing is claimed before, because the limits allow nothing.
    claims_from: Option<Instant>,
}

impl Executor {
    pub(super) fn new(services: &Services, images: ProfileImages, sender: Arc<Sender>, stopper: Stopper) -> Self {
        Self {
            pool: services.follower_pool.clone(),
            signals: services.signals.clone(),
            clock: services.clock.clone(),
            metrics: services.metrics.clone(),
            images,
            sender,
            stopper,
            rate: services.config.tracking.discord_rate,
            server: rand::random(),
            requests: JoinSet::new(),
            running: HashMap::new(),
            finished: Vec::new(),
            claims_from: None,
        }
    }

    pub(super) async fn run(mut self) -> Infallible {
        let (stopping, mut wakeup, mut is_away) = (self.stopper.stopping.clone(), self.signals.posts(), false);
        while !stopping.is_cancelled() {
            match self.round().await {
                Ok(round) => {
                    is_away = false;
                    self.wait(round, &mut wakeup).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_away, true) {
                        tracing::warn!(%error, "nothing can be posted to Discord; trying again");
                    }
                    let _ = stopping.run_until_cancelled(sleep(PAUSE)).await;
                }
            }
        }
        while !self.requests.is_empty() || !self.finished.is_empty() {
            if let Some(ended) = self.requests.join_next_with_id().await {
                self.end(ended);
            }
            if self.settle().await.is_err() {
                sleep(PAUSE).await;
            }
        }
        self.stopper.stopped.cancel();
        pending().await
    }

    /// Begins the requests of a round, and waits until there may be more to do.
    async fn wait(&mut self, round: Round, wakeup: &mut Wakeup) {
        let (claimed_at, is_idle) = (self.clock.now(), round.requests.is_empty());
        for (post, request) in round.requests {
            let (sender, destination) = (Arc::clone(&self.sender), post.destination_id);
            let request = self.requests.spawn(async move {
                let attempt = sender.attempt(&post, &request, claimed_at).await;
                Finished { post, attempt }
            });
            self.running.insert(request.id(), destination);
        }
        let wait =
            round.next_at.map_or(POLL_INTERVAL, |at| Duration::try_from(at - self.clock.now()).unwrap_or_default());
        // What is due and could not be claimed is locked by another server.
        let wait = if is_idle { wait.max(PAUSE / 100) } else { wait };
        tokio::select! {
            () = wakeup.notified() => {}
            Some(ended) = self.requests.join_next_with_id() => {
                self.end(ended);
                sleep(GATHERING).await;
            }
            () = self.clock.sleep(wait.min(POLL_INTERVAL)) => {}
            () = self.stopper.stopping.cancelled() => {}
        }
        while let Some(ended) = self.requests.try_join_next_with_id() {
            self.end(ended);
        }
    }

    /// What a request that panicked had begun is uncertain once its lease runs out.
    fn end(&mut self, ended: Result<(Id, Finished), JoinError>) {
        match ended {
            Ok((id, finished)) => {
                self.running.remove(&id);
                self.finished.push(finished);
            }
            Err(error) => {
                self.running.remove(&error.id());
            }
        }
    }

    /// Records what has ended, and claims what is due and within the limits.
    async fn round(&mut self) -> sqlx::Result<Round> {
        self.settle().await?;
        let pause = self.claims_from.map(|at| at.saturating_duration_since(self.clock.instant()));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            return Ok(Round { next_at: Some(self.clock.now() + pause), ..Round::default() });
        }
        answered(self.claim()).await
    }

    async fn claim(&mut self) -> sqlx::Result<Round> {
        let own: Vec<_> = self.running.values().copied().collect();
        let free = MAX_REQUESTS.saturating_sub(own.len());
        let due_at = if free > 0 { posts::next_at(&self.pool, &own).await? } else { None };
        let now = self.clock.now();
        if due_at.is_none_or(|at| at > now) {
            return Ok(Round { next_at: due_at, ..Round::default() });
        }
        let mut transaction = self.pool.begin().await?;
        let mut egress = egress::lock(&mut transaction).await?;
        let mut budget = Budget::new(&mut egress, self.rate, now);
        let limit = budget.available(free);
        if limit == 0 {
            let next_at = budget.next_at();
            self.pause_claims(next_at, now);
            return Ok(Round { next_at, ..Round::default() });
        }
        let (most, until) = (i64::try_from(limit).unwrap_or(i64::MAX), now + LEASE);
        let claim = posts::claim(&mut transaction, self.server, &own, most, (now, until)).await?;
        let (mut requests, mut settled) = (Vec::new(), Vec::new());
        for post in &claim.due {
            match plan(post, &self.images, now) {
                Step::Request(request) => requests.push((begun(post), *request)),
                Step::Settle(outcome) => settled.push((post, outcome)),
            }
        }
        budget.take(requests.len());
        let next_at = budget.next_at();
        self.pause_claims(next_at, now);
        let next_at = Some(next_at.unwrap_or(now));
        egress::save(&mut transaction, &egress).await?;
        for (post, outcome) in &settled {
            outcomes::settle(&mut *transaction, (post.id, post.attempts), outcome, None, now).await?;
        }
        posts::begin(&mut *transaction, &requests.iter().map(|(post, _)| post.id).collect::<Vec<_>>(), now).await?;
        let is_begun = |id: &i64| requests.iter().any(|(post, _)| post.destination_id == *id);
        let released = claim.destinations.iter().filter(|id| !is_begun(id));
        let released: Vec<_> = released.map(|id| Release { id: *id, not_before: None }).collect();
        posts::release(&mut *transaction, self.server, &released).await?;
        let lost: Vec<_> = claim.lost.iter().map(lost_event).collect();
        events::append_all(&mut transaction, &lost, now).await?;
        transaction.commit().await?;
        self.metrics.posts("unanswered", claim.lost.len() as u64);
        settled.iter().for_each(|(post, outcome)| self.count(post, outcome, now));
        Ok(Round { requests, next_at })
    }

    /// Claims nothing until then, but for at most as long as it waits for a notification: other servers change the limits, too.
    fn pause_claims(&mut self, until: Option<OffsetDateTime>, now: OffsetDateTime) {
        let pause = until.map(|at| Duration::try_from(at - now).unwrap_or_default().min(POLL_INTERVAL));
        self.claims_from = pause.map(|pause| self.clock.instant() + pause);
    }

    /// Records what has ended; what the database refuses is left to the end of its lease.
    async fn settle(&mut self) -> sqlx::Result<()> {
        if self.finished.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        if let Err(error) = answered(self.record(&self.finished, now)).await {
            if is_outage(&error) {
                return Err(error);
            }
            for finished in &self.finished {
                if let Err(error) = answered(self.record(std::slice::from_ref(finished), now)).await {
                    tracing::warn!(post.id = finished.post.id, %error, "what came of a post can't be recorded");
                }
            }
        }
        self.finished.clear();
        Ok(())
    }

    async fn record(&self, finished: &[Finished], now: OffsetDateTime) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin().await?;
        let destinations: Vec<_> = finished.iter().map(|it| it.post.destination_id).collect();
        spread::lock(&mut transaction, &destinations).await?;
        self.record_limits(&mut transaction, finished, now).await?;
        let mut is_recorded = Vec::with_capacity(finished.len());
        for Finished { post, attempt } in finished {
            let FollowUp { again_at, end_at } = follow_up(post, &attempt.outcome, now);
            let (key, outcome) = ((post.id, post.attempts), &attempt.outcome);
            let is_ours = outcomes::settle(&mut *transaction, key, outcome, again_at, now).await?;
            is_recorded.push(is_ours);
            if let Some(end_at) = end_at.filter(|_| is_ours) {
                outcomes::add_end(&mut *transaction, post.id, end_at).await?;
            }
            if let Some((loss, reason)) = &attempt.lost {
                let webhook = (post.destination_id, post.webhook_id);
                destinations::record_loss(&mut transaction, webhook, *loss, reason, now).await?;
            }
        }
        let shown: Vec<_> = finished.iter().filter(|it| it.is_verified()).map(|it| it.post.destination_id).collect();
        if !shown.is_empty() {
            destinations::verify(&mut *transaction, &shown, now).await?;
        }
        let recorded = finished.iter().zip(&is_recorded).filter(|(_, is_recorded)| **is_recorded);
        let new_events = recorded.flat_map(|(it, _)| bot_events(&it.post, &it.attempt));
        events::append_all(&mut transaction, &Vec::from_iter(new_events), now).await?;
        let released = finished.iter().map(|Finished { post, attempt }| Release {
            id: post.destination_id,
            not_before: attempt.pause.map(|pause| now + pause),
        });
        posts::release(&mut *transaction, self.server, &Vec::from_iter(released)).await?;
        transaction.commit().await?;
        for (Finished { post, attempt }, _) in finished.iter().zip(is_recorded).filter(|(_, is_recorded)| *is_recorded)
        {
            self.count(post, &attempt.outcome, now);
        }
        Ok(())
    }

    async fn record_limits(
        &self,
        db: &mut PgConnection,
        finished: &[Finished],
        now: OffsetDateTime,
    ) -> sqlx::Result<()> {
        let errors = finished.iter().flat_map(|it| &it.attempt.errors).filter(|error| error.is_of_address());
        let errors: Vec<_> = errors.collect();
        if errors.is_empty() {
            return Ok(());
        }
        let mut egress = egress::lock(&mut *db).await?;
        let mut budget = Budget::new(&mut egress, self.rate, now);
        errors.into_iter().for_each(|error| budget.record(error));
        egress::save(db, &egress).await
    }

    fn count(&self, post: &DuePost, outcome: &Outcome, now: OffsetDateTime) {
        let name = match outcome {
            Outcome::Posted(..) => {
                if post.kind == PostKind::Start {
                    self.metrics.post_delay(now - due_at(post));
                }
                "posted"
            }
            Outcome::Edited(..) => "edited",
            Outcome::EditRefused(..) | Outcome::NamedNotFound(_) => "not_edited",
            Outcome::Retry(..) | Outcome::NameRefused => "retried",
            Outcome::Lost(..) => "unanswered",
            // The stream goes on, so there is no end to tell of.
            Outcome::Ended(PostState::Expired, _) if post.kind == PostKind::End => return,
            Outcome::Kept(_)
            | Outcome::Later(_)
            | Outcome::Continued(_)
            | Outcome::RepostDeleted
            | Outcome::Ended(PostState::Filtered, _) => return,
            Outcome::Ended(state, _) => (*state).into(),
        };
        self.metrics.posts(name, 1);
    }
}

/// The post as it is once the request has begun.
fn begun(post: &DuePost) -> DuePost {
    DuePost { attempts: post.attempts + 1, ..post.clone() }
}
