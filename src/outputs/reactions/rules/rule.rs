//! Rules as they are written: one tree, in TOML or JSON.

use std::fmt;
use std::str::FromStr;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::role::{Role, Who};
use super::rule_step::RuleStep;
use super::short_form::text_or_table;
use super::span::{Span, SpanError};

/// The bots that are ignored unless a file says which.
const KNOWN_BOTS: [&str; 5] = ["nightbot", "streamelements", "streamlabs", "fossabot", "moobot"];

/// The rules and what they have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The login of the account that acts; each broadcaster's own if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<String>,
    /// Logins or ids of users that no rule reacts to.
    #[serde(default = "known_bots")]
    pub ignore_users: Vec<String>,
    /// Whether all rules only record what they would do.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry: bool,
    /// The rules, in the order in which they see an event.
    #[serde(rename = "rule", default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { bot: None, ignore_users: known_bots(), dry: false, rules: Vec::new() }
    }
}

fn known_bots() -> Vec<String> {
    KNOWN_BOTS.map(str::to_owned).to_vec()
}

/// A rule: what it waits for, what else must hold, and what it does.
///
/// It waits for one of `on`, `command`, `message`, `filter` and `timer`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique.
    pub name: String,
    /// Whether it is used.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// Whether it only records what it would do.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry: bool,
    /// Logins or ids of channels; all if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Waits for events of these types, `arrive` or `leave`.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub on: Names,
    /// Waits for messages that begin with one of these words.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub command: Names,
    /// Waits for messages that match this regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Waits for messages that have what this filter looks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// Waits for a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timer: Option<Timer>,
    /// Only while the channel is live, or only while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<bool>,
    /// Only for these users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Who>,
    /// Not for these users, even if `allow` has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny: Option<Who>,
    /// The same as `deny`, as it reads better with filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Who>,
    /// An expression that must be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whether `!permit` lets a message of a user through.
    #[serde(default, skip_serializing_if = "is_false")]
    pub permit: bool,
    /// Whether it also reacts to copies of messages that were written on another channel of a shared chat.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shared: bool,
    /// The pause between two reactions.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "cooldown")]
    pub cooldown: Option<Cooldown>,
    /// Whether it reacts to each user once for ever.
    #[serde(default, skip_serializing_if = "is_false")]
    pub once_per_user: bool,
    /// Makes one reaction of all events in this span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Span>,
    /// Events that are older are not reacted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// The most reactions on a channel in a minute, before it rests for five.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_minute: Option<u32>,
    /// What it does, in this order.
    #[serde(rename = "do", default, skip_deserializing)]
    pub steps: Vec<RuleStep>,
}

impl Rule {
    /// Whether it waits for messages in chat.
    #[must_use]
    pub fn waits_for_chat(&self) -> bool {
        !self.command.is_empty() || self.message.is_some() || self.filter.is_some()
    }
}

/// The pause between two reactions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cooldown {
    /// On the channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Span>,
    /// To the same user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Span>,
    /// Roles that need not wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bypass: Vec<Role>,
}

impl FromStr for Cooldown {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = text.parse().map_err(|error: SpanError| error.to_string())?;
        Ok(Self { all: Some(all), ..Self::default() })
    }
}

fn cooldown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cooldown>, D::Error> {
    text_or_table(deserializer).map(Some)
}

/// What is sent again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timer {
    /// The pause between two times.
    pub every: Span,
    /// How many messages others must have written in between.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lines: u32,
    /// Whether only while the channel is live.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub live: bool,
}

/// What a filter looks for. Any of it is enough.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    /// Words or phrases, in any case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Many capital letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<Caps>,
    /// More characters than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
}

/// Links to hosts that are not allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// Hosts that are allowed, such as `clips.twitch.tv` or `*.wikipedia.org`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

/// Many capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// The part of the letters that must be capital, in percent.
    pub percent: u8,
    /// Shorter texts are left alone.
    #[serde(default = "min_caps")]
    pub min: u32,
}

fn min_caps() -> u32 {
    15
}

/// One name or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl Names {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" or "))
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, one: &str) -> Result<Names, E> {
                Ok(Names(vec![one.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, many: A) -> Result<Names, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(many)).map(Names)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}
