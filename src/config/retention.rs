//! The setting `SHOWTIME_RETENTION`: for how many days events are kept.

use crate::twitch::catalogue;

/// The prefix of the types that this program makes itself.
const OWN: &str = "showtime.";

/// Keeps everything.
const NONE: &str = "none";

/// The longest time in days: a hundred years.
pub const MAX_DAYS: u32 = 36_500;

/// How long events are kept, by type. Empty: for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Types and days; a type occurs once.
    pub types: Vec<(String, u32)>,
    /// Days for all other types, if they are not kept for ever.
    pub others: Option<u32>,
}

impl Retention {
    /// Whether everything is kept for ever.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads `channel.chat.message=7d,*=365d`, or `none`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut retention = Self::default();
        if text == NONE {
            return Ok(retention);
        }
        for item in text.split(',').map(str::trim) {
            let (kind, days) = item
                .split_once('=')
                .and_then(|(kind, age)| Some((kind.trim(), age.trim().strip_suffix('d')?.parse::<u32>().ok()?)))
                .filter(|(_, days)| (1..=MAX_DAYS).contains(days))
                .ok_or("must be types and at least one day, such as channel.chat.message=7d,*=365d")?;
            let is_known = kind == "*" || kind.starts_with(OWN) || catalogue::find(kind, None).is_some();
            if !is_known {
                return Err(format!("has {kind:?}, which is no subscription type; `*` stands for all others"));
            }
            let is_repeated =
                retention.types.iter().any(|(other, _)| other == kind) || kind == "*" && retention.others.is_some();
            match kind {
                _ if is_repeated => return Err(format!("has {kind} twice")),
                "*" => retention.others = Some(days),
                kind => retention.types.push((kind.to_owned(), days)),
            }
        }
        Ok(retention)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_by_type() {
        let read = Retention::parse("channel.chat.message=7d, *=365d").unwrap();
        assert_eq!((read.types, read.others), (vec![("channel.chat.message".to_owned(), 7)], Some(365)));
        assert!(Retention::parse("none").unwrap().is_empty());
        for wrong in ["", "7d", "*=7", "*=0d", "*=1h", "*=1d,*=2d", "channel.chat=7d", "*=1d,"] {
            assert!(Retention::parse(wrong).is_err(), "{wrong}");
        }
    }
}
