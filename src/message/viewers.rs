//! How many viewers a stream has, as Helix showed it at some moment.

use serde::Deserialize;

use crate::twitch::id::StreamId;

/// The type of [`StreamViewers`].
pub const STREAM_VIEWERS: &str = "showtime.stream.viewers";

/// `showtime.stream.viewers` v1: a sample of the number of viewers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct StreamViewers {
    /// The stream.
    pub id: StreamId,
    /// How many watched it.
    pub viewers: u32,
}
