//! Templates of events: a fresh event from a sample, with the current time, new ids and chosen people.

use rand::RngExt as _;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::edit::{Edit, EditError};
use super::people::{self, Person};
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::samples;

/// Time of the event in samples that have no field for it.
const MOMENT: OffsetDateTime = datetime!(2026-03-14 18:02:11.480_213_377 UTC);

/// Ids that are new in each event, as type and JSON pointer. What lasts for a while (a poll, a hype train, a goal, a held
/// message) keeps the id of its sample, so that begin, progress and end agree.
const FRESH_IDS: [(&str, &str); 13] = [
    ("channel.channel_points_automatic_reward_redemption.add", "/id"),
    ("channel.channel_points_custom_reward_redemption.add", "/id"),
    ("channel.charity_campaign.donate", "/id"),
    ("channel.chat.message", "/message_id"),
    ("channel.chat.notification", "/message_id"),
    ("channel.chat.notification", "/community_sub_gift/id"),
    ("channel.custom_power_up_redemption.add", "/id"),
    ("channel.suspicious_user.message", "/message/message_id"),
    ("drop.entitlement.grant", "/0/id"),
    ("drop.entitlement.grant", "/0/data/entitlement_id"),
    ("extension.bits_transaction.create", "/id"),
    ("stream.online", "/id"),
    ("user.whisper.message", "/whisper_id"),
];

/// A sample of a type, and what to change in it.
#[derive(Clone, Debug)]
pub struct EventTemplate {
    /// The subscription type.
    pub kind: &'static SubscriptionType,
    /// Which of the type's samples; `None` is the plain one.
    pub variant: Option<String>,
    /// Replaces the broadcaster of the sample.
    pub broadcaster: Option<Person>,
    /// Replaces the user who acts in the sample or is acted upon.
    pub user: Option<Person>,
    /// Further changes, made last and in this order.
    pub edits: Vec<Edit>,
}

/// Why an event can't be made from a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The type has no such sample.
    #[error("{kind} v{version} has {variants}")]
    NoSample {
        /// The type.
        kind: String,
        /// Its version.
        version: String,
        /// The variants that it has, for the message.
        variants: String,
    },
    /// The sample is not valid JSON.
    #[error("the sample of {kind} is not valid JSON: {reason}")]
    BrokenSample {
        /// The type.
        kind: String,
        /// The parser's error.
        reason: serde_json::Error,
    },
    /// A person was given for a role that the sample doesn't have.
    #[error("this event of type {kind} names no {role}")]
    NoSuchRole {
        /// The type.
        kind: String,
        /// `broadcaster` or `user`.
        role: &'static str,
    },
    /// An edit doesn't apply to the sample.
    #[error(transparent)]
    Edit(#[from] EditError),
}

impl EventTemplate {
    /// The plain sample of a type: only times and ids change.
    #[must_use]
    pub fn plain(kind: &'static SubscriptionType) -> Self {
        Self { kind, variant: None, broadcaster: None, user: None, edits: Vec::new() }
    }

    /// Makes the `event` of a notification, or its array of `events`, as of this time.
    ///
    /// # Errors
    /// If there is no such sample, or a change doesn't apply to it.
    pub fn event(&self, at: OffsetDateTime) -> Result<Value, TemplateError> {
        let kind = &self.kind.name;
        let text = samples::sample(kind, &self.kind.version, self.variant.as_deref());
        let mut event = serde_json::from_str(text.ok_or_else(|| self.no_sample())?)
            .map_err(|reason| TemplateError::BrokenSample { kind: kind.clone(), reason })?;
        people::replace_people(&mut event, self.broadcaster.as_ref(), self.user.as_ref())
            .map_err(|role| TemplateError::NoSuchRole { kind: kind.clone(), role })?;
        let by = at - event_time(&event).unwrap_or(MOMENT);
        shift(&mut event, by);
        for (_, pointer) in FRESH_IDS.iter().filter(|(of, _)| of == kind) {
            if let Some(Value::String(id)) = event.pointer_mut(pointer) {
                *id = fresh_id(id);
            }
        }
        self.edits.iter().try_for_each(|edit| edit.apply(&mut event))?;
        Ok(event)
    }

    /// Whether the sample is about a channel.
    #[must_use]
    pub fn names_broadcaster(&self) -> bool {
        let sample = samples::sample(&self.kind.name, &self.kind.version, self.variant.as_deref());
        sample.is_some_and(people::names_broadcaster)
    }

    /// Whether the sample is about a user, beside the broadcaster.
    #[must_use]
    pub fn names_user(&self) -> bool {
        let sample = samples::sample(&self.kind.name, &self.kind.version, self.variant.as_deref());
        sample.is_some_and(people::names_user)
    }

    fn no_sample(&self) -> TemplateError {
        let variants: Vec<_> = samples::variants(&self.kind.name, &self.kind.version).flatten().collect();
        TemplateError::NoSample {
            kind: self.kind.name.clone(),
            version: self.kind.version.clone(),
            variants: if variants.is_empty() {
                "no variants".to_owned()
            } else {
                format!("the variants {}", variants.join(", "))
            },
        }
    }
}

/// Returns the time of an event: the latest of its times in the past. Fields such as `started_at` and `redeemed_at` hold
/// these; `ends_at` and `expires_at` hold times in the future.
fn event_time(value: &Value) -> Option<OffsetDateTime> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, field)| if name.ends_with("ed_at") { time_in(field) } else { event_time(field) })
            .max(),
        Value::Array(items) => items.iter().filter_map(event_time).max(),
        _ => None,
    }
}

fn time_in(value: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()
}

