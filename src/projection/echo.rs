//! Echoes: notifications of an event that a subscription over another transport told, too.
//!
//! While a channel changes its transport, two subscriptions deliver each event, as messages with different ids and times.
//! Nothing in a cheer says whether two messages are one cheer or two. But a transport tells each event once, and Twitch sends
//! the two messages of an event at almost the same time. So equal messages of both transports are paired, in such a way
//! that times differ least in all, and each pair is one event. A message is an echo if with it there is one pair more.
//!
//! How many pairs there are does not depend on the order in which the messages arrive, and a message adds one at most. So
//! the number of messages that are no echoes is that of the events at any time, although which of them are news is decided
//! at once.
//!
//! What only the old transport told, before the new one delivered, and what only the new one tells later are paired with
//! nothing, however alike they are: between them both delivered for [`OVERLAP`]. To pair them, all equal events of that time
//! would have to be paired with their neighbours, which costs as much as the overlap is long; to leave both alone costs
//! [`MAX_DISTANCE`].

use std::cmp::Ordering;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::{Duration, OffsetDateTime};

use crate::twitch::transport::TransportKind;

/// Messages that were sent further apart are not of one event.
pub const MAX_DISTANCE: Duration = Duration::seconds(2);

/// Messages that were sent further from one hardly bear on how it is paired: to pair what is alone there with it, all between
/// would have to be paired with their neighbours, which costs about as much as they are apart. It costs less where the pauses
/// between events are as short as the messages of an event are apart, so this is more than a pair gains.
pub const WINDOW: Duration = Duration::seconds(10);

/// Equal messages on each side of one with which it is compared: all pairs of them are looked at while the log is locked. The
/// [`WINDOW`] has more only if a channel has more than 25 equal events in a second.
pub const MAX_COMPARED: usize = 256;

/// For how long both transports deliver, at least.
pub const OVERLAP: Duration = Duration::seconds(10);

/// A notification, as far as it is compared with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its id in the log.
    pub id: i64,
    /// How it was delivered.
    pub transport: TransportKind,
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

/// The notification over the other transport that this one repeats, among the earlier ones with the same fingerprint.
#[must_use]
pub fn find(own: &Notification, earlier: &[Notification]) -> Option<i64> {
    let mut messages = neighbourhood(own, earlier);
    if messages.iter().all(|it| it.transport == own.transport) {
        return None;
    }
    let before = pairs(&messages).len();
    messages.push(own);
    let after = pairs(&messages);
    if after.len() == before {
        return None;
    }
    after.into_iter().find_map(|(a, b)| match own.id {
        id if id == a => Some(b),
        id if id == b => Some(a),
        _ => None,
    })
}

/// Those that bear on how this one is paired: from it on, no two neighbours are further apart than can be paired.
fn neighbourhood<'a>(own: &Notification, earlier: &'a [Notification]) -> Vec<&'a Notification> {
    let mut sorted: Vec<_> = earlier.iter().collect();
    sorted.sort_by_key(|it| it.sent_at);
    let (before, after) = sorted.split_at(sorted.partition_point(|it| it.sent_at <= own.sent_at));
    let mut near = Vec::new();
    for side in [&mut before.iter().rev() as &mut dyn Iterator<Item = _>, &mut after.iter()] {
        let mut last = own.sent_at;
        let is_near = |it: &&&Notification| {
            let pause = (it.sent_at - last).abs();
            last = it.sent_at;
            pause < MAX_DISTANCE && (it.sent_at - own.sent_at).abs() <= WINDOW
        };
        near.extend(side.take(MAX_COMPARED).take_while(is_near));
    }
    near
}

/// How good pairs are: the time by which they are closer than they must be, then their number.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Gain(i64, usize);

