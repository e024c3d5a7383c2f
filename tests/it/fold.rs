//! The projection against a naive oracle: the same messages in any order, with any of them repeated, must lead to the same
//! state, the one that the oracle works out.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::{Range, RangeInclusive};

use itertools::Itertools as _;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use showtime::load::oracle::{self, Oracle};
use showtime::message::segment::{SEGMENT_BEGIN, SEGMENT_CHANGE, SEGMENT_END, SEGMENT_REMOVE};
use showtime::message::viewers::STREAM_VIEWERS;
use showtime::message::{Content, Event, Origin};
use showtime::projection::{Activity, Fact, Stamp, State, Viewer};
use showtime::store::ledger;
use showtime::twitch::eventsub::parse_timestamp;
use showtime::twitch::id::{ChannelId, StreamId};
use showtime::twitch::payload::Ids;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::segment_oracle::assert_segments_match;
use crate::support::messages::{CHANNEL, text, with_person, with_user};

const MIDNIGHT: OffsetDateTime = datetime!(2026-11-20 00:00 UTC);

/// One message of a history.
#[derive(Clone, Debug)]
pub(crate) struct HistoryMessage {
    pub(crate) id: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) kind: &'static str,
    /// Inferred from Helix, instead of sent by Twitch.
    pub(crate) is_inferred: bool,
    pub(crate) event: Value,
}

impl HistoryMessage {
    pub(crate) fn fact(&self) -> Fact<'static> {
        let ids = Ids::parse(self.kind, &self.event.to_string());
        let event = Event::parse(self.kind, &self.event.to_string()).unwrap();
        let subject = json!({ "type": self.kind, "version": "1", "channel_id": CHANNEL });
        let subject = serde_json::from_value(subject).unwrap();
        // Nothing here depends on a subscription.
        let origin = Some(if self.is_inferred { Origin::Inferred(subject) } else { Origin::Segment(subject) });
        let content = Content { channel_id: Some(CHANNEL.parse().unwrap()), event, ids, origin, ..Content::default() };
        Fact { id: 0, stamp: Stamp { at: self.at, by: self.id.clone() }, content: Cow::Owned(content) }
    }

    pub(crate) fn text(&self, field: &str) -> Option<String> {
        self.event[field].as_str().map(str::to_owned)
    }

    fn number(&self, field: &str) -> i64 {
        self.event[field].as_i64().unwrap()
    }

    fn time(&self, field: &str) -> OffsetDateTime {
        parse_timestamp(&self.text(field).unwrap()).unwrap()
    }
}

/// The kinds of messages in [`message`] that are about streams.
const STREAM_KINDS: Range<u8> = 0..5;

/// All kinds of messages in [`message`].
const ALL_KINDS: Range<u8> = 0..23;

/// The kinds of messages in [`message`] that may be repeated or taken back.
pub(crate) const REPEATED_KINDS: [u8; 12] = [0, 1, 2, 3, 4, 6, 7, 9, 15, 16, 17, 18];

