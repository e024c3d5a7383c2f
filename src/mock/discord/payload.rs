//! Bodies of Execute Webhook and Edit Webhook Message
//! (<https://docs.discord.com/developers/resources/webhook#execute-webhook>).

use serde_json::Value;

use super::answer::Refusal;
use super::body::{File, RawBody};
use super::components::components;
use super::embeds::embeds;
use super::form::{FormErrors, Object, snowflake};
use super::mentions::AllowedMentions;
use super::names;
use super::snowflake::Snowflake;

const MAX_CONTENT: usize = 2_000;
const MAX_FILES: usize = 10;
const MAX_THREAD_NAME: usize = 100;
const MAX_TAGS: usize = 5;
const MAX_QUESTION: usize = 300;
const MAX_ANSWERS: usize = 10;
const MAX_ANSWER: usize = 55;

/// Flags of messages.
pub(super) const CROSSPOSTED: u64 = 1;
pub(super) const SUPPRESS_EMBEDS: u64 = 1 << 2;
pub(super) const ROLES_NOT_MENTIONED: u64 = 1 << 8;
pub(super) const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
pub(super) const IS_COMPONENTS_V2: u64 = 1 << 15;

/// A valid body. What is `None` was absent; what was null is empty.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) content: Option<String>,
    pub(super) embeds: Option<Vec<Value>>,
    pub(super) components: Option<Vec<Value>>,
    pub(super) poll: Option<Value>,
    /// Attachments that an edit keeps.
    pub(super) attachments: Option<Vec<Snowflake>>,
    pub(super) files: Vec<File>,
    pub(super) flags: Option<u64>,
    pub(super) allowed_mentions: AllowedMentions,
    pub(super) username: Option<String>,
    pub(super) avatar_url: Option<String>,
    pub(super) tts: bool,
    pub(super) thread_name: Option<String>,
    pub(super) applied_tags: Vec<Snowflake>,
}

/// How a body is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The query's `with_components`, or the webhook is an application's: otherwise components are dropped.
    pub(super) has_components: bool,
    /// Whether the webhook is an application's.
    pub(super) is_of_app: bool,
    /// Whether the message that is edited has `IS_COMPONENTS_V2`.
    pub(super) was_v2: bool,
}

impl Payload {
    pub(super) fn read(raw: &RawBody, reading: Reading) -> Result<Self, Refusal> {
        let (body, files) = raw.read()?;
        let mut errors = FormErrors::default();
        let flags = errors.integer(&body, "", "flags", u64::from(u32::MAX));
        let is_v2 = reading.was_v2 || flags.unwrap_or_default() & IS_COMPONENTS_V2 != 0;
        let payload = Self {
            content: nullable_text(&body, "content", &mut errors),
            embeds: embeds(&body, &mut errors),
            components: if reading.has_components {
                components(&body, is_v2, reading.is_of_app, &mut errors)
            } else {
                None
            },
            poll: poll(&body, &mut errors),
            attachments: attachments(&body, &mut errors),
            files,
            flags,
            allowed_mentions: AllowedMentions::read(&body, &mut errors),
            username: names::name(&body, "username", &mut errors),
            avatar_url: errors.url(&body, "", "avatar_url", &["http", "https"]),
            tts: errors.boolean(&body, "", "tts"),
            thread_name: errors.text(&body, "", "thread_name", MAX_THREAD_NAME).filter(|name| !name.is_empty()),
            applied_tags: errors.ids(&body, "", "applied_tags", MAX_TAGS),
        };
        if payload.files.len() > MAX_FILES {
            errors.add("files", "BASE_TYPE_MAX_LENGTH", format!("Must be {MAX_FILES} or fewer in length."));
        }
        if is_v2 {
            payload.refuse_legacy_fields(&mut errors);
        }
        errors.check()?;
        Ok(payload)
    }

    fn refuse_legacy_fields(&self, errors: &mut FormErrors) {
        let used = [
            ("content", self.content.as_ref().is_some_and(|it| !it.is_empty())),
            ("embeds", self.embeds.as_ref().is_some_and(|it| !it.is_empty())),
            ("files", !self.files.is_empty()),
            ("poll", self.poll.is_some()),
        ];
        for (field, _) in used.iter().filter(|(_, is_used)| *is_used) {
            let message = format!("The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2");
            errors.add(field, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", message);
        }
    }
}

/// The content: `None` if it is absent, empty if it is null.
fn nullable_text(body: &Object, name: &str, errors: &mut FormErrors) -> Option<String> {
    body.contains_key(name).then(|| errors.text(body, "", name, MAX_CONTENT).unwrap_or_default())
}

/// The ids of the attachments that are listed.
fn attachments(body: &Object, errors: &mut FormErrors) -> Option<Vec<Snowflake>> {
    body.contains_key("attachments").then(|| {
        let items = errors.list(body, "", "attachments", MAX_FILES).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|item| snowflake(&item["id"])).collect()
    })
}

fn poll(body: &Object, errors: &mut FormErrors) -> Option<Value> {
    let poll = errors.object(body, "", "poll")?;
    if let Some(question) = errors.object(poll, "poll", "question") {
        errors.required_text(question, "poll.question", "text", MAX_QUESTION);
    } else {
        errors.required("poll.question");
    }
    let answers = errors.list(poll, "poll", "answers", MAX_ANSWERS).map(Vec::as_slice).unwrap_or_default();
    if answers.is_empty() {
        errors.required("poll.answers");
    }
    for (number, answer) in answers.iter().enumerate() {
        let path = format!("poll.answers.{number}.poll_media");
        match answer["poll_media"].as_object() {
            Some(media) => drop(errors.required_text(media, &path, "text", MAX_ANSWER)),
            None => errors.required(&path),
        }
    }
    Some(poll.clone().into())
}
