//! Repeats: events that tell what an earlier event of the log told, or what an earlier event took back. Which of two events
//! is the earlier one follows from their ids, so a rebuild finds the same.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use super::Fact;
use crate::message::Event;
use crate::message::irc::CHAT_MESSAGE;
use crate::twitch::payload::{self, ChatMessageIds, Ids, User};

/// The kind of [`Key`] that is stored with the viewer.
pub const FOLLOW: &str = "channel.follow";

/// A new subscriber's message, which says that this is the first month.
const FIRST_MONTH: &str = "channel.subscription.message";
const SUBSCRIBE: &str = "channel.subscribe";
const CHAT_MESSAGE_DELETE: &str = "channel.chat.message_delete";
const CHAT_CLEAR: &str = "channel.chat.clear";

/// The kinds that take back chat messages.
const CHAT_TAKEN_BACK: [&str; 2] = [CHAT_MESSAGE_DELETE, CHAT_CLEAR];

/// A `channel.subscribe` that is sent later than this after the message of a first month is about another subscription.
const MAX_SUBSCRIBE_DELAY: Duration = Duration::minutes(5);

/// A chat message that was deleted longer ago than this does not arrive any more.
pub const MAX_REDELIVERY: Duration = Duration::minutes(10);

/// What an event tells. Events with the same key tell the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    /// A subscription type.
    pub kind: &'a str,
    /// The id of the channel.
    pub channel_id: &'a str,
    /// The id of what it is about: a user, a message, a poll. Empty if it is about the channel as a whole.
    pub subject: &'a str,
}

/// The event that told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its id in the log: of the first event with this key, or of the newest if that counts.
    pub id: i64,
    /// When it was sent, if the newest counts.
    pub at: Option<OffsetDateTime>,
}

/// What an earlier event told, as the database keeps it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields of Key and Told")]
pub struct StoredTold {
    pub kind: String,
    pub channel_id: String,
    pub subject: String,
    pub id: i64,
    pub at: Option<OffsetDateTime>,
}

/// The events that told something, by what they told.
pub type ToldByKey<'a> = BTreeMap<Key<'a>, Told>;

/// Messages of chats. What was taken back in a chat of late is little, while to look up each message would slow down a busy
/// chat: so the former is looked through for these.
#[derive(Debug, Default)]
pub struct Chats<'a> {
    /// The channels, each with the time of its first message.
    pub began_at: BTreeMap<&'a str, OffsetDateTime>,
    /// The ids of the messages and of their authors.
    pub subjects: Vec<&'a str>,
}

/// How events of the log relate to others, in the order of their ids.
#[derive(Debug)]
pub struct Relations<'a>(Vec<Relation<'a>>);

#[derive(Debug)]
struct Relation<'a> {
    id: i64,
    /// What it tells.
    tells: Option<(Key<'a>, Told)>,
    /// It repeats the event that told one of these; with a time, only if that was sent then or later.
    repeats: Vec<(Key<'a>, Option<OffsetDateTime>)>,
}

impl<'a> Relations<'a> {
    /// The relations of these events.
    #[must_use]
    pub fn new(facts: &'a [Fact<'_>]) -> Self {
        Self(facts.iter().filter_map(Relation::new).collect())
    }

    /// The keys that must be known to find the repeats among these events, without those in [`Self::chats`].
    #[must_use]
    pub fn keys(&self) -> BTreeSet<Key<'a>> {
        let keys = self.0.iter().flat_map(|relation| &relation.repeats).map(|(key, _)| *key);
        keys.filter(|key| !CHAT_TAKEN_BACK.contains(&key.kind)).collect()
    }

    /// The chats whose messages are among these events: what was taken back of them must be known as well.
    #[must_use]
    pub fn chats(&self) -> Chats<'a> {
        let mut chats = Chats::default();
        for (key, since) in self.0.iter().flat_map(|relation| &relation.repeats) {
            if !CHAT_TAKEN_BACK.contains(&key.kind) {
                continue;
            }
            if let Some(at) = since.filter(|_| key.kind == CHAT_CLEAR) {
                chats.began_at.entry(key.channel_id).and_modify(|first| *first = at.min(*first)).or_insert(at);
            }
            if !key.subject.is_empty() {
                chats.subjects.push(key.subject);
            }
        }
        chats
    }

    /// What these events tell.
    #[must_use]
    pub fn told(&self) -> ToldByKey<'a> {
        let mut told = ToldByKey::new();
        self.0.iter().for_each(|relation| relation.add_to(&mut told));
        told
    }

    /// The events that are repeats, each with the event that it repeats, if earlier events told this.
    #[must_use]
    pub fn find(&self, earlier: &[StoredTold]) -> Vec<(i64, i64)> {
        let mut told: ToldByKey<'_> = earlier.iter().map(StoredTold::entry).collect();
        let mut found = Vec::new();
        for relation in &self.0 {
            let earlier = relation.repeats.iter().find_map(|(key, since)| {
                told.get(key).filter(|told| since.is_none_or(|since| told.at.is_some_and(|at| at >= since)))
            });
            found.extend(earlier.map(|earlier| (relation.id, earlier.id)));
            relation.add_to(&mut told);
        }
        found
    }
}

