//! Echoes: notifications of an event that another subscription of the same type and condition told, too.
//!
//! While a channel moves from one transport to another, two subscriptions deliver each event, as messages with different ids
//! and times. Nothing in a cheer says whether two messages are one cheer or two. But one subscription delivers each event
//! once: what comes twice through the same subscription happened twice. So equal messages are counted by subscription, and
//! one is an echo if another subscription has told as many before.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

/// Messages that were sent further apart are not compared.
const MAX_DISTANCE: Duration = Duration::minutes(10);

/// An event may be told by a subscription that Twitch says is this much younger.
const MARGIN: Duration = Duration::seconds(1);

/// A notification, as far as it is compared with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its id in the log.
    pub id: i64,
    /// Twitch's id of the subscription.
    pub subscription_id: String,
    /// When the subscription was created, if the message says so.
    pub subscribed_at: Option<OffsetDateTime>,
    /// When Twitch sent it.
    pub sent_at: OffsetDateTime,
}

/// What is the same in all notifications of an event: type, version and condition of the subscription, and what happened.
/// `None` if this is no notification.
#[must_use]
pub fn fingerprint(body: &str) -> Option<[u8; 32]> {
    let body: Value = serde_json::from_str(body).ok()?;
    let subscription = body.get("subscription")?;
    let event = body.get("event").or_else(|| body.get("events"))?;
    let family = ["type", "version", "condition"].map(|field| subscription.get(field).unwrap_or(&Value::Null));
    // The fields of objects are sorted.
    Some(Sha256::digest(serde_json::to_vec(&(family, event)).ok()?).into())
}

/// The notification of another subscription that this one repeats, among the earlier ones with the same fingerprint, in the
/// order of their ids.
#[must_use]
pub fn find(own: &Notification, earlier: &[Notification]) -> Option<i64> {
    let all = || earlier.iter().chain([own]);
    // What was sent before the younger subscription existed, the other one alone can have told.
    let since = all().filter_map(|it| it.subscribed_at).max().map(|at| at - MARGIN);
    let is_near = |it: &&Notification| (it.sent_at - own.sent_at).abs() <= MAX_DISTANCE;
    let counts = |it: &&Notification| is_near(it) && since.is_none_or(|since| it.sent_at >= since);
    if !counts(&own) {
        return None;
    }
    let mut told = BTreeMap::<&str, Vec<i64>>::new();
    for it in earlier.iter().filter(counts) {
        told.entry(&it.subscription_id).or_default().push(it.id);
    }
    let before = told.remove(own.subscription_id.as_str()).map_or(0, |own| own.len());
    told.into_values().filter_map(|others| others.get(before).copied()).min()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const BEGAN: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

    fn told(id: i64, subscription: char, sent_at: OffsetDateTime) -> Notification {
        let subscribed_at = Some(if subscription == 'A' { BEGAN - Duration::HOUR } else { BEGAN });
        Notification { id, subscription_id: subscription.to_string(), subscribed_at, sent_at }
    }

    /// What each message of this order repeats; letters are subscriptions.
    fn echoes(order: &str) -> Vec<(i64, i64)> {
        let mut earlier: Vec<Notification> = Vec::new();
        let mut found = Vec::new();
        for (id, subscription) in (1..).zip(order.chars()) {
            let own = told(id, subscription, BEGAN + Duration::seconds(id));
            found.extend(find(&own, &earlier).map(|of| (id, of)));
            earlier.push(own);
        }
        found
    }

    #[test]
    fn each_event_counts_once_in_whatever_order_its_notifications_come() {
        assert_eq!(echoes("AABB"), [(3, 1), (4, 2)]);
        assert_eq!(echoes("ABAB"), [(2, 1), (4, 3)]);
        assert_eq!(echoes("BABA"), [(2, 1), (4, 3)]);
        assert_eq!(echoes("ABBA"), [(2, 1), (4, 3)]);
        assert_eq!(echoes("AAB"), [(3, 1)], "one was lost on a side");
        assert_eq!(echoes("AAA"), [], "one subscription tells each event once");
        assert_eq!(echoes("ABC"), [(2, 1), (3, 1)]);
    }

    #[test]
    fn only_what_both_could_tell_is_compared() {
        let before = told(1, 'A', BEGAN - Duration::seconds(5));
        assert_eq!(find(&told(2, 'B', BEGAN), &[before]), None, "the younger one did not exist");
        let late = told(1, 'A', BEGAN + Duration::minutes(11));
        assert_eq!(find(&told(2, 'B', BEGAN), &[late]), None);
        assert_eq!(find(&told(2, 'B', BEGAN), &[told(1, 'A', BEGAN + Duration::minutes(9))]), Some(1));
    }

    #[test]
    fn fingerprint_is_of_what_happened() {
        let body = |id: &str, bits: &str| {
            format!(
                r#"{{"subscription":{{"id":"{id}","type":"channel.cheer","version":"1","condition":{{"a":"7"}}}},
                "event":{{{bits},"user_id":"1"}}}}"#
            )
        };
        let one = fingerprint(&body("A", r#""bits":5,"message":"hi""#));
        assert!(one.is_some());
        assert_eq!(one, fingerprint(&body("B", r#""message":"hi","bits":5"#)));
        assert_ne!(one, fingerprint(&body("A", r#""bits":6,"message":"hi""#)));
        assert_ne!(one, fingerprint(&body("A", r#""bits":5,"message":"hi""#).replace("\"7\"", "\"8\"")));
        assert_eq!(fingerprint(r#"{"inferred":{},"event":{}}"#), None);
    }

    proptest! {
        /// Some events are told by both subscriptions, some by one alone, in any order that keeps each subscription's own.
        #[test]
        fn as_many_events_as_the_subscription_that_told_more(a in 0_usize..6, b in 0_usize..6, seed in any::<u64>()) {
            let mut order: Vec<char> = std::iter::repeat_n('A', a).chain(std::iter::repeat_n('B', b)).collect();
            let mut random = seed;
            for last in (1..order.len()).rev() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                order.swap(last, usize::try_from(random >> 33).unwrap() % (last + 1));
            }
            let found = echoes(&order.iter().collect::<String>());
            prop_assert_eq!(order.len() - found.len(), a.max(b));
            let originals: std::collections::BTreeSet<_> = found.iter().map(|(_, of)| of).collect();
            prop_assert_eq!(originals.len(), found.len(), "no event is repeated twice by one subscription");
        }
    }
}
