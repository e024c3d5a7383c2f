//! Reads the chats on one server of the cluster: the one that holds the lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use time::OffsetDateTime;

use super::check::Overview;
use super::connection::{ChatConnection, Context};
use super::presence::Visit;
use crate::services::{Services, Stopper};
use crate::store::chat::{self, OpenChat, PresenceRow};
use crate::store::locks::Lock;
use crate::store::signals::{Channel, Wakeup};
use crate::store::{self, answered};
use crate::twitch::id::ChannelId;
use crate::twitch::irc::Login;

/// Channels of one connection. An account may be in 100.
const MAX_CHANNELS: usize = 90;

/// How often the chats to read are looked up, and who is in them is kept.
const INTERVAL: Duration = Duration::from_secs(2);

/// How often it is written which chats are read over IRC, and looked up who reads them.
const LINES_INTERVAL: Duration = Duration::from_secs(60);

/// Pause between looks at whether all that was read is in the log, when the server stops.
const STOP_INTERVAL: Duration = Duration::from_millis(20);

/// Reads the chats while this server holds the lock.
pub(super) struct Leader {
    database: PgConnectOptions,
    context: Arc<Context>,
    connections: Vec<ChatConnection>,
    /// The channels whose chats are to be read, over IRC or from EventSub.
    open: Vec<ChannelId>,
    /// The chats that are read over IRC.
    wanted: Vec<OpenChat>,
    /// The login of the last connection, which proves that what is told comes from Twitch.
    login: Option<Login>,
    is_leading: bool,
    lines_at: Option<OffsetDateTime>,
    overview: Arc<Mutex<Overview>>,
    signal: Wakeup,
    stopper: Stopper,
}

impl Leader {
    pub(super) fn new(
        services: &Services,
        context: Arc<Context>,
        overview: Arc<Mutex<Overview>>,
        stopper: Stopper,
    ) -> Self {
        Self {
            database: services.database.clone(),
            context,
            connections: Vec::new(),
            open: Vec::new(),
            wanted: Vec::new(),
            login: None,
            is_leading: false,
            lines_at: None,
            overview,
            signal: services.signals.chats(),
            stopper,
        }
    }

    /// Runs until it is stopped. Connections go on while the database is away.
    pub(super) async fn run(mut self) -> Infallible {
        let (mut db, stopping, clock) = (None, self.stopper.stopping.clone(), self.context.clock.clone());
        while !stopping.is_cancelled() {
            if let Err(error) = self.round(&mut db).await {
                tracing::debug!(%error, "the chats can't be compared with the database; trying again");
                (db, self.is_leading) = (None, false);
            }
            self.show();
            tokio::select! {
                () = stopping.cancelled() => {}
                () = self.signal.notified() => {}
                () = clock.sleep(INTERVAL) => {}
            }
        }
        self.connections.clear();
        while !self.context.reader.is_idle() {
            tokio::time::sleep(STOP_INTERVAL).await;
        }
        drop(db);
        self.stopper.stopped.cancel();
        std::future::pending().await
    }

    /// Reads the chats that the database names, and keeps there who is in them.
    async fn round(&mut self, db: &mut Option<PgConnection>) -> sqlx::Result<()> {
        let db = match db {
            Some(db) => db,
            None => db.insert(store::connect(&self.database, "showtime chats").await?),
        };
        let mut kept = HashMap::new();
        if !self.is_leading {
            self.is_leading = answered(Lock::Chat.try_hold(&mut *db)).await?;
            if !self.is_leading {
                // Another server reads them.
                self.connections.clear();
                self.open.clear();
                self.wanted.clear();
                self.context.reader.read(&[], &mut kept);
                return Ok(());
            }
            kept = by_channel(answered(chat::presence(&mut *db)).await?);
        }
        let now = self.context.clock.now();
        self.keep_presence(&mut *db, now).await?;
        let open = answered(chat::open(&mut *db, now)).await?;
        let ids: Vec<_> = open.iter().map(|chat| chat.channel.id.clone()).collect();
        if self.open != ids {
            // EventSub is to deliver the messages of these, where it can.
            answered(Channel::Reconcile.notify(&mut *db, "")).await?;
            self.open = ids;
        }
        let wanted: Vec<_> = open.into_iter().filter(|chat| chat.membership || chat.takes_lines).collect();
        let is_changed = self.wanted != wanted;
        self.wanted = wanted;
        if is_changed || self.lines_at.is_none_or(|at| now - at >= LINES_INTERVAL) {
            self.take_lines(db, now).await?;
            self.read_as_bot().await;
        }
        self.context.reader.read(&self.wanted, &mut kept);
        self.assign();
        Ok(())
    }

