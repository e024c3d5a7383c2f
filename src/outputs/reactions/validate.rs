//! Checks steps before they are stored, so that a mistake is told to the one who makes it.

use super::step::{NewClip, Pin, Step, Webhook};
use crate::object::has_nul;
use crate::outputs::sink::settings::check_name;
use crate::twitch::helix::chat::ChatSettings;

/// The longest chat message, in characters.
const MAX_TEXT: usize = 500;

/// The longest reason of a ban, a timeout or a warning, in characters.
const MAX_REASON: usize = 500;

/// The longest timeout in seconds: two weeks.
const MAX_TIMEOUT: u32 = 1_209_600;

/// Characters that are kept free for the address of a clip.
const CLIP_ROOM: usize = 100;

/// What is wrong with a step.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct StepError {
    /// The field, such as `say` or `ban.reason`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Step {
    /// Checks what Twitch would refuse, and makes one line of each text.
    ///
    /// # Errors
    /// [`StepError`]
    pub fn check(&mut self) -> Result<(), StepError> {
        match self {
            Self::Say(said) => text("say", said, 1, MAX_TEXT),
            Self::Reply(reply) => {
                id("reply.message_id", &reply.message_id)?;
                text("reply.text", &mut reply.text, 1, MAX_TEXT)
            }
            Self::Announce(announcement) => text("announce.text", &mut announcement.text, 1, MAX_TEXT),
            Self::Whisper(whisper) => text("whisper.text", &mut whisper.text, 1, MAX_TEXT),
            Self::Timeout(timeout) => {
                number("timeout.seconds", timeout.seconds, 1, MAX_TIMEOUT)?;
                optional_text("timeout.reason", timeout.reason.as_mut(), MAX_REASON)
            }
            Self::Ban(ban) => optional_text("ban.reason", ban.reason.as_mut(), MAX_REASON),
            Self::Warn(warning) => text("warn.reason", &mut warning.reason, 1, MAX_REASON),
            Self::Title(title) => text("title", title, 1, 140),
            Self::Game(game) => text("game", game, 0, 200),
            Self::Tags(tags) => check_tags(tags),
            Self::Clip(clip) => check_clip(clip),
            Self::Marker(marker) => optional_text("marker.description", marker.description.as_mut(), 140),
            Self::Ad(ad) => number("ad.seconds", ad.seconds, 1, 180),
            Self::Settings(settings) => check_settings(settings),
            Self::Delete(message) => id("delete.message_id", &message.message_id),
            Self::Unpin(message) => id("unpin.message_id", &message.message_id),
            Self::Pin(pin) => check_pin(pin),
            Self::Webhook(webhook) => check_webhook(webhook),
            Self::Shoutout(_) | Self::Clear(_) | Self::Unban(_) | Self::Vip(_) | Self::Unvip(_) | Self::Shield(_) => {
                Ok(())
            }
        }
    }
}

fn refuse<T>(field: &str, reason: impl Into<String>) -> Result<T, StepError> {
    Err(StepError { field: field.to_owned(), reason: reason.into() })
}

/// Makes one line of a text, and checks its length.
fn text(field: &str, text: &mut String, min: usize, max: usize) -> Result<(), StepError> {
    let spaced = |character: char| if character.is_control() { ' ' } else { character };
    *text = text.chars().map(spaced).collect::<String>().trim().to_owned();
    match text.chars().count() {
        length if (min..=max).contains(&length) => Ok(()),
        length => refuse(field, format!("it has {length} characters, but must have {min} to {max}")),
    }
}

fn optional_text(field: &str, given: Option<&mut String>, max: usize) -> Result<(), StepError> {
    given.map_or(Ok(()), |given| text(field, given, 0, max))
}

fn id(field: &str, id: &str) -> Result<(), StepError> {
    match (1..=256).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => refuse(field, "it must be the id of a message"),
    }
}

fn number(field: &str, number: u32, min: u32, max: u32) -> Result<(), StepError> {
    match (min..=max).contains(&number) {
        true => Ok(()),
        false => refuse(field, format!("it is {number}, but must be from {min} to {max}")),
    }
}

/// <https://dev.twitch.tv/docs/api/reference/#modify-channel-information>
fn check_tags(tags: &[String]) -> Result<(), StepError> {
    let is_tag = |tag: &String| (1..=25).contains(&tag.chars().count()) && tag.chars().all(char::is_alphanumeric);
    match tags.iter().find(|tag| !is_tag(tag)) {
        Some(tag) => refuse("tags", format!("`{}` must be 1 to 25 letters and digits", tag.escape_default())),
        None if tags.len() > 10 => refuse("tags", format!("there are {} tags, but may be 10", tags.len())),
        None => Ok(()),
    }
}

