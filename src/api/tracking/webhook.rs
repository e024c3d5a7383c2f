//! Webhooks in the bodies of requests and answers.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::discord::client::WebhookKey;
use crate::discord::snowflake::Snowflake;
use crate::tracking::webhooks;

/// A webhook of Discord.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct GivenWebhook {
    /// Its id.
    #[schema(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$")]
    id: Snowflake,
    /// Its token.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,128}$")]
    token: Token,
}

impl From<GivenWebhook> for WebhookKey {
    fn from(webhook: GivenWebhook) -> Self {
        Self { id: webhook.id, token: webhook.token.0 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Token(SecretString);

impl TryFrom<String> for Token {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        webhooks::token(&text).map(Self).ok_or("must be 1 to 128 letters, digits, hyphens and underscores")
    }
}

/// The webhook of a Discord channel, shown to the bot that gave it.
// Not `Debug`, which would show the token.
#[derive(Serialize, ToSchema)]
pub(super) struct ShownWebhook {
    /// Its id.
    #[schema(value_type = String)]
    pub(super) id: Snowflake,
    /// Its token.
    token: String,
}

impl ShownWebhook {
    pub(super) fn new(id: Snowflake, token: &SecretString) -> Self {
        Self { id, token: token.expose_secret().to_owned() }
    }

    pub(super) fn example() -> Self {
        Self::new(Snowflake(1_130_882_143_562_211_418), &SecretString::from("aToken-thatDiscord_made"))
    }
}
