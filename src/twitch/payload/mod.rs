//! The payloads that become state. Every other type is stored and delivered as it came.
//!
//! Twitch adds fields without notice, so unknown ones are ignored; what may be null or missing is
//! an `Option`. A payload that doesn't fit is an error here and "no change" to the state.

use serde::Deserialize;
use time::OffsetDateTime;

/// A Twitch id, login, display name or status: short text that can be stored and indexed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(try_from = "String")]
pub struct Ident(String);

impl Ident {
    /// Whether this text can be an [`Ident`]: 1 to 256 bytes without control characters.
    #[must_use]
    pub fn is_valid(text: &str) -> bool {
        (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Ident {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if Self::is_valid(&text) { Ok(Self(text)) } else { Err("expected 1 to 256 bytes without control characters") }
    }
}

impl From<Ident> for String {
    fn from(ident: Ident) -> Self {
        ident.0
    }
}

/// Why a payload could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// A field is missing, or is not what it used to be.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// Postgres can't keep the character U+0000 in text.
    #[error("it holds the character U+0000")]
    Nul,
}

/// An event that changes what we know of a channel, a stream or a viewer.
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
    /// Reads the `event` of a notification; `None` for types that are not projected.
    ///
    /// # Errors
    /// If the type is one of ours and the payload isn't in its shape.
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

/// Reads a payload of any type.
///
/// # Errors
/// If it isn't in the shape of `T`, or can't be stored.
pub fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, PayloadError> {
    if holds_nul(json) {
        return Err(PayloadError::Nul);
    }
    Ok(serde_json::from_str(json)?)
}

/// Whether a text in it holds U+0000. Where the backslash is escaped itself, it is only spelt out.
fn holds_nul(json: &str) -> bool {
    let is_escape = |at: usize| json[..at].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0;
    json.match_indices("\\u0000").any(|(at, _)| is_escape(at))
}

/// Declares the three fields by which Twitch names somebody, under one of its prefixes.
macro_rules! person {
    ($(#[$doc:meta])* $name:ident, $id:literal, $login:literal, $display_name:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
        pub struct $name {
            /// Twitch's id.
            #[serde(rename = $id)]
            pub id: Ident,
            /// Lower-case ASCII.
            #[serde(rename = $login)]
            pub login: Ident,
            /// As shown; may differ from the login in more than case.
            #[serde(rename = $display_name)]
            pub display_name: Ident,
        }
    };
}

person!(
    /// The channel an event happened on.
    Broadcaster, "broadcaster_user_id", "broadcaster_user_login", "broadcaster_user_name"
);
person!(
    /// Who did it.
    Viewer, "user_id", "user_login", "user_name"
);
person!(
    /// The channel that sent its viewers.
    FromBroadcaster, "from_broadcaster_user_id", "from_broadcaster_user_login", "from_broadcaster_user_name"
);
person!(
    /// The channel that received them.
    ToBroadcaster, "to_broadcaster_user_id", "to_broadcaster_user_login", "to_broadcaster_user_name"
);

/// `stream.online` v1: a stream began.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct StreamOnline {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The stream's id.
    pub id: Ident,
    /// `live`, `playlist`, `watch_party`, `premiere` or `rerun`.
    #[serde(rename = "type")]
    pub kind: Ident,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

/// `stream.offline` v1: a stream ended, when the message is dated.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct StreamOffline {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The stream's id; before June 2026 Twitch did not tell.
    pub id: Option<Ident>,
}

/// `channel.update` v2: title, category, language or labels changed.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ChannelUpdate {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The stream's title.
    pub title: String,
    /// An ISO 639-1 code, or `other`.
    pub language: String,
    /// May be empty.
    pub category_id: String,
    /// May be empty.
    pub category_name: String,
    /// Version 1 had none.
    #[serde(default)]
    pub content_classification_labels: Vec<String>,
}

/// `channel.follow` v2.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Follow {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The new follower.
    #[serde(flatten)]
    pub viewer: Viewer,
    /// When they followed.
    #[serde(with = "time::serde::rfc3339")]
    pub followed_at: OffsetDateTime,
}

/// `channel.subscribe` v1: a new subscription, bought or received (not a renewal).
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Subscribe {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The new subscriber.
    #[serde(flatten)]
    pub viewer: Viewer,
    /// `1000`, `2000` or `3000`.
    pub tier: Ident,
}

/// `channel.subscription.end` v1: a subscription ran out.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SubscriptionEnd {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The former subscriber.
    #[serde(flatten)]
    pub viewer: Viewer,
    /// `1000`, `2000` or `3000`.
    pub tier: Ident,
}

/// `channel.subscription.gift` v1: somebody gave subscriptions away.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SubscriptionGift {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The giver; nobody if anonymous.
    #[serde(flatten)]
    pub viewer: Option<Viewer>,
    /// How many subscriptions.
    pub total: u32,
}

/// `channel.subscription.message` v1: a subscriber announced a renewal.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SubscriptionMessage {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// The subscriber.
    #[serde(flatten)]
    pub viewer: Viewer,
    /// `1000`, `2000` or `3000`.
    pub tier: Ident,
    /// Months subscribed in all.
    pub cumulative_months: u32,
}

/// `channel.cheer` v1.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Cheer {
    /// The channel.
    #[serde(flatten)]
    pub broadcaster: Broadcaster,
    /// Who cheered; nobody if anonymous.
    #[serde(flatten)]
    pub viewer: Option<Viewer>,
    /// How many bits.
    pub bits: u32,
}

/// `channel.raid` v1. One raid reaches us twice if both channels are subscribed to.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Raid {
    /// The raiding channel.
    #[serde(flatten)]
    pub from: FromBroadcaster,
    /// The raided channel.
    #[serde(flatten)]
    pub to: ToBroadcaster,
    /// How many came along.
    pub viewers: u32,
}

/// `user.update` v1: somebody changed their account. The e-mail address is left unread.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct UserUpdate {
    /// Whose account.
    #[serde(flatten)]
    pub user: Viewer,
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
    fn an_anonymous_cheer_has_no_viewer() {
        let text = samples::sample("channel.cheer", "1", Some("anonymous")).unwrap();
        let Some(Event::Cheer(cheer)) = Event::parse("channel.cheer", text).unwrap() else { panic!("a cheer") };
        assert_eq!((cheer.viewer, cheer.bits), (None, 50));
    }

    #[test]
    fn what_can_not_be_stored_is_an_error() {
        let text = samples::sample("channel.update", "2", None).unwrap();
        let nul = text.replace("Speedrun", "Speed\\u0000run");
        assert!(matches!(Event::parse("channel.update", &nul), Err(PayloadError::Nul)));
        let spelt_out = text.replace("Speedrun", "Speed\\\\u0000run");
        assert!(matches!(Event::parse("channel.update", &spelt_out), Ok(Some(_))));
        let long = text.replace("maplearcade", &"x".repeat(257));
        assert!(matches!(Event::parse("channel.update", &long), Err(PayloadError::Shape(_))));
    }
}
