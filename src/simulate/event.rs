//! A fresh event from a sample: now, with ids of its own, about whom one wants.

use rand::RngExt as _;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::edit::{Edit, EditError};
use super::people::{self as cast, Person};
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::samples;

/// The moment that the samples tell of, unless one of their fields says otherwise.
const MOMENT: OffsetDateTime = datetime!(2026-03-14 18:02:11.480_213_377 UTC);

/// The ids that are new with each event of a type. What goes on for a while (a poll, a hype
/// train, a goal, a held message) keeps its sample's id, so that begin, progress and end agree.
const FRESH: [(&str, &str); 13] = [
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

/// What event to make.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Of which type.
    pub kind: &'static SubscriptionType,
    /// From which of its samples; `None` is the plain one.
    pub variant: Option<String>,
    /// On whose channel, instead of the sample's.
    pub broadcaster: Option<Person>,
    /// Who acts in it, or is acted upon, instead of the sample's.
    pub user: Option<Person>,
    /// What else to change, last and in this order.
    pub edits: Vec<Edit>,
}

/// Why an event can't be made.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The type has no such sample.
    #[error("{kind} v{version} has {variants}")]
    NoSample {
        /// The type.
        kind: String,
        /// Its version.
        version: String,
        /// What it has instead.
        variants: String,
    },
    /// A sample is broken.
    #[error("the sample of {kind} is no JSON: {reason}")]
    BrokenSample {
        /// The type.
        kind: String,
        /// The parser's words.
        reason: serde_json::Error,
    },
    /// Somebody was named for a part that isn't there.
    #[error("this event of type {kind} names no {part}")]
    NoSuchPart {
        /// The type.
        kind: String,
        /// `broadcaster` or `user`.
        part: &'static str,
    },
    /// An edit doesn't fit.
    #[error(transparent)]
    Edit(#[from] EditError),
}

impl Recipe {
    /// The sample of a type and version, unchanged but for times and ids.
    #[must_use]
    pub fn plain(kind: &'static SubscriptionType) -> Self {
        Self { kind, variant: None, broadcaster: None, user: None, edits: Vec::new() }
    }

    /// Makes the `event` (or the array of `events`) of something that happens `at` this time.
    ///
    /// # Errors
    /// If there is no such sample, or what shall be changed isn't in it.
    pub fn event(&self, at: OffsetDateTime) -> Result<Value, RecipeError> {
        let kind = &self.kind.name;
        let text = samples::sample(kind, &self.kind.version, self.variant.as_deref());
        let mut event = serde_json::from_str(text.ok_or_else(|| self.no_sample())?)
            .map_err(|reason| RecipeError::BrokenSample { kind: kind.clone(), reason })?;
        cast::recast(&mut event, self.broadcaster.as_ref(), self.user.as_ref())
            .map_err(|part| RecipeError::NoSuchPart { kind: kind.clone(), part })?;
        let by = at - happened(&event).unwrap_or(MOMENT);
        shift(&mut event, by);
        for (_, pointer) in FRESH.iter().filter(|(of, _)| of == kind) {
            if let Some(Value::String(id)) = event.pointer_mut(pointer) {
                *id = fresh_id(id);
            }
        }
        self.edits.iter().try_for_each(|edit| edit.apply(&mut event))?;
        Ok(event)
    }

    fn no_sample(&self) -> RecipeError {
        let variants: Vec<_> = samples::variants(&self.kind.name, &self.kind.version).flatten().collect();
        RecipeError::NoSample {
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

/// When an event happened: fields such as `started_at` and `redeemed_at` tell what has been (and
/// `ends_at`, `expires_at` what is to come), so it is the latest of these.
fn happened(value: &Value) -> Option<OffsetDateTime> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, field)| if name.ends_with("ed_at") { time_in(field) } else { happened(field) })
            .max(),
        Value::Array(items) => items.iter().filter_map(happened).max(),
        _ => None,
    }
}

fn time_in(value: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()
}

/// Moves every time by as much, so that durations stay what they were.
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

/// Keeps to whole seconds where Twitch does, as in a stream's `started_at`.
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

