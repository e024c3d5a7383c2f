//! What a step does for one event: its texts rendered, its user and its message named.

use minijinja::value::Value;
use serde_json::{Value as Json, json};
use time::Duration;

use super::occurrence::Occurrence;
use super::planned::Class;
use super::rule_step::{Clip, RuleAction, Timeout, Webhook};
use super::span::Span;
use super::template::{self, Templates};
use super::text::{MAX_MESSAGE, MAX_REPLY, MAX_TITLE, line, plain};

/// The longest name of a category or of a user, in characters.
const MAX_NAME: usize = 200;

/// The longest value of a variable, in characters.
const MAX_VARIABLE: usize = 500;

/// Room for the address of a clip in what is said about it, in characters.
const CLIP_ROOM: usize = 100;

/// How long a permit lasts that says nothing else.
pub const PERMIT: Span = Span::seconds(60);

/// What a step does.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is what the step of that name does")]
pub enum Effect {
    Act { class: Class, params: Json },
    Count { name: String, add: Option<i64>, set: Option<i64> },
    Set { name: String, value: String },
    Permit { login: String, length: Duration },
    Delay(Duration),
    Stop,
}

/// What a step may refer to.
#[derive(Debug)]
pub struct Context<'a> {
    /// The templates.
    pub templates: &'a Templates,
    /// Their values.
    pub values: &'a Value,
    /// What happened; `None` for timers and batches.
    pub occurrence: Option<&'a Occurrence>,
    /// How often the rule has timed the user out.
    pub strikes: u32,
}