impl<'a> Relation<'a> {
    fn new(fact: &'a Fact<'_>) -> Option<Self> {
        let content = &*fact.content;
        let channel_id = content.channel_id.as_ref()?.as_str();
        if content.is_test {
            return None;
        }
        let key = |kind, subject| Key { kind, channel_id, subject };
        Some(match (&content.event, content.ids.as_ref()) {
            (Some(Event::Twitch(event)), _) => Self::of_viewer(fact, event)?,
            (_, Some(Ids::Once(id))) => Self::once(fact, key(content.kind()?, id.as_str())).repeats_itself(),
            (_, Some(Ids::ChatMessage(ids))) => Self::chat_message(fact, channel_id, ids),
            (_, Some(Ids::ChatMessageDelete(id))) => Self::newest(fact, key(CHAT_MESSAGE_DELETE, id.as_str())),
            (_, Some(Ids::ChatClear(None))) => Self::newest(fact, key(CHAT_CLEAR, "")),
            (_, Some(Ids::ChatClear(Some(user)))) => Self::newest(fact, key(CHAT_CLEAR, user.as_str())),
            _ => return None,
        })
    }

    /// The message of a first month repeats the subscription, unless it has words; and the subscription repeats the
    /// message, if that arrives first.
    fn of_viewer(fact: &Fact<'_>, event: &'a payload::Event) -> Option<Self> {
        use payload::Event as E;
        let key = |kind, broadcaster: &'a User, user: &'a User| Key {
            kind,
            channel_id: broadcaster.id.as_str(),
            subject: user.id.as_str(),
        };
        Some(match event {
            E::Follow(it) => Self::once(fact, key(FOLLOW, &it.broadcaster, &it.user)).repeats_itself(),
            E::Subscribe(it) if !it.is_gift => {
                let since = fact.stamp.at - MAX_SUBSCRIBE_DELAY;
                let message = key(FIRST_MONTH, &it.broadcaster, &it.user);
                Self::once(fact, key(SUBSCRIBE, &it.broadcaster, &it.user)).repeats(message, Some(since))
            }
            E::SubscriptionMessage(it) if it.is_first_month() => {
                let relation = Self::newest(fact, key(FIRST_MONTH, &it.broadcaster, &it.user));
                match it.message.text {
                    Some(_) => relation,
                    None => relation.repeats(key(SUBSCRIBE, &it.broadcaster, &it.user), None),
                }
            }
            _ => return None,
        })
    }

    /// A message was taken back before it arrived if it was deleted, or if all messages, or those of its author, were
    /// cleared later than it was sent. In a shared chat it repeats another channel's copy.
    fn chat_message(fact: &Fact<'_>, channel_id: &'a str, ids: &'a ChatMessageIds) -> Self {
        let key = |kind, subject| Key { kind, channel_id, subject };
        let message_id = ids.message_id.as_str();
        let source = ids.source_broadcaster_user_id.as_ref().zip(ids.source_message_id.as_ref());
        let original = source.map_or(key(CHAT_MESSAGE, message_id), |(channel_id, id)| Key {
            kind: CHAT_MESSAGE,
            channel_id: channel_id.as_str(),
            subject: id.as_str(),
        });
        // Nothing else than a shared chat tells a message again, and few chats are shared.
        let is_shared = source.is_some() || ids.is_source_only == Some(false);
        let told = Told { id: fact.id, at: None };
        let mut relation =
            Self { id: fact.id, tells: is_shared.then_some((original, told)), repeats: Vec::with_capacity(4) };
        relation = relation.repeats(key(CHAT_MESSAGE_DELETE, message_id), Some(fact.stamp.at - MAX_REDELIVERY));
        relation = relation.repeats(key(CHAT_CLEAR, ""), Some(fact.stamp.at));
        if let Some(chatter) = &ids.chatter_user_id {
            relation = relation.repeats(key(CHAT_CLEAR, chatter.as_str()), Some(fact.stamp.at));
        }
        if is_shared { relation.repeats_itself() } else { relation }
    }

    /// An event that tells something once: the first one counts.
    fn once(fact: &Fact<'_>, key: Key<'a>) -> Self {
        Self { id: fact.id, tells: Some((key, Told { id: fact.id, at: None })), repeats: Vec::new() }
    }

    /// An event that tells something that may happen often: the newest one counts.
    fn newest(fact: &Fact<'_>, key: Key<'a>) -> Self {
        let told = Told { id: fact.id, at: Some(fact.stamp.at) };
        Self { id: fact.id, tells: Some((key, told)), repeats: Vec::new() }
    }

    fn repeats(mut self, key: Key<'a>, since: Option<OffsetDateTime>) -> Self {
        self.repeats.push((key, since));
        self
    }

    fn repeats_itself(mut self) -> Self {
        self.repeats.extend(self.tells.map(|(key, _)| (key, None)));
        self
    }

    fn add_to<'b>(&self, told: &mut ToldByKey<'b>)
    where
        'a: 'b,
    {
        let Some((key, event)) = self.tells else { return };
        let known = told.entry(key).or_insert(event);
        if event.at > known.at {
            *known = event;
        }
    }
}

impl StoredTold {
    fn entry(&self) -> (Key<'_>, Told) {
        let key = Key { kind: &self.kind, channel_id: &self.channel_id, subject: &self.subject };
        (key, Told { id: self.id, at: self.at })
    }
}
