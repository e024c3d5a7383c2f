//! The fold from messages to stream state: pure, and indifferent to the order of the messages.
//!
//! [Twitch promises no order](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#processing-an-event), so every
//! value here is a merge that commutes: the newest stamp wins, the earliest time wins, or amounts are added. A message
//! must be applied once; that is the log's promise. What depends on several messages at once (when a stream ended,
//! which streams make one broadcast, when a segment ended) is derived afterwards, in
//! [`State::derive`].

pub mod activity;
mod broadcast;
pub mod echo;
mod forget;
mod merge;
pub mod repeats;
mod segment;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

pub use self::activity::Activity;
pub use self::broadcast::{HELIX_LAG, MAX_PAUSE};
pub use self::merge::{Latest, Stamp, Tally};
use self::merge::{earliest, latest};
pub use self::segment::Segment;
use crate::clock::to_microseconds;
use crate::message::{Content, Event, Message, Origin};
use crate::twitch::eventsub::decode;
use crate::twitch::id::{ChannelId, EventType, StreamId, UserId};
use crate::twitch::payload::{self, Ident};

/// The status of an EventSub subscription whose newest message names none.
const UNKNOWN: &str = "unknown";

/// A message in the log, as far as it can change the state.
#[derive(Clone, Debug)]
pub struct Fact<'a> {
    /// Its id in the log.
    pub id: i64,
    /// When Twitch sent it, and which message it was.
    pub stamp: Stamp,
    /// What it says.
    pub content: Cow<'a, Content>,
}

impl<'a> Fact<'a> {
    /// A message that has this id in the log.
    #[must_use]
    pub fn new(id: i64, message: &'a Message) -> Self {
        Self {
            id,
            stamp: Stamp { at: message.at(), by: message.id().to_owned() },
            content: Cow::Borrowed(message.content()),
        }
    }

    /// The stream that it is about, and whether it says that the stream is on.
    fn stream(&self) -> Option<(&StreamId, bool)> {
        match &self.content.event {
            _ if self.content.is_test => None,
            Some(Event::Twitch(payload::Event::StreamOnline(online))) => Some((&online.id, true)),
            Some(Event::Twitch(payload::Event::StreamOffline(offline))) => Some((offline.id.as_ref()?, false)),
            _ => None,
        }
    }
}

/// The whole state, or the part of it that some messages touch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The names of users, by user id. Channels are users.
    pub users: BTreeMap<UserId, Latest<Names>>,
    /// The logins that channels have had, by login and channel id: the newest message that named the channel by it.
    pub logins: BTreeMap<(String, ChannelId), Stamp>,
    /// By channel id.
    pub channels: BTreeMap<ChannelId, Channel>,
    /// By stream id.
    pub streams: BTreeMap<StreamId, Stream>,
    /// Ends of streams that Twitch sent without a stream id: channel id and time.
    pub stream_ends: BTreeSet<(ChannelId, OffsetDateTime)>,
    /// What broadcasters marked, by segment id.
    pub segments: BTreeMap<String, Segment>,
    /// By channel id and user id.
    pub viewers: BTreeMap<(ChannelId, UserId), Viewer>,
    /// By channel id and minute.
    pub activity: BTreeMap<(ChannelId, OffsetDateTime), Activity>,
    /// The EventSub subscriptions that messages came through, by id.
    pub subscriptions: BTreeMap<Ident, Latest<Subscription>>,
}

/// The names of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Lower-case ASCII.
    pub login: String,
    /// As shown.
    pub display_name: String,
}

/// A channel, beyond its names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channel {
    /// What was last announced.
    pub info: Option<Latest<ChannelInfo>>,
    /// Bits from anonymous viewers.
    pub anonymous_bits: i64,
    /// Gift subscriptions from anonymous viewers.
    pub anonymous_gifts: i64,
}

/// What a channel announces of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// The stream's title.
    pub title: String,
    /// An ISO 639-1 code, or `other`.
    pub language: String,
    /// May be empty.
    pub category_id: String,
    /// May be empty.
    pub category_name: String,
    /// May be empty.
    pub content_classification_labels: Vec<String>,
}