/// Messages about one channel, three streams and three viewers within two hours, so that they collide often: equal times,
/// ends without a start, starts without an end, inferences that contradict each other and Twitch's messages.
fn message(kinds: impl Strategy<Value = u8>) -> impl Strategy<Value = HistoryMessage> {
    let stream = prop::sample::select(vec!["s1", "s2", "s3"]);
    let user = prop::sample::select(vec!["u1", "u2", "u3"]);
    let tier = prop::sample::select(vec!["1000", "3000"]);
    (kinds, stream, user, tier, 0..24_i64, 0..24_i64, 1..100_u32, "[a-z]{8}").prop_map(
        |(kind, stream, user, tier, at, other, amount, id)| {
            let (at, other) = (MIDNIGHT + Duration::minutes(at * 5), MIDNIGHT + Duration::minutes(other * 5));
            let renamed = |mut event: Value| {
                event["user_name"] = format!("Name{amount}").into();
                event["user_login"] = format!("login{}", amount % 3).into();
                event
            };
            let is_inferred = [3, 4, 20].contains(&kind);
            let (kind, event) = match kind {
                0 | 3 => ("stream.online", json!({ "id": stream, "type": "live", "started_at": text(other) })),
                1 | 4 => ("stream.offline", json!({ "id": stream })),
                2 => ("stream.offline", json!({})),
                5 => (
                    "channel.update",
                    json!({ "title": format!("title {amount}"), "language": "en",
                    "category_id": "", "category_name": "", "content_classification_labels": ["Gambling"] }),
                ),
                6 => ("channel.follow", renamed(with_user(user, json!({ "followed_at": text(other) })))),
                7 => ("channel.subscribe", with_user(user, json!({ "tier": tier, "is_gift": false }))),
                8 => ("channel.subscription.end", with_user(user, json!({ "tier": tier, "is_gift": false }))),
                9 => (
                    "channel.subscription.message",
                    with_user(
                        user,
                        json!({ "tier": tier, "cumulative_months": 1 + amount % 3,
                        "message": { "text": if amount % 2 == 0 { "hi" } else { "" } } }),
                    ),
                ),
                10 if amount % 3 == 0 => {
                    ("channel.cheer", json!({ "bits": amount, "user_id": null, "user_login": null, "user_name": null }))
                }
                10 => ("channel.cheer", with_user(user, json!({ "bits": amount }))),
                11 if amount % 2 == 0 => (
                    "channel.raid",
                    with_person(
                        "to_broadcaster_user_",
                        CHANNEL,
                        with_person("from_broadcaster_user_", user, json!({ "viewers": amount })),
                    ),
                ),
                11 => ("channel.subscription.gift", with_user(user, json!({ "total": amount, "tier": tier }))),
                12 => (SEGMENT_BEGIN, json!({ "id": format!("g{}", amount % 5), "title": "tape", "reference": null })),
                13 => (SEGMENT_END, json!({ "id": format!("g{}", amount % 5) })),
                21 => (SEGMENT_CHANGE, segment_change(amount)),
                22 => (SEGMENT_REMOVE, json!({ "id": format!("g{}", amount % 5) })),
                15 => ("channel.poll.end", json!({ "id": format!("p{}", amount % 3) })),
                16 if amount % 3 == 0 => (
                    "channel.chat.message",
                    json!({ "message_id": format!("c{}", amount % 5), "chatter_user_id": user,
                        "source_broadcaster_user_id": CHANNEL, "source_message_id": format!("m{}", amount % 5) }),
                ),
                16 => (
                    "channel.chat.message",
                    json!({ "message_id": format!("m{}", amount % 5), "chatter_user_id": user,
                        "is_source_only": if amount % 2 == 0 { json!(false) } else { Value::Null } }),
                ),
                17 => ("channel.chat.message_delete", json!({ "message_id": format!("m{}", amount % 5) })),
                18 if amount % 2 == 0 => ("channel.chat.clear", json!({})),
                20 => (STREAM_VIEWERS, json!({ "id": stream, "viewers": amount })),
                19 => ("channel.channel_points_custom_reward_redemption.add", json!({ "id": id })),
                18 => ("channel.chat.clear_user_messages", json!({ "target_user_id": user })),
                _ => ("user.update", renamed(with_user(user, json!({ "description": "" })))),
            };
            let event = match kind {
                "user.update" | "channel.raid" => event,
                _ => with_person("broadcaster_user_", CHANNEL, event),
            };
            // A segment begins, ends and is removed once, which the ids of these messages say; the same changes once at a time.
            let id = match (kind, event["id"].as_str()) {
                (SEGMENT_BEGIN | SEGMENT_END | SEGMENT_REMOVE, Some(segment)) => format!("{kind}:{segment}"),
                (SEGMENT_CHANGE, Some(segment)) => {
                    let is_said = |field: &&str| event[&field[1..]].is_string();
                    let said: String = [":title", ":reference"].into_iter().filter(is_said).collect();
                    format!("{kind}:{segment}:{}{said}", at.unix_timestamp_nanos() / 1_000)
                }
                _ => id,
            };
            HistoryMessage { id, at, kind, is_inferred, event }
        },
    )
}

/// A segment gets another title or another reference, which may be none, or both.
fn segment_change(amount: u32) -> Value {
    let mut change = json!({ "id": format!("g{}", amount % 5) });
    if !amount.is_multiple_of(3) {
        change["title"] = format!("tape {amount}").into();
    }
    if amount % 3 < 2 {
        change["reference"] = ["", "shelf", "drawer"][amount as usize / 3 % 3].into();
    }
    change
}

pub(crate) fn history(length: RangeInclusive<usize>) -> impl Strategy<Value = Vec<HistoryMessage>> {
    history_of(ALL_KINDS, length)
}

