//! One who reads: first what was missed, from the ring or from the database, then what comes.
//!
//! A reader holds no queue that others fill, only its place in the ring. If the ring has moved past
//! that place, the reader was too slow and is sent away; it comes back with its cursor.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::ToSchema;

use super::entry::Entry;
use super::hub::{Hub, SubscribeError};
use super::ring::Ring;
use crate::message::segment::{SEGMENT_BEGIN, SEGMENT_END};
use crate::store::read::live::{self, Bounds, Logged};
use crate::store::read::scan::{Interest, Range};
use crate::view::{alert, chat};

/// Events of which a reader that catches up holds at most as many at once.
const PAGE: i64 = 50;

/// The subscription types that can change what a channel looks like.
const STATE_KINDS: [&str; 8] = [
    "stream.online",
    "stream.offline",
    "channel.update",
    "channel.cheer",
    "channel.subscription.gift",
    "user.update",
    SEGMENT_BEGIN,
    SEGMENT_END,
];

/// The feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Everything as it came.
    Events,
    /// What an overlay shows.
    Alerts,
    /// What changes a channel.
    State,
    /// What is said in chat.
    Chat,
}

impl Feed {
    /// As in its path.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Alerts => "alerts",
            Self::State => "state",
            Self::Chat => "chat",
        }
    }
}

/// What somebody wants to read.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Of which feed.
    pub feed: Feed,
    /// Of these channels, by id or login.
    pub channels: Option<Vec<String>>,
    /// Of these types: of subscriptions, or of alerts.
    pub types: Option<Vec<String>>,
}

/// Where somebody begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With what comes next.
    Now,
    /// Behind the event with this id.
    After(i64),
    /// With the last so many.
    Last(usize),
}

/// Says that a cursor leads nowhere.
#[derive(Clone, Debug, Serialize, ToSchema, PartialEq, Eq)]
pub struct Resync {
    /// What is wrong with it, in words.
    pub reason: &'static str,
    /// The oldest id of the log; `null` if it is empty.
    pub oldest: Option<i64>,
    /// The newest id of the log; `null` if it is empty.
    pub newest: Option<i64>,
}

/// Why a reader gets no more.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// Too much has come since it last looked.
    #[error("too slow; come back with the last id")]
    TooSlow,
    /// The server stops.
    #[error("the server stops; come back with the last id")]
    Stopping,
    /// What was missed can't be read.
    #[error("the database is away; come back with the last id")]
    Database(#[from] sqlx::Error),
}

/// Somebody's way along the log.
pub struct Reader {
    hub: Arc<Hub>,
    ring: watch::Receiver<Ring>,
    selection: Arc<Selection>,
    /// The last id that was looked at.
    cursor: i64,
    place: Place,
    _permit: OwnedSemaphorePermit,
}

/// Where a reader is.
enum Place {
    /// In a page of what it missed.
    Page(Page),
    /// Waiting for the next page. Kept here, so that giving up waiting does not start it anew.
    Between(BoxFuture<'static, sqlx::Result<Page>>),
    /// In the ring, at this position.
    Ring(u64),
}

/// What was missed, and how far the log was read for it.
struct Page {
    entries: VecDeque<Arc<Entry>>,
    cursor: i64,
}

impl Selection {
    /// Whether this is to be read.
    #[must_use]
    pub fn has(&self, entry: &Entry) -> bool {
        self.is_of_channels(entry)
            && match self.feed {
                Feed::Events => is_among(self.types.as_deref(), entry.logged.kind.as_deref()),
                Feed::Alerts => entry.alert().is_some_and(|(kind, _)| is_among(self.types.as_deref(), Some(kind))),
                Feed::State if entry.is_replay || entry.logged.is_test => false,
                Feed::State => is_among(Some(&STATE_KINDS), entry.logged.kind.as_deref()),
                Feed::Chat => entry.chat().is_some(),
            }
    }

