//! Webhooks themselves, and what only a bot may call.

use serde_json::Value;
use time::OffsetDateTime;

use super::answer::{Answer, Refusal};
use super::body::RawBody;
use super::calls::{ApiCall, BotCall};
use super::config::DiscordConfig;
use super::form::{FormErrors, Object};
use super::guild::{ChannelKind, Webhook};
use super::ledger::Change;
use super::limits::Hidden;
use super::names;
use super::payload::CROSSPOSTED;
use super::snowflake::Snowflake;
use super::state::State;

const MAX_OF_CHANNEL: usize = 15;
const MAX_OF_GUILD: usize = 1_000;

/// Messages in one page of a channel.
const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 100;

impl State {
    /// Changes the name or the picture of a webhook.
    pub(super) fn modify_webhook(&mut self, webhook: &Webhook, call: &ApiCall) -> Result<Answer, Refusal> {
        let (body, _) = call.body.read()?;
        let mut errors = FormErrors::default();
        let name = names::name(&body, "name", &mut errors);
        let avatar = avatar(&body, &mut errors);
        errors.check()?;
        let webhook = self.webhooks.get_mut(&webhook.id).ok_or_else(Refusal::unknown_webhook)?;
        if let Some(name) = name {
            webhook.name = name;
        }
        if let Some(avatar) = avatar {
            webhook.avatar = avatar;
        }
        Ok(Answer::ok(&webhook.shown()))
    }

    pub(super) fn perform_as_bot(
        &mut self,
        config: &DiscordConfig,
        call: &ApiCall,
        bot_call: BotCall,
        now: OffsetDateTime,
    ) -> Result<Answer, Refusal> {
        let token = call.authorization.as_deref().and_then(|text| text.strip_prefix("Bot "));
        if token != Some(&config.bot_token) {
            return Err(Refusal::unauthorized());
        }
        match bot_call {
            BotCall::ListMessages { channel } => self.list_messages(channel, call),
            BotCall::ListWebhooks { channel } => {
                self.existing(channel)?;
                Ok(Answer::ok(&self.webhooks_of(channel).map(Webhook::shown).collect::<Vec<_>>()))
            }
            BotCall::CreateWebhook { channel } => {
                let name = new_name(&call.body)?;
                self.existing(channel)?;
                let webhook = self.create_webhook(channel, &name, now)?;
                Ok(Answer::ok(&webhook.shown()))
            }
            BotCall::Publish { channel, message } => self.publish(config, (channel, message), (call, now)),
        }
    }

    fn existing(&self, channel: Snowflake) -> Result<(), Refusal> {
        self.channels.get(&channel).map(|_| ()).ok_or_else(Refusal::unknown_channel)
    }

    /// A new webhook of a channel that exists, within Discord's limits.
    pub(super) fn create_webhook(
        &mut self,
        channel: Snowflake,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<&mut Webhook, Refusal> {
        if self.webhooks_of(channel).count() >= MAX_OF_CHANNEL {
            return Err(Refusal::new(400, 30_007, "Maximum number of webhooks reached (15)"));
        }
        let guild = self.channels.get(&channel).map(|channel| channel.guild_id);
        if self.webhooks.values().filter(|webhook| Some(webhook.guild_id) == guild).count() >= MAX_OF_GUILD {
            return Err(Refusal::new(400, 30_058, "Maximum number of webhooks per guild reached (1000)"));
        }
        self.add_webhook(channel, name, now).map_err(|full| Refusal::new(400, 30_058, &full.to_string()))
    }

    /// Messages of a channel, newest first.
    fn list_messages(&self, channel: Snowflake, call: &ApiCall) -> Result<Answer, Refusal> {
        self.existing(channel)?;
        let limit = call.query.number("limit", DEFAULT_PAGE, MAX_PAGE)?;
        let (after, before) = (call.query.id("after")?, call.query.id("before")?);
        let is_within = |id| after.is_none_or(|after| id > after) && before.is_none_or(|before| id < before);
        let found: Vec<_> = self.messages_of(channel).filter(|message| is_within(message.id)).collect();
        // As at Discord, a page that begins after a message is of the oldest ones.
        let skipped = if after.is_some() { 0 } else { found.len().saturating_sub(limit) };
        let page = found.into_iter().skip(skipped).take(limit);
        let mut shown: Vec<Value> = page.map(|message| message.shown(&self.members)).collect();
        shown.reverse();
        Ok(Answer::ok(&shown))
    }

    /// Publishes a message of a channel for announcements to its followers.
    fn publish(
        &mut self,
        config: &DiscordConfig,
        (channel, message): (Snowflake, Snowflake),
        (call, now): (&ApiCall, OffsetDateTime),
    ) -> Result<Answer, Refusal> {
        let kind = self.channels.get(&channel).ok_or_else(Refusal::unknown_channel)?.kind;
        let found = self.messages.get(&message).filter(|message| message.channel_id == channel);
        let found = found.ok_or_else(Refusal::unknown_message)?;
        if kind != ChannelKind::Announcement {
            return Err(Refusal::new(400, 50_024, "Cannot execute action on this channel type"));
        }
        if found.is_published() {
            return Err(Refusal::new(400, 40_033, "This message has already been crossposted."));
        }
        self.refuse_hidden(Hidden::Crossposts, channel, config.limits.crossposts, (call, now))?;
        let message = self.messages.get_mut(&message).ok_or_else(Refusal::unknown_message)?;
        message.flags |= CROSSPOSTED;
        self.ledger.change(Change::published(message, now));
        let message = message.clone();
        Ok(Answer::ok(&message.shown(&self.members)))
    }
}

/// The name in the body of Create Webhook.
fn new_name(body: &RawBody) -> Result<String, Refusal> {
    let (body, _) = body.read()?;
    valid_name(&body)
}

/// The name of a new webhook.
pub(super) fn valid_name(body: &Object) -> Result<String, Refusal> {
    let mut errors = FormErrors::default();
    let name = names::name(body, "name", &mut errors);
    if name.is_none() {
        errors.required("name");
    }
    errors.check()?;
    Ok(name.unwrap_or_default())
}

/// The hash of a picture: `None` if the field is absent, `Some(None)` if it is null.
fn avatar(body: &Object, errors: &mut FormErrors) -> Option<Option<String>> {
    match body.get("avatar")? {
        Value::Null => Some(None),
        Value::String(data) if data.starts_with("data:image/") => Some(Some(format!("{:032x}", data.len()))),
        _ => {
            errors.add("avatar", "IMAGE_INVALID", "Invalid image data.");
            None
        }
    }
}
