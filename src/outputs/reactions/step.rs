//! What an action is to do: one step, as the API takes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::IntoStaticStr;
use time::Duration;
use utoipa::ToSchema;

use super::limits::Bucket;
use crate::store::actions::ActionClass;
use crate::twitch::helix::chat::{AnnouncementColor, ChatSettings};
use crate::twitch::id::UserId;

/// One thing to do on Twitch: an object with one field, which names it.
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
    /// Keeps a user from writing for some time.
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
    /// Marks the present moment of the stream.
    Marker(Marker),
    /// Starts a commercial.
    Ad(Commercial),
    /// Makes a user a VIP.
    Vip(OneUser),
    /// Takes the role of VIP away.
    Unvip(OneUser),
    /// Changes settings of the chat.
    Settings(ChatSettings),
    /// Switches the shield mode.
    Shield(bool),
    /// Pins a message.
    Pin(Pin),
    /// Unpins a message.
    Unpin(OneMessage),
}

/// A step without more to say.
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

/// A message to pin.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepPin)]
pub struct Pin {
    /// Its id.
    pub message_id: String,
    /// For how long, in seconds; without it, until the stream ends.
    #[schema(minimum = 30, maximum = 1_800)]
    pub seconds: Option<u32>,
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

    /// Whether it may be repeated.
    #[must_use]
    pub fn class(&self) -> ActionClass {
        match self {
            Self::Say(_) | Self::Reply(_) | Self::Announce(_) | Self::Whisper(_) | Self::Shoutout(_) => {
                ActionClass::Once
            }
            Self::Warn(_) | Self::Clip(_) | Self::Marker(_) | Self::Ad(_) => ActionClass::Once,
            _ => ActionClass::Idempotent,
        }
    }

    /// Which of Twitch's limits it counts for.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        match self {
            Self::Say(_) | Self::Reply(_) => Bucket::Chat,
            Self::Announce(_) => Bucket::Announcement,
            Self::Whisper(_) => Bucket::Whisper,
            Self::Shoutout(_) => Bucket::Shoutout,
            Self::Vip(_) | Self::Unvip(_) => Bucket::Vip,
            Self::Title(_) | Self::Game(_) | Self::Tags(_) | Self::Clip(_) | Self::Marker(_) | Self::Ad(_) => {
                Bucket::Channel
            }
            _ => Bucket::Moderation,
        }
    }

    /// Of what is due, the lowest goes first: moderation, then replies to people, then everything else.
    #[must_use]
    pub fn priority(&self) -> i16 {
        match self {
            Self::Reply(_) | Self::Whisper(_) => 1,
            _ if self.bucket() == Bucket::Moderation => 0,
            _ => 2,
        }
    }

    /// What goes in order: messages of a chat, changes of one thing, what is done to one user.
    #[must_use]
    pub fn lane(&self, target: Option<&UserId>) -> String {
        match self {
            Self::Say(_) | Self::Reply(_) | Self::Announce(_) => "chat".to_owned(),
            Self::Title(_) | Self::Game(_) | Self::Tags(_) => "channel".to_owned(),
            Self::Pin(_) | Self::Unpin(_) => "pin".to_owned(),
            Self::Delete(OneMessage { message_id }) => format!("message {message_id}"),
            Self::Whisper(_) | Self::Shoutout(_) => {
                format!("{} {}", self.kind(), target.map_or("", UserId::as_str))
            }
            _ => target.map_or_else(|| self.kind().to_owned(), |target| format!("user {target}")),
        }
    }

    /// For how long it makes sense. What is said late is worse than not said; a ban or a title is not.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        match self {
            Self::Shoutout(_) => Duration::minutes(10),
            _ if self.class() == ActionClass::Once => Duration::minutes(1),
            _ => Duration::hours(1),
        }
    }

    /// Whether only the broadcaster can do it, and not a moderator.
    #[must_use]
    pub fn is_broadcasters(&self) -> bool {
        !matches!(self, Self::Clip(_)) && matches!(self.bucket(), Bucket::Channel | Bucket::Vip)
    }

    /// The scope that the token of the one who acts must have.
    #[must_use]
    pub fn scope(&self) -> &'static str {
        match self {
            Self::Say(_) | Self::Reply(_) => "user:write:chat",
            Self::Announce(_) => "moderator:manage:announcements",
            Self::Whisper(_) => "user:manage:whispers",
            Self::Shoutout(_) => "moderator:manage:shoutouts",
            Self::Delete(_) | Self::Clear(_) | Self::Pin(_) | Self::Unpin(_) => "moderator:manage:chat_messages",
            Self::Timeout(_) | Self::Ban(_) | Self::Unban(_) => "moderator:manage:banned_users",
            Self::Warn(_) => "moderator:manage:warnings",
            Self::Title(_) | Self::Game(_) | Self::Tags(_) | Self::Marker(_) => "channel:manage:broadcast",
            Self::Clip(_) => "clips:edit",
            Self::Ad(_) => "channel:edit:commercial",
            Self::Vip(_) | Self::Unvip(_) => "channel:manage:vips",
            Self::Settings(_) => "moderator:manage:chat_settings",
            Self::Shield(_) => "moderator:manage:shield_mode",
        }
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