/// Another id of the same kind: as many digits, or else a UUID.
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

    fn recipe(kind: &str) -> Recipe {
        Recipe::plain(catalogue::find(kind, None).unwrap())
    }

    fn event(kind: &str) -> Value {
        recipe(kind).event(NOW).unwrap()
    }

    #[test]
    fn an_event_happens_now() {
        assert_eq!(event("channel.follow")["followed_at"], "2026-11-21T12:00:00.25Z");
        assert_eq!(event("stream.online")["started_at"], "2026-11-21T12:00:00Z", "in whole seconds, as from Twitch");
    }

    #[test]
    fn what_lies_ahead_stays_ahead_and_what_lies_behind_behind() {
        let begin = event("channel.poll.begin");
        assert_eq!((&begin["started_at"], &begin["ends_at"]), (&NOW_TEXT.into(), &"2026-11-21T12:05:00.25Z".into()));
        let end = event("channel.poll.end");
        assert_eq!((&end["started_at"], &end["ended_at"]), (&"2026-11-21T11:55:00.25Z".into(), &NOW_TEXT.into()));
        let timeout = &event("channel.moderate")["timeout"]["expires_at"];
        assert_eq!(timeout, "2026-11-21T12:05:00.25Z", "five minutes from now");
    }
    const NOW_TEXT: &str = "2026-11-21T12:00:00.25Z";

    #[test]
    fn every_sample_becomes_an_event_that_has_happened_by_now() {
        let mut made = 0;
        for kind in catalogue::all() {
            for variant in samples::variants(&kind.name, &kind.version) {
                let recipe = Recipe { variant: variant.map(str::to_owned), ..Recipe::plain(kind) };
                let event = recipe.event(NOW).unwrap();
                if let Some(at) = happened(&event) {
                    assert!(at == NOW || at == NOW.replace_nanosecond(0).unwrap(), "{} {variant:?}: {at}", kind.name);
                }
                made += 1;
            }
        }
        assert_eq!(made, 121);
    }

    #[test]
    fn every_fresh_id_is_in_its_sample_and_new_each_time() {
        for (kind, pointer) in FRESH.iter().filter(|(_, pointer)| *pointer != "/community_sub_gift/id") {
            let ids = [event(kind), event(kind)].map(|event| event.pointer(pointer).cloned().unwrap());
            assert_ne!(ids[0], ids[1], "{kind}");
            assert!(ids[0].as_str().is_some_and(|id| !id.is_empty()), "{kind}");
        }
        let id = event("stream.online")["id"].as_str().unwrap().to_owned();
        assert!(id.len() == 11 && id.bytes().all(|b| b.is_ascii_digit()), "a stream's id is a number: {id}");
        let sample =
            Recipe { variant: Some("community_sub_gift-anonymous".to_owned()), ..recipe("channel.chat.notification") };
        assert_ne!(sample.event(NOW).unwrap()["community_sub_gift"]["id"], "9911028374650192837");
    }

    #[test]
    fn begin_progress_and_end_are_about_the_same_thing() {
        assert_eq!(event("channel.poll.begin")["id"], event("channel.poll.end")["id"]);
        assert_eq!(event("channel.hype_train.begin")["id"], event("channel.hype_train.progress")["id"]);
    }

    #[test]
    fn edits_have_the_last_word() {
        let mut recipe = recipe("stream.online");
        recipe.broadcaster = Person::described(Some("Somebody"), None, None).unwrap();
        recipe.edits = ["id=5", "broadcaster_user_name=Else"].map(|text| text.parse().unwrap()).into();
        let event = recipe.event(NOW).unwrap();
        assert_eq!((&event["id"], &event["broadcaster_user_name"]), (&"5".into(), &"Else".into()));
        assert_eq!(event["broadcaster_user_login"], "somebody");
    }

    #[test]
    fn what_a_type_does_not_have_is_an_error_that_says_so() {
        let unknown = Recipe { variant: Some("unknown".to_owned()), ..recipe("channel.cheer") };
        assert_eq!(unknown.event(NOW).unwrap_err().to_string(), "channel.cheer v1 has the variants anonymous");
        let nobody =
            Recipe { user: Person::described(Some("Somebody"), None, None).unwrap(), ..recipe("stream.online") };
        assert_eq!(nobody.event(NOW).unwrap_err().to_string(), "this event of type stream.online names no user");
    }
}