    /// Writes which chats may come both over IRC and from EventSub, and forgets who was in chats that are not read.
    async fn take_lines(&mut self, db: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<()> {
        let with_lines = self.wanted.iter().filter(|chat| chat.takes_lines);
        let ids: Vec<_> = with_lines.map(|chat| chat.channel.id.as_str()).collect();
        answered(chat::take_lines(&mut *db, &ids, now)).await?;
        let with_presence = self.wanted.iter().filter(|chat| chat.membership);
        let ids: Vec<_> = with_presence.map(|chat| chat.channel.id.as_str()).collect();
        answered(chat::keep_presence(db, &ids)).await?;
        self.lines_at = Some(now);
        Ok(())
    }

    /// Has the account read that should: the bot may have consented, or be another one, since the connections logged in.
    async fn read_as_bot(&self) {
        let Ok(account) = self.context.accounts.get().await else { return };
        let login = account.credentials.map(|credentials| credentials.login.to_lowercase());
        self.connections.iter().for_each(|connection| connection.read_as(login.as_deref()));
    }

    /// Shares the channels out to connections. A channel stays where it is.
    fn assign(&mut self) {
        let mut open: BTreeSet<String> = self.wanted.iter().map(|chat| chat.channel.login.clone()).collect();
        let mut shares: Vec<BTreeSet<String>> = Vec::new();
        for connection in &self.connections {
            let channels = connection.channels();
            let stay: BTreeSet<_> = channels.into_iter().filter(|channel| open.remove(channel)).collect();
            shares.push(stay);
        }
        for channel in open {
            match shares.iter_mut().find(|share| share.len() < MAX_CHANNELS) {
                Some(share) => {
                    share.insert(channel);
                }
                None => shares.push([channel].into()),
            }
        }
        for (place, share) in shares.into_iter().enumerate() {
            match self.connections.get(place) {
                Some(connection) => connection.set_channels(share),
                None => self.connections.push(ChatConnection::start(&self.context, share)),
            }
        }
        self.connections.retain(|connection| !connection.channels().is_empty());
    }

    /// Tells who came and left, and keeps who is there.
    async fn keep_presence(&mut self, db: &mut PgConnection, now: OffsetDateTime) -> sqlx::Result<()> {
        let connected = self.connections.iter().find_map(|connection| connection.report().login.clone());
        self.login = connected.or(self.login.take());
        let Some(login) = &self.login else { return Ok(()) };
        let mut changes = self.context.reader.changes(login, now).into_iter();
        while let Some(change) = changes.next() {
            let present = |(login, visit): &(String, Option<Visit>)| Some(row(&change.channel_id, login, (*visit)?));
            let rows: Vec<_> = change.visits.iter().filter_map(present).collect();
            let left = change.visits.iter().filter(|(_, visit)| visit.is_none()).map(|(login, _)| login.clone());
            let left: Vec<_> = left.collect();
            if let Err(error) = answered(chat::set_presence(&mut *db, &change.channel_id, &rows, &left)).await {
                self.context.reader.keep_later(change);
                changes.for_each(|change| self.context.reader.keep_later(change));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Writes what `/status` shows.
    fn show(&self) {
        let overview = Overview::new(self.is_leading, self.wanted.len(), &self.connections);
        *self.overview.lock().unwrap_or_else(PoisonError::into_inner) = overview;
    }
}

fn row(channel_id: &ChannelId, login: &str, visit: Visit) -> PresenceRow {
    let Visit { since, last_seen, absent_since } = visit;
    PresenceRow { channel_id: channel_id.clone(), login: login.to_owned(), since, last_seen, absent_since }
}

fn by_channel(rows: Vec<PresenceRow>) -> HashMap<ChannelId, BTreeMap<String, Visit>> {
    let mut kept: HashMap<_, BTreeMap<_, _>> = HashMap::new();
    for PresenceRow { channel_id, login, since, last_seen, absent_since } in rows {
        kept.entry(channel_id).or_default().insert(login, Visit { since, last_seen, absent_since });
    }
    kept
}
