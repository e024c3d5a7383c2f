//! The fold against a naive oracle: any order and any duplication of the same messages must end in
//! the state that a person would work out with all of them on the table.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::{Range, RangeInclusive};

use itertools::Itertools as _;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use showtime::message::segment::{SEGMENT_BEGIN, SEGMENT_END};
use showtime::message::{Content, Event, Origin};
use showtime::projection::{Fact, Stamp, State};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::segments;
use crate::support::messages::{CHANNEL, text, with_person, with_user};

const MIDNIGHT: OffsetDateTime = datetime!(2026-11-20 00:00 UTC);

/// One message of a history.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) kind: &'static str,
    /// From what Helix showed; else Twitch sent it.
    pub(crate) is_inferred: bool,
    pub(crate) event: Value,
}

impl Told {
    fn fact(&self) -> Fact<'static> {
        let event = Event::parse(self.kind, &self.event.to_string()).unwrap();
        let subject = json!({ "type": self.kind, "version": "1", "channel_id": CHANNEL });
        let origin = self.is_inferred.then(|| Origin::Inferred(serde_json::from_value(subject).unwrap()));
        let content = Content { channel_id: Some(CHANNEL.to_owned()), event, origin, ..Content::default() };
        Fact { stamp: Stamp { at: self.at, by: self.id.clone() }, content: Cow::Owned(content) }
    }

    fn text(&self, field: &str) -> Option<String> {
        self.event[field].as_str().map(str::to_owned)
    }

    fn number(&self, field: &str) -> i64 {
        self.event[field].as_i64().unwrap()
    }

    fn is(&self, kinds: &[&str]) -> bool {
        kinds.contains(&self.kind)
    }
}

/// The kinds of messages below that are about streams.
const OF_STREAMS: Range<u8> = 0..5;

/// All kinds of messages below.
const ALL: Range<u8> = 0..15;

/// Messages of one channel, three streams and three viewers within some hours, so that they
/// collide a lot: equal times, ends without a beginning, beginnings without an end, inferences that
/// contradict each other and what Twitch told.
fn told(kinds: Range<u8>) -> impl Strategy<Value = Told> {
    let stream = prop::sample::select(vec!["s1", "s2", "s3"]);
    let user = prop::sample::select(vec!["u1", "u2", "u3"]);
    let tier = prop::sample::select(vec!["1000", "3000"]);
    (kinds, stream, user, tier, 0..24_i64, 0..24_i64, 1..100_u32, "[a-z]{8}").prop_map(
        |(kind, stream, user, tier, at, other, amount, id)| {
            let (at, other) = (MIDNIGHT + Duration::minutes(at * 5), MIDNIGHT + Duration::minutes(other * 5));
            let renamed = |mut event: Value| {
                event["user_name"] = format!("Name{amount}").into();
                event
            };
            let is_inferred = [3, 4].contains(&kind);
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
                    with_user(user, json!({ "tier": tier, "cumulative_months": amount })),
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
                _ => ("user.update", renamed(with_user(user, json!({ "description": "" })))),
            };
            let event = match kind {
                "user.update" | "channel.raid" => event,
                _ => with_person("broadcaster_user_", CHANNEL, event),
            };
            // A segment begins and ends once, which the ids of these messages say.
            let is_mark = [SEGMENT_BEGIN, SEGMENT_END].contains(&kind);
            let id = if is_mark { format!("{kind}:{}", event["id"].as_str().unwrap()) } else { id };
            Told { id, at, kind, is_inferred, event }
        },
    )
}

pub(crate) fn history(length: RangeInclusive<usize>) -> impl Strategy<Value = Vec<Told>> {
    history_of(ALL, length)
}

fn history_of(kinds: Range<u8>, length: RangeInclusive<usize>) -> impl Strategy<Value = Vec<Told>> {
    prop::collection::vec(told(kinds), length)
        .prop_map(|told| told.into_iter().unique_by(|told| told.id.clone()).collect())
}

/// Applies messages as the log lets them through: each once, in batches of this size.
fn fold<'a>(told: impl Iterator<Item = &'a Told>, batch: usize) -> State {
    let mut seen = HashSet::new();
    let facts: Vec<Fact<'_>> = told.filter(|told| seen.insert(&told.id)).map(Told::fact).collect();
    let mut state = State::default();
    for batch in facts.chunks(batch) {
        state.extend(batch);
        state.derive();
    }
    state
}

/// When a stream ended, whether that is a guess, and its broadcast.
pub(crate) type Placed = (Option<OffsetDateTime>, bool, Option<String>);

