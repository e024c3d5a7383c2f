//! `stream.online` and `stream.offline`.

use serde::Deserialize;
use time::OffsetDateTime;

use super::user::Broadcaster;
use super::{Ident, User};
use crate::twitch::id::StreamId;
use crate::twitch::tolerant::{optional, required_time};

/// `stream.online` v1: a stream began.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct StreamOnline {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The stream's id.
    pub id: StreamId,
    /// `live`, `playlist`, `watch_party`, `premiere` or `rerun`.
    #[serde(rename = "type", default, deserialize_with = "optional")]
    pub kind: Option<Ident>,
    /// When it began.
    #[serde(deserialize_with = "required_time")]
    pub started_at: OffsetDateTime,
}

/// `stream.offline` v1: a stream ended at the time of the message.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct StreamOffline {
    /// The channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The stream's id; absent before June 2026. One that can't be read is an error: without its id the message would end
    /// whichever stream was live.
    pub id: Option<StreamId>,
}
