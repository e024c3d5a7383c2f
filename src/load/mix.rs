//! Mixes of events: channels, viewers, streams, and the proportions of the kinds.

use clap::ValueEnum;
use serde::Serialize;

use super::event::Kind;

/// Length of a stream, in messages. Not a multiple of any [`Shape::stream_every`], so that no number is both a start and an
/// end.
const STREAM_LENGTH: u64 = 1_001;

/// The events of a run. The doc comments of the variants are shown by `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// Nine in ten are chat messages, the rest all other kinds, on 20 channels
    Chat,
    /// Follows, each by a new viewer, all on one channel
    Follows,
    /// All kinds except chat, on 5,000 channels
    Channels,
    /// Cheers, gifts and subscriptions of 200 viewers on one channel: few rows, updated often
    Hot,
}

/// Parameters of a [`Mix`].
pub(super) struct Shape {
    pub(super) channels: u32,
    /// Number of viewers; `None`: a new one in each message.
    pub(super) viewers: Option<u32>,
    /// After how many messages a stream begins, on one channel after the other.
    stream_every: Option<u64>,
    /// Proportions of the other messages, in thousandths.
    pub(super) parts: &'static [(u32, Kind)],
}

impl Mix {
    pub(super) fn shape(self) -> Shape {
        use Kind as K;
        match self {
            Self::Chat => Shape {
                channels: 20,
                viewers: Some(20_000),
                stream_every: Some(500),
                parts: &[
                    (900, K::Chat),
                    (30, K::Follow),
                    (25, K::Cheer),
                    (3, K::AnonymousCheer),
                    (12, K::Subscribe),
                    (4, K::SubscriptionEnd),
                    (8, K::Resubscribe),
                    (10, K::Gift),
                    (2, K::AnonymousGift),
                    (6, K::Update),
                ],
            },
            Self::Follows => Shape { channels: 1, viewers: None, stream_every: None, parts: &[(1_000, K::Follow)] },
            Self::Channels => Shape {
                channels: 5_000,
                viewers: Some(200_000),
                stream_every: Some(10),
                parts: &[
                    (300, K::Follow),
                    (300, K::Cheer),
                    (20, K::AnonymousCheer),
                    (100, K::Subscribe),
                    (50, K::SubscriptionEnd),
                    (50, K::Resubscribe),
                    (60, K::Gift),
                    (20, K::AnonymousGift),
                    (100, K::Update),
                ],
            },
            Self::Hot => Shape {
                channels: 1,
                viewers: Some(200),
                stream_every: Some(2_000),
                parts: &[
                    (600, K::Cheer),
                    (100, K::AnonymousCheer),
                    (50, K::Subscribe),
                    (30, K::SubscriptionEnd),
                    (100, K::Resubscribe),
                    (100, K::Gift),
                    (20, K::AnonymousGift),
                ],
            },
        }
    }
}

impl Shape {
    /// Returns the stream that begins or ends with this message, if one does.
    pub(super) fn stream(&self, number: u64) -> Option<(Kind, u64)> {
        let every = self.stream_every?;
        if number.is_multiple_of(every) {
            return Some((Kind::Online, number / every));
        }
        let began = number.checked_sub(STREAM_LENGTH)?;
        began.is_multiple_of(every).then(|| (Kind::Offline, began / every))
    }

    /// Returns the kind at this point of the proportions, 0 to 999.
    pub(super) fn kind_at(&self, mut point: u32) -> Kind {
        for (size, kind) in self.parts {
            match point.checked_sub(*size) {
                Some(rest) => point = rest,
                None => return *kind,
            }
        }
        Kind::Update
    }
}
