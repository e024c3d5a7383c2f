//! What planning knows beside the event, and how it changes. All of it is values: the caller reads it before and writes the
//! changes after.

use std::collections::{BTreeMap, HashMap, HashSet};

use time::OffsetDateTime;

use super::occurrence::Person;
use crate::store::LogId;
use crate::twitch::id::ChannelId;

/// The id of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub i64);

/// A rule on a channel.
pub type RuleOn = (RuleId, ChannelId);

/// A rule on a channel for a user, who is empty for all.
pub type RuleFor = (RuleId, ChannelId, String);

/// What is known of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelFacts {
    /// The login.
    pub login: String,
    /// The name as shown.
    pub name: String,
    /// The title of the stream.
    pub title: Option<String>,
    /// The category.
    pub category: Option<String>,
    /// When the stream began that runs; `None` if none runs.
    pub live_since: Option<OffsetDateTime>,
    /// How many watch, if it is known.
    pub viewers: Option<i64>,
}

/// What is known of a viewer of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ViewerFacts {
    /// Whether the viewer follows the channel.
    pub is_follower: bool,
    /// The tier of the subscription; 0 for none.
    pub tier: u8,
}

/// A message that showtime sent, or is sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMessage {
    /// The channel.
    pub channel: ChannelId,
    /// The text.
    pub text: String,
    /// Twitch's id of it; `None` while Twitch has not answered.
    pub message_id: Option<String>,
}

/// A permit: the next message of a user passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermitState {
    /// How long it lasts.
    pub until: OffsetDateTime,
    /// How many messages may pass; 0 if it is used up.
    pub uses: u32,
}

/// How a timer of a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerState {
    /// When it is due next.
    pub next_at: OffsetDateTime,
    /// How many messages others wrote since the last time.
    pub lines: u32,
}

/// A batch that gathers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchState {
    /// The event that began it, by which its reaction is known.
    pub first: LogId,
    /// When it ends.
    pub due_at: OffsetDateTime,
    /// How many events joined, also without a user. None is left if all its users were forgotten.
    pub events: u32,
    /// The users in it, in the order in which they came.
    pub members: Vec<Person>,
}

/// The last reactions of a rule on a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The times of those of the last minute.
    pub recent: Vec<OffsetDateTime>,
    /// Until when it rests, because there were too many.
    pub rests_until: Option<OffsetDateTime>,
}

/// How often a rule has timed a user out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strikes {
    /// How often.
    pub count: u32,
    /// When that is forgotten; `None` for never.
    pub until: Option<OffsetDateTime>,
}

/// A change of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a key and the value it gets, in the field of the state of that name")]
pub enum Change {
    Cooldown(RuleFor, OffsetDateTime),
    Counter(ChannelId, String, i64),
    Variable(ChannelId, String, String),
    Permit(ChannelId, String, PermitState),
    Timer(RuleOn, TimerState),
    Batch(RuleOn, Option<BatchState>),
    Pace(RuleOn, Pace),
    Strikes(RuleFor, Strikes),
    Reacted(RuleId, String),
}

/// What planning knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The account that acts, unless it is the broadcaster's own.
    pub bot: Option<Person>,
    /// The channels.
    pub channels: HashMap<ChannelId, ChannelFacts>,
    /// The viewers, by channel and user id.
    pub viewers: HashMap<(ChannelId, String), ViewerFacts>,
    /// What was sent lately, and what is being sent.
    pub own_messages: Vec<OwnMessage>,
    /// Until when rules rest for a user or for all.
    pub cooldowns: HashMap<RuleFor, OffsetDateTime>,
    /// The counters of each channel.
    pub counters: HashMap<ChannelId, BTreeMap<String, i64>>,
    /// The variables of each channel.
    pub variables: HashMap<ChannelId, BTreeMap<String, String>>,
    /// The permits, by channel and login.
    pub permits: HashMap<(ChannelId, String), PermitState>,
    /// The timers.
    pub timers: HashMap<RuleOn, TimerState>,
    /// The batches that gather.
    pub batches: HashMap<RuleOn, BatchState>,
    /// The last reactions.
    pub pace: HashMap<RuleOn, Pace>,
    /// The timeouts of users.
    pub strikes: HashMap<RuleFor, Strikes>,
    /// To what each rule has reacted.
    pub reacted: HashSet<(RuleId, String)>,
}

impl State {
    /// Applies a change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Cooldown(key, until) => {
                self.cooldowns.insert(key, until);
            }
            Change::Counter(channel, name, value) => {
                self.counters.entry(channel).or_default().insert(name, value);
            }
            Change::Variable(channel, name, value) => {
                self.variables.entry(channel).or_default().insert(name, value);
            }
            Change::Permit(channel, login, permit) => {
                self.permits.insert((channel, login), permit);
            }
            Change::Timer(key, timer) => {
                self.timers.insert(key, timer);
            }
            Change::Batch(key, Some(batch)) => {
                self.batches.insert(key, batch);
            }
            Change::Batch(key, None) => {
                self.batches.remove(&key);
            }
            Change::Pace(key, pace) => {
                self.pace.insert(key, pace);
            }
            Change::Strikes(key, strikes) => {
                self.strikes.insert(key, strikes);
            }
            Change::Reacted(rule, subject) => {
                self.reacted.insert((rule, subject));
            }
        }
    }
}
