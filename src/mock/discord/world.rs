//! The fake Discord itself: its state and its clock, with what tests and the control API look at and do directly.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{Body, Refusal};
use super::config::DiscordConfig;
use super::faults::{DiscordFaults, InvalidDiscordFaults};
use super::form::Object;
use super::guild::{Channel, ChannelKind, DiscordRole, Member, Tag, Webhook};
use super::ledger::{Change, DiscordCall};
use super::message::DiscordMessage;
use super::snowflake::Snowflake;
use super::state::{Full, State};
use super::webhooks::valid_name;

/// Everything on the fake Discord.
#[derive(Debug)]
pub struct DiscordWorld {
    pub(super) config: DiscordConfig,
    state: Mutex<State>,
    /// Calls outlive clients that do not wait for the answer, so they run where the mock was started.
    pub(super) runtime: Handle,
    pub(super) calls: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// Why the fake Discord can't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DiscordError {
    /// There is no such thing.
    #[error("there is no {0} {1}")]
    Unknown(&'static str, String),
    /// Discord would refuse it.
    #[error("Discord refuses it: {0}")]
    Refused(String),
    /// There is no room.
    #[error(transparent)]
    Full(#[from] Full),
}

impl From<Refusal> for DiscordError {
    fn from(Refusal(answer): Refusal) -> Self {
        match answer.body {
            Body::Json(body) => Self::Refused(body.to_string()),
            _ => Self::Refused(answer.status.to_string()),
        }
    }
}

/// A channel or thread to make.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewChannel {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ChannelKind,
    /// The channel of a thread, by name or id.
    pub parent: Option<String>,
    /// The server; the mock's own by default.
    pub guild_id: Option<u64>,
    /// Names of a forum's tags.
    pub tags: Vec<String>,
    /// Whether each thread of a forum must have a tag.
    pub requires_tag: bool,
}

/// What of a channel or thread to change.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelEdit {
    /// Whether it is archived.
    pub is_archived: Option<bool>,
    /// Whether it is locked.
    pub is_locked: Option<bool>,
}

/// A webhook to make.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewWebhook {
    /// The channel, by name or id.
    pub channel: String,
    /// The name.
    pub name: String,
    /// Whether an application makes it.
    pub is_of_app: bool,
    /// Whether it may mention everyone and all roles.
    pub may_mention_everyone: bool,
}

impl Default for NewWebhook {
    fn default() -> Self {
        let (channel, name) = ("go-live".to_owned(), "Stream alerts".to_owned());
        Self { channel, name, is_of_app: false, may_mention_everyone: true }
    }
}

impl DiscordWorld {
    /// Must be called within a tokio runtime.
    pub(super) fn new(config: DiscordConfig) -> Result<Self, Full> {
        let state = Mutex::new(State::new(&config)?);
        let (calls, stop) = (TaskTracker::new(), CancellationToken::new());
        Ok(Self { config, state, runtime: Handle::current(), calls, stop })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> OffsetDateTime {
        self.config.clock.now()
    }

    /// The settings of this mock.
    #[must_use]
    pub fn config(&self) -> &DiscordConfig {
        &self.config
    }

    /// All channels and threads, oldest first.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        self.state().channels.values().cloned().collect()
    }

    /// The channel or thread of this name or id.
    ///
    /// # Errors
    /// If there is none.
    pub fn channel(&self, name: &str) -> Result<Channel, DiscordError> {
        find_channel(&self.state(), name).cloned()
    }