impl Context<'_> {
    /// Resolves a step.
    ///
    /// # Errors
    /// Why it can't be done.
    pub fn resolve(&self, action: &RuleAction) -> Result<Effect, String> {
        let once = |params| Ok(Effect::Act { class: Class::Once, params });
        let idempotent = |params| Ok(Effect::Act { class: Class::Idempotent, params });
        match action {
            RuleAction::Say(text) => once(json!(self.text(text, MAX_MESSAGE)?)),
            RuleAction::Reply(text) => {
                once(json!({ "message_id": self.message_id()?, "text": self.text(text, MAX_REPLY)? }))
            }
            RuleAction::Announce(it) => {
                once(with_some(json!({ "text": self.text(&it.text, MAX_MESSAGE)? }), "color", &it.color))
            }
            RuleAction::Whisper(it) => {
                once(json!({ "user": self.user(&it.user)?, "text": self.text(&it.text, MAX_MESSAGE)? }))
            }
            RuleAction::Shoutout(it) => once(json!(self.user(&it.user)?)),
            RuleAction::Warn(it) => {
                once(json!({ "user": self.user(&it.user)?, "reason": self.text(&it.reason, MAX_MESSAGE)? }))
            }
            RuleAction::Clip(clip) => once(self.clip(clip)?),
            RuleAction::Marker(it) => once(json!({ "description": self.optional_text(&it.description, MAX_TITLE)? })),
            RuleAction::Ad(length) => once(json!({ "seconds": length.whole_seconds() })),
            RuleAction::Delete(_) | RuleAction::Unpin(_) => idempotent(json!({ "message_id": self.message_id()? })),
            RuleAction::Clear(_) => idempotent(json!({})),
            RuleAction::Timeout(timeout) => idempotent(self.timeout(timeout)?),
            RuleAction::Ban(ban) => idempotent(json!({
                "user": self.user(&ban.user)?,
                "reason": self.optional_text(&ban.reason, MAX_MESSAGE)?,
            })),
            RuleAction::Unban(it) | RuleAction::Vip(it) | RuleAction::Unvip(it) => {
                idempotent(json!({ "user": self.user(&it.user)? }))
            }
            RuleAction::Title(text) => idempotent(json!(self.text(text, MAX_TITLE)?)),
            RuleAction::Game(text) => idempotent(json!(self.optional_text(text, MAX_NAME)?.unwrap_or_default())),
            RuleAction::Tags(tags) => {
                let tags: Result<Vec<_>, _> = tags.iter().map(|tag| self.text(tag, MAX_NAME)).collect();
                idempotent(json!(tags?))
            }
            RuleAction::Settings(settings) => idempotent(json!(settings)),
            RuleAction::Shield(is_on) => idempotent(json!(is_on)),
            RuleAction::Pin(pin) => {
                let seconds = pin.length.map(Span::whole_seconds);
                idempotent(with_some(json!({ "message_id": self.message_id()? }), "seconds", &seconds))
            }
            RuleAction::Webhook(webhook) => Ok(Effect::Act { class: Class::Webhook, params: self.webhook(webhook)? }),
            RuleAction::Count(count) => Ok(Effect::Count { name: count.name.clone(), add: count.add, set: count.set }),
            RuleAction::Set(set) => {
                let value = plain(&self.render(&set.value)?).chars().take(MAX_VARIABLE).collect();
                Ok(Effect::Set { name: set.name.clone(), value })
            }
            RuleAction::Permit(permit) => {
                let length = permit.length.unwrap_or(PERMIT).duration();
                Ok(Effect::Permit { login: self.user(&permit.user)?.to_lowercase(), length })
            }
            RuleAction::Delay(delay) => Ok(Effect::Delay(delay.duration())),
            RuleAction::Stop(_) => Ok(Effect::Stop),
        }
    }

    fn render(&self, source: &str) -> Result<String, String> {
        self.templates.render(source, self.values)
    }

    fn text(&self, source: &str, limit: usize) -> Result<String, String> {
        match line(&self.render(source)?, limit) {
            text if text.is_empty() => Err("the text is empty".to_owned()),
            text => Ok(text),
        }
    }

    fn optional_text(&self, source: &str, limit: usize) -> Result<Option<String>, String> {
        Ok(Some(line(&self.render(source)?, limit)).filter(|text| !text.is_empty()))
    }

    /// A user by id or login: of the step, or else of the event.
    fn user(&self, source: &str) -> Result<String, String> {
        if source.is_empty() {
            let user = self.occurrence.and_then(|occurrence| occurrence.user.as_ref());
            let user = user.map(|user| user.key().to_owned()).filter(|user| !user.is_empty());
            return user.ok_or_else(|| "the event has no user".to_owned());
        }
        let user = plain(&self.render(source)?);
        let user = user.trim().trim_start_matches('@');
        let is_name = |user: &str| user.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match user {
            "" => Err("it names no user".to_owned()),
            user if user.len() <= MAX_NAME && is_name(user) => Ok(user.to_owned()),
            user => Err(format!("`{}` is no user", user.chars().take(MAX_NAME).collect::<String>().escape_debug())),
        }
    }

    fn message_id(&self) -> Result<&str, String> {
        let chat = self.occurrence.and_then(|occurrence| occurrence.chat.as_ref());
        chat.map(|chat| chat.message_id.as_str()).ok_or_else(|| "the event has no message".to_owned())
    }

    fn timeout(&self, timeout: &Timeout) -> Result<Json, String> {
        let step = timeout.steps.get(self.strikes as usize).or(timeout.steps.last());
        let length = timeout.length.as_ref().or(step).ok_or_else(|| "it has no length".to_owned())?;
        Ok(json!({
            "user": self.user(&timeout.user)?,
            "seconds": length.whole_seconds(),
            "reason": self.optional_text(&timeout.reason, MAX_MESSAGE)?,
        }))
    }

    fn clip(&self, clip: &Clip) -> Result<Json, String> {
        let mut params = json!({ "title": self.optional_text(&clip.title, MAX_TITLE)? });
        if !clip.say.is_empty() {
            // The values of a rule have no clip, so this one hides nothing.
            let values = [("clip", template::clip())].into_iter().map(|(name, clip)| (Value::from(name), clip));
            let known = self.values.try_iter().map_err(|error| error.to_string())?;
            let known = known.filter_map(|name| Some((name.clone(), self.values.get_item(&name).ok()?)));
            let values = Value::from_pairs(known.chain(values));
            params["say"] = json!(line(&self.templates.render(&clip.say, &values)?, MAX_MESSAGE - CLIP_ROOM));
        }
        Ok(params)
    }

    fn webhook(&self, webhook: &Webhook) -> Result<Json, String> {
        let body = if webhook.body.is_null() {
            let event = self.occurrence.and_then(|occurrence| serde_json::from_str(&occurrence.json).ok());
            event.unwrap_or_else(|| json!({}))
        } else {
            self.tree(&webhook.body)?
        };
        Ok(json!({ "sink": webhook.sink, "body": body }))
    }

    /// A tree whose texts are rendered.
    fn tree(&self, tree: &Json) -> Result<Json, String> {
        Ok(match tree {
            Json::String(source) => Json::String(plain(&self.render(source)?)),
            Json::Array(items) => Json::Array(items.iter().map(|item| self.tree(item)).collect::<Result<_, _>>()?),
            Json::Object(fields) => {
                let fields = fields.iter().map(|(name, field)| Ok((name.clone(), self.tree(field)?)));
                Json::Object(fields.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }
}

/// Params with one more field, if it has a value.
fn with_some<T: serde::Serialize>(mut params: Json, name: &str, value: &Option<T>) -> Json {
    if let Some(value) = value {
        params[name] = json!(value);
    }
    params
}
