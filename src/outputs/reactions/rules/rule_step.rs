//! The steps of a rule, as they are written.

use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use strum::{IntoStaticStr, VariantNames};

use super::short_form::text_or_table;
use super::span::{Span, SpanError};
use crate::twitch::helix::chat::{AnnouncementColor, ChatSettings};

/// The field of a step that lets the next steps run though it failed.
pub const CONTINUE: &str = "continue";

/// A step of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleStep {
    /// What it does.
    pub action: RuleAction,
    /// Whether the next steps run though it failed.
    pub continues: bool,
}

impl Serialize for RuleStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = match serde_json::to_value(&self.action) {
            Ok(Value::Object(step)) => step,
            Ok(_) => Map::new(),
            Err(error) => return Err(serde::ser::Error::custom(error)),
        };
        if self.continues {
            step.insert(CONTINUE.to_owned(), Value::Bool(true));
        }
        step.serialize(serializer)
    }
}

/// What a step does. All texts are templates, except names, colors and spans. Without a `user` it is about the user of the
/// event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum RuleAction {
    /// Sends a message to the chat.
    Say(String),
    /// Answers the message of the event.
    Reply(String),
    /// Sends an announcement to the chat.
    Announce(#[serde(deserialize_with = "text_or_table")] Announce),
    /// Whispers to a user.
    Whisper(#[serde(deserialize_with = "text_or_table")] Whisper),
    /// Recommends a channel: its login or id; empty for the user of the event.
    Shoutout(#[serde(deserialize_with = "text_or_table")] Target),
    /// Deletes the message of the event.
    Delete(Nothing),
    /// Deletes all messages of the chat.
    Clear(Nothing),
    /// Bans a user for a time.
    Timeout(#[serde(deserialize_with = "text_or_table")] Timeout),
    /// Bans a user.
    Ban(Ban),
    /// Lifts a ban or a timeout.
    Unban(#[serde(deserialize_with = "text_or_table")] Target),
    /// Warns a user.
    Warn(#[serde(deserialize_with = "text_or_table")] Warn),
    /// Changes the title.
    Title(String),
    /// Changes the category, by its name.
    Game(String),
    /// Changes the tags.
    Tags(Vec<String>),
    /// Makes a clip.
    Clip(Clip),
    /// Puts a marker into the recording.
    Marker(#[serde(deserialize_with = "text_or_table")] Marker),
    /// Starts a commercial.
    Ad(Span),
    /// Makes a user a VIP.
    Vip(#[serde(deserialize_with = "text_or_table")] Target),
    /// Takes that from a user.
    Unvip(#[serde(deserialize_with = "text_or_table")] Target),
    /// Changes the settings of the chat, named as [Helix](https://dev.twitch.tv/docs/api/reference/#update-chat-settings)
    /// names them; what is absent stays.
    Settings(ChatSettings),
    /// Turns the shield mode on or off.
    Shield(bool),
    /// Pins the message of the event.
    Pin(Pin),
    /// Unpins the message of the event.
    Unpin(Nothing),
    /// Sends a body to a sink.
    Webhook(Webhook),
    /// Changes a counter.
    Count(#[serde(deserialize_with = "text_or_table")] Count),
    /// Sets a variable.
    Set(Set),
    /// Lets the next message of a user through the rules with `permit = true`.
    Permit(#[serde(deserialize_with = "text_or_table")] Permit),
    /// Waits before the next steps.
    Delay(Span),
    /// Ends the evaluation: the rules after this one do not see the event.
    Stop(Nothing),
}

impl RuleAction {
    /// Its name in a rule.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The names of all actions.
    #[must_use]
    pub fn names() -> &'static [&'static str] {
        Self::VARIANTS
    }

    /// Whether it punishes a user or deletes what a user wrote.
    #[must_use]
    pub fn moderates(&self) -> bool {
        matches!(self, Self::Delete(_) | Self::Timeout(_) | Self::Ban(_) | Self::Warn(_))
    }

    /// Whether that is the user of the event.
    #[must_use]
    pub fn moderates_sender(&self) -> bool {
        matches!(self, Self::Delete(_)) || (self.moderates() && self.needs_user())
    }

    /// Whether it needs the message of the event.
    #[must_use]
    pub fn needs_message(&self) -> bool {
        matches!(self, Self::Reply(_) | Self::Delete(_) | Self::Pin(_) | Self::Unpin(_))
    }

    /// Whether it is about the user of the event because it names none.
    #[must_use]
    pub fn needs_user(&self) -> bool {
        let user = match self {
            Self::Whisper(it) => &it.user,
            Self::Shoutout(it) | Self::Unban(it) | Self::Vip(it) | Self::Unvip(it) => &it.user,
            Self::Timeout(it) => &it.user,
            Self::Ban(it) => &it.user,
            Self::Warn(it) => &it.user,
            _ => return false,
        };
        user.is_empty()
    }
}

/// Writes an empty table, as in `delete = {}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// An announcement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announce {
    /// The text.
    pub text: String,
    /// The color; that of the channel if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<AnnouncementColor>,
}

/// A whisper.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whisper {
    /// The text.
    pub text: String,
    /// To this login or id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

/// A user or a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The login or id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

/// A timeout: of one length, or of one that grows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// How long.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Span>,
    /// How long the first time, the second time, and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Span>,
    /// After how long without another the first step comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forget: Option<Span>,
    /// What the user is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// This login or id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

/// A ban.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// What the user is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// This login or id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

/// A warning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warn {
    /// What the user is told.
    pub reason: String,
    /// This login or id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

/// A clip.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// What to say when it is there; `clip.url` is its address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub say: String,
    /// Its title; that of the stream if absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
}

/// A marker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// What it marks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A pinned message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// How long; until the stream ends if absent.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Span>,
}

/// A body for a sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The name of the sink.
    pub sink: String,
    /// The body: a table whose texts are templates. The event if absent.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// A change of a counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// The name of the counter.
    pub name: String,
    /// What to add; 1 if neither this nor `set` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<i64>,
    /// What to set it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<i64>,
}

/// The new value of a variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The name of the variable.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A permit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// The login of the user.
    pub user: String,
    /// How long it lasts; a minute if absent.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub length: Option<Span>,
}

/// Declares how a short form, which is one text, is read.
macro_rules! short_forms {
    ($($name:ident: $text:ident => $value:expr;)*) => {
        $(impl FromStr for $name {
            type Err = String;

            fn from_str($text: &str) -> Result<Self, String> {
                Ok($value)
            }
        })*
    };
}

short_forms! {
    Announce: text => Self { text: text.to_owned(), color: None };
    Whisper: text => Self { text: text.to_owned(), user: String::new() };
    Target: text => Self { user: text.to_owned() };
    Timeout: text => Self { length: Some(text.parse().map_err(|error: SpanError| error.to_string())?), ..Self::default() };
    Warn: text => Self { reason: text.to_owned(), user: String::new() };
    Marker: text => Self { description: text.to_owned() };
    Count: text => Self { name: text.to_owned(), add: None, set: None };
    Permit: text => Self { user: text.to_owned(), length: None };
}
