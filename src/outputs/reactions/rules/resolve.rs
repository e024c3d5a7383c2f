//! What a step does for one event: its texts rendered, its user and its message named.

use minijinja::value::Value;
use serde_json::{Value as Json, json};
use time::Duration;

use super::super::step::{self, Step};
use super::occurrence::Occurrence;
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
    Act(Step),
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
        let step = match action {
            RuleAction::Say(text) => Step::Say(self.text(text, MAX_MESSAGE)?),
            RuleAction::Reply(text) => {
                Step::Reply(step::Reply { message_id: self.message_id()?, text: self.text(text, MAX_REPLY)? })
            }
            RuleAction::Announce(it) => Step::Announce(step::Announcement {
                text: self.text(&it.text, MAX_MESSAGE)?,
                color: it.color.unwrap_or_default(),
            }),
            RuleAction::Whisper(it) => {
                Step::Whisper(step::Whisper { user: self.user(&it.user)?, text: self.text(&it.text, MAX_MESSAGE)? })
            }
            RuleAction::Shoutout(it) => Step::Shoutout(self.user(&it.user)?),
            RuleAction::Warn(it) => {
                Step::Warn(step::Warning { user: self.user(&it.user)?, reason: self.text(&it.reason, MAX_MESSAGE)? })
            }
            RuleAction::Clip(clip) => Step::Clip(self.clip(clip)?),
            RuleAction::Marker(it) => {
                Step::Marker(step::Marker { description: self.optional_text(&it.description, MAX_TITLE)? })
            }
            RuleAction::Ad(length) => Step::Ad(step::Commercial { seconds: length.whole_seconds() }),
            RuleAction::Delete(_) => Step::Delete(step::OneMessage { message_id: self.message_id()? }),
            RuleAction::Unpin(_) => Step::Unpin(step::OneMessage { message_id: self.message_id()? }),
            RuleAction::Clear(_) => Step::Clear(step::Nothing {}),
            RuleAction::Timeout(timeout) => Step::Timeout(self.timeout(timeout)?),
            RuleAction::Ban(ban) => Step::Ban(step::Ban {
                user: self.user(&ban.user)?,
                reason: self.optional_text(&ban.reason, MAX_MESSAGE)?,
            }),
            RuleAction::Unban(it) => Step::Unban(step::OneUser { user: self.user(&it.user)? }),
            RuleAction::Vip(it) => Step::Vip(step::OneUser { user: self.user(&it.user)? }),
            RuleAction::Unvip(it) => Step::Unvip(step::OneUser { user: self.user(&it.user)? }),
            RuleAction::Title(text) => Step::Title(self.text(text, MAX_TITLE)?),
            RuleAction::Game(text) => Step::Game(self.optional_text(text, MAX_NAME)?.unwrap_or_default()),
            RuleAction::Tags(tags) => {
                Step::Tags(tags.iter().map(|tag| self.text(tag, MAX_NAME)).collect::<Result<_, _>>()?)
            }
            RuleAction::Settings(settings) => Step::Settings(settings.clone()),
            RuleAction::Shield(is_on) => Step::Shield(*is_on),
            RuleAction::Pin(pin) => Step::Pin(step::Pin {
                message_id: Some(self.message_id()?),
                text: None,
                seconds: pin.length.map(Span::whole_seconds),
            }),
            RuleAction::Webhook(webhook) => Step::Webhook(self.webhook(webhook)?),
            other => return self.resolve_planning(other),
        };
        checked(step).map(Effect::Act)
    }

    /// Resolves a step that is done while planning.
    fn resolve_planning(&self, action: &RuleAction) -> Result<Effect, String> {
        match action {
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
            _ => Ok(Effect::Stop),
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
        match user {
            "" => Err("it names no user".to_owned()),
            user if is_name(user) => Ok(user.to_owned()),
            user => Err(format!("`{}` is no user", user.chars().take(MAX_NAME).collect::<String>().escape_debug())),
        }
    }

    fn message_id(&self) -> Result<String, String> {
        let chat = self.occurrence.and_then(|occurrence| occurrence.chat.as_ref());
        chat.map(|chat| chat.message_id.clone()).ok_or_else(|| "the event has no message".to_owned())
    }

    fn timeout(&self, timeout: &Timeout) -> Result<step::Timeout, String> {
        let step = timeout.steps.get(self.strikes as usize).or(timeout.steps.last());
        let length = timeout.length.as_ref().or(step).ok_or_else(|| "it has no length".to_owned())?;
        Ok(step::Timeout {
            user: self.user(&timeout.user)?,
            seconds: length.whole_seconds(),
            reason: self.optional_text(&timeout.reason, MAX_MESSAGE)?,
        })
    }

    fn clip(&self, clip: &Clip) -> Result<step::NewClip, String> {
        let title = self.optional_text(&clip.title, MAX_TITLE)?;
        if clip.say.is_empty() {
            return Ok(step::NewClip { title, seconds: None, say: None });
        }
        // The values of a rule have no clip, so this one hides nothing.
        let values = [("clip", template::clip())].into_iter().map(|(name, clip)| (Value::from(name), clip));
        let known = self.values.try_iter().map_err(|error| error.to_string())?;
        let known = known.filter_map(|name| Some((name.clone(), self.values.get_item(&name).ok()?)));
        let values = Value::from_pairs(known.chain(values));
        let said = line(&self.templates.render(&clip.say, &values)?, MAX_MESSAGE - CLIP_ROOM);
        Ok(step::NewClip { title, seconds: None, say: Some(said) })
    }

    fn webhook(&self, webhook: &Webhook) -> Result<step::Webhook, String> {
        let body = if webhook.body.is_null() {
            let event = self.occurrence.and_then(|occurrence| serde_json::from_str(&occurrence.json).ok());
            event.unwrap_or_else(|| json!({}))
        } else {
            self.tree(&webhook.body)?
        };
        Ok(step::Webhook { sink: webhook.sink.clone(), body })
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

/// Whether this can be the id or the login of a user.
#[must_use]
pub fn is_name(user: &str) -> bool {
    (1..=MAX_NAME).contains(&user.len()) && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A step that Twitch would not refuse for its form.
fn checked(mut step: Step) -> Result<Step, String> {
    step.check().map(|()| step).map_err(|error| format!("{}: {error}", error.field))
}
