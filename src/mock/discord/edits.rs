//! Edit Webhook Message, and the limits that no header tells of
//! (<https://docs.discord.com/developers/resources/webhook#edit-webhook-message>).

use time::{Duration, OffsetDateTime};

use super::answer::{Answer, Refusal};
use super::calls::ApiCall;
use super::config::DiscordConfig;
use super::guild::Webhook;
use super::ledger::Change;
use super::limits::{Hidden, Scope, rate_limited};
use super::message::DiscordMessage;
use super::messages::reading;
use super::payload::{IS_COMPONENTS_V2, Payload};
use super::snowflake::Snowflake;
use super::state::State;

/// The age from which edits of a message have a limit of their own.
const OLD: Duration = Duration::HOUR;

impl State {
    /// A message of this webhook, where the call says that it is.
    pub(super) fn message_of(
        &self,
        webhook: &Webhook,
        id: Snowflake,
        call: &ApiCall,
    ) -> Result<&DiscordMessage, Refusal> {
        let place = match call.query.id("thread_id")? {
            None => webhook.channel_id,
            Some(thread) => {
                let thread = self.channels.get(&thread).filter(|it| it.parent_id == Some(webhook.channel_id));
                thread.ok_or_else(Refusal::unknown_channel)?.id
            }
        };
        let message = self.messages.get(&id);
        let message = message.filter(|message| message.webhook_id == webhook.id && message.channel_id == place);
        message.ok_or_else(Refusal::unknown_message)
    }

    /// Edits a message. That pings no member.
    pub(super) fn edit_message(
        &mut self,
        config: &DiscordConfig,
        webhook: &Webhook,
        id: Snowflake,
        call: &ApiCall,
        now: OffsetDateTime,
    ) -> Result<Answer, Refusal> {
        let mut message = self.message_of(webhook, id, call)?.clone();
        let payload = Payload::read(&call.body, reading(webhook, call, message.has(IS_COMPONENTS_V2))?)?;
        if self.channels.get(&message.channel_id).is_some_and(|channel| channel.is_archived) {
            return Err(Refusal::new(400, 50_083, "Thread is archived"));
        }
        apply(&payload, &mut message);
        for file in &payload.files {
            let id = self.ids.next(now);
            message.attach(id, file);
        }
        if message.is_empty() {
            return Err(Refusal::empty_message());
        }
        if now - message.created_at > OLD {
            self.refuse_hidden(Hidden::OldEdits, message.channel_id, config.limits.old_edits, (call, now))?;
        }
        if message.is_published() {
            self.refuse_hidden(Hidden::PublishedEdits, message.id, config.limits.published_edits, (call, now))?;
        }
        self.mention(webhook, &payload, &mut message);
        message.edited_at = Some(now);
        self.ledger.change(Change::edited(&message, now));
        let answer = Answer::ok(&message.shown(&self.members));
        self.messages.insert(message.id, message);
        Ok(answer)
    }

    /// Takes one of a limit that no header tells of.
    pub(super) fn refuse_hidden(
        &mut self,
        hidden: Hidden,
        key: Snowflake,
        limit: u32,
        (call, now): (&ApiCall, OffsetDateTime),
    ) -> Result<(), Refusal> {
        let code = match hidden {
            Hidden::Channel | Hidden::Crossposts => None,
            Hidden::OldEdits => {
                Some((30_046, "Maximum number of edits to messages older than 1 hour reached. Try again later"))
            }
            Hidden::PublishedEdits => Some((20_022, "This message cannot be edited due to announcement rate limits")),
        };
        match self.limits.take_hidden(hidden, key, limit, now) {
            Some(wait) => Err(Refusal(rate_limited(wait, Scope::User, code, call.version))),
            None => Ok(()),
        }
    }
}

/// Changes what the body of an edit has.
fn apply(payload: &Payload, message: &mut DiscordMessage) {
    if let Some(content) = &payload.content {
        message.content.clone_from(content);
    }
    if let Some(embeds) = &payload.embeds {
        message.embeds.clone_from(embeds);
    }
    if let Some(components) = &payload.components {
        message.components.clone_from(components);
    }
    if let Some(kept) = &payload.attachments {
        let is_kept = |shown: &serde_json::Value| kept.iter().any(|id| shown["id"] == id.to_string());
        message.attachments.retain(is_kept);
    }
    if let Some(flags) = payload.flags {
        message.edit_flags(flags);
    }
}
