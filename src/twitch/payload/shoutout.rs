//! `channel.shoutout.receive`.

use serde::Deserialize;

use super::User;
use super::user::{Broadcaster, FromBroadcaster};

/// `channel.shoutout.receive` v1: another channel recommended this one.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ShoutoutReceive {
    /// The recommended channel.
    #[serde(flatten, with = "Broadcaster")]
    pub broadcaster: User,
    /// The recommending channel.
    #[serde(flatten, with = "FromBroadcaster")]
    pub from: User,
    /// How many viewers saw it.
    pub viewer_count: i64,
}