fn check_pin(pin: &mut Pin) -> Result<(), StepError> {
    match (&pin.message_id, &mut pin.text) {
        (Some(message_id), None) => {
            id("pin.message_id", message_id)?;
            pin.seconds.map_or(Ok(()), |seconds| number("pin.seconds", seconds, 30, 1_800))
        }
        (None, Some(_)) if pin.seconds.is_some() => {
            refuse("pin.seconds", "a new message is pinned for 20 minutes: leave it out")
        }
        (None, Some(new)) => text("pin.text", new, 1, MAX_TEXT),
        _ => refuse("pin", "it must have either the message_id of a message or the text of a new one"),
    }
}

fn check_webhook(webhook: &Webhook) -> Result<(), StepError> {
    check_name(&webhook.sink).or_else(|error| refuse("webhook.sink", error.reason))?;
    match has_nul(&webhook.body) {
        true => refuse("webhook.body", "it has the character U+0000, which Postgres can't store"),
        false => Ok(()),
    }
}

fn check_clip(clip: &mut NewClip) -> Result<(), StepError> {
    optional_text("clip.title", clip.title.as_mut(), 140)?;
    optional_text("clip.say", clip.say.as_mut(), MAX_TEXT - CLIP_ROOM)?;
    match clip.seconds.is_none_or(|seconds| (5.0..=60.0).contains(&seconds)) {
        true => Ok(()),
        false => refuse("clip.seconds", "it must be from 5 to 60"),
    }
}

/// <https://dev.twitch.tv/docs/api/reference/#update-chat-settings>
fn check_settings(settings: &ChatSettings) -> Result<(), StepError> {
    if *settings == ChatSettings::default() {
        return refuse("settings", "it changes nothing");
    }
    if let Some(minutes) = settings.follower_mode_duration {
        number("settings.follower_mode_duration", minutes, 0, 129_600)?;
    }
    if let Some(seconds) = settings.slow_mode_wait_time {
        number("settings.slow_mode_wait_time", seconds, 3, 120)?;
    }
    match settings.non_moderator_chat_delay_duration {
        None | Some(2 | 4 | 6) => Ok(()),
        Some(_) => refuse("settings.non_moderator_chat_delay_duration", "it must be 2, 4 or 6"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn checked(step: Value) -> Result<Step, StepError> {
        let mut step: Step = serde_json::from_value(step).unwrap();
        step.check().map(|()| step)
    }

    #[test]
    fn step_of_a_row_is_the_step_that_was_stored() {
        for step in [
            json!({ "say": "hi" }),
            json!({ "clear": {} }),
            json!({ "shield": true }),
            json!({ "ban": { "user": "quietotter", "reason": null } }),
            json!({ "tags": [] }),
            json!({ "pin": { "text": "read this", "seconds": null } }),
            json!({ "webhook": { "sink": "hook", "body": { "a": [1, null] } } }),
            json!({ "clip": { "title": null, "seconds": 12.5 } }),
            json!({ "settings": { "slow_mode": true, "slow_mode_wait_time": 10 } }),
        ] {
            let step = checked(step).unwrap();
            assert_eq!(Step::of(step.kind(), &step.params()).unwrap(), step);
        }
    }

    #[test]
    fn wrong_field_is_named() {
        for (step, field) in [
            (json!({ "say": " \n " }), "say"),
            (json!({ "say": "x".repeat(501) }), "say"),
            (json!({ "reply": { "message_id": "", "text": "hi" } }), "reply.message_id"),
            (json!({ "timeout": { "user": "1", "seconds": 0 } }), "timeout.seconds"),
            (json!({ "tags": ["two words"] }), "tags"),
            (json!({ "title": "" }), "title"),
            (json!({ "clip": { "seconds": 61.0 } }), "clip.seconds"),
            (json!({ "ad": { "seconds": 181 } }), "ad.seconds"),
            (json!({ "pin": { "message_id": "a", "seconds": 29 } }), "pin.seconds"),
            (json!({ "pin": { "text": "a", "seconds": 60 } }), "pin.seconds"),
            (json!({ "pin": { "text": "a", "message_id": "b" } }), "pin"),
            (json!({ "pin": {} }), "pin"),
            (json!({ "webhook": { "sink": "", "body": 1 } }), "webhook.sink"),
            (json!({ "webhook": { "sink": "hook", "body": ["\0"] } }), "webhook.body"),
            (json!({ "clip": { "say": "x".repeat(401) } }), "clip.say"),
            (json!({ "settings": {} }), "settings"),
            (
                json!({ "settings": { "non_moderator_chat_delay_duration": 3 } }),
                "settings.non_moderator_chat_delay_duration",
            ),
        ] {
            assert_eq!(checked(step.clone()).unwrap_err().field, field, "{step}");
        }
    }

    #[test]
    fn text_becomes_one_line() {
        assert_eq!(checked(json!({ "say": " two\nlines\t" })).unwrap(), Step::Say("two lines".to_owned()));
    }
}
