//! What happens on the fake Twitch: each method changes the world, and tells those subscribed.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::state::{Account, Delivery, LiveStream, State};
use super::{Faults, World};
use crate::simulate::edit::{Edit, EditError};
use crate::simulate::event::{Recipe, RecipeError};
use crate::simulate::people::PersonError;
use crate::twitch::catalogue::{self, SubscriptionType};
use crate::twitch::eventsub::outgoing::Subscription;

/// Whether those subscribed are told, or only Helix shows it: as if the message had got lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// Everybody.
    #[default]
    Told,
    /// Nobody.
    Silent,
}

/// Why something can't happen.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// There is no such channel.
    #[error("there is no channel {0}: add it first")]
    UnknownChannel(String),
    /// The name can't be a login.
    #[error(transparent)]
    Person(#[from] PersonError),
    /// It is live, or it is not.
    #[error("{0} is {1} already")]
    Already(String, &'static str),
    /// Twitch knows no such type or version.
    #[error("there is no subscription type {0}")]
    UnknownType(String),
    /// There is no such subscription.
    #[error("there is no subscription {0}")]
    UnknownSubscription(String),
    /// The sample can't be changed like that.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A change is no change.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A chance that isn't between 0 and 1.
    #[error("`{0}` is a chance: wants a number from 0 to 1")]
    Chance(&'static str),
}

/// New settings of a channel; what is `None` stays.
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
}

impl World {
    /// Adds a channel, or a user, which on Twitch is the same. Returns the one that is there.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn add_channel(&self, name: &str) -> Result<Account, StoryError> {
        let mut state = self.state();
        let person = state.account_or_new(name)?;
        state.accounts.get(&person.id).cloned().ok_or(StoryError::UnknownChannel(person.login))
    }

    /// Begins a stream, and returns its id.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn go_live(self: &Arc<Self>, channel: &str, telling: Telling) -> Result<String, StoryError> {
        let started_at = self.config.clock.now().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut state = self.state();
        if known(&state, channel)?.stream.is_some() {
            return Err(StoryError::Already(channel.to_owned(), "live"));
        }
        let kind = offered("stream.online", None)?;
        let event = self.event(&mut state, kind, Some(channel), None, &[])?;
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        if let Some(account) = state.account_mut(channel) {
            account.stream = Some(LiveStream { id: id.clone(), started_at, viewers: 1 });
        }
        self.tell(&mut state, kind, &event, telling);
        Ok(id)
    }

    /// Ends the stream, and returns its id.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn go_offline(self: &Arc<Self>, channel: &str, telling: Telling) -> Result<String, StoryError> {
        let mut state = self.state();
        known(&state, channel)?;
        let stream = state.account_mut(channel).and_then(|account| account.stream.take());
        let id = stream.ok_or_else(|| StoryError::Already(channel.to_owned(), "offline"))?.id;
        let kind = offered("stream.offline", None)?;
        let mut event = self.event(&mut state, kind, Some(channel), None, &[])?;
        event["id"] = id.clone().into();
        self.tell(&mut state, kind, &event, telling);
        Ok(id)
    }

    /// Changes a channel's title, category, language or labels.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn update_channel(
        self: &Arc<Self>,
        channel: &str,
        edit: ChannelEdit,
        telling: Telling,
    ) -> Result<(), StoryError> {
        let mut state = self.state();
        let kind = offered("channel.update", None)?;
        let mut event = self.event(&mut state, kind, Some(channel), None, &[])?;
        let unknown = || StoryError::UnknownChannel(channel.to_owned());
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
        event["content_classification_labels"] = account.labels.clone().into();
        self.tell(&mut state, kind, &event, telling);
        Ok(())
    }

    /// Somebody follows a channel. Returns how many messages are under way.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn follow(self: &Arc<Self>, channel: &str, user: &str) -> Result<usize, StoryError> {
        self.emit("channel.follow", None, Some(channel), Some(user), &[])
    }

    /// A channel sends its viewers to another.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn raid(self: &Arc<Self>, channel: &str, from: &str, viewers: u32) -> Result<usize, StoryError> {
        self.emit("channel.raid", None, Some(channel), Some(from), &[format!("viewers={viewers}").parse()?])
    }

    /// Somebody cheers with bits.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn cheer(self: &Arc<Self>, channel: &str, user: &str, bits: u32) -> Result<usize, StoryError> {
        let edits = [format!("bits={bits}").parse()?, format!("message=Cheer{bits}").parse()?];
        self.emit("channel.cheer", None, Some(channel), Some(user), &edits)
    }

    /// Somebody subscribes to a channel; `tier` is `1000`, `2000` or `3000`.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn subscribe(self: &Arc<Self>, channel: &str, user: &str, tier: &str) -> Result<usize, StoryError> {
        self.emit("channel.subscribe", None, Some(channel), Some(user), &[format!("tier={tier}").parse()?])
    }

    /// An event of any type, from its sample. Returns how many messages are under way.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn emit(
        self: &Arc<Self>,
        kind: &str,
        version: Option<&str>,
        channel: Option<&str>,
        user: Option<&str>,
        edits: &[Edit],
    ) -> Result<usize, StoryError> {
        let mut state = self.state();
        let kind = offered(kind, version)?;
        let event = self.event(&mut state, kind, channel, user, edits)?;
        Ok(self.notify(&mut state, kind, &event))
    }

    /// A user disconnects the application, or changes the password: tokens and subscriptions that
    /// rest on the consent end.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn withdraw_consent(self: &Arc<Self>, login: &str) -> Result<(), StoryError> {
        let mut state = self.state();
        let user_id = known(&state, login)?.id.clone();
        state.consents.remove(&user_id);
        state.signed_in.take_if(|id| *id == user_id);
        state.end_tokens(|token| token.user_id.as_ref() == Some(&user_id));
        let rests_on_it = |shown: &Subscription| {
            let kind = catalogue::find(&shown.kind, Some(&shown.version));
            let granter = kind.filter(|kind| !kind.scopes.is_empty()).and_then(|kind| kind.scope_granted_by.as_ref());
            granter.is_some_and(|field| shown.condition.get(field).is_some_and(|id| *id == *user_id))
        };
        let shown = state.subscriptions.iter().map(|held| &held.shown);
        let ids: Vec<_> = shown.filter(|shown| rests_on_it(shown)).map(|shown| shown.id.clone()).collect();
        ids.iter().for_each(|id| self.end(&mut state, id, "authorization_revoked"));
        Ok(())
    }

    /// Ends a subscription with one of the statuses of webhook.md §7, and tells its callback.
    ///
    /// # Errors
    /// [`StoryError`]
    pub fn end_subscription(self: &Arc<Self>, id: &str, status: &str) -> Result<(), StoryError> {
        let mut state = self.state();
        state.subscription_mut(id).ok_or_else(|| StoryError::UnknownSubscription(id.to_owned()))?;
        self.end(&mut state, id, status);
        Ok(())
    }

    /// Ends all tokens of the application itself; subscriptions and consents stay.
    pub fn end_app_tokens(&self) {
        self.state().end_tokens(|token| token.user_id.is_none());
    }

    /// Ends all tokens of users; subscriptions and consents stay.
    pub fn end_user_tokens(&self) {
        self.state().end_tokens(|token| token.user_id.is_some());
    }

    /// Uses up the rate limit for so many seconds.
    pub fn use_up_rate_limit(&self, seconds: u32) {
        let full_at = self.config.clock.now() + time::Duration::seconds(seconds.into());
        let mut state = self.state();
        state.points.remaining = 0;
        state.points.full_at = full_at.replace_nanosecond(0).unwrap_or(full_at);
    }

    /// Chooses what goes wrong from now on.
    ///
    /// # Errors
    /// If a chance is none.
    pub fn set_faults(&self, faults: Faults) -> Result<(), StoryError> {
        if let Some(name) = faults.wrong_chance() {
            return Err(StoryError::Chance(name));
        }
        self.state().faults = faults;
        Ok(())
    }

    /// What goes wrong now.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.state().faults.clone()
    }

    /// All subscriptions, oldest first.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.state().subscriptions.iter().map(|held| held.shown.clone()).collect()
    }

    /// The last attempts to deliver, oldest first.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state().log.iter().cloned().collect()
    }

    /// How often this call was made, whatever was answered: `GET /helix/streams`, for example. Those
    /// for tokens are told apart by their grant: `POST /oauth2/token client_credentials`.
    #[must_use]
    pub fn calls(&self, call: &str) -> usize {
        self.state().calls.get(call).copied().unwrap_or_default()
    }

    /// Everybody there is.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        self.state().accounts.values().cloned().collect()
    }

    /// The sample of a type, of now, about these people. The channel must exist, the user will.
    fn event(
        &self,
        state: &mut State,
        kind: &'static SubscriptionType,
        channel: Option<&str>,
        user: Option<&str>,
        edits: &[Edit],
    ) -> Result<Value, StoryError> {
        let broadcaster = channel.map(|login| known(state, login).map(Account::person)).transpose()?;
        let user = user.map(|name| state.account_or_new(name)).transpose()?;
        let recipe = Recipe { broadcaster, user, edits: edits.to_vec(), ..Recipe::plain(kind) };
        Ok(recipe.event(self.config.clock.now())?)
    }

    fn tell(self: &Arc<Self>, state: &mut State, kind: &SubscriptionType, event: &Value, telling: Telling) {
        if telling == Telling::Told {
            self.notify(state, kind, event);
        }
    }
}

fn offered(kind: &str, version: Option<&str>) -> Result<&'static SubscriptionType, StoryError> {
    catalogue::find(kind, version).ok_or_else(|| StoryError::UnknownType(kind.to_owned()))
}

fn known<'a>(state: &'a State, login: &str) -> Result<&'a Account, StoryError> {
    state.account(login).ok_or_else(|| StoryError::UnknownChannel(login.to_owned()))
}

/// A time as Twitch writes it.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