    fn is_of_channels(&self, entry: &Entry) -> bool {
        let (id, login) = (entry.logged.channel_id.as_deref(), entry.logged.channel_login.as_deref());
        let is_it =
            |name: &String| id == Some(name.as_str()) || login.is_some_and(|login| login.eq_ignore_ascii_case(name));
        self.channels.as_ref().is_none_or(|names| names.iter().any(is_it))
    }

    /// The subscription types that all of this comes from.
    fn kinds(&self) -> Option<Vec<String>> {
        let owned = |kinds: &[&str]| Some(kinds.iter().map(|&kind| kind.to_owned()).collect());
        match self.feed {
            Feed::Events => self.types.clone(),
            Feed::Alerts => owned(&alert::SOURCES),
            Feed::State => owned(&STATE_KINDS),
            Feed::Chat => owned(&chat::SOURCES),
        }
    }

    async fn interest(&self, hub: &Hub) -> sqlx::Result<Interest> {
        let channel_ids = match &self.channels {
            Some(names) => Some(live::ids(&hub.pool, names).await?),
            None => None,
        };
        Ok(Interest { channel_ids, kinds: self.kinds() })
    }
}

fn is_among<T: AsRef<str>>(names: Option<&[T]>, name: Option<&str>) -> bool {
    names.is_none_or(|names| names.iter().any(|it| Some(it.as_ref()) == name))
}

impl Reader {
    /// Takes a place. If the cursor leads nowhere, says so, and begins with what comes next.
    ///
    /// # Errors
    /// If there is no place; if the database fails where it has to be asked.
    pub async fn open(hub: Arc<Hub>, selection: Selection, start: Start) -> Result<(Self, Option<Resync>), OpenError> {
        let permit = hub.subscribe().await?;
        let ring = hub.ring.subscribe();
        let (end, newest) = {
            let now = ring.borrow();
            (now.end(), now.cursor().unwrap_or(0))
        };
        let mut reader = Self {
            hub,
            ring,
            selection: Arc::new(selection),
            cursor: newest,
            place: Place::Ring(end),
            _permit: permit,
        };
        let resync = match start {
            Start::Now => None,
            Start::After(cursor) => reader.begin_after(cursor).await?,
            Start::Last(count) => {
                let entries = reader.last(count, newest).await?;
                reader.cursor = entries.front().map_or(newest, |first| first.cursor - 1);
                reader.place = Place::Page(Page { entries, cursor: newest });
                None
            }
        };
        Ok((reader, resync))
    }

    /// The last id that it has looked at: all up to here is known.
    #[must_use]
    pub fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Skips what is not newer than this.
    pub fn skip_to(&mut self, cursor: i64) {
        self.cursor = self.cursor.max(cursor);
        if !self.enter_ring(self.cursor) {
            self.fetch();
        }
    }

    /// Another replica may be ahead of this one, so the database has the last word about the end.
    async fn begin_after(&mut self, cursor: i64) -> sqlx::Result<Option<Resync>> {
        let is_ahead = cursor > self.cursor;
        if !is_ahead && self.enter_ring(cursor) {
            self.cursor = cursor;
            return Ok(None);
        }
        let Bounds { oldest, newest } = live::bounds(&self.hub.pool).await?;
        if cursor > newest.unwrap_or(0) {
            let reason = "the log ends before this id: it was emptied, and has begun anew";
            return Ok(Some(Resync { reason, oldest, newest }));
        }
        // Nobody was ever told 0, the place before the first event.
        if cursor > 0 && oldest.is_some_and(|oldest| cursor < oldest) {
            let reason = "the log no longer has the events behind this id";
            return Ok(Some(Resync { reason, oldest, newest }));
        }
        self.cursor = cursor;
        if !is_ahead {
            self.fetch();
        }
        Ok(None)
    }

    /// Goes on in the ring, if that has everything behind the cursor.
    fn enter_ring(&mut self, cursor: i64) -> bool {
        let position = self.ring.borrow().position_after(cursor);
        if let Some(position) = position {
            self.place = Place::Ring(position);
        }
        position.is_some()
    }

