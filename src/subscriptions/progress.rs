//! How far a desired subscription has got, and when to try again: the reconciler's decisions. Pure,
//! but for the jitter.

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;

use super::desired::DesiredSubscription;
use super::plan::Plan;
use crate::backoff::Backoff;
use crate::store::desired_subscriptions::{DesiredRow, DesiredStatus};
use crate::twitch::helix::{HeldSubscription, HelixError, RefusalKind};
use crate::twitch::id::ChannelId;
use crate::twitch::signature::SecretFingerprint;
use crate::twitch::subscription_status::SubscriptionStatus;
use crate::twitch::transport::TransportKind;

/// The pauses before attempts that can succeed by themselves. With the time that a call may take, everything is healed
/// within a minute of its cause's end.
pub(super) const BACKOFF: Backoff = Backoff { first: Duration::from_secs(2), max: Duration::from_secs(30) };

/// The pause before another attempt at what a person has to help first.
pub(super) const LONG_PAUSE: Duration = Duration::from_secs(3_600);

/// The shortest and the longest pause after a limit on WebSocket subscriptions was reached. Those of a connection that died
/// count until Twitch notices, which takes about a minute.
const LIMIT_PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(90));

/// A desired subscription, with those like it at Twitch.
#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) desired: &'a DesiredSubscription,
    pub(super) alive: Option<&'a HeldSubscription>,
    /// Remains, the newest last.
    pub(super) dead: Vec<&'a HeldSubscription>,
}

/// What Twitch holds of each desired subscription, by channel id, type and version.
pub(super) fn match_held<'a>(
    plan: &Plan<'a>,
    desired: &'a [DesiredSubscription],
) -> HashMap<(ChannelId, String, String), Match<'a>> {
    let key = |it: &DesiredSubscription| (it.channel_id.clone(), it.kind.name.clone(), it.kind.version.clone());
    let mut matches: HashMap<_, _> =
        desired.iter().map(|desired| (key(desired), Match { desired, alive: None, dead: Vec::new() })).collect();
    for (desired, alive) in &plan.keep {
        matches.entry(key(desired)).and_modify(|it| it.alive = Some(alive));
    }
    for (desired, dead) in &plan.dead {
        matches.entry(key(desired)).and_modify(|it| it.dead.push(dead));
    }
    matches
}

/// Brings a row up to date with what Twitch holds, and returns whether that changed it. If Twitch
/// holds nothing, the last status stays: it says why.
pub(super) fn observe(row: &mut DesiredRow, found: &Match<'_>, now: OffsetDateTime) -> bool {
    let before = row.clone();
    match (found.alive, found.dead.last()) {
        (Some(alive), _) => {
            row.set_status(DesiredStatus::Held(alive.status.clone()), now);
            if row.subscription_id.as_ref() != Some(&alive.id) {
                (row.subscription_id, row.secret_fingerprint) = (Some(alive.id.clone()), None);
            }
            row.problem = None;
            if alive.status == SubscriptionStatus::Enabled {
                (row.attempts, row.next_attempt_at) = (0, None);
            }
        }
        (None, Some(dead))
            if row.subscription_id.as_ref() == Some(&dead.id) || row.status == DesiredStatus::Missing =>
        {
            row.set_status(DesiredStatus::Held(dead.status.clone()), now);
            row.subscription_id = Some(dead.id.clone());
        }
        // It was alive at the last comparison, and then deleted, remains and all.
        (None, _) if row.status.is_alive() => {
            row.set_status(DesiredStatus::Missing, now);
            row.subscription_id = None;
        }
        (None, _) => {}
    }
    if row.status.needs_consent() && row.next_attempt_at.is_none() {
        row.next_attempt_at = Some(now + LONG_PAUSE);
    }
    *row != before
}

/// How many subscriptions that were created with another secret may be created again in one cycle. Each loses what happens
/// until Twitch has verified the callback, so the first one has to prove that this succeeds.
const AGAIN_AT_ONCE: usize = 100;

/// The subscriptions that were created with this server's secret.
#[derive(Debug, Default)]
pub(super) struct OwnSecret {
    /// Whether one is enabled: messages that are signed with this secret get in.
    is_proven: bool,
    /// Whether one has yet to be verified by Twitch, or could not be.
    is_unverified: bool,
}

impl OwnSecret {
    /// Takes a row into account, and returns whether it is to be created again.
    pub(super) fn observe(&mut self, row: &DesiredRow, own: &SecretFingerprint) -> bool {
        use SubscriptionStatus as S;
        let DesiredStatus::Held(status) = &row.status else { return false };
        let is_own = row.secret_fingerprint.as_ref() == Some(own);
        self.is_proven |= is_own && *status == S::Enabled;
        self.is_unverified |=
            is_own && matches!(status, S::WebhookCallbackVerificationPending | S::WebhookCallbackVerificationFailed);
        !is_own && *status == S::Enabled
    }

    /// How many may be created again now.
    pub(super) fn allowance(&self) -> usize {
        match (self.is_unverified, self.is_proven) {
            (true, _) => 0,
            (false, true) => AGAIN_AT_ONCE,
            (false, false) => 1,
        }
    }
}

