//! Ids of Discord (<https://docs.discord.com/developers/reference#snowflakes>).

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// The first millisecond of 2015, where the time in an id begins.
const EPOCH_MS: i128 = 1_420_070_400_000;

/// Bits below the time.
const TIME_SHIFT: u32 = 22;

/// An id. JSON has it as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Snowflake(pub u64);

impl fmt::Display for Snowflake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Snowflake {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for Snowflake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Makes ids, each greater than the last.
#[derive(Debug, Default)]
pub(super) struct SnowflakeGenerator {
    last: u64,
}

impl SnowflakeGenerator {
    pub(super) fn next(&mut self, now: OffsetDateTime) -> Snowflake {
        let ms = now.unix_timestamp_nanos() / 1_000_000 - EPOCH_MS;
        let at_now = u64::try_from(ms).unwrap_or_default() << TIME_SHIFT;
        self.last = at_now.max(self.last + 1);
        Snowflake(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_holds_its_time_and_grows() {
        let now = OffsetDateTime::from_unix_timestamp(1_773_509_405).unwrap();
        let mut ids = SnowflakeGenerator::default();
        let (first, second, earlier) = (ids.next(now), ids.next(now), ids.next(now - time::Duration::HOUR));
        assert_eq!((first.0 >> 22) + 1_420_070_400_000, 1_773_509_405_000);
        assert!(first < second && second < earlier);
    }
}
