//! Notifications of the database: one `LISTEN` connection per process, which wakes every task that waits for one.
//!
//! A notification can be lost while the connection is down, so after each connect all waiters are woken, and each looks for
//! itself what there is to do. A pooler in transaction mode passes none at all: waiters also look now and then unasked.

use std::convert::Infallible;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgNotification, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{broadcast, watch};
use tokio::time::{sleep, timeout};

use super::{LogId, answered};
use crate::config::describe_database;

/// After so long without a notification the connection is tested: a dead one delivers nothing, too.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Pause between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// Replays that may wait. Of more, the oldest are dropped: they are requests by hand.
const MAX_REPLAYS: usize = 256;

/// A notification channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Events were appended to the log.
    Event,
    /// The subscriptions may differ from the desired ones.
    Reconcile,
    /// An event is to be shown again in the live feeds; the payload is its id.
    Replay,
    /// A WebSocket session with Twitch began or ended, or was subscribed on.
    Session,
    /// An action is to be done.
    Action,
    /// Other chats are to be read.
    Chat,
    /// There is an event for a Discord bot.
    BotEvent,
    /// Something is to be posted to Discord.
    Post,
    /// What overlays do has changed.
    Overlay,
    /// Events were emptied or deleted.
    Deletion,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 10] = [
        Self::Event,
        Self::Reconcile,
        Self::Replay,
        Self::Session,
        Self::Action,
        Self::Chat,
        Self::BotEvent,
        Self::Post,
        Self::Overlay,
        Self::Deletion,
    ];

    /// Its name in Postgres. Servers of different versions notify each other, so names stay.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "showtime_event",
            Self::Reconcile => "showtime_reconcile",
            Self::Replay => "showtime_replay",
            Self::Session => "showtime_session",
            Self::Action => "showtime_action",
            Self::Chat => "showtime_chat",
            Self::BotEvent => "showtime_bot_event",
            Self::Post => "showtime_post",
            Self::Overlay => "showtime_overlay",
            Self::Deletion => "showtime_deletion",
        }
    }

    /// Notifies every server, once the current transaction is committed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn notify(self, conn: &mut PgConnection, payload: &str) -> sqlx::Result<()> {
        sqlx::query!("select pg_notify($1, $2)", self.name(), payload).execute(conn).await?;
        Ok(())
    }
}

/// Hands out notifications to the tasks of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct Signals {
    /// By channel. For [`Channel::Replay`] nothing waits here.
    wakeups: [watch::Sender<()>; Channel::ALL.len()],
    /// What [`Channel::Replay`] brings.
    replays: broadcast::Sender<LogId>,
}

impl Default for Signals {
    fn default() -> Self {
        Self { wakeups: Channel::ALL.map(|_| watch::Sender::new(())), replays: broadcast::Sender::new(MAX_REPLAYS) }
    }
}

/// Wakes one waiter. Notifications that come while nothing waits are kept as one.
#[derive(Debug)]
pub struct Wakeup(watch::Receiver<()>);

impl Wakeup {
    /// Returns at the next notification, or at once if there was one since the last call.
    pub async fn notified(&mut self) {
        if self.0.changed().await.is_err() {
            // Nothing will ever notify again: this process stops.
            std::future::pending().await
        }
    }
}

impl Signals {
    /// Wakes when events were appended.
    #[must_use]
    pub fn events(&self) -> Wakeup {
        self.wakeup(Channel::Event)
    }

    /// Wakes when the subscriptions may need repair.
    #[must_use]
    pub fn reconcile(&self) -> Wakeup {
        self.wakeup(Channel::Reconcile)
    }

    /// Wakes when a WebSocket session with Twitch has changed.
    #[must_use]
    pub fn sessions(&self) -> Wakeup {
        self.wakeup(Channel::Session)
    }

    /// Wakes when an action is to be done.
    #[must_use]
    pub fn actions(&self) -> Wakeup {
        self.wakeup(Channel::Action)
    }

    /// Wakes when other chats are to be read.
    #[must_use]
    pub fn chats(&self) -> Wakeup {
        self.wakeup(Channel::Chat)
    }

    /// Wakes when there is an event for a Discord bot.
    #[must_use]
    pub fn bot_events(&self) -> Wakeup {
        self.wakeup(Channel::BotEvent)
    }

    /// Wakes when something is to be posted to Discord.
    #[must_use]
    pub fn posts(&self) -> Wakeup {
        self.wakeup(Channel::Post)
    }

    /// Wakes when what overlays do has changed.
    #[must_use]
    pub fn overlays(&self) -> Wakeup {
        self.wakeup(Channel::Overlay)
    }

    /// Wakes when events were emptied or deleted.
    #[must_use]
    pub fn deletions(&self) -> Wakeup {
        self.wakeup(Channel::Deletion)
    }

    /// The ids of events to show again. A receiver that falls behind by more than 256 loses the oldest.
    #[must_use]
    pub fn replays(&self) -> broadcast::Receiver<LogId> {
        self.replays.subscribe()
    }

    /// Listens on a connection of its own, and connects again whenever it breaks.
    pub async fn run(self, database: PgConnectOptions) -> Infallible {
        let database = database.options([("application_name", "showtime signals"), ("statement_timeout", "5000")]);
        let mut is_away = false;
        loop {
            let Err(error) = self.listen(&database, &mut is_away).await;
            if !std::mem::replace(&mut is_away, true) {
                let address = describe_database(&database);
                tracing::warn!(%error, database.address = address, "the database can't be listened to; trying again");
            }
            sleep(PAUSE).await;
        }
    }

    /// Passes on notifications until the connection breaks.
    async fn listen(&self, database: &PgConnectOptions, is_away: &mut bool) -> sqlx::Result<Infallible> {
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = answered(pool.connect_with(database.clone())).await?;
        let mut listener = answered(PgListener::connect_with(&pool)).await?;
        listener.eager_reconnect(false);
        answered(listener.listen_all(Channel::ALL.map(Channel::name))).await?;
        if std::mem::take(is_away) {
            tracing::info!("the database is listened to again");
        }
        self.wakeups.iter().for_each(|wakeup| wakeup.send_replace(()));
        loop {
            match timeout(PING_INTERVAL, listener.try_recv()).await {
                Ok(notification) => self.pass_on(&notification?.ok_or(sqlx::Error::WorkerCrashed)?),
                Err(_) => answered(async { sqlx::Acquire::acquire(&mut listener).await?.ping().await }).await?,
            }
        }
    }

    fn pass_on(&self, notification: &PgNotification) {
        let named = |channel: &Channel| channel.name() == notification.channel();
        let Some(channel) = Channel::ALL.into_iter().find(named) else { return };
        self.wakeups[channel as usize].send_replace(());
        if channel == Channel::Replay
            && let Ok(id) = notification.payload().parse()
        {
            // An error only says that nothing shows replays here.
            let _ = self.replays.send(id);
        }
    }

    fn wakeup(&self, channel: Channel) -> Wakeup {
        Wakeup(self.wakeups[channel as usize].subscribe())
    }
}
