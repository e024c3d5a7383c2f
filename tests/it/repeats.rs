//! Repeats: what the projection finds, against a naive search.

use proptest::prelude::*;
use proptest::sample::select;
use showtime::load::oracle::Oracle;
use showtime::projection::repeats::{MAX_REDELIVERY, Relations, StoredTold, Told, ToldByKey};
use showtime::projection::{Fact, State};
use time::{Duration, OffsetDateTime};

use crate::fold::{HistoryMessage, REPEATED_KINDS, history_of};

/// The messages as facts, whose ids in the log are 1, 2, 3 …
pub(crate) fn facts(history: &[HistoryMessage]) -> Vec<Fact<'static>> {
    (1..).zip(history).map(|(id, message)| Fact { id, ..message.fact() }).collect()
}

/// What earlier batches told, as the database keeps it.
#[derive(Default)]
struct Database(Vec<StoredTold>);

impl Database {
    fn add(&mut self, told: ToldByKey<'_>) {
        for (key, event) in told {
            let known = self
                .0
                .iter_mut()
                .find(|it| (&*it.kind, &*it.channel_id, &*it.subject) == (key.kind, key.channel_id, key.subject));
            let Told { id, at } = event;
            match known {
                None => {
                    let [kind, channel_id, subject] = [key.kind, key.channel_id, key.subject].map(str::to_owned);
                    self.0.push(StoredTold { kind, channel_id, subject, id, at });
                }
                Some(known) if known.at.zip(at).is_some_and(|(known, at)| known < at) => {
                    (known.id, known.at) = (id, at)
                }
                Some(_) => {}
            }
        }
    }

    /// What these events must know.
    fn find(&self, relations: &Relations<'_>) -> Vec<StoredTold> {
        let (keys, chats) = (relations.keys(), relations.chats());
        let is_key = |it: &StoredTold| {
            keys.iter().any(|key| (&*it.kind, &*it.channel_id, &*it.subject) == (key.kind, key.channel_id, key.subject))
        };
        let is_in_chat = |it: &StoredTold| {
            let Some(began_at) = chats.began_at.get(&*it.channel_id) else { return false };
            let is_recent = match &*it.kind {
                "channel.chat.message_delete" => it.at >= Some(*began_at - MAX_REDELIVERY),
                "channel.chat.clear" => it.at >= Some(*began_at),
                _ => false,
            };
            is_recent && (it.subject.is_empty() || chats.subjects.contains(&&*it.subject))
        };
        self.0.iter().filter(|it| is_key(it) || is_in_chat(it)).cloned().collect()
    }
}

/// The messages that repeat an earlier one, with the id of that one, by a search among all earlier ones.
pub(crate) fn naive(history: &[HistoryMessage]) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    for ((id, message), index) in (1..).zip(history).zip(0..) {
        let earlier: Vec<_> = (1..).zip(&history[..index]).collect();
        found.extend(repeated(message, &earlier).map(|earlier| (id, earlier)));
    }
    found
}

fn repeated(message: &HistoryMessage, earlier: &[(i64, &HistoryMessage)]) -> Option<i64> {
    let is_same = |other: &HistoryMessage, field: &str| message.text(field) == other.text(field);
    let first = |is_it: &dyn Fn(&HistoryMessage) -> bool| earlier.iter().find(|(_, it)| is_it(it)).map(|(id, _)| *id);
    // The newest by its own time, if it was sent then or later.
    let newest = |since: OffsetDateTime, is_it: &dyn Fn(&HistoryMessage) -> bool| {
        let all = earlier.iter().rev().filter(|(_, it)| is_it(it));
        all.max_by_key(|(_, it)| it.at).filter(|(_, it)| it.at >= since).map(|(id, _)| *id)
    };
    match message.kind {
        "stream.online" | "stream.offline" if message.text("id").is_some() => {
            let about: Vec<_> =
                earlier.iter().filter(|(_, it)| it.kind.starts_with("stream.") && is_same(it, "id")).collect();
            let (last, _) = about.last()?;
            let mut oracle = Oracle::default();
            about.iter().for_each(|(_, it)| oracle.add(it.to_oracle().unwrap()));
            let is_on = |oracle: &Oracle<String>| oracle.streams().values().all(|stream| stream.ended_at.is_none());
            let was_on = is_on(&oracle);
            oracle.add(message.to_oracle().unwrap());
            let is_online = message.kind == "stream.online";
            (was_on == is_online || is_on(&oracle) != is_online).then_some(*last)
        }
        "channel.follow" => first(&|it| it.kind == "channel.follow" && is_same(it, "user_id")),
        "channel.poll.end" => first(&|it| it.kind == "channel.poll.end" && is_same(it, "id")),
        "channel.subscribe" => newest(message.at - Duration::minutes(5), &|it| {
            it.kind == "channel.subscription.message" && it.event["cumulative_months"] == 1 && is_same(it, "user_id")
        }),
        "channel.subscription.message" if message.event["cumulative_months"] == 1 => {
            let is_silent = message.event["message"]["text"] == "";
            first(&|it| it.kind == "channel.subscribe" && is_same(it, "user_id")).filter(|_| is_silent)
        }
        "channel.chat.message" => {
            let tells = |it: &HistoryMessage| it.text("source_message_id").or_else(|| it.text("message_id"));
            let is_shared =
                |it: &HistoryMessage| it.text("source_message_id").is_some() || it.event["is_source_only"] == false;
            newest(message.at - Duration::minutes(10), &|it| {
                it.kind == "channel.chat.message_delete" && is_same(it, "message_id")
            })
            .or_else(|| newest(message.at, &|it| it.kind == "channel.chat.clear"))
            .or_else(|| {
                newest(message.at, &|it| {
                    it.kind == "channel.chat.clear_user_messages"
                        && it.text("target_user_id") == message.text("chatter_user_id")
                })
            })
            .or_else(|| {
                first(&|it| it.kind == "channel.chat.message" && is_shared(it) && tells(it) == tells(message))
                    .filter(|_| is_shared(message))
            })
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn repeats_do_not_depend_on_batches(
        history in history_of(select(REPEATED_KINDS.to_vec()), 1..=60), batch in 1..=20_usize,
    ) {
        let facts = facts(&history);
        let expected = naive(&history);
        let (mut state, mut database, mut found) = (State::default(), Database::default(), Vec::new());
        for batch in facts.chunks(batch) {
            let relations = Relations::new(batch);
            let mut repeats = relations.find(&database.find(&relations));
            repeats.extend(state.extend(batch));
            repeats.sort_unstable();
            found.extend(repeats);
            database.add(relations.told());
        }
        prop_assert_eq!(found, expected, "{:#?}", history);
    }
}

#[test]
fn test_event_neither_repeats_nor_is_repeated() {
    let message = HistoryMessage {
        id: "m".to_owned(),
        at: OffsetDateTime::UNIX_EPOCH,
        kind: "channel.poll.end",
        is_inferred: false,
        event: serde_json::json!({ "id": "p" }),
    };
    let mut facts = facts(&[message.clone(), message.clone(), message]);
    assert_eq!(Relations::new(&facts).find(&[]), [(2, 1), (3, 1)]);
    facts[0].content.to_mut().is_test = true;
    assert_eq!(Relations::new(&facts).find(&[]), [(3, 2)]);
}