/// Works out streams and broadcasts the long way round.
fn oracle_streams(told: &[Told]) -> BTreeMap<String, Placed> {
    let ids: HashSet<String> = told
        .iter()
        .filter(|told| told.is(&["stream.online", "stream.offline"]))
        .filter_map(|told| told.text("id"))
        .collect();
    let named = |id: &str, kind: &str| -> Vec<&Told> {
        told.iter().filter(|told| told.kind == kind && told.text("id").as_deref() == Some(id)).collect()
    };
    let began = |id: &str| {
        named(id, "stream.online")
            .iter()
            .map(|told| showtime::twitch::eventsub::parse_timestamp(&told.text("started_at").unwrap()).unwrap())
            .min()
    };
    // What Twitch told of the end, and what was inferred last, live or gone; live, if at the same time.
    let told_end = |id: &str| named(id, "stream.offline").iter().filter(|it| !it.is_inferred).map(|it| it.at).min();
    let inferred_end = |id: &str| {
        let inferred = [named(id, "stream.online"), named(id, "stream.offline")].concat();
        let last =
            inferred.into_iter().filter(|it| it.is_inferred).max_by_key(|it| (it.at, it.kind == "stream.online"));
        last.filter(|it| it.kind == "stream.offline").map(|it| it.at)
    };
    let mut order: Vec<(OffsetDateTime, String)> = ids.iter().filter_map(|id| Some((began(id)?, id.clone()))).collect();
    order.sort();
    let mut placed = BTreeMap::new();
    for id in &ids {
        if began(id).is_none() {
            let (told, inferred) = (told_end(id), inferred_end(id));
            placed.insert(id.clone(), (told.or(inferred), told.is_none() && inferred.is_some(), None));
        }
    }
    // The ends that are known of the streams of the broadcast so far.
    let mut ends: Vec<OffsetDateTime> = Vec::new();
    let mut broadcast: Option<String> = None;
    for (index, (start, id)) in order.iter().enumerate() {
        let next = order.get(index + 1).map(|(start, _)| *start);
        let by_name = told_end(id).map(|at| at.max(*start));
        let without_name = told
            .iter()
            .filter(|told| told.kind == "stream.offline" && told.text("id").is_none())
            .map(|told| told.at)
            .filter(|at| at >= start && next.is_none_or(|next| *at < next))
            .min();
        let told_end = by_name.or(without_name);
        let inferred = inferred_end(id).map(|at| at.max(*start)).filter(|at| next.is_none_or(|next| *at < next));
        let end = told_end.or(inferred);
        if !ends.iter().any(|end| *start - *end <= Duration::minutes(15)) {
            (broadcast, ends) = (Some(id.clone()), Vec::new());
        }
        ends.extend(end);
        let is_estimated = told_end.is_none() && end.or(next).is_some();
        placed.insert(id.clone(), (end.or(next), is_estimated, broadcast.clone()));
    }
    placed
}

