//! What an action is to do: one step, as the API takes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::IntoStaticStr;
use utoipa::ToSchema;

use crate::twitch::helix::chat::{AnnouncementColor, ChatSettings};
use crate::twitch::id::UserId;

/// Stands for the address of a clip in what a rule says about it, where no value of an event can have it.
pub const CLIP_URL: char = '\u{F0003}';

/// One thing to do: an object with one field, which names it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, IntoStaticStr, ToSchema)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Step {
    /// Sends this text to the chat.
    Say(String),
    /// Replies to a message.
    Reply(Reply),
    /// Sends an announcement to the chat.
    Announce(Announcement),
    /// Sends a whisper.
    Whisper(Whisper),
    /// Recommends another channel, given by its id or login.
    Shoutout(String),
    /// Deletes a message.
    Delete(OneMessage),
    /// Deletes all messages of the chat.
    Clear(Nothing),
    /// Prevents a user from writing for some time.
    Timeout(Timeout),
    /// Bans a user.
    Ban(Ban),
    /// Ends a ban or a timeout.
    Unban(OneUser),
    /// Warns a user, who has to acknowledge that.
    Warn(Warning),
    /// Sets the title.
    Title(String),
    /// Sets the category, by its name; an empty one is none.
    Game(String),
    /// Sets the tags; an empty list is none.
    Tags(Vec<String>),
    /// Makes a clip of the last seconds.
    Clip(NewClip),
    /// Marks the current moment of the stream.
    Marker(Marker),
    /// Starts a commercial.
    Ad(Commercial),
    /// Makes a user a VIP.
    Vip(OneUser),
    /// Removes the VIP role of a user.
    Unvip(OneUser),
    /// Changes settings of the chat.
    Settings(ChatSettings),
    /// Switches the shield mode.
    Shield(bool),
    /// Pins a message, or sends one that is pinned.
    Pin(Pin),
    /// Unpins a message.
    Unpin(OneMessage),
    /// Sends a body to a webhook.
    Webhook(Webhook),
}

/// An action without parameters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepNothing)]
pub struct Nothing {}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepReply)]
pub struct Reply {
    /// The id of the message that it replies to.
    pub message_id: String,
    /// The text.
    pub text: String,
}

/// An announcement.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepAnnouncement)]
pub struct Announcement {
    /// The text.
    pub text: String,
    /// `blue`, `green`, `orange`, `purple` or `primary`, which is the channel's own and the default.
    #[serde(default)]
    pub color: AnnouncementColor,
}

/// A whisper.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepWhisper)]
pub struct Whisper {
    /// Who gets it: an id or a login.
    pub user: String,
    /// The text.
    pub text: String,
}

/// A message of the chat.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepOneMessage)]
pub struct OneMessage {
    /// Its id.
    pub message_id: String,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepOneUser)]
pub struct OneUser {
    /// An id or a login.
    pub user: String,
}

/// A timeout.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepTimeout)]
pub struct Timeout {
    /// An id or a login.
    pub user: String,
    /// How long, in seconds.
    #[schema(minimum = 1, maximum = 1_209_600)]
    pub seconds: u32,
    /// Why.
    pub reason: Option<String>,
}

/// A ban.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepBan)]
pub struct Ban {
    /// An id or a login.
    pub user: String,
    /// Why.
    pub reason: Option<String>,
}

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepWarning)]
pub struct Warning {
    /// An id or a login.
    pub user: String,
    /// Why; the user reads it.
    pub reason: String,
}

/// A clip to make.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepClip)]
pub struct NewClip {
    /// Its title; without one, that of the stream.
    pub title: Option<String>,
    /// Its length in seconds, 30 by default.
    #[schema(minimum = 5, maximum = 60)]
    pub seconds: Option<f64>,
    /// What is said in the chat once it can be seen; `{{ clip.url }}` stands for its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
}

impl NewClip {
    /// What is to be said about the clip with this address.
    #[must_use]
    pub fn said(&self, url: &str) -> Option<String> {
        Some(self.say.as_ref()?.replace(CLIP_URL, url).replace("{{ clip.url }}", url))
    }
}

/// A marker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepMarker)]
pub struct Marker {
    /// What is there.
    #[schema(max_length = 140)]
    pub description: Option<String>,
}

/// A commercial.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepCommercial)]
pub struct Commercial {
    /// Its length in seconds.
    #[schema(minimum = 1, maximum = 180)]
    pub seconds: u32,
}

/// A message to pin: one that is there, or a new one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepPin)]
pub struct Pin {
    /// The id of a message that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The text of a new message instead, which is pinned for 20 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// For how long a message that is there is pinned, in seconds; without it, until the stream ends.
    #[schema(minimum = 30, maximum = 1_800)]
    pub seconds: Option<u32>,
}

/// A body for a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepWebhook)]
pub struct Webhook {
    /// The name of the sink, which must be a webhook.
    pub sink: String,
    /// Any JSON.
    pub body: Value,
}

impl Step {
    /// Its name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// What it says, without its name.
    #[must_use]
    pub fn params(&self) -> Value {
        let step = serde_json::to_value(self).unwrap_or_default();
        step.get(self.kind()).cloned().unwrap_or_default()
    }

    /// The step of a row.
    ///
    /// # Errors
    /// If there is none of this kind.
    pub fn of(kind: &str, params: &Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::json!({ kind: params }))
    }

    /// The user that it is about, if it says the id. A login is looked up when it is done.
    #[must_use]
    pub fn target_id(&self) -> Option<UserId> {
        let (_, name) = self.target()?;
        name.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.parse().ok())?
    }

    /// The user that it is about, by id or login, and the field that says so.
    #[must_use]
    pub fn target(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Shoutout(user) => Some(("shoutout", user)),
            Self::Whisper(Whisper { user, .. }) => Some(("whisper.user", user)),
            Self::Timeout(Timeout { user, .. }) => Some(("timeout.user", user)),
            Self::Ban(Ban { user, .. }) => Some(("ban.user", user)),
            Self::Warn(Warning { user, .. }) => Some(("warn.user", user)),
            Self::Unban(OneUser { user }) => Some(("unban.user", user)),
            Self::Vip(OneUser { user }) => Some(("vip.user", user)),
            Self::Unvip(OneUser { user }) => Some(("unvip.user", user)),
            _ => None,
        }
    }
}
