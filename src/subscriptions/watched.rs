//! The channels that bots track and that are not served: Twitch sends their streams and titles without a consent, but each
//! subscription costs a part of what an application may have. So the channels that are worth it most get subscriptions, and
//! [`polling`](crate::sources::polling) looks up the others.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::create::{create, delete};
use super::desired::DesiredSubscription;
use super::error::{CycleError, is_about_the_token};
use super::plan::{Place, plan};
use super::progress::{BACKOFF, LONG_PAUSE, Match, match_held};
use crate::store::servers::{self, ServerRow};
use crate::store::tracking::watched::{self as store, WatchedChannel};
use crate::store::{answered, served_channels};
use crate::twitch::catalogue::{self, SubscriptionType};
use crate::twitch::helix::{HeldSubscription, Helix, RefusalKind, SubscriptionList, Transport};
use crate::twitch::id::ChannelId;
use crate::twitch::subscription_status::SubscriptionStatus;

/// What a channel needs to be announced.
const TYPES: [&str; 3] = ["stream.online", "stream.offline", "channel.update"];

/// The part of the highest cost that is kept for channels that are served later: their subscriptions cost nothing once the
/// broadcaster has consented, and one each before.
const RESERVED_COST: u32 = 500;

/// Limit of channels that get subscriptions, and of those that lose them, in one cycle: others wait for the rate limit, too.
const AT_ONCE: usize = 40;

/// Time until the next cycle while a channel does not have all.
const PAUSE: Duration = Duration::from_secs(15);

/// Makes subscriptions of watched channels.
pub(super) struct Watcher<'a> {
    pub(super) helix: &'a Helix,
    pub(super) client_id: &'a str,
    pub(super) server: &'a ServerRow,
    pub(super) place: &'a Place,
    pub(super) transport: &'a Transport,
}