    /// All webhooks, oldest first.
    #[must_use]
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.state().webhooks.values().cloned().collect()
    }

    /// All roles, oldest first.
    #[must_use]
    pub fn roles(&self) -> Vec<DiscordRole> {
        self.state().roles.values().cloned().collect()
    }

    /// All members, oldest first.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        self.state().members.values().cloned().collect()
    }

    /// All messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<DiscordMessage> {
        self.state().messages.values().cloned().collect()
    }

    /// The calls, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<DiscordCall> {
        self.state().ledger.calls.iter().cloned().collect()
    }

    /// How often each call got each status: `execute 200`.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.state().ledger.counts.clone()
    }

    /// Changes of messages with their pings, oldest first.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        self.state().ledger.changes.iter().cloned().collect()
    }

    /// The addresses that are banned.
    #[must_use]
    pub fn bans(&self) -> Vec<IpAddr> {
        self.state().limits.bans(self.now())
    }

    /// Lifts all bans.
    pub fn lift_bans(&self) {
        self.state().limits.lift_bans();
    }

    /// Makes a channel, or a thread of one.
    ///
    /// # Errors
    /// If there is no such parent.
    pub fn add_channel(&self, new: &NewChannel) -> Result<Channel, DiscordError> {
        let (now, mut state) = (self.now(), self.state());
        let parent = new.parent.as_deref().map(|name| find_channel(&state, name).map(|it| it.id)).transpose()?;
        let kind = if parent.is_some() { ChannelKind::Thread } else { new.kind };
        if kind == ChannelKind::Thread && parent.is_none() {
            return Err(DiscordError::Refused("a thread requires the channel that it is in (`parent`)".to_owned()));
        }
        let tags: Vec<_> = new.tags.iter().map(|name| Tag { id: state.ids.next(now), name: name.clone() }).collect();
        let channel = state.add_channel(&new.name, kind, parent, now)?;
        channel.guild_id = new.guild_id.map_or(channel.guild_id, Snowflake);
        channel.tags = tags;
        channel.requires_tag = new.requires_tag;
        Ok(channel.clone())
    }

    /// Archives or locks a thread, or ends that.
    ///
    /// # Errors
    /// If there is no such channel.
    pub fn edit_channel(&self, name: &str, edit: ChannelEdit) -> Result<Channel, DiscordError> {
        let mut state = self.state();
        let id = find_channel(&state, name)?.id;
        let channel = state.channels.get_mut(&id).ok_or_else(|| unknown("channel", name))?;
        channel.is_archived = edit.is_archived.unwrap_or(channel.is_archived);
        channel.is_locked = edit.is_locked.unwrap_or(channel.is_locked);
        Ok(channel.clone())
    }

    /// Deletes a channel or thread, with its webhooks and messages.
    ///
    /// # Errors
    /// If there is no such channel.
    pub fn delete_channel(&self, name: &str) -> Result<Channel, DiscordError> {
        let mut state = self.state();
        let id = find_channel(&state, name)?.id;
        state.delete_channel(id).ok_or_else(|| unknown("channel", name))
    }

    /// Makes a webhook.
    ///
    /// # Errors
    /// If there is no such channel, the name is refused, or the channel has 15.
    pub fn add_webhook(&self, new: &NewWebhook) -> Result<Webhook, DiscordError> {
        let (now, mut state) = (self.now(), self.state());
        let channel = find_channel(&state, &new.channel)?.id;
        let body: Object = [("name".to_owned(), new.name.clone().into())].into_iter().collect();
        let name = valid_name(&body)?;
        let application = new.is_of_app.then(|| state.ids.next(now));
        let webhook = state.create_webhook(channel, &name, now)?;
        webhook.application_id = application;
        webhook.may_mention_everyone = new.may_mention_everyone;
        Ok(webhook.clone())
    }

    /// Moves a webhook to another channel, as a person can. Its URL stays.
    ///
    /// # Errors
    /// If there is no such webhook or channel.
    pub fn move_webhook(&self, id: &str, channel: &str) -> Result<Webhook, DiscordError> {
        let mut state = self.state();
        let Channel { id: channel_id, guild_id, .. } = *find_channel(&state, channel)?;
        let gone = || unknown("webhook", id);
        let webhook = state.webhooks.get_mut(&parse_id(id).ok_or_else(gone)?).ok_or_else(gone)?;
        (webhook.channel_id, webhook.guild_id) = (channel_id, guild_id);
        Ok(webhook.clone())
    }

    /// Deletes a webhook, as a person can. Its messages stay.
    ///
    /// # Errors
    /// If there is no such webhook.
    pub fn delete_webhook(&self, id: &str) -> Result<Webhook, DiscordError> {
        let webhook = parse_id(id).and_then(|id| self.state().webhooks.remove(&id));
        webhook.ok_or_else(|| unknown("webhook", id))
    }

    /// Deletes a message, as a person can.
    ///
    /// # Errors
    /// If there is no such message.
    pub fn delete_message(&self, id: &str) -> Result<DiscordMessage, DiscordError> {
        let now = self.now();
        let message = parse_id(id).and_then(|id| self.state().delete_message(id, now));
        message.ok_or_else(|| unknown("message", id))
    }

    /// Makes a role.
    ///
    /// # Errors
    /// If there is no room.
    pub fn add_role(&self, name: &str, mentionable: bool) -> Result<DiscordRole, DiscordError> {
        let now = self.now();
        Ok(self.state().add_role(name, mentionable, now)?)
    }

    /// Makes a member.
    ///
    /// # Errors
    /// If there is no room.
    pub fn add_member(&self, name: &str) -> Result<Member, DiscordError> {
        let now = self.now();
        Ok(self.state().add_member(name, now)?)
    }

    /// Sets what goes wrong from now on.
    ///
    /// # Errors
    /// If a chance is not between 0 and 1, or Discord has no such status.
    pub fn set_faults(&self, faults: DiscordFaults) -> Result<(), InvalidDiscordFaults> {
        self.state().faults.set(faults)
    }

    /// What goes wrong at present.
    #[must_use]
    pub fn faults(&self) -> DiscordFaults {
        self.state().faults.settings.clone()
    }

    /// Messages of a channel as the API shows them, oldest first, with what they pinged.
    pub(super) fn shown_messages(&self, channel: &Channel) -> Vec<Value> {
        let state = self.state();
        let shown = |message: &DiscordMessage| {
            let mut shown = message.shown(&state.members);
            shown["pings"] = json!(message.pings);
            shown["is_notifying"] = message.is_notifying().into();
            shown
        };
        state.messages_of(channel.id).map(shown).collect()
    }
}

fn parse_id(text: &str) -> Option<Snowflake> {
    text.parse().ok()
}

fn unknown(kind: &'static str, name: &str) -> DiscordError {
    DiscordError::Unknown(kind, name.to_owned())
}

/// A channel by id or name.
fn find_channel<'a>(state: &'a State, name: &str) -> Result<&'a Channel, DiscordError> {
    let by_id = parse_id(name).and_then(|id| state.channels.get(&id));
    let found = by_id.or_else(|| state.channels.values().find(|channel| channel.name == name));
    found.ok_or_else(|| unknown("channel", name))
}
