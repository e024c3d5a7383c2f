//! [EventSub](https://dev.twitch.tv/docs/eventsub/), Twitch's messages about what happens on channels. [`decode`] reads
//! their bodies, which are the same over every transport; [`webhook`] proves that a request comes from Twitch;
//! [`frame`] reads what comes over a WebSocket; [`outgoing`] makes messages as Twitch would send them.

pub mod decode;
pub mod frame;
pub mod outgoing;
pub mod webhook;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Reads a message's timestamp: RFC 3339, with 0 to 9 fractional digits.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}