impl Watcher<'_> {
    /// Compares what Twitch holds with the channels that are to be watched, and repairs. Returns when to do so again, if not
    /// all have what they need.
    pub(super) async fn cycle(
        &self,
        db: &mut PgConnection,
        listed: &SubscriptionList,
        now: OffsetDateTime,
    ) -> Result<Option<Duration>, CycleError> {
        let types: Vec<_> = TYPES.iter().filter_map(|name| catalogue::find(name, None)).collect();
        let mut rows = answered(store::list(db)).await?;
        let known: HashSet<_> = rows.iter().map(|row| row.id.clone()).collect();
        // Nothing is given up because an answer does not say how much there may be.
        let Some(room) = room(listed, &known) else { return Ok(None) };
        let chosen = answered(store::choose(db, room, now)).await?;
        self.release(db, listed, &rows, &chosen, &types).await?;
        let new: Vec<_> = chosen.iter().filter(|id| !known.contains(*id)).take(AT_ONCE).cloned().collect();
        answered(store::add(db, &new)).await?;
        let is_complete = new.len() < AT_ONCE;

        let chosen: HashSet<_> = chosen.into_iter().collect();
        rows.retain(|row| chosen.contains(&row.id));
        rows.extend(new.into_iter().map(WatchedChannel::new));
        let desired = DesiredSubscription::all(&types, rows.iter().map(|row| &row.id), self.client_id);
        let plan = plan(&listed.subscriptions, &desired, self.place);
        let mut matches = HashMap::<_, Vec<_>>::new();
        for ((id, ..), found) in match_held(&plan, &desired) {
            matches.entry(id).or_default().push(found);
        }
        let (mut attempts, mut is_complete) = (0, is_complete);
        for row in &mut rows {
            let found = matches.remove(&row.id).unwrap_or_default();
            self.observe(db, row, &found).await?;
            is_complete &= row.is_enabled;
            let missing: Vec<_> = found.into_iter().filter(|it| self.is_to_be_created(row, it)).collect();
            let is_due = row.next_attempt_at.is_none_or(|at| at <= now);
            if missing.is_empty() || !is_due || attempts >= AT_ONCE {
                continue;
            }
            attempts += 1;
            self.create(db, row, &missing, now).await?;
        }
        Ok((!is_complete).then_some(PAUSE))
    }

    /// Deletes the subscriptions of channels that are not chosen any more.
    async fn release(
        &self,
        db: &mut PgConnection,
        listed: &SubscriptionList,
        rows: &[WatchedChannel],
        chosen: &[ChannelId],
        types: &[&'static SubscriptionType],
    ) -> Result<(), CycleError> {
        let chosen: HashSet<_> = chosen.iter().collect();
        let released: Vec<_> = rows.iter().map(|row| &row.id).filter(|id| !chosen.contains(id)).take(AT_ONCE).collect();
        let served = answered(served_channels::all(db)).await?;
        // One that is served by now keeps its subscriptions.
        let ended = released.iter().copied().filter(|id| !served.iter().any(|channel| channel.id == **id));
        let desired = DesiredSubscription::all(types, ended, self.client_id);
        let plan = plan(&listed.subscriptions, &desired, self.place);
        for (_, held) in plan.keep.iter().chain(&plan.dead) {
            delete(self.helix, held).await?;
        }
        for id in released {
            answered(store::remove(db, id)).await?;
        }
        Ok(())
    }

    /// Writes whether Twitch sends all of a channel to servers that accept it.
    async fn observe(
        &self,
        db: &mut PgConnection,
        row: &mut WatchedChannel,
        found: &[Match<'_>],
    ) -> Result<(), CycleError> {
        let before = row.clone();
        row.is_enabled = found.iter().all(|it| is_enabled(it.alive)) && self.is_own(row);
        if row.is_enabled {
            (row.attempts, row.next_attempt_at, row.problem) = (0, None, None);
        }
        if *row != before {
            answered(store::update(db, row)).await?;
        }
        Ok(())
    }

    fn is_own(&self, row: &WatchedChannel) -> bool {
        row.secret_fingerprint.as_ref() == Some(&self.server.secret_fingerprint)
    }

    fn is_to_be_created(&self, row: &WatchedChannel, found: &Match<'_>) -> bool {
        found.alive.is_none() || is_enabled(found.alive) && !self.is_own(row)
    }

    /// Creates what a channel lacks, or has with another secret.
    async fn create(
        &self,
        db: &mut PgConnection,
        row: &mut WatchedChannel,
        missing: &[Match<'_>],
        now: OffsetDateTime,
    ) -> Result<(), CycleError> {
        let is_again = missing.iter().any(|it| it.alive.is_some());
        if is_again && !answered(servers::has_only_secret(db, self.server.id)).await? {
            return Ok(());
        }
        let outcomes = join_all(missing.iter().map(|found| create(self.helix, self.transport, found))).await;
        row.attempts = row.attempts.saturating_add(1);
        row.next_attempt_at = Some(now + BACKOFF.pause(row.attempts.unsigned_abs()));
        // One that could not be deleted still has another secret.
        let is_own = missing.iter().zip(&outcomes).all(|(found, outcome)| found.alive.is_none() || outcome.is_ok());
        if is_own {
            row.secret_fingerprint = Some(self.server.secret_fingerprint.clone());
        }
        let mut failure = None;
        for error in outcomes.into_iter().filter_map(Result::err) {
            row.problem = Some(error.to_string());
            if error.is_transient() || is_about_the_token(&error) {
                failure = Some(error);
            } else if error.refusal() != Some(RefusalKind::AlreadyExists) {
                row.next_attempt_at = Some(now + LONG_PAUSE);
            }
        }
        answered(store::update(db, row)).await?;
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

fn is_enabled(held: Option<&HeldSubscription>) -> bool {
    held.is_some_and(|held| held.status == SubscriptionStatus::Enabled)
}

/// For how many channels there is room, if those that are watched are counted as well; `None` if Twitch does not say.
fn room(listed: &SubscriptionList, watched: &HashSet<ChannelId>) -> Option<u32> {
    let watched: HashSet<_> = watched.iter().map(ChannelId::as_str).collect();
    let is_watched = |held: &&HeldSubscription| {
        let id = held.condition.get("broadcaster_user_id");
        TYPES.contains(&held.kind.as_str()) && id.is_some_and(|id| watched.contains(id.as_str()))
    };
    let own: u32 = listed.subscriptions.iter().filter(is_watched).map(|held| held.cost).sum();
    let taken = listed.total_cost.saturating_sub(own).saturating_add(RESERVED_COST);
    (listed.max_total_cost > 0).then(|| listed.max_total_cost.saturating_sub(taken) / TYPES.len() as u32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn room_is_what_the_others_leave_of_the_cost() {
        let held = |channel: &str| {
            serde_json::from_value(json!({
                "id": channel, "status": "enabled", "type": "stream.online", "version": "1", "cost": 1,
                "condition": { "broadcaster_user_id": channel }, "transport": { "method": "webhook" },
            }))
            .unwrap()
        };
        let watched = ["7".parse().unwrap()].into();
        let room = |total_cost, max_total_cost| {
            let subscriptions = vec![held("7"), held("8")];
            super::room(&SubscriptionList { subscriptions, total_cost, max_total_cost, unreadable: 0 }, &watched)
        };
        assert_eq!(room(2, 10_000), Some((10_000 - 1 - 500) / 3), "that of the watched one counts as free");
        assert_eq!(room(2, 501), Some(0));
        assert_eq!(room(0, 0), None, "an answer without the limit");
    }
}