/// Whether to try now. A person who ran `init` or consented since the last attempt ends every pause. A start of the server ends the
/// long ones, since a setting may have changed.
pub(super) fn is_due(row: &DesiredRow, requested_at: OffsetDateTime, is_first: bool, now: OffsetDateTime) -> bool {
    let Some(at) = row.next_attempt_at else { return true };
    let is_requested = requested_at > row.attempted_at.map_or(row.since, |attempted_at| attempted_at.max(row.since));
    let is_revoked = row.status == DesiredStatus::Held(SubscriptionStatus::AuthorizationRevoked);
    // The wall clock was set back since.
    let is_unknown = row.attempted_at.is_some_and(|attempted_at| attempted_at > now + BACKOFF.max);
    at <= now || is_unknown || is_requested || (is_first && at > now + BACKOFF.max && !is_revoked)
}

/// Writes into the row how an attempt ended that began then, and with which webhook secret it was made.
pub(super) fn record_outcome(
    row: &mut DesiredRow,
    outcome: &Result<HeldSubscription, HelixError>,
    secret: Option<&SecretFingerprint>,
    began_at: OffsetDateTime,
    now: OffsetDateTime,
) {
    row.attempted_at = Some(began_at);
    row.attempts = row.attempts.saturating_add(1);
    row.next_attempt_at = Some(now + BACKOFF.pause(row.attempts.unsigned_abs()));
    match outcome {
        Ok(created) => {
            row.set_status(DesiredStatus::Held(created.status.clone()), now);
            row.subscription_id = Some(created.id.clone());
            row.secret_fingerprint = secret.cloned();
            row.problem = None;
        }
        Err(error) => {
            row.problem = Some(error.to_string());
            match error.refusal() {
                // It was created in the meantime, or is to be created on another session; the next comparison finds out.
                Some(RefusalKind::AlreadyExists | RefusalKind::SessionEnded) | None => {}
                Some(RefusalKind::NoConsent) => {
                    row.set_status(DesiredStatus::NeedsConsent, began_at);
                    row.next_attempt_at = Some(now + LONG_PAUSE);
                }
                Some(RefusalKind::LimitReached | RefusalKind::TooManySessions)
                    if row.transport == TransportKind::Websocket =>
                {
                    let (shortest, longest) = (LIMIT_PAUSE.0.as_secs_f64(), LIMIT_PAUSE.1.as_secs_f64());
                    let pause = Duration::from_secs_f64(rand::random_range(shortest..=longest));
                    row.next_attempt_at = Some(now + pause);
                }
                Some(_) => row.next_attempt_at = Some(now + LONG_PAUSE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twitch::signature::WebhookSecret;

    fn row(status: &str, at: OffsetDateTime) -> DesiredRow {
        DesiredRow {
            channel_id: "7".parse().unwrap(),
            channel_login: "maplearcade".to_owned(),
            kind: "channel.follow".to_owned(),
            version: "2".to_owned(),
            transport: TransportKind::Webhook,
            subscription_id: None,
            secret_fingerprint: None,
            has_other_secret: false,
            status: status.into(),
            since: at,
            problem: None,
            attempts: 1,
            attempted_at: Some(at),
            next_attempt_at: Some(at + LONG_PAUSE),
        }
    }

    #[test]
    fn long_pause_ends_when_a_person_asks_or_the_server_starts() {
        let minute = Duration::from_secs(60);
        let attempted_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(86_400);
        let (before, now) = (attempted_at - minute, attempted_at + minute);
        for status in ["missing", "needs_consent", "authorization_revoked"] {
            let row = row(status, attempted_at);
            assert!(!is_due(&row, before, false, now), "{status}");
            assert!(is_due(&row, now, false, now), "{status}: `init` was run since");
            assert!(is_due(&row, before, false, attempted_at + LONG_PAUSE), "{status}");
            assert_eq!(is_due(&row, before, true, now), status != "authorization_revoked", "{status}");
        }
    }

    #[test]
    fn first_subscription_with_a_new_secret_is_verified_before_the_others_are_created_again() {
        let [own, other] = ["the own secret", "another secret"].map(|it| WebhookSecret::new(it).unwrap().fingerprint());
        let observed = |rows: &[(&str, &SecretFingerprint)]| {
            let mut observed = OwnSecret::default();
            let again = rows.iter().filter(|(status, secret)| {
                let row = row(status, OffsetDateTime::UNIX_EPOCH);
                observed.observe(&DesiredRow { secret_fingerprint: Some((*secret).clone()), ..row }, &own)
            });
            (again.count(), observed.allowance())
        };
        let (pending, failed) = ("webhook_callback_verification_pending", "webhook_callback_verification_failed");
        let foreign = ("enabled", &other);
        assert_eq!(observed(&[foreign, foreign, ("missing", &other), (failed, &other)]), (2, 1));
        assert_eq!(observed(&[foreign, (pending, &own)]), (1, 0));
        assert_eq!(observed(&[foreign, ("enabled", &own), (failed, &own)]), (1, 0));
        assert_eq!(observed(&[foreign, ("enabled", &own), ("needs_consent", &own)]), (1, AGAIN_AT_ONCE));
        assert_eq!(observed(&[("enabled", &own)]).0, 0);
    }

    #[test]
    fn request_before_a_revocation_is_no_reason_to_try_again() {
        let revoked_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(86_400);
        let mut row = row("authorization_revoked", revoked_at);
        row.attempted_at = Some(revoked_at - Duration::from_secs(120));
        let requested_at = revoked_at - Duration::from_secs(60);
        assert!(!is_due(&row, requested_at, false, revoked_at + Duration::from_secs(60)));
    }
}
