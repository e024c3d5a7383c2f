//! Subscribes on the WebSocket session of one user, with the user's token. Twitch closes a session that has no subscription
//! [ten seconds](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#welcome-message) after its welcome.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use sqlx::{PgConnection, PgPool};

use super::create::{CONCURRENCY, Log, create, delete};
use super::desired::{self, DesiredSubscription};
use super::error::{CycleError, is_about_the_token};
use super::explain::{describe, limit_hint};
use super::plan::{Place, Plan, plan};
use super::progress::{self, BACKOFF, Match};
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::incidents::Incidents;
use crate::store::desired_subscriptions::{self as rows, DesiredRow, DesiredStatus};
use crate::store::served_channels::ServedChannel;
use crate::store::{query, sessions};
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::helix::{HeldSubscription, Helix, HelixError, RefusalKind, Transport};
use crate::twitch::id::ChannelId;
use crate::twitch::transport::TransportKind;

/// Time between two comparisons of a session on which everything is subscribed to.
pub(super) const IDLE_PAUSE: Duration = Duration::from_secs(30);

/// The shortest time between two comparisons while something is missing.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// A session to subscribe on.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Whose user's session it is.
    pub(super) channel: ServedChannel,
    /// Twitch's id.
    pub(super) id: String,
    /// Whether nothing was subscribed to on it yet.
    pub(super) is_new: bool,
    /// What the database says: whether everything is subscribed to, and what the problem is.
    pub(super) is_subscribed: bool,
    pub(super) problem: Option<String>,
}

/// Subscribes on sessions.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) application: Application,
    pub(super) pool: PgPool,
    pub(super) clock: Clock,
    pub(super) incidents: Incidents,
    pub(super) types: Vec<&'static SubscriptionType>,
}

/// The rows that are to be created, with what Twitch holds of each.
type Due<'r, 'h> = Vec<(&'r mut DesiredRow, Match<'h>)>;

impl Subscriber {
    /// Compares and repairs what is on a session, writes the outcome for the source, and returns the time until the next
    /// comparison.
    pub(super) async fn run(&self, session: &Session) -> Result<Duration, CycleError> {
        let outcome = self.compare(session).await;
        let problem = match &outcome {
            Ok(rows) => self.open_problem(rows),
            // Its end is on its way to the database.
            Err(error) if error.refusal() == Some(RefusalKind::SessionEnded) => return outcome.map(|_| IDLE_PAUSE),
            Err(error) => Some(error.to_string()),
        };
        let (user, id) = (session.channel.id.user(), &session.id);
        match problem {
            Some(problem) if session.problem.as_ref() != Some(&problem) => {
                query(&self.pool, async |db| sessions::record_problem(db, &user, id, &problem).await).await?;
            }
            None if !session.is_subscribed || session.problem.is_some() => {
                query(&self.pool, async |db| sessions::record_subscribed(db, &user, id).await).await?;
            }
            _ => {}
        }
        outcome.map(|rows| self.pause(&rows))
    }

    /// Why not everything is subscribed to that can be now. What waits for a person is shown with its subscription, but the
    /// session goes on without.
    fn open_problem(&self, rows: &[DesiredRow]) -> Option<String> {
        let soon = self.clock.now() + BACKOFF.max;
        let is_missing = |row: &&DesiredRow| !row.status.is_enabled();
        let is_open = |row: &&DesiredRow| row.next_attempt_at.is_none_or(|at| at <= soon);
        let are_none_enabled = rows.iter().all(|row| is_missing(&row));
        let first = rows.iter().filter(is_missing).find(|row| are_none_enabled || is_open(row));
        first.map(describe)
    }

    /// A subscription that exists already may be on a session of ours that ended meanwhile, so then it compares again.
    async fn compare(&self, session: &Session) -> Result<Vec<DesiredRow>, CycleError> {
        let channel = &session.channel;
        let helix = self.application.as_user(&channel.id.user()).await?;
        let ids = [channel.id.clone()];
        let read = async |db: &mut PgConnection| {
            let desired = self.desired(db, [(&channel.id, TransportKind::Websocket)]).await?;
            Ok((rows::list(db, Some(&ids), None).await?, desired))
        };
        let (mut rows, desired) = query(&self.pool, read).await?;
        rows.retain(|row| row.transport == TransportKind::Websocket);
        let conflicts = self.compare_once(session, &helix, &mut rows, &desired, None).await?;
        if !conflicts.is_empty() {
            self.compare_once(session, &helix, &mut rows, &desired, Some(&conflicts)).await?;
        }
        Ok(rows)
    }

    /// What these channels should have.
    pub(super) async fn desired(
        &self,
        db: &mut PgConnection,
        channels: impl IntoIterator<Item = (&ChannelId, TransportKind)>,
    ) -> sqlx::Result<Vec<DesiredSubscription>> {
        let client_id = self.application.oauth.client_id();
        desired::of_channels(db, &self.types, channels, client_id, self.clock.now()).await
    }

