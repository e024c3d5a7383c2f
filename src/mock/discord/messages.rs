//! Execute Webhook, and the threads that it posts in
//! (<https://docs.discord.com/developers/resources/webhook#execute-webhook>).

use time::OffsetDateTime;

use super::answer::{Answer, Refusal};
use super::calls::ApiCall;
use super::config::DiscordConfig;
use super::guild::Webhook;
use super::limits::Hidden;
use super::mentions::{Mentionable, Mentions};
use super::message::DiscordMessage;
use super::payload::{
    IS_COMPONENTS_V2, Payload, ROLES_NOT_MENTIONED, Reading, SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS,
};
use super::state::State;

impl State {
    /// Posts a message.
    pub(super) fn execute(
        &mut self,
        config: &DiscordConfig,
        webhook: &Webhook,
        call: &ApiCall,
        now: OffsetDateTime,
    ) -> Result<Answer, Refusal> {
        let waits = call.query.flag("wait")?;
        let thread = call.query.id("thread_id")?;
        let payload = Payload::read(&call.body, reading(webhook, call, false)?)?;
        let mut message = new_message(webhook, &payload, now);
        if message.is_empty() && payload.files.is_empty() {
            return Err(Refusal::empty_message());
        }
        let place = self.place(webhook, thread, &payload)?;
        self.refuse_hidden(Hidden::Channel, webhook.channel_id, config.limits.channel, (call, now))?;
        message.id = self.ids.next(now);
        message.channel_id = place.unwrap_or(message.id);
        match place {
            Some(id) => drop(self.channels.entry(id).and_modify(|channel| channel.is_archived = false)),
            None => self.open_thread(message.id, webhook.channel_id, &payload)?,
        }
        for file in &payload.files {
            let id = self.ids.next(now);
            message.attach(id, file);
        }
        self.mention(webhook, &payload, &mut message);
        message.pings = message.mentions.clone();
        let answer = if waits { Answer::ok(&message.shown(&self.members)) } else { Answer::no_content() };
        self.add_message(message);
        Ok(answer)
    }

    /// Sets what a message mentions.
    pub(super) fn mention(&self, webhook: &Webhook, payload: &Payload, message: &mut DiscordMessage) {
        let may_mention_everyone = webhook.may_mention_everyone;
        let known = Mentionable { roles: &self.roles, members: &self.members, may_mention_everyone };
        let (mentions, is_role_missing) = payload.allowed_mentions.of_text(&message.content, &known);
        message.mentions = mentions;
        let is_thread = message.channel_id != webhook.channel_id;
        if is_thread && is_role_missing {
            message.flags |= ROLES_NOT_MENTIONED;
        }
    }
}

pub(super) fn reading(webhook: &Webhook, call: &ApiCall, was_v2: bool) -> Result<Reading, Refusal> {
    let is_of_app = webhook.application_id.is_some();
    let has_components = call.query.flag("with_components")? || is_of_app;
    Ok(Reading { has_components, is_of_app, was_v2 })
}

/// A message that has no id, place, files or mentions so far.
fn new_message(webhook: &Webhook, payload: &Payload, now: OffsetDateTime) -> DiscordMessage {
    let flags = payload.flags.unwrap_or_default() & (SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | IS_COMPONENTS_V2);
    DiscordMessage {
        id: webhook.id,
        channel_id: webhook.channel_id,
        webhook_id: webhook.id,
        name: payload.username.clone().unwrap_or_else(|| webhook.name.clone()),
        avatar_url: payload.avatar_url.clone(),
        content: payload.content.clone().unwrap_or_default(),
        embeds: payload.embeds.clone().unwrap_or_default(),
        components: payload.components.clone().unwrap_or_default(),
        attachments: Vec::new(),
        poll: payload.poll.clone(),
        tts: payload.tts,
        flags,
        mentions: Mentions::default(),
        pings: Mentions::default(),
        created_at: now,
        edited_at: None,
    }
}
