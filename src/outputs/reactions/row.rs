//! The row of a step: how it is executed.

use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::limits::Bucket;
use super::step::{OneMessage, Pin, Step, Webhook};
use crate::store::actions::{ActionClass, ActionState, NewAction, Origin};
use crate::twitch::id::{ChannelId, UserId};

impl Step {
    /// Whether it may be repeated.
    #[must_use]
    pub fn class(&self) -> ActionClass {
        match self {
            Self::Say(_) | Self::Reply(_) | Self::Announce(_) | Self::Whisper(_) | Self::Shoutout(_) => {
                ActionClass::Once
            }
            Self::Warn(_) | Self::Clip(_) | Self::Marker(_) | Self::Ad(_) => ActionClass::Once,
            Self::Pin(Pin { text: Some(_), .. }) => ActionClass::Once,
            Self::Webhook(_) => ActionClass::StableId,
            _ => ActionClass::Idempotent,
        }
    }

    /// Which of Twitch's limits it counts for.
    #[must_use]
    pub fn bucket(&self) -> Bucket {
        match self {
            Self::Say(_) | Self::Reply(_) | Self::Pin(Pin { text: Some(_), .. }) => Bucket::Chat,
            Self::Announce(_) => Bucket::Announcement,
            Self::Whisper(_) => Bucket::Whisper,
            Self::Shoutout(_) => Bucket::Shoutout,
            Self::Vip(_) | Self::Unvip(_) => Bucket::Vip,
            Self::Title(_) | Self::Game(_) | Self::Tags(_) | Self::Clip(_) | Self::Marker(_) | Self::Ad(_) => {
                Bucket::Channel
            }
            Self::Webhook(_) => Bucket::Webhook,
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

    /// What goes in order: messages of a chat, changes of one thing, what is done to one user, what is sent to one webhook.
    #[must_use]
    pub fn lane(&self, target: Option<&UserId>) -> String {
        match self {
            _ if matches!(self.bucket(), Bucket::Chat | Bucket::Announcement) => "chat".to_owned(),
            Self::Title(_) | Self::Game(_) | Self::Tags(_) => "channel".to_owned(),
            Self::Pin(_) | Self::Unpin(_) => "pin".to_owned(),
            Self::Delete(OneMessage { message_id }) => format!("message {message_id}"),
            Self::Webhook(Webhook { sink, .. }) => format!("webhook {sink}"),
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
            Self::Webhook(_) => Duration::days(3),
            _ if self.class() == ActionClass::Once => Duration::minutes(1),
            _ => Duration::hours(1),
        }
    }

    /// Whether only the broadcaster can do it, and not a moderator.
    #[must_use]
    pub fn is_broadcasters(&self) -> bool {
        !matches!(self, Self::Clip(_)) && matches!(self.bucket(), Bucket::Channel | Bucket::Vip)
    }

    /// The scopes that the token of the one who acts must have.
    #[must_use]
    pub fn scopes(&self) -> &'static [&'static str] {
        match self {
            Self::Say(_) | Self::Reply(_) => &["user:write:chat"],
            Self::Announce(_) => &["moderator:manage:announcements"],
            Self::Whisper(_) => &["user:manage:whispers"],
            Self::Shoutout(_) => &["moderator:manage:shoutouts"],
            Self::Pin(Pin { text: Some(_), .. }) => &["user:write:chat", "moderator:manage:chat_messages"],
            Self::Delete(_) | Self::Clear(_) | Self::Pin(_) | Self::Unpin(_) => &["moderator:manage:chat_messages"],
            Self::Timeout(_) | Self::Ban(_) | Self::Unban(_) => &["moderator:manage:banned_users"],
            Self::Warn(_) => &["moderator:manage:warnings"],
            Self::Title(_) | Self::Game(_) | Self::Tags(_) | Self::Marker(_) => &["channel:manage:broadcast"],
            Self::Clip(_) => &["clips:edit"],
            Self::Ad(_) => &["channel:edit:commercial"],
            Self::Vip(_) | Self::Unvip(_) => &["channel:manage:vips"],
            Self::Settings(_) => &["moderator:manage:chat_settings"],
            Self::Shield(_) => &["moderator:manage:shield_mode"],
            Self::Webhook(_) => &[],
        }
    }

    /// Its row, as a client requests it at this time. Rules set what is different: the origin, the place, the time.
    #[must_use]
    pub fn new_action<'a>(
        &'a self,
        subject: &'a str,
        params: &'a Value,
        (channel_id, as_user): (&'a ChannelId, &'a UserId),
        target: Option<&'a UserId>,
        at: OffsetDateTime,
    ) -> NewAction<'a> {
        NewAction {
            origin: Origin::default(),
            subject,
            step: 0,
            continues: false,
            kind: self.kind(),
            params,
            class: self.class(),
            channel_id,
            as_user,
            target,
            bucket: self.bucket().into(),
            priority: self.priority(),
            lane: self.lane(target),
            state: ActionState::Pending,
            problem: None,
            created_at: at,
            not_before: at,
            expires_at: at + self.lifetime(),
        }
    }
}
