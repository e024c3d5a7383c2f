//! Messages of a run by number: message `n` is a pure function of run, mix and `n`. From the numbers alone follow the
//! messages, and the state that they must lead to.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::event::{Event, Kind};
use super::mix::Mix;
use super::run::Run;

/// The traffic of a run.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// The run, which is part of all ids.
    pub run: Run,
    /// The mix of events.
    pub mix: Mix,
}

impl Traffic {
    /// Returns the event of the message with this number.
    #[must_use]
    pub fn message(&self, number: u64) -> Event {
        let shape = self.mix.shape();
        // A generator for each number: seeding scrambles, so the values of neighbours are independent.
        let mut rng = SmallRng::seed_from_u64(self.run.0.wrapping_add(number));
        if let Some((kind, stream)) = shape.stream(number) {
            let channel = u32::try_from(stream % u64::from(shape.channels)).unwrap_or_default();
            return Event { kind, channel, viewer: 0, amount: 0, tier: 0, stream };
        }
        let kind = shape.kind_at(rng.random_range(0..1_000));
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use clap::ValueEnum as _;

    use super::*;

    const RUN: Run = Run(0x0123_4567_89ab_cdef);

    #[test]
    fn message_follows_from_its_number_alone() {
        let traffic = Traffic { run: RUN, mix: Mix::Chat };
        let all: Vec<_> = (0..1_000).map(|number| traffic.message(number)).collect();
        assert!((0..1_000).rev().all(|number| traffic.message(number) == all[usize::try_from(number).unwrap()]));
        let other = Traffic { run: Run(1), mix: Mix::Chat };
        assert!((0..1_000).any(|number| other.message(number) != traffic.message(number)));
    }

    #[test]
    fn every_mix_has_its_proportions() {
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
    fn every_stream_ends_before_the_next_one_of_its_channel() {
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
