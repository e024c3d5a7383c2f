//! An event as bots see it.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use crate::discord::snowflake::Snowflake;
use crate::store::LogId;
use crate::store::tracking::events::BotEvent;

/// What happened to something of a bot.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BotEventView {
    /// Greater than that of each event before it.
    #[schema(value_type = i64)]
    id: LogId,
    /// Of `BotNews`; there may be more in later versions.
    #[serde(rename = "type")]
    kind: String,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The Discord server; `null` if it is about none, or one that is not known.
    #[schema(value_type = Option<String>)]
    guild_id: Option<Snowflake>,
    /// What its type has in `BotNews`.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<&BotEvent> for BotEventView {
    fn from(event: &BotEvent) -> Self {
        let (kind, data) = (event.kind.clone(), event.body.0.clone());
        Self { id: event.id, kind, at: event.at, guild_id: event.guild_id, data }
    }
}

impl BotEventView {
    pub(super) fn example() -> Self {
        Self {
            id: LogId(311),
            kind: "webhook_gone".to_owned(),
            at: datetime!(2026-07-01 18:00:00 UTC),
            guild_id: Some(Snowflake(146_404_426_746_167_000)),
            data: json!({
                "channel_id": "146404426746167296",
                "webhook_id": "1130882143562211418",
                "reason": "Discord says that the webhook does not exist",
                "logins": ["maplearcade"],
                "is_dropped": false,
            }),
        }
    }
}
