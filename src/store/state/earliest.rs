//! The earliest time that messages touch, for each channel.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::twitch::id::ChannelId;

/// Times by channel id.
#[derive(Default)]
pub(super) struct Earliest(BTreeMap<ChannelId, OffsetDateTime>);

impl Earliest {
    /// Takes one more time of a channel into account, if there is one.
    pub(super) fn include(&mut self, channel_id: &ChannelId, at: Option<OffsetDateTime>) {
        let Some(at) = at else { return };
        self.0.entry(channel_id.clone()).and_modify(|earliest| *earliest = at.min(*earliest)).or_insert(at);
    }

    /// The channel ids and the times, as two array parameters.
    pub(super) fn columns(&self) -> (Vec<&str>, Vec<OffsetDateTime>) {
        self.0.iter().map(|(channel_id, at)| (channel_id.as_str(), *at)).unzip()
    }
}
