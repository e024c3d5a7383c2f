//! Alerts about the stream itself.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::twitch::payload;
use crate::view::Person;

/// `online`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Online {
    /// The channel.
    pub user: Person,
    /// Twitch's id of the stream.
    pub stream_id: String,
    /// When the stream began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

impl From<payload::StreamOnline> for Online {
    fn from(it: payload::StreamOnline) -> Self {
        Self { user: it.broadcaster.into(), stream_id: it.id.into(), started_at: it.started_at }
    }
}

/// `offline`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Offline {
    /// The channel.
    pub user: Person,
    /// Twitch's id of the stream; `null` if Twitch did not send it.
    pub stream_id: Option<String>,
}

impl From<payload::StreamOffline> for Offline {
    fn from(it: payload::StreamOffline) -> Self {
        Self { user: it.broadcaster.into(), stream_id: it.id.map(String::from) }
    }
}

/// `ad_break_begin`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AdBreak {
    /// In seconds.
    pub duration_seconds: i64,
    /// Whether Twitch began it by schedule.
    pub is_automatic: bool,
}

impl From<payload::AdBreakBegin> for AdBreak {
    fn from(it: payload::AdBreakBegin) -> Self {
        Self { duration_seconds: it.duration_seconds, is_automatic: it.is_automatic }
    }
}