pub(crate) fn history_of(
    kinds: impl Strategy<Value = u8>,
    length: RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<HistoryMessage>> {
    prop::collection::vec(message(kinds), length)
        .prop_map(|messages| messages.into_iter().unique_by(|message| message.id.clone()).collect())
}

/// Applies messages as the log does: each once, in batches of this size.
fn fold<'a>(messages: impl Iterator<Item = &'a HistoryMessage>, batch: usize) -> State {
    let mut seen = HashSet::new();
    let facts: Vec<Fact<'_>> = messages.filter(|message| seen.insert(&message.id)).map(HistoryMessage::fact).collect();
    let mut state = State::default();
    for batch in facts.chunks(batch) {
        state.extend(batch);
        state.derive();
    }
    state
}

impl HistoryMessage {
    /// The message as the oracle takes it; `None` if it is not about the channel.
    pub(crate) fn to_oracle(&self) -> Option<oracle::Message<String>> {
        use oracle::Event as E;
        let user = || self.text("user_id");
        let viewer = || user().unwrap();
        let tier = || self.text("tier").unwrap();
        let is_inferred = self.is_inferred;
        let event = match self.kind {
            "stream.online" => {
                E::Online { stream: self.text("id").unwrap(), started_at: self.time("started_at"), is_inferred }
            }
            "stream.offline" => E::Offline { stream: self.text("id"), is_inferred },
            "channel.follow" => E::Follow { viewer: viewer(), followed_at: self.time("followed_at") },
            "channel.cheer" => E::Cheer { viewer: user(), bits: self.number("bits") },
            "channel.subscription.gift" => E::Gift { viewer: user(), total: self.number("total") },
            "channel.raid" => {
                E::Raid { viewer: self.text("from_broadcaster_user_id").unwrap(), viewers: self.number("viewers") }
            }
            "channel.subscribe" => E::Subscribe { viewer: viewer(), tier: tier() },
            "channel.subscription.end" => E::SubscriptionEnd { viewer: viewer(), tier: tier() },
            "channel.subscription.message" => {
                E::Resubscribe { viewer: viewer(), tier: tier(), months: self.number("cumulative_months") }
            }
            "user.update" | "channel.poll.end" | STREAM_VIEWERS => return None,
            kind if kind.starts_with("channel.chat.") || kind.starts_with("channel.channel_points_") => return None,
            _ => E::Other,
        };
        Some(oracle::Message { id: self.id.clone(), at: self.at, channel: CHANNEL.to_owned(), event })
    }
}

pub(crate) type Streams = BTreeMap<String, ledger::Stream>;

fn assert_matches_oracle(state: &State, history: &[HistoryMessage]) {
    let mut oracle = Oracle::default();
    history.iter().filter_map(HistoryMessage::to_oracle).for_each(|message| oracle.add(message));
    assert_eq!(stream_rows(state), oracle.streams());
    assert_segments_match(state, history, &oracle.streams());
    let viewers: BTreeMap<_, _> = state
        .viewers
        .iter()
        .map(|((channel, user), viewer)| ((channel.to_string(), user.to_string()), viewer_row(viewer)))
        .collect();
    assert_eq!(viewers, oracle.viewers);
    let channels: BTreeMap<_, _> = state
        .channels
        .iter()
        .map(|(id, channel)| {
            (id.to_string(), ledger::Anonymous { bits: channel.anonymous_bits, gifts: channel.anonymous_gifts })
        })
        .collect();
    assert_eq!(channels.get(CHANNEL), oracle.channels.get(CHANNEL));
    assert_newest_names(state, history);
    assert_eq!(state.activity, naive_activity(history));
}

/// What happened in each minute. The times of a history are full minutes.
fn naive_activity(history: &[HistoryMessage]) -> BTreeMap<(ChannelId, OffsetDateTime), Activity> {
    let mut minutes = BTreeMap::new();
    for message in history {
        let is = |kind: &str| message.kind == kind;
        let if_is = |kind: &str, field: &str| if is(kind) { message.number(field) } else { 0 };
        let counts = [
            i64::from(is("channel.subscribe")),
            i64::from(is("channel.subscription.message") && message.number("cumulative_months") > 1),
            if_is("channel.subscription.gift", "total"),
            if_is("channel.cheer", "bits"),
            i64::from(is("channel.raid")),
            if_is("channel.raid", "viewers"),
            i64::from(is("channel.channel_points_custom_reward_redemption.add")),
            i64::from(is("channel.chat.message")),
            if_is(STREAM_VIEWERS, "viewers"),
            i64::from(is(STREAM_VIEWERS)),
        ];
        if counts != [0; 10] {
            let (sums, peak) = minutes.entry((CHANNEL.parse().unwrap(), message.at)).or_insert(([0; 10], 0));
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            *peak = (*peak).max(if_is(STREAM_VIEWERS, "viewers"));
        }
    }
    let activity = |(sums, viewers_peak): ([i64; 10], i64)| {
        let [subscriptions, resubscriptions, gifts, bits, raids, raid_viewers, redemptions, messages, viewers, samples] =
            sums;
        Activity {
            subscriptions,
            resubscriptions,
            gifts,
            bits,
            raids,
            raid_viewers,
            redemptions,
            messages,
            viewers,
            viewer_samples: samples,
            viewers_peak,
        }
    };
    minutes.into_iter().map(|(minute, counts)| (minute, activity(counts))).collect()
}

