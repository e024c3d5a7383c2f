//! What a sink selects of the log.

use crate::message::OWN_TYPES;
use crate::store::read::events::LoggedEvent;
use crate::twitch::catalogue::{self, pattern};

/// Selects events by type and channel, and leaves out what is no news.
#[derive(Clone, Debug)]
pub struct SinkFilter {
    /// Patterns of types; `None` for all, an empty list for none.
    types: Option<Vec<String>>,
    /// Ids or logins; none for all.
    channels: Vec<String>,
    /// Whether test events are selected.
    tests: bool,
}

/// Why a pattern is refused.
pub const PATTERN: &str = "must be types such as channel.cheer, stream.* for all that begin so, * for all, a preset such as \
    alerts, or one of these with a hyphen before it to leave them out";

impl SinkFilter {
    /// Selects these types, channels, and tests or not; `None` for all types or channels. Without types it selects nothing: such
    /// a sink gets only what rules and clients send to it.
    #[must_use]
    pub fn new(types: Option<&[String]>, channels: Option<&[String]>, tests: bool) -> Self {
        Self { types: types.map(<[String]>::to_vec), channels: channels.unwrap_or_default().to_vec(), tests }
    }

    /// Whether the sink gets this event. The demo show, echoes, and repeats of an event of the same channel, are left out, as in the feeds of
    /// alerts.
    #[must_use]
    pub fn includes(&self, event: &LoggedEvent) -> bool {
        (self.tests || !event.is_test)
            && !event.is_echo
            && !event.is_demo()
            && !is_repeat(event)
            && self.includes_type(event.kind.as_deref().unwrap_or_default())
            && (self.channels.is_empty() || self.channels.iter().any(|name| is_of(event, name)))
    }

    fn includes_type(&self, kind: &str) -> bool {
        self.types.as_ref().is_none_or(|types| pattern::selects(types, kind))
    }
}

/// A message of a shared chat repeats only those of the same channel.
fn is_repeat(event: &LoggedEvent) -> bool {
    let on = event.repeated_on.as_ref();
    event.repeats.is_some()
        && event.channel_id.as_ref().is_none_or(|channel| on.is_none_or(|channels| channels.contains(channel)))
}

fn is_of(event: &LoggedEvent, name: &str) -> bool {
    event.channel_id.as_ref().is_some_and(|id| id.as_str() == name)
        || event.channel_login.as_ref().is_some_and(|login| login.eq_ignore_ascii_case(name))
}

/// Whether this is a pattern of types.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let name = text.strip_suffix(".*").unwrap_or(text);
    let is_name = |name: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
        (1..=100).contains(&name.len()) && name.bytes().all(is_allowed)
    };
    text == "*" || is_name(name)
}

/// Whether there is a type that this pattern matches.
#[must_use]
pub fn is_known(text: &str) -> bool {
    let twitch = catalogue::all().iter().map(|kind| kind.name.as_str());
    twitch.chain(OWN_TYPES).any(|kind| pattern::matches(text.trim_start_matches('-'), kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outputs::sink::example::example;

    #[test]
    fn echo_is_left_out() {
        let filter = SinkFilter::new(None, None, true);
        assert!(filter.includes(&example()));
        assert!(!filter.includes(&LoggedEvent { is_echo: true, ..example() }));
    }

    #[test]
    fn no_types_are_all_and_an_empty_list_is_none() {
        assert!(SinkFilter::new(None, None, false).includes_type("channel.cheer"));
        assert!(!SinkFilter::new(Some(&[]), None, false).includes_type("channel.cheer"));
    }

    #[test]
    fn patterns_are_types_or_their_beginnings() {
        for good in ["channel.cheer", "stream.*", "*", "-*", "-channel.chat.message", "showtime.segment.*"] {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", "-", "channel.*.x", "Channel", "a b", "stream*", "--a", ".*"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn pattern_that_matches_no_type_is_unknown() {
        for known in ["channel.cheer", "-channel.chat.*", "*", "-chat", "showtime.segment.*", "showtime.chat.presence"]
        {
            assert!(is_known(known), "{known}");
        }
        for unknown in ["channel.cheers", "-chanel.*", "showtime.x"] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