/// The best pairs of a message of each transport, by their ids. In the best ones no two pairs cross, so they are found as in
/// an alignment of two sequences.
fn pairs(messages: &[&Notification]) -> Vec<(i64, i64)> {
    let mut messages = messages.to_vec();
    messages.sort_by_key(|it| (it.sent_at, it.id));
    let (a, b): (Vec<&Notification>, Vec<_>) =
        messages.into_iter().partition(|it| it.transport == TransportKind::Webhook);
    let gain_of = |i: usize, j: usize| {
        let gain = MAX_DISTANCE - (a[i].sent_at - b[j].sent_at).abs();
        i64::try_from(gain.whole_microseconds()).ok().filter(|gain| gain.is_positive())
    };
    // The best of the first i and the first j messages.
    let mut best = vec![vec![Gain::default(); b.len() + 1]; a.len() + 1];
    for i in 0..a.len() {
        for j in 0..b.len() {
            let paired = gain_of(i, j).map(|gain| Gain(best[i][j].0 + gain, best[i][j].1 + 1)).unwrap_or_default();
            best[i + 1][j + 1] = best[i][j + 1].max(best[i + 1][j]).max(paired);
        }
    }
    let (mut i, mut j, mut pairs) = (a.len(), b.len(), Vec::new());
    while i > 0 && j > 0 {
        match (best[i][j].cmp(&best[i - 1][j]), best[i][j].cmp(&best[i][j - 1])) {
            (Ordering::Equal, _) => i -= 1,
            (_, Ordering::Equal) => j -= 1,
            _ => {
                (i, j) = (i - 1, j - 1);
                pairs.push((a[i].id, b[j].id));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use time::macros::datetime;

    use super::TransportKind::{Webhook, Websocket};
    use super::*;

    const BEGAN: OffsetDateTime = datetime!(2026-11-26 12:00 UTC);

    /// Messages in the order in which they arrive, with the milliseconds at which they were sent.
    type History = Vec<(TransportKind, i64)>;

    fn ms(span: Duration) -> i64 {
        i64::try_from(span.whole_milliseconds()).unwrap()
    }

    fn notifications(history: &[(TransportKind, i64)]) -> Vec<Notification> {
        let told = |(id, (transport, ms)): (i64, &(TransportKind, i64))| {
            let sent_at = BEGAN + Duration::milliseconds(*ms);
            Notification { id, transport: *transport, sent_at }
        };
        (1..).zip(history).map(told).collect()
    }

    /// What each of these messages repeats, by their places, from 1 on.
    fn echoes(history: &[(TransportKind, i64)]) -> Vec<(i64, i64)> {
        let all = notifications(history);
        let found = all.iter().enumerate().map(|(place, own)| Some((own.id, find(own, &all[..place])?)));
        found.flatten().collect()
    }

    /// The echoes among equal messages; upper case is a webhook, and the number is the second.
    fn echoes_of(history: &str) -> Vec<(i64, i64)> {
        let messages = history.split_whitespace().map(|it| {
            let transport = if it.starts_with('A') { Webhook } else { Websocket };
            (transport, ms(Duration::seconds_f64(it[1..].parse().unwrap())))
        });
        echoes(&messages.collect::<Vec<_>>())
    }

    #[test]
    fn event_counts_once_in_whatever_order_its_notifications_come() {
        assert_eq!(echoes_of("A1 A2 b1.1 b2.1"), [(3, 1), (4, 2)]);
        assert_eq!(echoes_of("A1 b1.1 A2 b2.1"), [(2, 1), (4, 3)]);
        assert_eq!(echoes_of("b1 A1.1 b2 A2.1"), [(2, 1), (4, 3)]);
        assert_eq!(echoes_of("A2 b1.1 b2.1 A1").len(), 2);
        assert_eq!(echoes_of("A1 A2 b2.1"), [(3, 2)], "one was lost on a side");
        assert_eq!(echoes_of("A1 A1.1 A1.2"), [], "one transport tells each event once");
        assert_eq!(echoes_of("A1 b9"), [], "too far apart");
    }

    #[test]
    fn event_that_only_the_old_transport_told_hides_none_that_only_the_new_one_tells() {
        // At 0 there was no WebSocket, at 11 there is no webhook any more.
        let told = "A0 A2 b2 A4 b4 A6 b6 A8 b8 A10 b10 b11";
        assert_eq!(echoes_of(told), [(3, 2), (5, 4), (7, 6), (9, 8), (11, 10)]);
        let late = "A0 b2 A2 b4 b6 b8 A4 A6 b10 b11 A8 A10";
        assert_eq!(echoes_of(late).len(), 5);
    }

    /// More than any channel has.
    #[test]
    fn crowd_of_equal_events_counts_once_each_in_whatever_order_the_transports_tell_them() {
        let (began, gone, events) = (5_000, 17_000, 400);
        let both = |number: i64| {
            let at = number * 50;
            let (webhook, websocket) = ((Webhook, at), (Websocket, at + number % 7));
            [(at <= gone).then_some(webhook), (at >= began).then_some(websocket)].into_iter().flatten()
        };
        let mut history: History = (0..events).flat_map(both).collect();
        let count = |history: &History| history.len() - echoes(history).len();
        assert_eq!(count(&history), 400);
        // One second of each transport at a time.
        history.sort_by_key(|(transport, at)| (at / 1_000, *transport == Webhook));
        assert_eq!(count(&history), 400);
    }

    #[test]
    fn number_of_messages_that_are_compared_is_bounded() {
        let all = notifications(&(0..2_000).map(|ms| (Webhook, ms)).collect::<Vec<_>>());
        assert_eq!(neighbourhood(&all[1_000], &all).len(), 2 * MAX_COMPARED);
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

    /// Equal events around switches there and back: pauses between them (in 100 ms), how much later than it happened each is
    /// sent over each transport, when each transport begins and ends to deliver, and the order of arrival.
    fn histories() -> impl Strategy<Value = (usize, History)> {
        let event = (1_i64..40, 0_i64..60, 0_i64..60);
        let times = (0_i64..60_000, 0_i64..20_000, 0_i64..60_000);
        (proptest::collection::vec(event, 0..60), times, any::<bool>(), any::<u64>()).prop_map(
            |(events, (began, longer, back), is_back, seed)| {
                let overlap = ms(OVERLAP);
                let gone = began + overlap + longer;
                // The second switch begins at any time after the first one.
                let (again, over) = (gone + back, gone + back + overlap + longer);
                let (mut at, mut messages) = (0, Vec::new());
                for (pause, webhook, websocket) in &events {
                    at += pause * 100;
                    let (has_new, has_old) =
                        (at >= began && !(is_back && at > over), at <= gone || (is_back && at >= again));
                    messages.extend(has_old.then_some((Webhook, at + webhook)));
                    messages.extend(has_new.then_some((Websocket, at + websocket)));
                }
                shuffle(&mut messages, seed);
                (events.len(), messages)
            },
        )
    }

    fn shuffle<T>(items: &mut [T], mut seed: u64) {
        for last in (1..items.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            items.swap(last, usize::try_from(seed >> 33).unwrap() % (last + 1));
        }
    }

    proptest! {
        #[test]
        fn equal_events_around_switches_count_once_each((events, history) in histories()) {
            let found = echoes(&history);
            prop_assert_eq!(history.len() - found.len(), events);
            let transport = |id: i64| history[usize::try_from(id - 1).unwrap()].0;
            prop_assert!(found.iter().all(|(id, of)| of < id && transport(*id) != transport(*of)));
        }

        /// The messages of an event may be far apart, if no equal event is near.
        #[test]
        fn events_that_are_far_apart_count_once_however_late_they_are_sent(
            lates in proptest::collection::vec((0_i64..1_999, any::<bool>()), 0..20), seed in any::<u64>()
        ) {
            let sent = |(number, (late, is_webhook)): (i64, &(i64, bool))| {
                let (one, other) = if *is_webhook { (Webhook, Websocket) } else { (Websocket, Webhook) };
                [(one, number * 20_000), (other, number * 20_000 + late)]
            };
            let mut history: Vec<_> = (0..).zip(&lates).flat_map(sent).collect();
            shuffle(&mut history, seed);
            let found = echoes(&history);
            prop_assert_eq!(history.len() - found.len(), lates.len());
            let originals: BTreeSet<_> = found.iter().map(|(_, of)| of).collect();
            prop_assert_eq!(originals.len(), found.len());
        }
    }
}