/// A Twitch stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The channel.
    pub channel_id: ChannelId,
    /// When it began and of what type it is; its end may arrive first.
    pub began: Option<Began>,
    /// The time of the last `stream.online`.
    pub online_at: Option<OffsetDateTime>,
    /// The times of all `stream.offline` that named it.
    pub offline_at: BTreeSet<OffsetDateTime>,
    /// When it was last inferred that it had ended, because Helix does not show it.
    pub gone_at: Option<OffsetDateTime>,
    /// When it was last inferred that it is live, because Helix shows it.
    pub shown_at: Option<OffsetDateTime>,
    /// The id of the last event of the log about it.
    pub last_event_id: i64,
    /// Derived: when it ended, as far as is known.
    pub ended_at: Option<OffsetDateTime>,
    /// Derived: Twitch sent no end; at `ended_at` a newer stream began, or Helix no longer showed the stream.
    pub is_end_estimated: bool,
    /// Derived: the first stream of the broadcast that it belongs to.
    pub broadcast_id: Option<StreamId>,
}

/// How a stream began.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Began {
    /// When it began.
    pub at: OffsetDateTime,
    /// `live`, `playlist`, `watch_party`, `premiere` or `rerun`, if Twitch said.
    pub kind: Option<String>,
}

/// What a viewer has done on a channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Viewer {
    /// The first follow.
    pub first_followed_at: Option<OffsetDateTime>,
    /// The id of the first event of the log that told of a follow.
    pub follow_event_id: Option<i64>,
    /// Bits cheered.
    pub bits: Tally,
    /// Subscriptions given away.
    pub gifts: Tally,
    /// Viewers brought along in raids.
    pub raids: Tally,
    /// The newest state of their subscription.
    pub subscription: Option<Latest<Subscribed>>,
    /// When a subscription last began.
    pub subscription_began_at: Option<OffsetDateTime>,
    /// When a subscription last ended.
    pub subscription_ended_at: Option<OffsetDateTime>,
    /// Months subscribed in all, as last announced.
    pub subscription_months: Option<i64>,
}

/// The state of a viewer's subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Whether they are subscribed.
    pub is_active: bool,
    /// `1000`, `2000` or `3000`, if Twitch said.
    pub tier: Option<String>,
}

/// An EventSub subscription, as the newest message that came through it describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// For example `channel.follow`.
    pub kind: EventType,
    /// For example `2`.
    pub version: String,
    /// JSON, as it came.
    pub condition: String,
    /// JSON, as it came.
    pub transport: Option<String>,
    /// Points of the client's budget.
    pub cost: i32,
    /// When it was created.
    pub created_at: Option<OffsetDateTime>,
    /// Its status; the reason of its end, if it has ended.
    pub status: String,
}

