//! The payloads of Twitch's events, one file per subject. State and views both read them from here, so that no payload
//! is read by two rules. What each field means is in
//! <https://dev.twitch.tv/docs/eventsub/eventsub-reference/>.
//!
//! Required is what decides identity, time and amount, or replaces what the state has. Everything else is optional:
//! `null` is absent, and so is a field of another type; an item of a list that can't be read is left out. Unknown fields
//! are ignored.

mod ads;
mod bits;
mod channel;
mod channel_points;
mod charity;
mod chat;
mod goal;
mod hype_train;
mod ident;
mod ids;
mod poll;
mod prediction;
mod raid;
mod shoutout;
mod stream;
mod subscription;
mod tolerant;
mod user;

use serde::Deserialize;

pub use self::ads::*;
pub use self::bits::*;
pub use self::channel::*;
pub use self::channel_points::*;
pub use self::charity::*;
pub use self::chat::*;
pub use self::goal::*;
pub use self::hype_train::*;
pub use self::ident::Ident;
pub use self::ids::{ChatMessageIds, Ids};
pub use self::poll::*;
pub use self::prediction::*;
pub use self::raid::*;
pub use self::shoutout::*;
pub use self::stream::*;
pub use self::subscription::*;
pub use self::user::{Broadcaster, User, UserUpdate};

/// Why a payload could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// A required field is missing or has another type.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// Postgres can't keep the character U+0000 in text.
    #[error("it holds the character U+0000")]
    Nul,
}

/// An event that changes the state of a channel, a stream or a viewer. Only these types are parsed when a message is
/// stored.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each is the type of that name, and its struct is documented")]
pub enum Event {
    StreamOnline(StreamOnline),
    StreamOffline(StreamOffline),
    ChannelUpdate(ChannelUpdate),
    Follow(Follow),
    Subscribe(Subscribe),
    SubscriptionEnd(SubscriptionEnd),
    SubscriptionGift(SubscriptionGift),
    SubscriptionMessage(SubscriptionMessage),
    Cheer(Cheer),
    Raid(Raid),
    UserUpdate(UserUpdate),
}

impl Event {
    /// Reads the `event` of a notification. Returns `None` for types that change no state.
    ///
    /// # Errors
    /// If the type changes state and the payload can't be read.
    pub fn parse(kind: &str, json: &str) -> Result<Option<Self>, PayloadError> {
        fn event<'a, T: Deserialize<'a>>(json: &'a str, wrap: fn(T) -> Event) -> Result<Option<Event>, PayloadError> {
            read(json).map(wrap).map(Some)
        }
        match kind {
            "stream.online" => event(json, Self::StreamOnline),
            "stream.offline" => event(json, Self::StreamOffline),
            "channel.update" => event(json, Self::ChannelUpdate),
            "channel.follow" => event(json, Self::Follow),
            "channel.subscribe" => event(json, Self::Subscribe),
            "channel.subscription.end" => event(json, Self::SubscriptionEnd),
            "channel.subscription.gift" => event(json, Self::SubscriptionGift),
            "channel.subscription.message" => event(json, Self::SubscriptionMessage),
            "channel.cheer" => event(json, Self::Cheer),
            "channel.raid" => event(json, Self::Raid),
            "user.update" => event(json, Self::UserUpdate),
            _ => Ok(None),
        }
    }
}

/// Reads a payload.
///
/// # Errors
/// If it is no `T`, or contains the character U+0000, which can't be stored.
pub fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, PayloadError> {
    if holds_nul(json) {
        return Err(PayloadError::Nul);
    }
    Ok(serde_json::from_str(json)?)
}

/// Whether a string contains the escape of U+0000. After an escaped backslash `\u0000` is plain text.
fn holds_nul(json: &str) -> bool {
    let is_escape = |at: usize| json[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0;
    json.match_indices("\\u0000").any(|(at, _)| is_escape(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twitch::{catalogue, samples};

    #[test]
    fn every_sample_of_a_projected_type_is_read() {
        let mut read = 0;
        for kind in catalogue::all() {
            for variant in samples::variants(&kind.name, &kind.version) {
                let text = samples::sample(&kind.name, &kind.version, variant).unwrap();
                let event = Event::parse(&kind.name, text);
                assert!(event.is_ok(), "{} {variant:?}: {event:?}", kind.name);
                read += usize::from(event.unwrap().is_some());
            }
        }
        assert_eq!(read, 15, "11 types, and 4 variants of them");
    }

    #[test]
    fn anonymous_cheer_has_no_user() {
        let text = samples::sample("channel.cheer", "1", Some("anonymous")).unwrap();
        let Some(Event::Cheer(cheer)) = Event::parse("channel.cheer", text).unwrap() else { panic!("a cheer") };
        assert_eq!((cheer.user, cheer.bits), (None, 50));
    }

    #[test]
    fn changed_field_that_state_depends_on_is_an_error() {
        for (kind, version, field, changed) in [
            ("channel.update", "2", "\"title\":", "\"headline\":"),
            ("channel.update", "2", "\"category_id\":", "\"category_id\": null, \"category\":"),
            ("stream.offline", "1", "\"id\":", "\"id\": 7, \"old_id\":"),
        ] {
            let text = samples::sample(kind, version, None).unwrap();
            assert!(text.contains(field), "{text}");
            assert!(Event::parse(kind, &text.replacen(field, changed, 1)).is_err(), "{kind}: {changed}");
        }
    }

    #[test]
    fn nul_and_too_long_names_are_errors() {
        let text = samples::sample("channel.update", "2", None).unwrap();
        let nul = text.replace("Speedrun", "Speed\\u0000run");
        assert!(matches!(Event::parse("channel.update", &nul), Err(PayloadError::Nul)));
        let spelt_out = text.replace("Speedrun", "Speed\\\\u0000run");
        assert!(matches!(Event::parse("channel.update", &spelt_out), Ok(Some(_))));
        let long = text.replace("maplearcade", &"x".repeat(257));
        assert!(matches!(Event::parse("channel.update", &long), Err(PayloadError::Shape(_))));
    }
}