fn stream_rows(state: &State) -> Streams {
    let rows = state.streams.iter().map(|(id, stream)| {
        let row = ledger::Stream {
            channel_id: stream.channel_id.to_string(),
            started_at: stream.began.as_ref().map(|began| began.at),
            ended_at: stream.ended_at,
            is_end_estimated: stream.is_end_estimated,
            broadcast_id: stream.broadcast_id.as_ref().map(StreamId::to_string),
        };
        (id.to_string(), row)
    });
    rows.collect()
}

fn viewer_row(viewer: &Viewer) -> ledger::Viewer {
    ledger::Viewer {
        first_followed_at: viewer.first_followed_at,
        first_bits_at: viewer.bits.first_at,
        bits: viewer.bits.total,
        cheers: viewer.bits.count,
        first_gift_at: viewer.gifts.first_at,
        gifts: viewer.gifts.total,
        gift_events: viewer.gifts.count,
        first_raid_at: viewer.raids.first_at,
        raids: viewer.raids.count,
        raid_viewers: viewer.raids.total,
        subscription: viewer.subscription.clone().map(|newest| {
            Box::new(ledger::Subscribed {
                is_subscribed: newest.value.is_active,
                tier: newest.value.tier.unwrap(),
                at: newest.stamp.at,
                by: newest.stamp.by,
                began_at: viewer.subscription_began_at,
                ended_at: viewer.subscription_ended_at,
                months: viewer.subscription_months,
            })
        }),
    }
}