    /// Compares and repairs; only these types if there are any. Returns those that exist already.
    async fn compare_once(
        &self,
        session: &Session,
        helix: &Helix,
        rows: &mut [DesiredRow],
        desired: &[DesiredSubscription],
        only: Option<&BTreeSet<String>>,
    ) -> Result<BTreeSet<String>, CycleError> {
        let now = self.clock.now();
        let user = session.channel.id.user();
        let earlier = query(&self.pool, async |db| sessions::earlier_ids(db, &user).await).await?;
        let held = self.held(helix, session.is_new).await?;
        let plan = plan(&held, desired, &Place::Session { id: session.id.clone(), earlier });
        delete_others(helix, &plan, &session.channel.id).await;
        let mut matches = progress::match_held(&plan, desired);
        let mut due = Vec::new();
        for row in rows {
            let key = (row.channel_id.clone(), row.kind.clone(), row.version.clone());
            let Some(found) = matches.remove(&key) else { continue };
            let before = row.clone();
            progress::observe(row, &found, now);
            let is_unavailable = matches!(row.status, DesiredStatus::NoSession | DesiredStatus::NeedsConsent);
            if session.is_new && is_unavailable && only.is_none() {
                row.set_status(DesiredStatus::Missing, now);
                row.problem = None;
            }
            if *row != before {
                query(&self.pool, async |db| rows::update(db, row).await).await?;
            }
            let is_due = match only {
                Some(only) => only.contains(&row.kind),
                None => session.is_new || progress::is_due(row, session.channel.requested_at, false, now),
            };
            if found.alive.is_none() && is_due {
                due.push((row, found));
            }
        }
        self.create_all(helix, session, due, &limit_hint(&plan)).await
    }

    /// What Twitch holds. On a new session time is short: if Twitch can't list now, it may still be able to create.
    async fn held(&self, helix: &Helix, is_new: bool) -> Result<Vec<HeldSubscription>, CycleError> {
        match helix.subscriptions().await {
            Ok(listed) => {
                self.incidents.record_items("Get EventSub Subscriptions", listed.unreadable);
                Ok(listed.subscriptions)
            }
            Err(error) if is_new && error.is_transient() && !is_about_the_token(&error) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates the first alone: it makes the session one that is used, and shows whether the session and the token are good.
    /// Returns the types that exist already.
    async fn create_all(
        &self,
        helix: &Helix,
        session: &Session,
        due: Due<'_, '_>,
        hint: &str,
    ) -> Result<BTreeSet<String>, CycleError> {
        let (began_at, mut log, mut conflicts) = (self.clock.now(), Log::default(), BTreeSet::new());
        let transport = &Transport::Websocket { session_id: session.id.clone() };
        let (mut waiting, mut attempts) = (due.into_iter(), FuturesUnordered::new());
        if let Some((row, found)) = waiting.next() {
            attempts.push(attempt(helix, transport, row, found));
        }
        while let Some((row, found, outcome)) = attempts.next().await {
            let refusal = outcome.as_ref().err().and_then(HelixError::refusal);
            if refusal != Some(RefusalKind::SessionEnded) {
                log.add(&session.channel.login, &found, &outcome);
                progress::record_outcome(row, &outcome, None, began_at, self.clock.now());
                let is_limit = matches!(refusal, Some(RefusalKind::LimitReached | RefusalKind::TooManySessions));
                if let Some(problem) = row.problem.as_mut().filter(|_| is_limit) {
                    problem.push_str(hint);
                }
                query(&self.pool, async |db| rows::update(db, row).await).await?;
            }
            match (refusal, outcome) {
                (Some(RefusalKind::AlreadyExists), _) => {
                    conflicts.insert(row.kind.clone());
                }
                (Some(RefusalKind::SessionEnded | RefusalKind::TooManySessions), Err(error)) => {
                    return Err(error.into());
                }
                (_, Err(error)) if is_about_the_token(&error) => return Err(error.into()),
                _ => {}
            }
            while attempts.len() < CONCURRENCY
                && let Some((row, found)) = waiting.next()
            {
                attempts.push(attempt(helix, transport, row, found));
            }
        }
        Ok(conflicts)
    }

    /// The time until something is due, or until it makes sense to compare again.
    fn pause(&self, rows: &[DesiredRow]) -> Duration {
        let now = self.clock.now();
        let missing = rows.iter().filter(|row| !row.status.is_enabled());
        let attempts =
            missing.map(|row| row.next_attempt_at.map_or(MIN_PAUSE, |at| (at - now).try_into().unwrap_or_default()));
        attempts.map(|pause: Duration| pause.max(MIN_PAUSE)).fold(IDLE_PAUSE, Ord::min)
    }
}

async fn attempt<'r, 'h>(
    helix: &Helix,
    transport: &Transport,
    row: &'r mut DesiredRow,
    found: Match<'h>,
) -> (&'r mut DesiredRow, Match<'h>, Result<HeldSubscription, HelixError>) {
    let outcome = create(helix, transport, &found).await;
    (row, found, outcome)
}

/// Deletes what Twitch believes to be delivering to sessions of ours that have ended: it counts towards limits, and may keep
/// the same from being created on this one. Also what tells of the chat, if that is not to be read now. What can't be deleted now
/// ends by itself when Twitch notices, or is deleted the next time.
async fn delete_others(helix: &Helix, plan: &Plan<'_>, channel: &ChannelId) {
    let ids = HashSet::from([channel.as_str()]);
    let closed = plan.unwanted.iter().filter(|held| desired::is_of_chat(held, &ids));
    let others: Vec<_> = plan.earlier.iter().chain(closed).collect();
    for batch in others.chunks(CONCURRENCY) {
        let outcomes = join_all(batch.iter().map(|held| delete(helix, held))).await;
        for error in outcomes.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "a subscription that is not needed any more could not be deleted");
        }
    }
}