fn assert_is_as_the_oracle_says(state: &State, told: &[Told]) {
    let streams: BTreeMap<String, Placed> = state
        .streams
        .iter()
        .map(|(id, stream)| (id.clone(), (stream.ended_at, stream.is_end_estimated, stream.broadcast_id.clone())))
        .collect();
    assert_eq!(streams, oracle_streams(told));
    segments::assert_is_as_the_oracle_says(state, told, &streams);

    let newest =
        |told: &[&Told]| told.iter().max_by_key(|told| (told.at, told.id.clone())).map(|told| (**told).clone());
    for user in ["u1", "u2", "u3"] {
        let of_user: Vec<&Told> = told
            .iter()
            .filter(|told| {
                [told.text("user_id"), told.text("from_broadcaster_user_id")].contains(&Some(user.to_owned()))
            })
            .collect();
        let name = newest(&of_user).map(|told| told.text("user_name").or(told.text("from_broadcaster_user_name")));
        assert_eq!(state.users.get(user).map(|names| Some(names.value.display_name.clone())), name);

        let of = |kinds: &[&str]| -> Vec<&Told> { of_user.iter().copied().filter(|told| told.is(kinds)).collect() };
        let sum = |kind, field| of(&[kind]).iter().map(|told| told.number(field)).sum::<i64>();
        let viewer = state.viewers.get(&(CHANNEL.to_owned(), user.to_owned())).cloned().unwrap_or_default();
        let first_followed = of(&["channel.follow"]).iter().map(|told| told.text("followed_at").unwrap()).min();
        assert_eq!(viewer.first_followed_at.map(text), first_followed);
        assert_eq!(
            (viewer.bits.total, viewer.bits.count),
            (sum("channel.cheer", "bits"), of(&["channel.cheer"]).len() as i64)
        );
        assert_eq!(viewer.gifts.total, sum("channel.subscription.gift", "total"));
        assert_eq!(viewer.raids.total, sum("channel.raid", "viewers"));
        assert_eq!(viewer.raids.first_at, of(&["channel.raid"]).iter().map(|told| told.at).min());
        let about = ["channel.subscribe", "channel.subscription.end", "channel.subscription.message"];
        let expected = newest(&of(&about)).map(|told| (told.kind != about[1], told.text("tier").unwrap()));
        assert_eq!(viewer.subscription.map(|word| (word.value.is_active, word.value.tier)), expected);
        assert_eq!(viewer.subscription_began_at, of(&about[..1]).iter().map(|told| told.at).max());
        assert_eq!(viewer.subscription_ended_at, of(&about[1..2]).iter().map(|told| told.at).max());
        assert_eq!(
            viewer.subscription_months,
            of(&about[2..]).iter().map(|told| told.number("cumulative_months")).max()
        );
    }

    let channel = state.channels.get(CHANNEL).cloned().unwrap_or_default();
    let updates: Vec<&Told> = told.iter().filter(|told| told.kind == "channel.update").collect();
    assert_eq!(channel.info.map(|info| info.value.title), newest(&updates).and_then(|told| told.text("title")));
    let anonymous = told.iter().filter(|told| told.kind == "channel.cheer" && told.text("user_id").is_none());
    assert_eq!(channel.anonymous_bits, anonymous.map(|told| told.number("bits")).sum::<i64>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// All permutations; in each, one message comes a second time somewhere later.
    #[test]
    fn every_permutation_of_up_to_seven_messages_ends_in_the_same_state(
        told in prop_oneof![history(1..=7), history_of(OF_STREAMS, 1..=7)], again in any::<Index>(), later in any::<Index>(), batch in 1..=7_usize,
    ) {
        let expected = fold(told.iter(), told.len());
        assert_is_as_the_oracle_says(&expected, &told);
        for mut order in told.iter().permutations(told.len()) {
            let again = again.index(order.len());
            order.insert(again + 1 + later.index(order.len() - again), order[again]);
            assert_eq!(fold(order.into_iter(), batch), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_long_history_in_any_order_is_as_the_oracle_says(
        (told, shuffled) in prop_oneof![history(1..=80), history_of(OF_STREAMS, 1..=20)].prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        batch in 1..=20_usize,
    ) {
        let state = fold(shuffled.iter().chain(&told), batch);
        assert_is_as_the_oracle_says(&state, &told);
    }
}

#[test]
fn streams_fifteen_minutes_apart_are_one_broadcast_and_sixteen_are_two() {
    for (pause, broadcasts) in [(15, 1), (16, 2)] {
        let minute = |minutes| MIDNIGHT + Duration::minutes(minutes);
        let told = |id: &str, kind, at, event| Told {
            id: id.to_owned(),
            at,
            kind,
            is_inferred: false,
            event: with_person("broadcaster_user_", CHANNEL, event),
        };
        let online = |id, at| json!({ "id": id, "type": "live", "started_at": text(at) });
        let history = [
            told("m1", "stream.online", minute(0), online("a", minute(0))),
            told("m2", "stream.offline", minute(60), json!({ "id": "a" })),
            told("m3", "stream.online", minute(60 + pause), online("b", minute(60 + pause))),
            // Late and repeated: it names the first stream, and does not end the second.
            told("m4", "stream.offline", minute(62 + pause), json!({ "id": "a" })),
        ];
        let state = fold(history.iter(), 4);
        let ids: HashSet<_> = state.streams.values().map(|stream| stream.broadcast_id.clone()).collect();
        assert_eq!(ids.len(), broadcasts);
        assert_eq!(state.streams["a"].ended_at, Some(minute(60)));
        assert_eq!(state.streams["b"].ended_at, None);
    }
}

#[test]
fn a_stream_wrongly_thought_to_have_ended_is_live_again_until_it_is_gone_again_or_its_end_is_told() {
    let minute = |minutes| MIDNIGHT + Duration::minutes(minutes);
    let told = |id: &str, kind, is_inferred, at| Told {
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
        told("begins", "stream.online", false, minute(0)),
        told("gone", "stream.offline", true, minute(60)),
        told("shown", "stream.online", true, minute(65)),
        told("gone again", "stream.offline", true, minute(90)),
        told("ends", "stream.offline", false, minute(84)),
    ];
    let ends = [None, Some((60, true)), None, Some((90, true)), Some((84, false))];
    for (count, end) in (1..).zip(ends) {
        let state = fold(history[..count].iter().rev(), 2);
        let stream = &state.streams["s"];
        let expected = end.map(|(at, is_estimated)| (minute(at), is_estimated));
        assert_eq!(stream.ended_at.map(|at| (at, stream.is_end_estimated)), expected, "{}", history[count - 1].id);
    }
}
