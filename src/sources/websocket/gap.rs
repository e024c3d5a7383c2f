//! Gaps: spans of time in which messages of a channel may have been lost. Each is recorded, and what Twitch's API can still
//! show of it enters the log, marked as inferred: streams, channel information and, with the user's token, follows. Bits,
//! subscriptions and raids can't be looked up.
//!
//! Each gap is looked up when messages have come again, and once more when Helix has caught up with it. A look-up that fails is
//! repeated, on whatever server; what it finds twice is in the log once.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::json;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

use crate::clock::{Clock, to_text};
use crate::credentials::application::Application;
use crate::incidents::Kind;
use crate::message::Inference;
use crate::metrics::Metrics;
use crate::projection::HELIX_LAG;
use crate::services::{Services, Tasks};
use crate::sources::backfill::{Backfill, BackfillError};
use crate::status::Check;
use crate::store::gaps::{self, Gap};
use crate::store::read::health::Records;
use crate::store::signals::Wakeup;
use crate::store::{answered, query};
use crate::twitch::helix::Follower;
use crate::twitch::id::ChannelId;

/// How often the server looks for gaps to look up.
const PERIOD: Duration = Duration::from_secs(5);

/// Time before the next attempt after one that failed.
const RETRY: Duration = Duration::from_secs(30);

/// How long after a gap messages about its end may still be on their way.
const SETTLING: Duration = Duration::from_secs(2);

/// A follow's message is at most this much younger than the follow.
const MAX_MESSAGE_DELAY: Duration = Duration::from_secs(600);

/// Records gaps, and fills them as far as possible. Clones share everything.
#[derive(Clone, Debug)]
pub struct Gaps {
    pool: PgPool,
    clock: Clock,
    metrics: Metrics,
}

impl Gaps {
    /// For the channels of this server.
    #[must_use]
    pub fn new(services: &Services) -> Self {
        Self { pool: services.pool.clone(), clock: services.clock.clone(), metrics: services.metrics.clone() }
    }

    /// Records that messages of this channel may be missing from `since` until now, when all is subscribed to again, and has
    /// the rest done in the background: streams, channel information and follows are looked up, also after a crash.
    /// `since` is [`Intake::secured_until`](super::intake::Intake::secured_until), or what another server wrote of it. `cause` is a
    /// label of the metrics.
    ///
    /// # Errors
    /// If the database fails. Then nothing is recorded.
    pub async fn fill(&self, channel: &ChannelId, since: OffsetDateTime, cause: &'static str) -> sqlx::Result<()> {
        self.record(channel, since, self.clock.now().max(since), cause).await
    }

    /// Like [`fill`](Self::fill), for a gap that has ended already.
    pub(super) async fn record(
        &self,
        channel: &ChannelId,
        since: OffsetDateTime,
        until: OffsetDateTime,
        cause: &'static str,
    ) -> sqlx::Result<()> {
        query(&self.pool, async |db| gaps::record(db, channel, since, until, cause).await).await?;
        self.metrics.gap(cause, until - since);
        tracing::warn!(
            channel.id = channel.as_str(),
            gap.cause = cause,
            gap.began_at = %since,
            gap.ended_at = %until,
            "messages may be missing"
        );
        Ok(())
    }
}

/// Starts the look-up of gaps, if an application is configured, and registers the check `gaps`.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) {
    let Some(application) = application.cloned() else { return };
    let (last_error, read_error) = watch::channel(None);
    services.checks.add_on_records(move |records| check(records, read_error.borrow().as_deref()));
    let backfill = Backfill::new(services, &application);
    let woken = services.signals.reconcile();
    tasks.spawn("look-up of gaps", Filler { application, backfill }.run(last_error, woken));
}

/// Looks up what happened in gaps.
#[derive(Debug)]
struct Filler {
    application: Application,
    backfill: Backfill,
}

impl Filler {
    /// Runs until it is dropped. `last_error` holds why the last look-up failed. `woken` notifies of new consents, which may
    /// mend that.
    async fn run(self, last_error: watch::Sender<Option<String>>, mut woken: Wakeup) -> Infallible {
        let Backfill { clock, incidents, .. } = &self.backfill;
        loop {
            let pause = match self.run_once().await {
                Ok(()) => {
                    last_error.send_replace(None);
                    PERIOD
                }
                // The database's own check says so.
                Err(BackfillError::Database(_)) => RETRY,
                Err(error) => {
                    incidents.record(Kind::Backfill, Some("gap"), &error);
                    last_error.send_replace(Some(error.to_string()));
                    RETRY
                }
            };
            tokio::select! {
                () = clock.sleep(pause) => {}
                () = woken.notified() => {}
            }
        }
    }

