//! The ids in events that change no state.

use serde::Deserialize;

use super::Ident;
use crate::twitch::id::{ChannelId, UserId};
use crate::twitch::tolerant::optional;

/// The ids in an event that changes no state, by which other events about the same thing are found.
#[derive(Clone, Debug, PartialEq)]
pub enum Ids {
    /// The id of something that happens once, such as a poll in `channel.poll.end`.
    Once(Ident),
    /// A message in chat.
    ChatMessage(ChatMessageIds),
    /// The id of a message that was deleted.
    ChatMessageDelete(Ident),
    /// The user whose messages were deleted; `None` for all messages.
    ChatClear(Option<UserId>),
}

/// The ids in `channel.chat.message` and `channel.chat.notification` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChatMessageIds {
    /// The message.
    pub message_id: Ident,
    /// The author.
    #[serde(default, deserialize_with = "optional")]
    pub chatter_user_id: Option<UserId>,
    /// In a shared chat, the channel on which it was written, and its id there.
    #[serde(default, deserialize_with = "optional")]
    pub source_broadcaster_user_id: Option<ChannelId>,
    #[serde(default, deserialize_with = "optional")]
    #[expect(missing_docs, reason = "described with the field before it")]
    pub source_message_id: Option<Ident>,
    /// In a shared chat, whether it is shown only on the channel on which it was written.
    #[serde(default, deserialize_with = "optional")]
    pub is_source_only: Option<bool>,
}

impl Ids {
    /// Reads the `event` of a notification. Returns `None` for all other types, and if the ids can't be read.
    #[must_use]
    pub fn parse(kind: &str, json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Id {
            id: Ident,
        }
        #[derive(Deserialize)]
        struct MessageId {
            message_id: Ident,
        }
        #[derive(Deserialize)]
        struct TargetId {
            target_user_id: UserId,
        }
        match kind {
            "channel.chat.message" | "channel.chat.notification" => {
                serde_json::from_str(json).map(Self::ChatMessage).ok()
            }
            "channel.chat.message_delete" => {
                serde_json::from_str(json).map(|MessageId { message_id }| Self::ChatMessageDelete(message_id)).ok()
            }
            "channel.chat.clear" => Some(Self::ChatClear(None)),
            "channel.chat.clear_user_messages" => {
                serde_json::from_str(json).map(|TargetId { target_user_id }| Self::ChatClear(Some(target_user_id))).ok()
            }
            "channel.poll.begin"
            | "channel.poll.end"
            | "channel.prediction.begin"
            | "channel.prediction.lock"
            | "channel.prediction.end"
            | "channel.hype_train.begin"
            | "channel.hype_train.end"
            | "channel.goal.begin"
            | "channel.goal.end"
            | "channel.charity_campaign.start"
            | "channel.charity_campaign.donate"
            | "channel.charity_campaign.stop"
            | "channel.channel_points_custom_reward_redemption.add"
            | "channel.channel_points_automatic_reward_redemption.add"
            | "channel.custom_power_up_redemption.add" => {
                serde_json::from_str(json).map(|Id { id }| Self::Once(id)).ok()
            }
            _ => None,
        }
    }
}
