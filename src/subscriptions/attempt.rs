//! How far a wanted subscription has got, and when to try again: the reconciler's decisions. Pure,
//! but for the jitter.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;
use url::Url;

use super::plan::{self as subscribe, ENABLED, Remedy, Wanted, plan, remedy};
use crate::backoff::Backoff;
use crate::store::desired_subscriptions as store;
use crate::twitch::helix::{HelixError, RefusalKind, Subscription};

/// Twitch refused to create it until somebody consents.
pub const NEEDS_CONSENT: &str = "needs_consent";

/// The pauses before attempts that can succeed by themselves. With the time that a call may take, everything is healed
/// within a minute of its cause's end.
pub(super) const BACKOFF: Backoff = Backoff { first: Duration::from_secs(2), max: Duration::from_secs(30) };

/// Before another attempt at what somebody has to help first.
const LONG_PAUSE: Duration = Duration::from_secs(3_600);

/// What Twitch holds of one wanted subscription.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) alive: Option<&'a Subscription>,
    /// Remains, the newest last.
    pub(super) dead: Vec<&'a Subscription>,
}

/// What Twitch holds of each wanted one, by channel id, type and version.
pub(super) fn known<'a>(
    held: &'a [Subscription],
    wanted: &'a [Wanted],
    callback: &Url,
) -> HashMap<(String, String, String), Known<'a>> {
    let key = |want: &Wanted| (want.channel_id.clone(), want.kind.name.clone(), want.kind.version.clone());
    let mut known: HashMap<_, _> =
        wanted.iter().map(|wanted| (key(wanted), Known { wanted, alive: None, dead: Vec::new() })).collect();
    let plan = plan(held, wanted, callback);
    for (want, subscription) in plan.keep {
        known.entry(key(want)).and_modify(|known| known.alive = Some(subscription));
    }
    for (want, subscription) in plan.dead {
        known.entry(key(want)).and_modify(|known| known.dead.push(subscription));
    }
    known
}

/// Brings a row up to date with what Twitch holds, and says whether that changed it. If Twitch
/// holds nothing, the last status stays: it says why.
pub(super) fn note(row: &mut store::Wanted, known: &Known<'_>, now: OffsetDateTime) -> bool {
    let before = row.clone();
    match (known.alive, known.dead.last()) {
        (Some(alive), _) => {
            row.turn(&alive.status, now);
            row.subscription_id = Some(alive.id.clone());
            row.problem = None;
            if alive.status == ENABLED {
                (row.attempts, row.next_attempt_at) = (0, None);
            }
        }
        (None, Some(dead)) if row.subscription_id.as_ref() == Some(&dead.id) || before.status == "missing" => {
            row.turn(&dead.status, now);
            row.subscription_id = Some(dead.id.clone());
        }
        // What was alive when we last looked was deleted by somebody, remains and all.
        (None, _) if subscribe::is_alive(&row.status) => {
            row.turn("missing", now);
            row.subscription_id = None;
        }
        (None, _) => {}
    }
    if waits_for_consent(&row.status) && row.next_attempt_at.is_none() {
        row.next_attempt_at = Some(now + LONG_PAUSE);
    }
    *row != before
}

impl store::Wanted {
    fn turn(&mut self, status: &str, now: OffsetDateTime) {
        if self.status != status {
            status.clone_into(&mut self.status);
            self.since = now;
        }
    }
}

/// Whether only a person can help, by consenting.
#[must_use]
pub fn waits_for_consent(status: &str) -> bool {
    status == NEEDS_CONSENT || remedy(status) == Remedy::Consent
}

/// Whether to try now. A consent that is newer than the last attempt ends the long pause, and so
/// does a start of the server, since a setting may have changed.
pub(super) fn is_due(
    row: &store::Wanted,
    consented_at: Option<&OffsetDateTime>,
    is_first: bool,
    now: OffsetDateTime,
) -> bool {
    let Some(at) = row.next_attempt_at else { return true };
    let is_long = at > now + BACKOFF.max;
    let has_new_consent = waits_for_consent(&row.status) && consented_at.is_some_and(|it| *it > at - LONG_PAUSE);
    at <= now || has_new_consent || (is_long && is_first && row.status != "authorization_revoked")
}

/// Keeps what came of an attempt.
pub(super) fn settle(row: &mut store::Wanted, outcome: &Result<Subscription, HelixError>, now: OffsetDateTime) {
    row.attempts = row.attempts.saturating_add(1);
    let soon = now + BACKOFF.pause(row.attempts.unsigned_abs());
    row.next_attempt_at = Some(soon);
    match outcome {
        Ok(created) => {
            row.turn(&created.status, now);
            row.subscription_id = Some(created.id.clone());
            row.problem = None;
        }
        Err(error) => {
            row.problem = Some(error.to_string());
            match error.refusal() {
                // It came to be while we looked; the next look finds it.
                Some(RefusalKind::AlreadyExists) | None => {}
                Some(RefusalKind::NoConsent) => {
                    row.turn(NEEDS_CONSENT, now);
                    row.next_attempt_at = Some(now + LONG_PAUSE);
                }
                Some(_) => row.next_attempt_at = Some(now + LONG_PAUSE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: &str) -> store::Wanted {
        store::Wanted {
            channel_id: "7".to_owned(),
            kind: "channel.follow".to_owned(),
            version: "2".to_owned(),
            subscription_id: None,
            status: status.to_owned(),
            since: OffsetDateTime::UNIX_EPOCH,
            problem: None,
            attempts: 0,
            next_attempt_at: None,
        }
    }

    #[test]
    fn only_a_new_consent_ends_the_wait_for_one() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(86_400);
        let mut row = row("authorization_revoked");
        row.next_attempt_at = Some(now + LONG_PAUSE);
        let later = now + Duration::from_secs(60);
        let earlier = now - Duration::from_secs(60);
        assert!(!is_due(&row, None, true, later));
        assert!(!is_due(&row, Some(&earlier), false, later));
        assert!(is_due(&row, Some(&later), false, later));
        assert!(is_due(&row, None, false, now + LONG_PAUSE));
        row.status = "missing".to_owned();
        assert!(!is_due(&row, Some(&later), false, later), "a limit has nothing to do with consent");
        assert!(is_due(&row, None, true, later), "but a setting may have changed");
    }
}
