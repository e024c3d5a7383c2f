//! The payloads of Twitch's events, one file per subject. State and views both read them from here, so that no payload
//! is read by two rules. What each field means is in
//! <https://dev.twitch.tv/docs/eventsub/eventsub-reference/>.
//!
//! Required is what decides identity, time and amount. Everything else is optional: `null` is absent, and so is a field of
//! another type; an item of a list that can't be read is left out. Unknown fields are ignored. Names decide nothing.

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
pub use self::user::{Broadcaster, User, UserUpdate, is_placeholder};

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
    /// If the type changes state and a required field is missing or has another type.
    pub fn parse(kind: &str, json: &str) -> serde_json::Result<Option<Self>> {
        fn event<'a, T: Deserialize<'a>>(json: &'a str, wrap: fn(T) -> Event) -> serde_json::Result<Option<Event>> {
            serde_json::from_str(json).map(wrap).map(Some)
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

    /// The plain sample of a type with this text in place of that one.
    fn changed(kind: &str, version: &str, from: &str, to: &str) -> serde_json::Result<Option<Event>> {
        let text = samples::sample(kind, version, None).unwrap();
        assert!(text.contains(from), "{text}");
        Event::parse(kind, &text.replacen(from, to, 1))
    }

    fn update(from: &str, to: &str) -> ChannelUpdate {
        match changed("channel.update", "2", from, to) {
            Ok(Some(Event::ChannelUpdate(update))) => update,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn stream_id_that_cannot_be_read_is_an_error() {
        assert!(changed("stream.offline", "1", "\"id\":", "\"id\": 7, \"old_id\":").is_err());
    }

    #[test]
    fn changed_field_of_an_update_is_empty_and_all_others_are_read() {
        let whole = update("\"title\":", "\"title\":");
        let no_title = update("\"title\":", "\"headline\":");
        assert_eq!(no_title, ChannelUpdate { title: String::new(), ..whole.clone() });
        let no_category = update("\"category_id\":", "\"category_id\": null, \"category\":");
        assert_eq!(no_category, ChannelUpdate { category_id: String::new(), ..whole });
    }

    #[test]
    fn nul_is_left_out_of_stored_text_and_too_long_names_are_absent() {
        assert_eq!(update("Speedrun", "Speed\\u0000run"), update("Speedrun", "Speedrun"));
        assert!(update("Speedrun", "Speed\\\\u0000run").title.contains("Speed\\u0000run"), "an escaped backslash");
        assert_eq!(update("maplearcade", &"x".repeat(257)).broadcaster.login, None);
    }

    #[test]
    fn only_the_flag_and_placeholders_are_anonymous() {
        let user = |fields: &str| {
            let text = format!(r#"{{ "broadcaster_user_id": "1", "bits": 5, {fields} }}"#);
            Event::parse("channel.cheer", &text).map(|event| match event {
                Some(Event::Cheer(cheer)) => cheer.user.map(|user| user.id.to_string()),
                other => panic!("{other:?}"),
            })
        };
        for fields in [
            r#""is_anonymous": true, "user_id": null"#,
            r#""is_anonymous": true, "user_id": "7""#,
            r#""is_anonymous": false, "user_id": "274598607", "user_login": "ananonymousgifter""#,
            r#""user_id": null"#,
        ] {
            assert_eq!(user(fields).unwrap(), None, "{fields}");
        }
        assert_eq!(user(r#""is_anonymous": false, "user_id": "7", "user_name": """#).unwrap().as_deref(), Some("7"));
        assert!(user(r#""is_anonymous": false, "user_id": null"#).is_err());
    }
}