/// Moves every time by the same amount, so that durations stay the same.
fn shift(value: &mut Value, by: Duration) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match time_in(field).filter(|_| name.ends_with("_at")) {
                    Some(time) => shift_time(field, time, by),
                    None => shift(field, by),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| shift(item, by)),
        _ => {}
    }
}

/// Moves one time. A time in whole seconds, such as a stream's `started_at`, stays in whole seconds.
fn shift_time(field: &mut Value, time: OffsetDateTime, by: Duration) {
    let is_whole = time.nanosecond() == 0;
    let Some(mut moved) = time.checked_add(by) else { return };
    if is_whole {
        moved = moved.replace_nanosecond(0).unwrap_or(moved);
    }
    if let Ok(text) = moved.format(&Rfc3339) {
        *field = Value::String(text);
    }
}

/// Returns a new id of the same form: as many digits, or else a UUID.
fn fresh_id(old: &str) -> String {
    let is_number = old.bytes().all(|b| b.is_ascii_digit());
    if !is_number {
        return Uuid::new_v4().to_string();
    }
    let mut rng = rand::rng();
    let first = rng.random_range(1..10_u8);
    std::iter::once(first)
        .chain(std::iter::repeat_with(|| rng.random_range(0..10)).take(old.len().saturating_sub(1)))
        .map(|digit| char::from(b'0' + digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twitch::catalogue;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00:00.25 UTC);

    fn template(kind: &str) -> EventTemplate {
        EventTemplate::plain(catalogue::find(kind, None).unwrap())
    }

    fn event(kind: &str) -> Value {
        template(kind).event(NOW).unwrap()
    }

    #[test]
    fn event_has_the_given_time() {
        assert_eq!(event("channel.follow")["followed_at"], "2026-11-21T12:00:00.25Z");
        assert_eq!(event("stream.online")["started_at"], "2026-11-21T12:00:00Z", "in whole seconds, as from Twitch");
    }

    #[test]
    fn past_and_future_times_move_with_the_event() {
        let begin = event("channel.poll.begin");
        assert_eq!((&begin["started_at"], &begin["ends_at"]), (&NOW_TEXT.into(), &"2026-11-21T12:05:00.25Z".into()));
        let end = event("channel.poll.end");
        assert_eq!((&end["started_at"], &end["ended_at"]), (&"2026-11-21T11:55:00.25Z".into(), &NOW_TEXT.into()));
        let timeout = &event("channel.moderate")["timeout"]["expires_at"];
        assert_eq!(timeout, "2026-11-21T12:05:00.25Z", "five minutes from now");
    }
    const NOW_TEXT: &str = "2026-11-21T12:00:00.25Z";

    #[test]
    fn every_sample_becomes_an_event_of_the_given_time() {
        let mut made = 0;
        for kind in catalogue::all() {
            for variant in samples::variants(&kind.name, &kind.version) {
                let template = EventTemplate { variant: variant.map(str::to_owned), ..EventTemplate::plain(kind) };
                let event = template.event(NOW).unwrap();
                if let Some(at) = event_time(&event) {
                    assert!(at == NOW || at == NOW.replace_nanosecond(0).unwrap(), "{} {variant:?}: {at}", kind.name);
                }
                made += 1;
            }
        }
        assert_eq!(made, 121);
    }

    #[test]
    fn fresh_ids_exist_in_their_samples_and_are_new_each_time() {
        for (kind, pointer) in FRESH_IDS.iter().filter(|(_, pointer)| *pointer != "/community_sub_gift/id") {
            let ids = [event(kind), event(kind)].map(|event| event.pointer(pointer).cloned().unwrap());
            assert_ne!(ids[0], ids[1], "{kind}");
            assert!(ids[0].as_str().is_some_and(|id| !id.is_empty()), "{kind}");
        }
        let id = event("stream.online")["id"].as_str().unwrap().to_owned();
        assert!(id.len() == 11 && id.bytes().all(|b| b.is_ascii_digit()), "a stream's id is a number: {id}");
        let sample = EventTemplate {
            variant: Some("community_sub_gift-anonymous".to_owned()),
            ..template("channel.chat.notification")
        };
        assert_ne!(sample.event(NOW).unwrap()["community_sub_gift"]["id"], "9911028374650192837");
    }

    #[test]
    fn begin_progress_and_end_share_their_id() {
        assert_eq!(event("channel.poll.begin")["id"], event("channel.poll.end")["id"]);
        assert_eq!(event("channel.hype_train.begin")["id"], event("channel.hype_train.progress")["id"]);
    }

    #[test]
    fn edits_are_applied_last() {
        let mut template = template("stream.online");
        template.broadcaster = Person::described(Some("NewFriend"), None, None).unwrap();
        template.edits = ["id=5", "broadcaster_user_name=Else"].map(|text| text.parse().unwrap()).into();
        let event = template.event(NOW).unwrap();
        assert_eq!((&event["id"], &event["broadcaster_user_name"]), (&"5".into(), &"Else".into()));
        assert_eq!(event["broadcaster_user_login"], "newfriend");
    }

    #[test]
    fn missing_variant_or_role_is_an_error() {
        let unknown = EventTemplate { variant: Some("unknown".to_owned()), ..template("channel.cheer") };
        assert_eq!(unknown.event(NOW).unwrap_err().to_string(), "channel.cheer v1 has the variants anonymous");
        let no_user = EventTemplate {
            user: Person::described(Some("NewFriend"), None, None).unwrap(),
            ..template("stream.online")
        };
        assert_eq!(no_user.event(NOW).unwrap_err().to_string(), "this event of type stream.online names no user");
    }
}
