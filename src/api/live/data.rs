//! The data of messages that no other path answers with.

use serde::Serialize;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use crate::view::Channel;

/// The data of `snapshot`: the state of the channels.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct Snapshot {
    /// The requested channels, in the order of their ids.
    pub(super) channels: Vec<Channel>,
}

impl Snapshot {
    pub(in crate::api) fn example() -> Self {
        Self { channels: vec![Channel::example()] }
    }
}

/// The data of `heartbeat`. Its `id` is the position up to which the reader has everything.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api) struct HeartbeatData {
    /// The server's time.
    #[serde(with = "time::serde::rfc3339")]
    pub(super) sent_at: OffsetDateTime,
}

impl HeartbeatData {
    pub(in crate::api) fn example() -> Self {
        Self { sent_at: datetime!(2026-07-01 18:16:15 UTC) }
    }
}
