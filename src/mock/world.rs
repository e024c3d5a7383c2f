//! The fake Twitch itself: its state, its clock and its running deliveries, with what tests look at and set directly.
//! The events that happen on it are in [`super::scenario`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::MockConfig;
use super::faults::{Faults, InvalidFaults};
use super::state::{Account, Delivery, State};
use crate::simulate::people::PersonError;
use crate::twitch::eventsub::outgoing::Subscription;

/// How many deliveries are under way at once.
const MAX_CONCURRENT_DELIVERIES: usize = 64;

/// Everything on the fake Twitch: accounts, streams, tokens and subscriptions.
#[derive(Debug)]
pub struct World {
    pub(super) config: MockConfig,
    state: Mutex<State>,
    /// Deliveries outlive the requests that cause them, so they run where the mock was started.
    pub(super) runtime: Handle,
    pub(super) deliveries: TaskTracker,
    /// The WebSockets, which live longer than the requests that open them.
    pub(super) sockets: TaskTracker,
    /// Ids of the messages that were written to a WebSocket, in that order.
    pub(super) written: Mutex<Vec<String>>,
    pub(super) stop: CancellationToken,
    pub(super) delivery_slots: Semaphore,
    /// Woken by each delivery: messages held back by [`Faults::reorder`] wait for the next one.
    pub(super) delivered: Notify,
}

impl World {
    /// Must be called within a tokio runtime.
    pub(super) fn new(config: MockConfig) -> Result<Self, PersonError> {
        let state = Mutex::new(State::new(&config)?);
        Ok(Self {
            config,
            state,
            runtime: Handle::current(),
            deliveries: TaskTracker::new(),
            sockets: TaskTracker::new(),
            written: Mutex::default(),
            stop: CancellationToken::new(),
            delivery_slots: Semaphore::new(MAX_CONCURRENT_DELIVERIES),
            delivered: Notify::new(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings of this mock.
    #[must_use]
    pub fn config(&self) -> &MockConfig {
        &self.config
    }

    /// Ends all tokens of the application itself; subscriptions and consents stay.
    pub fn end_app_tokens(&self) {
        self.state().end_tokens(|token| token.user_id.is_none());
    }

    /// Ends all tokens of users; subscriptions and consents stay.
    pub fn end_user_tokens(&self) {
        self.state().end_tokens(|token| token.user_id.is_some());
    }

    /// Uses up the rate limit for this many seconds.
    pub fn use_up_rate_limit(&self, seconds: u32) {
        let full_at = self.config.clock.now() + time::Duration::seconds(seconds.into());
        let mut state = self.state();
        state.points.remaining = 0;
        state.points.full_at = full_at.replace_nanosecond(0).unwrap_or(full_at);
    }

    /// Sets what goes wrong from now on.
    ///
    /// # Errors
    /// If a chance is not between 0 and 1, or Twitch has no such close code.
    pub fn set_faults(self: &Arc<Self>, faults: Faults) -> Result<(), InvalidFaults> {
        let every = Duration::from_secs(faults.reconnect_every_s);
        let setting = self.state().faults.set(faults)?;
        if every.is_zero() {
            return Ok(());
        }
        let world = Arc::clone(self);
        self.spawn(async move {
            loop {
                world.config.clock.sleep(every).await;
                if world.state().faults.setting() != setting {
                    return;
                }
                world.ask_all_to_reconnect();
            }
        });
        Ok(())
    }

    /// What goes wrong at present.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.state().faults.settings().clone()
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

    /// How often this call was made, whatever the answer: `GET /helix/streams`, for example. Calls for tokens are counted by
    /// their grant: `POST /oauth2/token client_credentials`.
    #[must_use]
    pub fn calls(&self, call: &str) -> usize {
        self.state().calls.get(call).copied().unwrap_or_default()
    }

    /// All accounts.
    #[must_use]
    pub fn accounts(&self) -> Vec<Account> {
        self.state().accounts.values().cloned().collect()
    }
}