    fn fetch(&mut self) {
        let until = self.ring.borrow().cursor().unwrap_or(0);
        self.place = Place::Between(page(self.hub.clone(), self.selection.clone(), self.cursor, until).boxed());
    }

    /// The last events up to `newest`, oldest first: from the ring, if that has enough of them.
    async fn last(&self, count: usize, newest: i64) -> sqlx::Result<VecDeque<Arc<Entry>>> {
        let is_wanted = |entry: &Arc<Entry>| !entry.is_replay && self.selection.has(entry);
        let recent: Vec<_> = self.ring.borrow().backwards().cloned().collect();
        let mut found: Vec<_> = recent.into_iter().filter(is_wanted).take(count).collect();
        if found.len() < count {
            found.clear();
            let _permit = self.hub.catching_up.acquire().await;
            let interest = self.selection.interest(&self.hub).await?;
            let mut before = newest.saturating_add(1);
            while found.len() < count && before > 0 {
                let rows = live::last(&mut *self.hub.pool.acquire().await?, &interest, before, PAGE).await?;
                before = if is_page_full(&rows) { rows.first().map_or(0, |row| row.id) } else { 0 };
                let entries = rows.into_iter().rev().map(|row| Arc::new(Entry::from(row))).filter(is_wanted);
                found.extend(entries.take(count - found.len()));
            }
        }
        Ok(found.into_iter().rev().collect())
    }

    /// The next of what was selected. Nothing is lost if the caller stops waiting.
    ///
    /// # Errors
    /// Why there is no more.
    pub async fn next(&mut self) -> Result<Arc<Entry>, End> {
        loop {
            let entry = match &mut self.place {
                Place::Page(page) => match page.entries.pop_front() {
                    Some(entry) => entry,
                    None => {
                        self.cursor = self.cursor.max(page.cursor);
                        if !self.enter_ring(self.cursor) {
                            self.fetch();
                        }
                        continue;
                    }
                },
                Place::Between(page) => {
                    self.place = Place::Page(page.await?);
                    continue;
                }
                Place::Ring(position) => {
                    let entry = at(&mut self.ring, *position).await?;
                    *position += 1;
                    entry
                }
            };
            let is_new = entry.is_replay || entry.cursor > self.cursor;
            self.cursor = self.cursor.max(entry.cursor);
            if is_new && self.selection.has(&entry) {
                return Ok(entry);
            }
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("selection", &self.selection).field("cursor", &self.cursor).finish()
    }
}

/// Why nobody can begin to read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The hub refused the reader.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The database had to be asked.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Waits for the entry at this position.
async fn at(ring: &mut watch::Receiver<Ring>, position: u64) -> Result<Arc<Entry>, End> {
    let ring = ring.wait_for(|ring| ring.is_over() || !matches!(ring.get(position), Ok(None))).await;
    let ring = ring.map_err(|_| End::Stopping)?;
    match ring.get(position) {
        _ if ring.is_over() => Err(End::Stopping),
        Ok(Some(entry)) => Ok(entry.clone()),
        Ok(None) => Err(End::Stopping),
        Err(_) => Err(End::TooSlow),
    }
}

/// What comes behind `after`, up to `until`.
async fn page(hub: Arc<Hub>, selection: Arc<Selection>, after: i64, until: i64) -> sqlx::Result<Page> {
    let permit = hub.catching_up.acquire().await;
    let interest = selection.interest(&hub).await?;
    let range = Range { after, last: until };
    let rows = live::first(&mut *hub.pool.acquire().await?, &interest, range, PAGE).await?;
    drop(permit);
    let cursor = if is_page_full(&rows) { rows.last().map_or(until, |row| row.id) } else { until };
    Ok(Page { entries: rows.into_iter().map(|row| Arc::new(Entry::from(row))).collect(), cursor })
}

/// Whether there may be more.
fn is_page_full(rows: &[Logged]) -> bool {
    usize::try_from(PAGE).is_ok_and(|page| rows.len() >= page)
}
