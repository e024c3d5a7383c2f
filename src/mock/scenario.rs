//! What happens on the fake Twitch: each method changes its state and notifies the subscribers.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::state::{Account, LiveStream, State};
use super::videos::Video;
use super::websocket::SessionError;
use super::world::World;
use crate::simulate::edit::{Edit, EditError};
use crate::simulate::people::PersonError;
use crate::simulate::template::{EventTemplate, TemplateError};
use crate::twitch::catalogue::{self, SubscriptionType};
use crate::twitch::eventsub::outgoing::Subscription;
use crate::twitch::subscription_status::SubscriptionStatus;

/// Whether subscribers are notified. Without it only Helix shows the change, as if the message had been lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// Subscribers get a message.
    #[default]
    Yes,
    /// No message is sent.
    No,
}

/// Who gets an event; all subscribers, if it says nothing.
#[derive(Debug, Default)]
pub(super) struct Only {
    /// The id of a WebSocket session, or its first characters.
    pub(super) session: Option<String>,
    /// The id of a subscription.
    pub(super) subscription: Option<String>,
}

/// Why an event can't happen.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is no such channel.
    #[error("there is no channel {0}: start mock-twitch with `--channel {0}`, or add it with POST /mock/channels")]
    UnknownChannel(String),
    /// The name is not a login.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// The channel is already live, or already offline.
    #[error("{0} is {1} already")]
    Already(String, &'static str),
    /// Twitch knows no such type or version.
    #[error("there is no subscription type {0}")]
    UnknownType(String),
    /// There is no such subscription.
    #[error("there is no subscription {0}")]
    UnknownSubscription(String),
    /// A change doesn't apply to the sample.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A change is not of the form `path=value`.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A user can't write in a chat.
    #[error("{0} can't write in the chat of {1}: {2}")]
    NotSent(String, String, &'static str),
    /// There is no such WebSocket session.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// New settings of a channel; `None` keeps the old value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelEdit {
    /// The stream's title.
    pub title: Option<String>,
    /// The category's id.
    pub game_id: Option<String>,
    /// The category.
    pub game_name: Option<String>,
    /// An ISO 639-1 code.
    pub language: Option<String>,
    /// Content classification labels.
    pub labels: Option<Vec<String>>,
    /// Tags, of which no event tells.
    pub tags: Option<Vec<String>>,
}

impl World {
    /// Returns the account of this name, adding it if necessary. On Twitch every user is also a channel.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn add_channel(&self, name: &str) -> Result<Account, ScenarioError> {
        let mut state = self.state();
        let person = state.account_or_new(name)?;
        state.accounts.get(&person.id).cloned().ok_or(ScenarioError::UnknownChannel(person.login))
    }

    /// Gives an account another login.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn rename(&self, channel: &str, login: &str) -> Result<(), ScenarioError> {
        let mut state = self.state();
        known(&state, channel)?;
        if let Some(account) = state.account_mut(channel) {
            (account.login, account.display_name) = (login.to_lowercase(), login.to_owned());
        }
        Ok(())
    }

    /// Starts a stream and returns its id.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn go_live(self: &Arc<Self>, channel: &str, notify: Notify) -> Result<String, ScenarioError> {
        let started_at = self.config.clock.now().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut state = self.state();
        if known(&state, channel)?.stream.is_some() {
            return Err(ScenarioError::Already(channel.to_owned(), "live"));
        }
        let kind = subscription_type("stream.online", None)?;
        let event = self.event(&mut state, kind, Some(channel), None, &[])?;
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        if let Some(account) = state.account_mut(channel) {
            account.stream = Some(LiveStream { id: id.clone(), started_at, viewers: 1 });
            let video = Video::begin(&account.id, &account.title, &id, started_at);
            state.keep_video(video);
        }
        self.notify_if(notify, &mut state, kind, &event);
        Ok(id)
    }

    /// Sets how many watch the stream.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn set_viewers(&self, channel: &str, viewers: u32) -> Result<(), ScenarioError> {
        let mut state = self.state();
        known(&state, channel)?;
        let stream = state.account_mut(channel).and_then(|account| account.stream.as_mut());
        stream.ok_or_else(|| ScenarioError::Already(channel.to_owned(), "offline"))?.viewers = viewers;
        Ok(())
    }

    /// Ends the stream and returns its id.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn go_offline(self: &Arc<Self>, channel: &str, notify: Notify) -> Result<String, ScenarioError> {
        let mut state = self.state();
        known(&state, channel)?;
        let stream = state.account_mut(channel).and_then(|account| account.stream.take());
        let id = stream.ok_or_else(|| ScenarioError::Already(channel.to_owned(), "offline"))?.id;
        let video = state.videos.iter_mut().find(|video| video.stream_id == id);
        video.into_iter().for_each(|video| video.ended_at = Some(self.config.clock.now()));
        let kind = subscription_type("stream.offline", None)?;
        let mut event = self.event(&mut state, kind, Some(channel), None, &[])?;
        event["id"] = id.clone().into();
        self.notify_if(notify, &mut state, kind, &event);
        Ok(id)
    }

    /// Changes a channel's title, category, language, labels or tags.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn update_channel(
        self: &Arc<Self>,
        channel: &str,
        edit: ChannelEdit,
        notify: Notify,
    ) -> Result<(), ScenarioError> {
        let mut state = self.state();
        let kind = subscription_type("channel.update", None)?;
        let mut event = self.event(&mut state, kind, Some(channel), None, &[])?;
        let unknown = || ScenarioError::UnknownChannel(channel.to_owned());
        let account = state.account_mut(channel).ok_or_else(unknown)?;
        let fields = [
            (&mut account.title, edit.title, "title"),
            (&mut account.game_id, edit.game_id, "category_id"),
            (&mut account.game_name, edit.game_name, "category_name"),
            (&mut account.language, edit.language, "language"),
        ];
        for (old, new, name) in fields {
            *old = new.unwrap_or_else(|| std::mem::take(old));
            event[name] = old.as_str().into();
        }
        account.labels = edit.labels.unwrap_or_else(|| std::mem::take(&mut account.labels));
        account.tags = edit.tags.unwrap_or_else(|| std::mem::take(&mut account.tags));
        event["content_classification_labels"] = account.labels.clone().into();
        self.notify_if(notify, &mut state, kind, &event);
        Ok(())
    }

    /// A user follows a channel. Returns how many messages are being delivered.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn follow(self: &Arc<Self>, channel: &str, user: &str) -> Result<usize, ScenarioError> {
        self.emit("channel.follow", None, Some(channel), Some(user), &[])
    }

    /// The channel `from` raids a channel.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn raid(self: &Arc<Self>, channel: &str, from: &str, viewers: u32) -> Result<usize, ScenarioError> {
        self.emit("channel.raid", None, Some(channel), Some(from), &[format!("viewers={viewers}").parse()?])
    }

    /// A user cheers with bits.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn cheer(self: &Arc<Self>, channel: &str, user: &str, bits: u32) -> Result<usize, ScenarioError> {
        let edits = [format!("bits={bits}").parse()?, format!("message=Cheer{bits}").parse()?];
        self.emit("channel.cheer", None, Some(channel), Some(user), &edits)
    }

    /// A user subscribes to a channel; `tier` is `1000`, `2000` or `3000`.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn subscribe(self: &Arc<Self>, channel: &str, user: &str, tier: &str) -> Result<usize, ScenarioError> {
        self.emit("channel.subscribe", None, Some(channel), Some(user), &[format!("tier={tier}").parse()?])
    }

    /// An event of any type, from its sample. Returns how many messages are being delivered.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn emit(
        self: &Arc<Self>,
        kind: &str,
        version: Option<&str>,
        channel: Option<&str>,
        user: Option<&str>,
        edits: &[Edit],
    ) -> Result<usize, ScenarioError> {
        self.emit_to(&Only::default(), kind, version, channel, user, edits)
    }

    /// As [`emit`](Self::emit), for one session or one subscription only.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub(super) fn emit_to(
        self: &Arc<Self>,
        only: &Only,
        kind: &str,
        version: Option<&str>,
        channel: Option<&str>,
        user: Option<&str>,
        edits: &[Edit],
    ) -> Result<usize, ScenarioError> {
        let mut state = self.state();
        let session_id = only.session.as_deref().map(|named| state.sessions.resolve(named)).transpose()?;
        if let Some(id) = &only.subscription {
            state.subscription_mut(id).ok_or_else(|| ScenarioError::UnknownSubscription(id.clone()))?;
        }
        let kind = subscription_type(kind, version)?;
        let event = self.event(&mut state, kind, channel, user, edits)?;
        if kind.name == "channel.follow" {
            state.add_follower(&event);
        }
        if only.session.is_none() && only.subscription.is_none() {
            self.send_to_irc(&mut state, &kind.name, &event);
        }
        Ok(self.notify_where(&mut state, kind, &event, |subscription, session| {
            session_id.as_ref().is_none_or(|id| session == Some(id.as_str()))
                && only.subscription.as_ref().is_none_or(|id| subscription == id)
        }))
    }

    /// Changes only the status that Helix shows of a subscription: no message is sent.
    ///
    /// # Errors
    /// [`ScenarioError::UnknownSubscription`]
    pub fn set_status(&self, id: &str, status: &str) -> Result<(), ScenarioError> {
        let mut state = self.state();
        let unknown = || ScenarioError::UnknownSubscription(id.to_owned());
        state.subscription_mut(id).ok_or_else(unknown)?.shown.status = status.into();
        Ok(())
    }

    /// The first channel of the configuration, if events of this type are about a channel.
    pub(super) fn default_channel(&self, kind: &str, version: Option<&str>) -> Option<String> {
        let names_channel = |kind: &&'static SubscriptionType| EventTemplate::plain(kind).names_broadcaster();
        catalogue::find(kind, version).filter(names_channel)?;
        self.first_channel()
    }

    /// The login of the first channel of the configuration.
    pub(super) fn first_channel(&self) -> Option<String> {
        self.config.channels.first().map(|name| name.to_lowercase())
    }

    /// A user disconnects the application or changes the password: tokens and subscriptions that depend on the consent end.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn withdraw_consent(self: &Arc<Self>, login: &str) -> Result<(), ScenarioError> {
        let mut state = self.state();
        let user_id = known(&state, login)?.id.clone();
        state.consents.remove(&user_id);
        state.signed_in.take_if(|id| *id == user_id);
        state.end_tokens(|token| token.user_id.as_ref() == Some(&user_id));
        let depends_on_it = |shown: &Subscription| {
            let kind = catalogue::find(&shown.kind, Some(&shown.version));
            let granter = kind.filter(|kind| !kind.scopes.is_empty()).and_then(|kind| kind.scope_granted_by.as_ref());
            granter.is_some_and(|field| shown.condition.get(field).is_some_and(|id| *id == *user_id))
        };
        let shown = state.subscriptions.iter().map(|held| &held.shown);
        let ids: Vec<_> = shown.filter(|shown| depends_on_it(shown)).map(|shown| shown.id.clone()).collect();
        ids.iter().for_each(|id| self.end(&mut state, id, SubscriptionStatus::AuthorizationRevoked));
        Ok(())
    }

    /// Ends a subscription with one of the statuses of
    /// <https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#revoking-your-subscription>, and notifies its callback.
    ///
    /// # Errors
    /// [`ScenarioError`]
    pub fn end_subscription(self: &Arc<Self>, id: &str, status: &str) -> Result<(), ScenarioError> {
        let mut state = self.state();
        state.subscription_mut(id).ok_or_else(|| ScenarioError::UnknownSubscription(id.to_owned()))?;
        self.end(&mut state, id, status.into());
        Ok(())
    }

    /// Makes the event of a type, with the current time and these people. The channel must exist; the user is added.
    fn event(
        &self,
        state: &mut State,
        kind: &'static SubscriptionType,
        channel: Option<&str>,
        user: Option<&str>,
        edits: &[Edit],
    ) -> Result<Value, ScenarioError> {
        self.event_of(state, kind, None, channel, user, edits.to_vec())
    }

    /// As [`event`](Self::event), from one of the type's samples.
    pub(super) fn event_of(
        &self,
        state: &mut State,
        kind: &'static SubscriptionType,
        variant: Option<&str>,
        channel: Option<&str>,
        user: Option<&str>,
        edits: Vec<Edit>,
    ) -> Result<Value, ScenarioError> {
        let broadcaster = channel.map(|login| known(state, login).map(Account::person)).transpose()?;
        let user = user.map(|name| state.account_or_new(name)).transpose()?;
        let template = EventTemplate { kind, variant: variant.map(str::to_owned), broadcaster, user, edits };
        Ok(template.event(self.config.clock.now())?)
    }

    fn notify_if(self: &Arc<Self>, notify: Notify, state: &mut State, kind: &SubscriptionType, event: &Value) {
        if notify == Notify::Yes {
            self.notify(state, kind, event);
        }
    }
}

pub(super) fn subscription_type(kind: &str, version: Option<&str>) -> Result<&'static SubscriptionType, ScenarioError> {
    catalogue::find(kind, version).ok_or_else(|| ScenarioError::UnknownType(kind.to_owned()))
}

fn known<'a>(state: &'a State, login: &str) -> Result<&'a Account, ScenarioError> {
    state.account(login).ok_or_else(|| ScenarioError::UnknownChannel(login.to_owned()))
}