impl State {
    /// The state that these messages alone add up to, nothing derived yet. Its keys are what the
    /// messages touch.
    pub fn from_facts<'a>(facts: impl IntoIterator<Item = &'a Fact<'a>>) -> Self {
        let mut state = Self::default();
        facts.into_iter().for_each(|fact| state.apply(fact));
        state
    }

    /// Applies messages, each of which must be new, in any order. Returns those about a stream that are no news, each with the
    /// event before it: in the order of their ids, the stream was on or off already, or had been later.
    pub fn extend<'a>(&mut self, facts: impl IntoIterator<Item = &'a Fact<'a>>) -> Vec<(i64, i64)> {
        facts.into_iter().filter_map(|fact| self.apply_to_stream(fact)).collect()
    }

    fn apply_to_stream(&mut self, fact: &Fact<'_>) -> Option<(i64, i64)> {
        let before = fact.stream().and_then(|(id, _)| self.streams.get(id)).map(|it| (it.is_on(), it.last_event_id));
        self.apply(fact);
        let (id, is_online) = fact.stream()?;
        let stream = self.streams.get_mut(id)?;
        stream.last_event_id = stream.last_event_id.max(fact.id);
        let (was_on, last_event_id) = before?;
        let is_news = stream.is_on() == is_online && was_on != is_online;
        (!is_news).then_some((fact.id, last_event_id))
    }

    /// Derives what follows from several messages at once. For each channel this state must hold
    /// all its segments, streams and unnamed ends; or the segments from some moment on, and the
    /// others from the first stream of some broadcast on that had begun before that moment.
    pub fn derive(&mut self) {
        self.derive_broadcasts();
        self.derive_segments();
    }

    fn apply(&mut self, fact: &Fact<'_>) {
        if fact.content.is_test {
            return;
        }
        self.count(fact);
        if let Some(subscription) = fact.content.subscription() {
            self.see_subscription(&fact.stamp, subscription);
        }
        match &fact.content.event {
            // It is counted.
            None | Some(Event::StreamViewers(_)) => {}
            Some(Event::Twitch(event)) => self.apply_twitch(fact, event),
            Some(Event::SegmentBegin(begin)) => self.segment_begin(&fact.stamp, begin),
            Some(Event::SegmentEnd(end)) => self.segment_end(&fact.stamp, end),
            Some(Event::SegmentChange(change)) => self.segment_change(&fact.stamp, change),
            Some(Event::SegmentRemove(remove)) => self.segment_remove(&fact.stamp, remove),
        }
    }

    fn apply_twitch(&mut self, fact: &Fact<'_>, event: &payload::Event) {
        use payload::Event as E;
        let (stamp, is_inferred) = (&fact.stamp, matches!(fact.content.origin, Some(Origin::Inferred(_))));
        match event {
            E::StreamOnline(online) => self.stream_online(stamp, online, is_inferred),
            E::StreamOffline(offline) => self.stream_offline(stamp, offline, is_inferred),
            E::ChannelUpdate(update) => self.channel_update(stamp, update),
            E::Follow(follow) => {
                let viewer = self.viewer(stamp, &follow.broadcaster, &follow.user);
                earliest(&mut viewer.first_followed_at, follow.followed_at.map_or(stamp.at, to_microseconds));
                earliest(&mut viewer.follow_event_id, fact.id);
            }
            E::Subscribe(subscribe) => {
                let viewer = self.viewer(stamp, &subscribe.broadcaster, &subscribe.user);
                viewer.subscribed(stamp, true, subscribe.tier.as_ref());
                latest(&mut viewer.subscription_began_at, stamp.at);
            }
            E::SubscriptionEnd(end) => {
                let viewer = self.viewer(stamp, &end.broadcaster, &end.user);
                viewer.subscribed(stamp, false, end.tier.as_ref());
                latest(&mut viewer.subscription_ended_at, stamp.at);
            }
            E::SubscriptionMessage(message) => {
                let viewer = self.viewer(stamp, &message.broadcaster, &message.user);
                viewer.subscribed(stamp, true, message.tier.as_ref());
                latest(&mut viewer.subscription_months, i64::from(message.cumulative_months));
            }
            E::SubscriptionGift(gift) => match &gift.user {
                Some(giver) => self.viewer(stamp, &gift.broadcaster, giver).gifts.add(stamp.at, gift.total),
                None => self.channel(stamp, &gift.broadcaster).anonymous_gifts += i64::from(gift.total),
            },
            E::Cheer(cheer) => match &cheer.user {
                Some(viewer) => self.viewer(stamp, &cheer.broadcaster, viewer).bits.add(stamp.at, cheer.bits),
                None => self.channel(stamp, &cheer.broadcaster).anonymous_bits += i64::from(cheer.bits),
            },
            E::Raid(raid) => self.raid(fact, raid),
            E::UserUpdate(update) => {
                self.name(stamp, &update.user);
                self.login(stamp, &update.user);
            }
        }
    }

    fn see_subscription(&mut self, stamp: &Stamp, seen: &decode::Subscription) {
        let value = Subscription {
            kind: seen.kind.clone(),
            version: seen.version.as_ref().map_or_else(String::new, |version| version.as_str().to_owned()),
            condition: seen.condition.as_ref().map_or("{}", |condition| condition.get()).to_owned(),
            transport: seen.transport.as_ref().map(|transport| transport.get().to_owned()),
            cost: seen.cost,
            created_at: seen.created_at.map(to_microseconds),
            status: seen.status.as_ref().map_or(UNKNOWN, Ident::as_str).to_owned(),
        };
        put(&mut self.subscriptions, &seen.id, Latest { stamp: stamp.clone(), value });
    }

    fn stream_online(&mut self, stamp: &Stamp, online: &payload::StreamOnline, is_inferred: bool) {
        self.channel(stamp, &online.broadcaster);
        // Twitch sends no stream before it begins.
        let at = to_microseconds(online.started_at).min(stamp.at);
        let began = Began { at, kind: online.kind.clone().map(String::from) };
        let stream = self.stream(&online.id, &online.broadcaster);
        earliest(&mut stream.began, began);
        latest(if is_inferred { &mut stream.shown_at } else { &mut stream.online_at }, stamp.at);
    }

    fn stream_offline(&mut self, stamp: &Stamp, offline: &payload::StreamOffline, is_inferred: bool) {
        self.channel(stamp, &offline.broadcaster);
        match &offline.id {
            Some(id) if is_inferred => latest(&mut self.stream(id, &offline.broadcaster).gone_at, stamp.at),
            Some(id) => {
                self.stream(id, &offline.broadcaster).offline_at.insert(stamp.at);
            }
            None => {
                self.stream_ends.insert((offline.broadcaster.id.channel(), stamp.at));
            }
        }
    }

    fn channel_update(&mut self, stamp: &Stamp, update: &payload::ChannelUpdate) {
        let info = ChannelInfo {
            title: update.title.clone(),
            language: update.language.clone(),
            category_id: update.category_id.clone(),
            category_name: update.category_name.clone(),
            content_classification_labels: update.content_classification_labels.clone(),
        };
        Latest { stamp: stamp.clone(), value: info }.merge_into(&mut self.channel(stamp, &update.broadcaster).info);
    }

    /// If both channels are subscribed to, the raid is sent twice, once for each side: it counts for the raided
    /// channel only.
    fn raid(&mut self, fact: &Fact<'_>, raid: &payload::Raid) {
        let (stamp, from, to) = (&fact.stamp, &raid.from, &raid.to);
        self.name(stamp, from);
        self.name(stamp, to);
        let Some(sent_for) = &fact.content.channel_id else { return };
        if sent_for.as_str() == to.id.as_str() {
            self.channel(stamp, to);
            let raider = self.viewers.entry((sent_for.clone(), from.id.clone())).or_default();
            raider.raids.add(stamp.at, raid.viewers);
        } else if sent_for.as_str() == from.id.as_str() {
            self.channel(stamp, from);
        }
    }

    /// Names of which one is missing get the oldest stamp, and no names one that is older still: names that Twitch sent
    /// before or after win.
    fn name(&mut self, stamp: &Stamp, user: &payload::User) {
        let text = |name: Option<&Ident>| name.map(|name| name.as_str().to_owned());
        let (login, display_name) = (text(user.login.as_ref()), text(user.display_name.as_ref()));
        let by = if login.is_some() || display_name.is_some() { stamp.by.clone() } else { String::new() };
        let at = if login.is_some() && display_name.is_some() { stamp.at } else { OffsetDateTime::UNIX_EPOCH };
        let display_name = display_name.or_else(|| login.clone()).unwrap_or_default();
        let value = Names { login: login.unwrap_or_default(), display_name };
        put(&mut self.users, &user.id, Latest { stamp: Stamp { at, by }, value });
    }

    fn login(&mut self, stamp: &Stamp, broadcaster: &payload::User) {
        let Some(login) = &broadcaster.login else { return };
        let key = (login.as_str().to_owned(), broadcaster.id.channel());
        let newest = self.logins.entry(key).or_insert_with(|| stamp.clone());
        if stamp > newest {
            newest.clone_from(stamp);
        }
    }

    fn channel(&mut self, stamp: &Stamp, broadcaster: &payload::User) -> &mut Channel {
        self.name(stamp, broadcaster);
        self.login(stamp, broadcaster);
        self.channels.entry(broadcaster.id.channel()).or_default()
    }

    fn stream(&mut self, id: &StreamId, broadcaster: &payload::User) -> &mut Stream {
        self.streams.entry(id.clone()).or_insert_with(|| Stream {
            channel_id: broadcaster.id.channel(),
            began: None,
            online_at: None,
            offline_at: BTreeSet::new(),
            gone_at: None,
            shown_at: None,
            last_event_id: 0,
            ended_at: None,
            is_end_estimated: false,
            broadcast_id: None,
        })
    }

    fn viewer(&mut self, stamp: &Stamp, broadcaster: &payload::User, viewer: &payload::User) -> &mut Viewer {
        self.channel(stamp, broadcaster);
        self.name(stamp, viewer);
        let key = (broadcaster.id.channel(), viewer.id.clone());
        self.viewers.entry(key).or_default()
    }
}

impl Viewer {
    fn subscribed(&mut self, stamp: &Stamp, is_active: bool, tier: Option<&Ident>) {
        let value = Subscribed { is_active, tier: tier.map(|tier| tier.as_str().to_owned()) };
        Latest { stamp: stamp.clone(), value }.merge_into(&mut self.subscription);
    }
}

fn put<K: Ord + Clone, T>(known: &mut BTreeMap<K, Latest<T>>, id: &K, newer: Latest<T>) {
    match known.get_mut(id) {
        Some(known) => known.merge(newer),
        None => {
            known.insert(id.clone(), newer);
        }
    }
}
