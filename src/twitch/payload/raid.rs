//! `channel.raid`.

use serde::Deserialize;

use super::User;
use super::user::{FromBroadcaster, ToBroadcaster};

/// `channel.raid` v1. One raid arrives twice if both channels are subscribed to.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Raid {
    /// The raiding channel.
    #[serde(flatten, with = "FromBroadcaster")]
    pub from: User,
    /// The raided channel.
    #[serde(flatten, with = "ToBroadcaster")]
    pub to: User,
    /// How many viewers came along.
    pub viewers: u32,
}