    /// Looks up all gaps that are due. If another server is looking something up, they stay due.
    async fn run_once(&self) -> Result<(), BackfillError> {
        let Backfill { pool, clock, .. } = &self.backfill;
        let lag = HELIX_LAG.unsigned_abs();
        let (mut outcome, mut after) = (Ok(()), 0);
        loop {
            let due = query(pool, async |db| gaps::due(db, after, clock.now(), SETTLING, lag).await).await?;
            let Some(last) = due.last() else { return outcome };
            after = last.id;
            for gap in due {
                // A channel whose token was revoked keeps no other from being looked up.
                match self.backfill.run_alone(async |conn| self.look_up(conn, &gap).await).await {
                    Err(error @ BackfillError::Helix(_)) => outcome = Err(error),
                    other => drop(other?),
                }
            }
        }
    }

    async fn look_up(&self, conn: &mut PgConnection, gap: &Gap) -> Result<(), BackfillError> {
        let mut found = self.backfill.look_up(&mut *conn, std::slice::from_ref(&gap.channel_id), true).await?;
        found += self.look_up_follows(conn, gap).await?;
        Ok(answered(gaps::record_look_up(conn, gap.id, self.backfill.clock.now(), found)).await?)
    }

    /// Infers the follows that the log lacks. Helix tells whole seconds, so those that the log has are compared in seconds.
    async fn look_up_follows(&self, conn: &mut PgConnection, gap: &Gap) -> Result<usize, BackfillError> {
        let helix = self.application.as_user(&gap.channel_id.user()).await?;
        let since = gap.began_at.replace_nanosecond(0).unwrap_or(gap.began_at);
        let shown = helix.followers_since(&gap.channel_id, since).await?;
        self.backfill.incidents.record_items(shown.endpoint(), shown.unreadable());
        let now = self.backfill.clock.now();
        let known = answered(gaps::known_follows(conn, &gap.channel_id, since - MAX_MESSAGE_DELAY)).await?;
        let is_missed = |it: &&Follower| {
            it.followed_at <= gap.ended_at && !known.contains(&(it.user_id.clone(), it.followed_at.unix_timestamp()))
        };
        let missed: Vec<_> = shown.iter().filter(is_missed).map(|it| followed(&gap.channel_id, it, now)).collect();
        self.backfill.submit(&shown, &missed).await
    }
}

/// Two look-ups of the same follow infer the same message.
fn followed<'a>(channel: &'a ChannelId, follower: &Follower, now: OffsetDateTime) -> Inference<'a> {
    Inference {
        kind: "channel.follow",
        version: "2",
        key: format!("{channel}:{}:{}", follower.user_id, follower.followed_at.unix_timestamp()),
        channel_id: channel,
        observed_at: now,
        event: json!({
            "user_id": follower.user_id,
            "user_login": follower.user_login,
            "user_name": follower.user_name,
            "broadcaster_user_id": channel,
            "followed_at": follower.followed_at.format(&Rfc3339).unwrap_or_default(),
        }),
    }
}

/// The check `gaps`: how long messages may have been lost in the last day.
fn check(records: &Records, last_error: Option<&str>) -> Check {
    if let Some(error) = last_error {
        return Check::warn("gaps", format!("what happened in gaps can't be looked up: {error}"));
    }
    let Records { gaps, .. } = records;
    let Some(last) = gaps.first() else { return Check::pass("gaps", "no messages were missed in the last day") };
    let seconds: f64 = gaps.iter().map(|gap| (gap.ended_at - gap.began_at).as_seconds_f64()).sum();
    let found: i64 = gaps.iter().map(|gap| gap.found).sum();
    let (count, until, cause) = (gaps.len(), to_text(last.ended_at), &last.cause);
    Check::pass(
        "gaps",
        format!(
            "gaps of the last day: {count}, {seconds:.0} s in all, the last until {until} ({cause}). Messages may be missing from \
             them; looking up follows, streams and channel updates found {found} events"
        ),
    )
}
