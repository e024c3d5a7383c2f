//! Execute Webhook and Edit Webhook Message, and the threads that they post in
//! (<https://docs.discord.com/developers/resources/webhook>).

use time::{Duration, OffsetDateTime};

use super::answer::{Answer, Refusal};
use super::calls::ApiCall;
use super::config::DiscordConfig;
use super::guild::{ChannelKind, Webhook};
use super::ledger::Change;
use super::limits::{Hidden, Scope, rate_limited};
use super::mentions::{Mentionable, Mentions};
use super::message::DiscordMessage;
use super::payload::{
    IS_COMPONENTS_V2, Payload, ROLES_NOT_MENTIONED, Reading, SUPPRESS_EMBEDS, SUPPRESS_NOTIFICATIONS,
};
use super::snowflake::Snowflake;
use super::state::State;

/// The age from which edits of a message have a limit of their own.
const OLD: Duration = Duration::HOUR;

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

    /// Where a message goes: a channel or thread, or `None` for a new thread of a forum.
    fn place(
        &self,
        webhook: &Webhook,
        thread: Option<Snowflake>,
        payload: &Payload,
    ) -> Result<Option<Snowflake>, Refusal> {
        let channel = self.channels.get(&webhook.channel_id).ok_or_else(Refusal::unknown_channel)?;
        let names_thread = payload.thread_name.is_some();
        match (channel.kind.is_forum(), thread) {
            (_, Some(_)) if names_thread => {
                let message = "Webhooks posted to forum channels cannot have both a thread_name and a thread_id";
                Err(Refusal::new(400, 220_002, message))
            }
            (true, None) if !names_thread => Err(Refusal::new(
                400,
                220_001,
                "Webhooks posted to forum channels must have a thread_name or thread_id",
            )),
            (false, _) if names_thread => {
                Err(Refusal::new(400, 220_003, "Webhooks can only create threads in forum channels"))
            }
            (true, None) => self.check_tags(channel.id, payload).map(|()| None),
            (false, None) => Ok(Some(channel.id)),
            (_, Some(id)) => {
                let thread = self.channels.get(&id).filter(|it| it.parent_id == Some(channel.id));
                match thread.ok_or_else(Refusal::unknown_channel)?.is_locked {
                    true => Err(Refusal::new(400, 160_005, "Thread is locked")),
                    false => Ok(Some(id)),
                }
            }
        }
    }

    fn check_tags(&self, forum: Snowflake, payload: &Payload) -> Result<(), Refusal> {
        let forum = self.channels.get(&forum).ok_or_else(Refusal::unknown_channel)?;
        let is_known = |id: &Snowflake| forum.tags.iter().any(|tag| tag.id == *id);
        if !payload.applied_tags.iter().all(is_known) {
            return Err(Refusal::new(400, 10_087, "Unknown tag"));
        }
        if forum.requires_tag && payload.applied_tags.is_empty() {
            return Err(Refusal::new(400, 40_067, "A tag is required to create a forum post in this channel"));
        }
        Ok(())
    }

    /// Opens the thread that a message in a forum begins. It has the message's id.
    fn open_thread(&mut self, id: Snowflake, forum: Snowflake, payload: &Payload) -> Result<(), Refusal> {
        let name = payload.thread_name.as_deref().unwrap_or_default();
        let thread = self.insert_channel(id, name, ChannelKind::Thread, Some(forum));
        let full = |_| Refusal::new(400, 160_006, "Maximum number of active threads reached");
        thread.map_err(full)?.applied_tags.clone_from(&payload.applied_tags);
        Ok(())
    }

    /// Sets what a message mentions.
    fn mention(&self, webhook: &Webhook, payload: &Payload, message: &mut DiscordMessage) {
        let may_mention_everyone = webhook.may_mention_everyone;
        let known = Mentionable { roles: &self.roles, members: &self.members, may_mention_everyone };
        let (mentions, is_role_missing) = payload.allowed_mentions.of_text(&message.content, &known);
        message.mentions = mentions;
        let is_thread = message.channel_id != webhook.channel_id;
        if is_thread && is_role_missing {
            message.flags |= ROLES_NOT_MENTIONED;
        }
    }

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

fn reading(webhook: &Webhook, call: &ApiCall, was_v2: bool) -> Result<Reading, Refusal> {
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
