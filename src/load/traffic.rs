//! What is sent: message number `n` of a run is a pure function of run, mix and `n`, so that
//! whoever knows the numbers knows the messages, and what must have come of them.

use clap::ValueEnum;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

/// From a stream's beginning to its end, in messages. No multiple of any mix's
/// [`Shape::stream_every`], so that no number is both.
const STREAM_LENGTH: u64 = 1_001;

/// Odd, and so invertible modulo 2^64; the golden ratio's digits spread consecutive numbers evenly.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The inverse of [`SPREAD`].
const GATHER: u64 = 0xF1DE_83E1_9937_733D;

/// One run of a generator. It stands in every id, so that runs on one database do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run(pub u64);

impl Run {
    /// A run that never was before.
    #[must_use]
    pub fn new() -> Self {
        Self(rand::random())
    }

    /// Shaped like Twitch's UUIDs: first the run, so that its messages lie together, then the
    /// number, spread so that they come in no order, as Twitch's do.
    #[must_use]
    pub fn message_id(self, number: u64) -> String {
        let (run, rest) = (format!("{:016x}", self.0), format!("{:016x}", number.wrapping_mul(SPREAD)));
        format!("{}-{}-{}-{}-{}", &run[..8], &run[8..12], &run[12..], &rest[..4], &rest[4..])
    }

    /// The number of one of this run's messages.
    #[must_use]
    pub fn number(self, message_id: &str) -> Option<u64> {
        let digits = u128::from_str_radix(&message_id.replace('-', ""), 16).ok()?;
        let (run, rest) = ((digits >> 64) as u64, (digits & u128::from(u64::MAX)) as u64);
        (run == self.0 && message_id.len() == 36).then(|| rest.wrapping_mul(GATHER))
    }

    /// The least and the greatest id that a message of this run can have.
    #[must_use]
    pub fn message_ids(self) -> [String; 2] {
        let run = self.message_id(0);
        [run.clone(), format!("{}ffff-ffffffffffff", &run[..19])]
    }

    /// Twelve digits.
    #[must_use]
    pub fn channel_id(self, channel: u32) -> u64 {
        self.digits() * 100_000 + u64::from(channel)
    }

    /// Twelve digits.
    #[must_use]
    pub fn viewer_id(self, viewer: u32) -> u64 {
        (100 + self.0 % 900) * 1_000_000_000 + u64::from(viewer)
    }

    /// Fifteen digits.
    #[must_use]
    pub fn stream_id(self, stream: u64) -> u64 {
        self.digits() * 100_000_000 + stream
    }

    /// Seven digits of its own.
    fn digits(self) -> u64 {
        1_000_000 + self.0 % 9_000_000
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

/// What a run consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// Nine in ten are chat messages; the rest is everything else, on 20 channels
    Chat,
    /// Each a follow by somebody new, all on one channel
    Follows,
    /// Everything but chat, on 5,000 channels
    Channels,
    /// One channel and 200 viewers who cheer, gift and subscribe: the same rows again and again
    Hot,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the type of that name, or a sample of it")]
pub enum Kind {
    Chat,
    Follow,
    Cheer,
    AnonymousCheer,
    Subscribe,
    SubscriptionEnd,
    Resubscribe,
    Gift,
    AnonymousGift,
    Update,
    Online,
    Offline,
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::Chat,
        Self::Follow,
        Self::Cheer,
        Self::AnonymousCheer,
        Self::Subscribe,
        Self::SubscriptionEnd,
        Self::Resubscribe,
        Self::Gift,
        Self::AnonymousGift,
        Self::Update,
        Self::Online,
        Self::Offline,
    ];

    /// Twitch's type, and which sample of it.
    #[must_use]
    pub fn sample(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Chat => ("channel.chat.message", None),
            Self::Follow => ("channel.follow", None),
            Self::Cheer => ("channel.cheer", None),
            Self::AnonymousCheer => ("channel.cheer", Some("anonymous")),
            Self::Subscribe => ("channel.subscribe", None),
            Self::SubscriptionEnd => ("channel.subscription.end", None),
            Self::Resubscribe => ("channel.subscription.message", None),
            Self::Gift => ("channel.subscription.gift", None),
            Self::AnonymousGift => ("channel.subscription.gift", Some("anonymous")),
            Self::Update => ("channel.update", None),
            Self::Online => ("stream.online", None),
            Self::Offline => ("stream.offline", None),
        }
    }

    /// Whether somebody is named who does it.
    #[must_use]
    pub fn names_viewer(self) -> bool {
        !matches!(self, Self::AnonymousCheer | Self::AnonymousGift | Self::Update | Self::Online | Self::Offline)
    }
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// On which channel of the run.
    pub channel: u32,
    /// Which viewer did it, where one is named.
    pub viewer: u32,
    /// Bits, gifts or months.
    pub amount: u32,
    /// `1000`, `2000` or `3000`.
    pub tier: u32,
    /// Which stream of the run began or ended.
    pub stream: u64,
}

/// The traffic of a run.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Whose ids these are.
    pub run: Run,
    /// What it consists of.
    pub mix: Mix,
}

/// What a [`Mix`] is made of.
struct Shape {
    channels: u32,
    /// How many people there are; `None`: somebody new each time.
    viewers: Option<u32>,
    /// How often a stream begins, in messages, one channel after the other.
    stream_every: Option<u64>,
    /// Of a thousand of the other messages.
    parts: &'static [(u32, Kind)],
}

