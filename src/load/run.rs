//! Runs of the generator, and the ids of their messages, channels, viewers and streams.

/// An odd factor, and so invertible modulo 2^64. The digits of the golden ratio spread consecutive numbers evenly.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The inverse of [`SPREAD`].
const GATHER: u64 = 0xF1DE_83E1_9937_733D;

/// One run of the generator. Its number is part of every id, so that runs on one database don't affect each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run(pub u64);

impl Run {
    /// A new random run.
    #[must_use]
    pub fn new() -> Self {
        Self(rand::random())
    }

    /// The id of a message, in the form of Twitch's UUIDs: first the run, so that its messages form a range; then the number,
    /// scattered so that ids are in no order, like Twitch's.
    #[must_use]
    pub fn message_id(self, number: u64) -> String {
        let (run, rest) = (format!("{:016x}", self.0), format!("{:016x}", number.wrapping_mul(SPREAD)));
        format!("{}-{}-{}-{}-{}", &run[..8], &run[8..12], &run[12..], &rest[..4], &rest[4..])
    }

    /// The number in a message id of this run.
    #[must_use]
    pub fn number(self, message_id: &str) -> Option<u64> {
        let digits = u128::from_str_radix(&message_id.replace('-', ""), 16).ok()?;
        let (run, rest) = ((digits >> 64) as u64, (digits & u128::from(u64::MAX)) as u64);
        (run == self.0 && message_id.len() == 36).then(|| rest.wrapping_mul(GATHER))
    }

    /// The lowest and the highest message id of this run.
    #[must_use]
    pub fn message_ids(self) -> [String; 2] {
        let run = self.message_id(0);
        [run.clone(), format!("{}ffff-ffffffffffff", &run[..19])]
    }

    /// The id of a channel, twelve digits.
    #[must_use]
    pub fn channel_id(self, channel: u32) -> u64 {
        self.digits() * 100_000 + u64::from(channel)
    }

    /// The id of a viewer, twelve digits.
    #[must_use]
    pub fn viewer_id(self, viewer: u32) -> u64 {
        (100 + self.0 % 900) * 1_000_000_000 + u64::from(viewer)
    }

    /// The id of a stream, fifteen digits.
    #[must_use]
    pub fn stream_id(self, stream: u64) -> u64 {
        self.digits() * 100_000_000 + stream
    }

    /// Seven digits that follow from the run.
    fn digits(self) -> u64 {
        1_000_000 + self.0 % 9_000_000
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Run = Run(0x0123_4567_89ab_cdef);

    #[test]
    fn number_is_read_back_from_its_id_within_the_range_of_the_run() {
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
    fn ids_have_the_same_width_in_every_run() {
        for run in [Run(0), RUN, Run(u64::MAX)] {
            let width = |id: u64| id.to_string().len();
            assert_eq!((width(run.channel_id(0)), width(run.channel_id(4_999))), (12, 12));
            assert_eq!((width(run.viewer_id(0)), width(run.viewer_id(999_999_999))), (12, 12));
            assert_eq!((width(run.stream_id(0)), width(run.stream_id(99_999_999))), (15, 15));
        }
    }
}
