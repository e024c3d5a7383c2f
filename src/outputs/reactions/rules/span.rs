//! Spans of time in rules, such as `30s`, `10m` or `1h30m`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::Duration;

/// The longest span: a year.
const MAX_SECONDS: u64 = 366 * 24 * 60 * 60;

/// The units, largest first.
const UNITS: [(u32, char); 4] = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];

/// A span of whole seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u32);

/// Why a text is no span.
#[derive(Debug, thiserror::Error)]
pub enum SpanError {
    /// It can't be read.
    #[error("`{0}` is no span of time: write 30s, 10m, 12h, 1d or 1h30m")]
    Unreadable(String),
    /// It is too short or too long.
    #[error("`{0}` must be from 1s to 366d, in whole seconds")]
    OutOfRange(String),
}

impl Span {
    /// This many seconds; at least one.
    #[must_use]
    pub const fn seconds(seconds: u32) -> Self {
        Self(if seconds == 0 { 1 } else { seconds })
    }

    /// The number of seconds.
    #[must_use]
    pub fn whole_seconds(self) -> u32 {
        self.0
    }

    /// As a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::seconds(i64::from(self.0))
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let span = humantime::parse_duration(text).map_err(|_| SpanError::Unreadable(text.to_owned()))?;
        let is_allowed = span.subsec_nanos() == 0 && (1..=MAX_SECONDS).contains(&span.as_secs());
        match u32::try_from(span.as_secs()) {
            Ok(seconds) if is_allowed => Ok(Self(seconds)),
            _ => Err(SpanError::OutOfRange(text.to_owned())),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        for (seconds, unit) in UNITS {
            if left >= seconds {
                write!(f, "{}{unit}", left / seconds)?;
                left %= seconds;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_of_a_span_reads_as_the_same_span(seconds in 1_u32..=31_622_400) {
            let span = Span::seconds(seconds);
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }
    }

    #[test]
    fn span_that_cannot_be_read_is_explained() {
        for wrong in ["", "5", "5x", "soon", "-5s"] {
            let error = wrong.parse::<Span>().unwrap_err().to_string();
            assert!(error.contains("write 30s"), "{wrong}: {error}");
        }
        for wrong in ["0s", "1500ms", "5y"] {
            let error = wrong.parse::<Span>().unwrap_err().to_string();
            assert!(error.contains("from 1s to 366d"), "{wrong}: {error}");
        }
        assert_eq!("90m".parse::<Span>().unwrap().to_string(), "1h30m");
    }
}