impl Mix {
    fn shape(self) -> Shape {
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

impl Traffic {
    /// What the message of this number says.
    #[must_use]
    pub fn message(&self, number: u64) -> Event {
        let shape = self.mix.shape();
        // Each number has its own generator: its seeding scrambles, so neighbours have nothing in common.
        let mut rng = SmallRng::seed_from_u64(self.run.0.wrapping_add(number));
        if let Some((kind, stream)) = shape.stream(number) {
            let channel = u32::try_from(stream % u64::from(shape.channels)).unwrap_or_default();
            return Event { kind, channel, viewer: 0, amount: 0, tier: 0, stream };
        }
        let kind = shape.part(rng.random_range(0..1_000));
        let amount = match kind {
            Kind::Cheer | Kind::AnonymousCheer => rng.random_range(100..1_000),
            Kind::Gift | Kind::AnonymousGift => rng.random_range(1..10),
            Kind::Resubscribe => rng.random_range(10..100),
            _ => 0,
        };
        Event {
            kind,
            channel: rng.random_range(0..shape.channels),
            viewer: match shape.viewers {
                Some(viewers) => rng.random_range(0..viewers),
                None => u32::try_from(number % 1_000_000_000).unwrap_or_default(),
            },
            amount,
            tier: rng.random_range(1..4) * 1_000,
            stream: 0,
        }
    }
}

impl Shape {
    /// Whether a stream begins or ends with this number, and which.
    fn stream(&self, number: u64) -> Option<(Kind, u64)> {
        let every = self.stream_every?;
        if number.is_multiple_of(every) {
            return Some((Kind::Online, number / every));
        }
        let began = number.checked_sub(STREAM_LENGTH)?;
        began.is_multiple_of(every).then(|| (Kind::Offline, began / every))
    }

    fn part(&self, mut point: u32) -> Kind {
        for (size, kind) in self.parts {
            match point.checked_sub(*size) {
                Some(rest) => point = rest,
                None => return *kind,
            }
        }
        Kind::Update
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const RUN: Run = Run(0x0123_4567_89ab_cdef);

    #[test]
    fn a_number_is_read_back_from_its_id_and_lies_in_the_runs_range() {
        let [least, greatest] = RUN.message_ids();
        for number in [0, 1, 2, 1_000_000, u64::MAX / 3, u64::MAX] {
            let id = RUN.message_id(number);
            assert_eq!(RUN.number(&id), Some(number), "{id}");
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
            assert!((&least..=&greatest).contains(&&id), "{least} {id} {greatest}");
            assert_eq!(Run(RUN.0 + 1).number(&id), None);
        }
    }

    #[test]
    fn ids_have_their_width_whatever_the_run() {
        for run in [Run(0), RUN, Run(u64::MAX)] {
            let width = |id: u64| id.to_string().len();
            assert_eq!((width(run.channel_id(0)), width(run.channel_id(4_999))), (12, 12));
            assert_eq!((width(run.viewer_id(0)), width(run.viewer_id(999_999_999))), (12, 12));
            assert_eq!((width(run.stream_id(0)), width(run.stream_id(99_999_999))), (15, 15));
        }
    }

    #[test]
    fn a_message_follows_from_its_number_alone() {
        let traffic = Traffic { run: RUN, mix: Mix::Chat };
        let all: Vec<_> = (0..1_000).map(|number| traffic.message(number)).collect();
        assert!((0..1_000).rev().all(|number| traffic.message(number) == all[usize::try_from(number).unwrap()]));
        let other = Traffic { run: Run(1), mix: Mix::Chat };
        assert!((0..1_000).any(|number| other.message(number) != traffic.message(number)));
    }

    #[test]
    fn every_mix_is_what_it_says() {
        for mix in Mix::value_variants() {
            let traffic = Traffic { run: RUN, mix: *mix };
            assert_eq!(mix.shape().parts.iter().map(|(size, _)| size).sum::<u32>(), 1_000, "{mix:?}");
            let mut counts: HashMap<String, u32> = HashMap::new();
            for number in 0..20_000 {
                let event = traffic.message(number);
                assert!(event.channel < mix.shape().channels);
                *counts.entry(format!("{:?}", event.kind)).or_default() += 1;
            }
            for (size, kind) in mix.shape().parts {
                let got = counts[&format!("{kind:?}")] / 20;
                assert!(got.abs_diff(*size) <= 10 + size / 5, "{mix:?} {kind:?}: {got} of a thousand");
            }
        }
    }

    #[test]
    fn every_stream_that_began_ends_on_its_channel_before_the_next_one() {
        for mix in [Mix::Chat, Mix::Channels, Mix::Hot] {
            let traffic = Traffic { run: RUN, mix };
            let mut live: HashMap<u32, u64> = HashMap::new();
            let mut ended = 0;
            for number in 0..60_000 {
                let event = traffic.message(number);
                match event.kind {
                    Kind::Online => assert_eq!(live.insert(event.channel, event.stream), None, "{mix:?}"),
                    Kind::Offline => {
                        assert_eq!(live.remove(&event.channel), Some(event.stream), "{mix:?}");
                        ended += 1;
                    }
                    _ => {}
                }
            }
            assert!(ended > 20, "{mix:?}: {ended}");
        }
    }
}
