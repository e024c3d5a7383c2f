//! Why tracking refuses what a bot asks for.

use std::time::Duration;

use crate::config::SecretFileError;
use crate::credentials::vault::VaultError;
use crate::discord::error::{DiscordError, Refusal};
use crate::discord::snowflake::Snowflake;
use crate::twitch::helix::HelixError;

/// Why a bot's request is refused. Another bot's things are as if they were not there.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// The bot has no webhook in this channel.
    #[error("no webhook is known in the Discord channel {0}")]
    UnknownChannel(Snowflake),
    /// The bot has no webhook in this Discord server.
    #[error("no webhook is known in the Discord server {0}")]
    UnknownGuild(Snowflake),
    /// The bot has no such post.
    #[error("no delivery `{0}` is known")]
    UnknownDelivery(i64),
    /// It is known what became of a post.
    #[error("no answer about the delivery {0} was lost, so there is nothing to resolve")]
    NotUncertain(i64),
    /// The Twitch channel is not tracked there.
    #[error("`{name}` is not tracked in the Discord channel {channel}")]
    NotTracked {
        /// As the request has it.
        name: String,
        /// The Discord channel.
        channel: Snowflake,
    },
    /// The Discord channel has another webhook.
    #[error(
        "the Discord channel {channel} has the webhook {stored}, and a channel has one: send that one, or delete it in Discord first"
    )]
    WebhookMismatch {
        /// The Discord channel.
        channel: Snowflake,
        /// Its webhook.
        stored: Snowflake,
    },
    /// Another channel of the bot has the webhook.
    #[error("the webhook {0} is that of another Discord channel of this bot: make one for each channel")]
    WebhookInUse(Snowflake),
    /// The webhook does not exist, or has another token.
    #[error("the webhook {0} does not exist, or has another token: make a new one")]
    WebhookGone(Snowflake),
    /// The webhook posts into another channel.
    #[error("the webhook {webhook} posts into the Discord channel {channel}, not into this one")]
    WebhookElsewhere {
        /// The webhook.
        webhook: Snowflake,
        /// Where it posts to.
        channel: Snowflake,
    },
    /// The webhook is none that posts.
    #[error("the webhook {0} follows another channel, or belongs to an application: make an incoming webhook")]
    WebhookUnusable(Snowflake),
    /// Discord has not said whether the webhook can be used.
    #[error("Discord can't be asked about the webhook now: {0}")]
    Discord(DiscordError),
    /// There is no such channel at Twitch.
    #[error("Twitch has no channel `{0}`")]
    UnknownStreamer(String),
    /// The log has no such channel, and Twitch can't be asked.
    #[error(
        "`{0}` has had no event here, and no Twitch application is configured to look it up: set TWITCH_CLIENT_ID and \
        TWITCH_CLIENT_SECRET"
    )]
    TwitchNotConfigured(String),
    /// Twitch did not answer.
    #[error("Twitch can't be asked about the channel now: {0}")]
    Twitch(#[from] HelixError),
    /// The Discord channel has as many tracks as it may.
    #[error("{limit} channels are tracked in the Discord channel {channel}, and no more can be")]
    TooManyTracks {
        /// The Discord channel.
        channel: Snowflake,
        /// How many it may have.
        limit: i64,
    },
    /// A setting of a track can't be as it is.
    #[error("invalid field `{field}`: {reason}")]
    InvalidSetting {
        /// Its path.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A test was posted in this Discord channel a moment ago.
    #[error("a test was posted there a moment ago; wait for {} s", .0.as_secs() + 1)]
    TooManyTests(Duration),
    /// The webhook is in use, or as many requests were made as may be.
    #[error("the webhook is in use, or Discord wants no request now; try again later")]
    Busy,
    /// Discord refuses a message.
    #[error("{}", .0.explained())]
    Refused(Refusal),
    /// The key that encrypts can't be read or made.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// A token was encrypted with another key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl TrackingError {
    /// The type of the problem, which never changes.
    #[must_use]
    pub const fn problem(&self) -> &'static str {
        match self {
            Self::UnknownChannel(_)
            | Self::UnknownGuild(_)
            | Self::UnknownDelivery(_)
            | Self::NotTracked { .. }
            | Self::UnknownStreamer(_) => "urn:showtime:problem:not-found",
            Self::NotUncertain(_) => "urn:showtime:problem:wrong-state",
            Self::WebhookMismatch { .. } => "urn:showtime:problem:webhook-mismatch",
            Self::WebhookInUse(_) => "urn:showtime:problem:webhook-in-use",
            Self::TooManyTracks { .. } => "urn:showtime:problem:too-many-tracks",
            Self::WebhookGone(_) => "urn:showtime:problem:webhook-gone",
            Self::WebhookElsewhere { .. } => "urn:showtime:problem:webhook-elsewhere",
            Self::WebhookUnusable(_) => "urn:showtime:problem:webhook-unusable",
            Self::TwitchNotConfigured(_) => "urn:showtime:problem:twitch-not-configured",
            Self::TooManyTests(_) => "urn:showtime:problem:too-many-tests",
            Self::Refused(_) => "urn:showtime:problem:discord-refuses",
            Self::Discord(_) | Self::Busy => "urn:showtime:problem:discord-unavailable",
            Self::Twitch(_) => "urn:showtime:problem:twitch-unavailable",
            Self::InvalidSetting { .. } => "urn:showtime:problem:invalid-field",
            Self::Secret(_) | Self::Vault(_) | Self::Database(_) => "urn:showtime:problem:internal",
        }
    }
}