/// Users have the names, and the channel the title, of the newest message that has one.
fn assert_newest_names(state: &State, history: &[HistoryMessage]) {
    let newest = |messages: Vec<&HistoryMessage>| {
        messages.into_iter().max_by_key(|message| (message.at, message.id.clone())).cloned()
    };
    for user in ["u1", "u2", "u3"] {
        let names_user = |message: &&HistoryMessage| {
            [message.text("user_id"), message.text("from_broadcaster_user_id")].contains(&Some(user.to_owned()))
        };
        let name = newest(history.iter().filter(names_user).collect())
            .map(|message| message.text("user_name").or(message.text("from_broadcaster_user_name")));
        assert_eq!(state.users.get(user).map(|names| Some(names.value.display_name.clone())), name);
    }
    let update = newest(history.iter().filter(|message| message.kind == "channel.update").collect());
    let info = state.channels.get(CHANNEL).and_then(|channel| channel.info.clone());
    assert_eq!(info.map(|info| info.value.title), update.and_then(|update| update.text("title")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// In each permutation, one message is repeated at some later place.
    #[test]
    fn permutations_of_up_to_seven_messages_lead_to_the_same_state(
        messages in prop_oneof![history(1..=7), history_of(STREAM_KINDS, 1..=7)], again in any::<Index>(), later in any::<Index>(), batch in 1..=7_usize,
    ) {
        let expected = fold(messages.iter(), messages.len());
        assert_matches_oracle(&expected, &messages);
        for mut order in messages.iter().permutations(messages.len()) {
            let again = again.index(order.len());
            order.insert(again + 1 + later.index(order.len() - again), order[again]);
            assert_eq!(fold(order.into_iter(), batch), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_histories_in_any_order_match_the_oracle(
        (messages, shuffled) in prop_oneof![history(1..=80), history_of(STREAM_KINDS, 1..=20)].prop_flat_map(|messages| (Just(messages.clone()), Just(messages).prop_shuffle())),
        batch in 1..=20_usize,
    ) {
        let state = fold(shuffled.iter().chain(&messages), batch);
        assert_matches_oracle(&state, &messages);
    }
}

#[test]
fn pause_of_fifteen_minutes_continues_a_broadcast_and_sixteen_do_not() {
    for (pause, broadcasts) in [(15, 1), (16, 2)] {
        let minute = |minutes| MIDNIGHT + Duration::minutes(minutes);
        let message = |id: &str, kind, at, event| HistoryMessage {
            id: id.to_owned(),
            at,
            kind,
            is_inferred: false,
            event: with_person("broadcaster_user_", CHANNEL, event),
        };
        let online = |id, at| json!({ "id": id, "type": "live", "started_at": text(at) });
        let history = [
            message("m1", "stream.online", minute(0), online("a", minute(0))),
            message("m2", "stream.offline", minute(60), json!({ "id": "a" })),
            message("m3", "stream.online", minute(60 + pause), online("b", minute(60 + pause))),
            // Late and repeated: it names the first stream and does not end the second.
            message("m4", "stream.offline", minute(62 + pause), json!({ "id": "a" })),
        ];
        let state = fold(history.iter(), 4);
        let ids: HashSet<_> = state.streams.values().map(|stream| stream.broadcast_id.clone()).collect();
        assert_eq!(ids.len(), broadcasts);
        assert_eq!(state.streams["a"].ended_at, Some(minute(60)));
        assert_eq!(state.streams["b"].ended_at, None);
    }
}

#[test]
fn end_of_a_stream_is_taken_back() {
    let second = |seconds| MIDNIGHT + Duration::seconds(seconds);
    let online = |at, is_inferred| ("stream.online", at, is_inferred);
    let offline = |at| ("stream.offline", at, false);
    let unnamed = |at| ("unnamed", at, false);
    let (sent, shown) = (|at| online(at, false), |at| online(at, true));
    for (messages, ended_at) in [
        (vec![sent(0), offline(30), sent(80)], None),
        (vec![sent(0), offline(30), sent(80), offline(90), offline(95)], Some(90)),
        (vec![sent(0), offline(30), sent(30)], Some(30)),
        (vec![sent(0), unnamed(30), sent(80)], None),
        (vec![sent(0), offline(30), shown(330)], Some(30)),
        (vec![sent(0), offline(30), shown(331)], None),
        (vec![sent(0), unnamed(30), shown(331)], None),
        (vec![sent(0), offline(30), shown(331), offline(320)], Some(320)),
    ] {
        let history: Vec<_> = messages
            .into_iter()
            .map(|(kind, at, is_inferred)| {
                let (kind, event) = match kind {
                    "unnamed" => ("stream.offline", json!({})),
                    kind => (kind, json!({ "id": "s", "type": "live", "started_at": text(MIDNIGHT) })),
                };
                let event = with_person("broadcaster_user_", CHANNEL, event);
                HistoryMessage { id: format!("{kind} {at}"), at: second(at), kind, is_inferred, event }
            })
            .collect();
        for order in history.iter().permutations(history.len()) {
            let state = fold(order.into_iter(), 2);
            assert_eq!(state.streams["s"].ended_at, ended_at.map(second), "{history:?}");
            assert_eq!(state.streams["s"].broadcast_id.as_ref().map(StreamId::as_str), Some("s"));
        }
        assert_matches_oracle(&fold(history.iter(), 1), &history);
    }
}

#[test]
fn stream_inferred_to_have_ended_is_live_again_when_shown() {
    let minute = |minutes| MIDNIGHT + Duration::minutes(minutes);
    let message = |id: &str, kind, is_inferred, at| HistoryMessage {
        id: id.to_owned(),
        at,
        kind,
        is_inferred,
        event: with_person(
            "broadcaster_user_",
            CHANNEL,
            json!({ "id": "s", "type": "live", "started_at": text(minute(0)) }),
        ),
    };
    let history = [
        message("begins", "stream.online", false, minute(0)),
        message("gone", "stream.offline", true, minute(60)),
        message("shown", "stream.online", true, minute(65)),
        message("gone again", "stream.offline", true, minute(90)),
        message("ends", "stream.offline", false, minute(84)),
    ];
    let ends = [None, Some((60, true)), None, Some((90, true)), Some((84, false))];
    for (count, end) in (1..).zip(ends) {
        let state = fold(history[..count].iter().rev(), 2);
        let stream = &state.streams["s"];
        let expected = end.map(|(at, is_estimated)| (minute(at), is_estimated));
        assert_eq!(stream.ended_at.map(|at| (at, stream.is_end_estimated)), expected, "{}", history[count - 1].id);
    }
}
