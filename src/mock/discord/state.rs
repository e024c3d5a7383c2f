//! State of the fake Discord. All of it is bounded.

use std::collections::{BTreeMap, BTreeSet};

use rand::distr::{Alphanumeric, SampleString as _};
use time::OffsetDateTime;

use super::config::DiscordConfig;
use super::drawn::FaultGenerator;
use super::guild::{Channel, ChannelKind, DiscordRole, Member, Tag, Webhook};
use super::ledger::{Change, Ledger};
use super::limits::RateLimiter;
use super::message::DiscordMessage;
use super::snowflake::{Snowflake, SnowflakeGenerator};

/// Limit of channels, webhooks, roles and members. Enough for a fan-out to 20,000 destinations.
const MAX_HELD: usize = 100_000;

/// Limit of messages; the oldest go.
const MAX_MESSAGES: usize = 100_000;

#[derive(Debug)]
pub(super) struct State {
    pub(super) ids: SnowflakeGenerator,
    /// The server that channels are in by default.
    pub(super) guild_id: Snowflake,
    pub(super) roles: BTreeMap<Snowflake, DiscordRole>,
    pub(super) members: BTreeMap<Snowflake, Member>,
    pub(super) channels: BTreeMap<Snowflake, Channel>,
    pub(super) webhooks: BTreeMap<Snowflake, Webhook>,
    pub(super) messages: BTreeMap<Snowflake, DiscordMessage>,
    pub(super) limits: RateLimiter,
    pub(super) faults: FaultGenerator,
    pub(super) ledger: Ledger,
}

/// The state has no room for more.
#[derive(Debug, thiserror::Error)]
#[error("the fake Discord has {MAX_HELD} of these, and takes no more")]
pub struct Full;

impl State {
    /// A server with a text channel that has a webhook, a channel for announcements, a forum, roles and members.
    pub(super) fn new(config: &DiscordConfig) -> Result<Self, Full> {
        let now = config.clock.now();
        let mut ids = SnowflakeGenerator::default();
        let mut state = Self {
            guild_id: ids.next(now),
            ids,
            roles: BTreeMap::new(),
            members: BTreeMap::new(),
            channels: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            messages: BTreeMap::new(),
            limits: RateLimiter::default(),
            faults: FaultGenerator::new(config.seed),
            ledger: Ledger::default(),
        };
        let channel = state.add_channel("go-live", ChannelKind::Text, None, now)?.id;
        state.add_channel("news", ChannelKind::Announcement, None, now)?;
        let forum = state.add_channel("streams", ChannelKind::Forum, None, now)?.id;
        let tag = Tag { id: state.ids.next(now), name: "live".to_owned() };
        state.channels.entry(forum).and_modify(|channel| channel.tags.push(tag));
        state.add_webhook(channel, "Stream alerts", now)?;
        state.add_role("Stream pings", true, now)?;
        state.add_role("Moderators", false, now)?;
        for name in ["quietotter", "copperkite"] {
            state.add_member(name, now)?;
        }
        Ok(state)
    }

    pub(super) fn add_channel(
        &mut self,
        name: &str,
        kind: ChannelKind,
        parent: Option<Snowflake>,
        now: OffsetDateTime,
    ) -> Result<&mut Channel, Full> {
        let id = self.ids.next(now);
        self.insert_channel(id, name, kind, parent)
    }

    pub(super) fn insert_channel(
        &mut self,
        id: Snowflake,
        name: &str,
        kind: ChannelKind,
        parent_id: Option<Snowflake>,
    ) -> Result<&mut Channel, Full> {
        room(self.channels.len())?;
        let of_parent = parent_id.and_then(|id| self.channels.get(&id)).map(|parent| parent.guild_id);
        let channel = Channel {
            id,
            guild_id: of_parent.unwrap_or(self.guild_id),
            name: name.to_owned(),
            kind,
            parent_id,
            is_archived: false,
            is_locked: false,
            tags: Vec::new(),
            requires_tag: false,
            applied_tags: Vec::new(),
        };
        Ok(self.channels.entry(id).or_insert(channel))
    }

    /// A webhook of a channel that exists, with a new token.
    pub(super) fn add_webhook(
        &mut self,
        channel_id: Snowflake,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<&mut Webhook, Full> {
        room(self.webhooks.len())?;
        let id = self.ids.next(now);
        let guild_id = self.channels.get(&channel_id).map_or(self.guild_id, |channel| channel.guild_id);
        let webhook = Webhook {
            id,
            token: Alphanumeric.sample_string(&mut rand::rng(), 68),
            channel_id,
            guild_id,
            name: name.to_owned(),
            avatar: None,
            application_id: None,
            may_mention_everyone: true,
        };
        Ok(self.webhooks.entry(id).or_insert(webhook))
    }

    pub(super) fn add_role(&mut self, name: &str, mentionable: bool, now: OffsetDateTime) -> Result<DiscordRole, Full> {
        room(self.roles.len())?;
        let role = DiscordRole { id: self.ids.next(now), name: name.to_owned(), mentionable };
        self.roles.insert(role.id, role.clone());
        Ok(role)
    }

    pub(super) fn add_member(&mut self, name: &str, now: OffsetDateTime) -> Result<Member, Full> {
        room(self.members.len())?;
        let member = Member { id: self.ids.next(now), username: name.to_owned() };
        self.members.insert(member.id, member.clone());
        Ok(member)
    }

    /// Webhooks of a channel, oldest first.
    pub(super) fn webhooks_of(&self, channel_id: Snowflake) -> impl Iterator<Item = &Webhook> {
        self.webhooks.values().filter(move |webhook| webhook.channel_id == channel_id)
    }

    /// Messages of a channel, oldest first.
    pub(super) fn messages_of(&self, channel_id: Snowflake) -> impl DoubleEndedIterator<Item = &DiscordMessage> {
        self.messages.values().filter(move |message| message.channel_id == channel_id)
    }

    pub(super) fn add_message(&mut self, message: DiscordMessage) {
        if self.messages.len() >= MAX_MESSAGES {
            self.messages.pop_first();
        }
        self.ledger.change(Change::created(&message));
        self.messages.insert(message.id, message);
    }

    pub(super) fn delete_message(&mut self, id: Snowflake, now: OffsetDateTime) -> Option<DiscordMessage> {
        let message = self.messages.remove(&id)?;
        self.ledger.change(Change::deleted(&message, now));
        Some(message)
    }

    /// Deletes a channel, with its threads, webhooks and messages.
    pub(super) fn delete_channel(&mut self, id: Snowflake) -> Option<Channel> {
        let channel = self.channels.remove(&id)?;
        let is_thread = |it: &&Channel| it.parent_id == Some(id);
        let mut gone: BTreeSet<_> = self.channels.values().filter(is_thread).map(|thread| thread.id).collect();
        gone.insert(id);
        self.channels.retain(|id, _| !gone.contains(id));
        self.webhooks.retain(|_, webhook| !gone.contains(&webhook.channel_id));
        self.messages.retain(|_, message| !gone.contains(&message.channel_id));
        Some(channel)
    }
}

fn room(held: usize) -> Result<(), Full> {
    if held < MAX_HELD { Ok(()) } else { Err(Full) }
}
