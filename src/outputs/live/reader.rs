//! A reader of a feed: first the events it missed, from the ring or from the database, then the new ones.
//!
//! A reader has no queue, only a position in the ring. If the ring has dropped that position, the reader was too slow
//! and is disconnected; it reconnects with its cursor.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::entry::Entry;
use super::filter::FeedFilter;
use super::hub::{Hub, SubscribeError};
use super::places::Place;
use super::ring::Ring;
use crate::access::TokenHash;
use crate::store::read::events::LoggedEvent;
use crate::store::read::live::{self, Bounds};
use crate::store::read::scan::Range;
use crate::store::{LogId, answered, query};
use crate::twitch::id::ChannelId;

/// Events that a reader fetches at once while it catches up. It waits its turn for each page.
const PAGE: i64 = 50;

/// Pages in which the last events are searched. The filter of the log finds all that is selected and little more, so only
/// payloads that can't be read, or that Twitch tells by another event as well, make the search long.
const LAST_PAGES: usize = 100;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the next event.
    Now,
    /// Behind the event with this id.
    After(LogId),
    /// With this many of the last events.
    Last(usize),
}

/// `resync`: the log does not continue at this cursor.
#[derive(Clone, Debug, Serialize, ToSchema, PartialEq, Eq)]
pub struct Resync {
    /// Why, in words.
    pub reason: &'static str,
    /// The oldest id of the log; `null` if it is empty.
    #[schema(value_type = Option<i64>)]
    pub oldest: Option<LogId>,
    /// The newest id of the log; `null` if it is empty.
    #[schema(value_type = Option<i64>)]
    pub newest: Option<LogId>,
}

/// Why a reader is disconnected.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The ring has dropped its position.
    #[error("too slow; reconnect with the last id")]
    TooSlow,
    /// The server stops.
    #[error("the server stops; reconnect with the last id")]
    Stopping,
    /// The events that it missed can't be read.
    #[error("the database is away; reconnect with the last id")]
    Database(#[from] sqlx::Error),
}

/// A reader of a feed.
pub struct Reader {
    hub: Arc<Hub>,
    ring: watch::Receiver<Ring>,
    filter: Arc<FeedFilter>,
    /// The last id that it has read, whether the filter includes it or not.
    cursor: LogId,
    position: Position,
    _place: Place,
}

/// Where a reader is.
enum Position {
    /// In a page of the events that it missed.
    Page(Page),
    /// Fetching the next page. Kept here, so that a caller that stops waiting does not start it over.
    Fetching(BoxFuture<'static, sqlx::Result<Page>>),
    /// In the ring, at this position.
    Ring(u64),
}

/// Missed events, and the id up to which the log was read for them.
struct Page {
    entries: VecDeque<Arc<Entry>>,
    cursor: LogId,
    /// The reader's, with the channels that have become known.
    filter: Arc<FeedFilter>,
}

impl Reader {
    /// Opens a reader with this token. If the log does not continue at the cursor, returns a [`Resync`] and begins with the
    /// next event.
    ///
    /// # Errors
    /// If the hub takes no more readers; if the database fails.
    pub async fn open(
        hub: Arc<Hub>,
        token: TokenHash,
        mut filter: FeedFilter,
        start: Start,
    ) -> Result<(Self, Option<Resync>), OpenError> {
        let place = hub.subscribe(token).await?;
        answered(filter.resolve(&hub.pool)).await?;
        let ring = hub.ring.subscribe();
        let (end, newest) = {
            let now = ring.borrow();
            (now.end(), now.cursor().unwrap_or_default())
        };
        let mut reader =
            Self { hub, ring, filter: Arc::new(filter), cursor: newest, position: Position::Ring(end), _place: place };
        let resync = match start {
            Start::Now => None,
            Start::After(cursor) => reader.begin_after(cursor).await?,
            Start::Last(count) => {
                let entries = reader.last(count, newest).await?;
                reader.cursor = entries.front().map_or(newest, |first| first.cursor.previous());
                let filter = reader.filter.clone();
                reader.position = Position::Page(Page { entries, cursor: newest, filter });
                None
            }
        };
        Ok((reader, resync))
    }

    /// The last id that it has read.
    #[must_use]
    pub fn cursor(&self) -> LogId {
        self.cursor
    }

    /// The ids of the channels that it selects, as far as they are known; `None` for all channels.
    #[must_use]
    pub fn channel_ids(&self) -> Option<Vec<ChannelId>> {
        self.filter.channel_ids()
    }

    /// Skips the events up to this id, which a snapshot contains.
    pub fn skip_to(&mut self, cursor: LogId) {
        self.cursor = self.cursor.max(cursor);
        if !self.enter_ring(self.cursor) {
            self.fetch();
        }
    }

    /// Another replica may be ahead of this one, so the database has the last word about the end.
    async fn begin_after(&mut self, cursor: LogId) -> sqlx::Result<Option<Resync>> {
        let is_ahead = cursor > self.cursor;
        if !is_ahead && self.enter_ring(cursor) {
            self.cursor = cursor;
            return Ok(None);
        }
        let Bounds { oldest, newest } = answered(live::bounds(&self.hub.pool)).await?;
        let (_, lost) = query(&self.hub.pool, async |db| live::version(db).await).await?;
        if let Some(reason) = lost.reason(cursor) {
            return Ok(Some(Resync { reason, oldest, newest }));
        }
        if cursor > newest.unwrap_or_default() {
            let reason = "the log ends before this id: it was emptied, and has started over";
            return Ok(Some(Resync { reason, oldest, newest }));
        }
        // 0 is the place before the first event; no feed has ever sent it.
        if cursor > LogId::START && oldest.is_some_and(|oldest| cursor < oldest) {
            let reason = "the log no longer has the events behind this id";
            return Ok(Some(Resync { reason, oldest, newest }));
        }
        self.cursor = cursor;
        if !is_ahead {
            self.fetch();
        }
        Ok(None)
    }

    /// Continues in the ring, if that has everything behind the cursor.
    fn enter_ring(&mut self, cursor: LogId) -> bool {
        let position = self.ring.borrow().position_after(cursor);
        if let Some(position) = position {
            self.position = Position::Ring(position);
        }
        position.is_some()
    }

    fn fetch(&mut self) {
        let until = self.ring.borrow().cursor().unwrap_or_default();
        self.position = Position::Fetching(page(self.hub.clone(), self.filter.clone(), self.cursor, until).boxed());
    }

    /// The last selected events up to `newest`, oldest first: from the ring if that has enough of them, or else from
    /// [`LAST_PAGES`] pages of the log.
    async fn last(&self, count: usize, newest: LogId) -> sqlx::Result<VecDeque<Arc<Entry>>> {
        let is_selected = |entry: &Arc<Entry>| !entry.is_replay && self.filter.includes(entry);
        let recent: Vec<_> = self.ring.borrow().backwards().cloned().collect();
        let mut found: Vec<_> = recent.into_iter().filter(is_selected).take(count).collect();
        if found.len() < count {
            found.clear();
            let filter = self.filter.log_filter();
            let mut before = newest.next();
            for _ in 0..LAST_PAGES {
                let turn = self.hub.catching_up.acquire().await;
                let rows = query(&self.hub.pool, async |db| live::last(db, &filter, before, PAGE).await).await?;
                drop(turn);
                let first = rows.first().filter(|_| is_page_full(&rows)).map(|first| first.id);
                let entries = rows.into_iter().rev().map(|row| Arc::new(Entry::from(row))).filter(is_selected);
                found.extend(entries.take(count - found.len()));
                match first {
                    Some(first) if found.len() < count => before = first,
                    _ => break,
                }
            }
        }
        Ok(found.into_iter().rev().collect())
    }

    /// The next selected event. Nothing is lost if the caller stops waiting.
    ///
    /// # Errors
    /// If the reader is disconnected.
    pub async fn next(&mut self) -> Result<Arc<Entry>, End> {
        loop {
            let entry = match &mut self.position {
                Position::Page(page) => match page.entries.pop_front() {
                    Some(entry) => entry,
                    None => {
                        self.cursor = self.cursor.max(page.cursor);
                        if !self.enter_ring(self.cursor) {
                            self.fetch();
                        }
                        continue;
                    }
                },
                Position::Fetching(page) => {
                    let page = page.await?;
                    self.filter = page.filter.clone();
                    self.position = Position::Page(page);
                    continue;
                }
                Position::Ring(position) => {
                    let entry = at(&mut self.ring, *position).await?;
                    *position += 1;
                    entry
                }
            };
            let is_new = entry.is_replay || entry.cursor > self.cursor;
            self.cursor = self.cursor.max(entry.cursor);
            self.filter.learn(&entry);
            if is_new && self.filter.includes(&entry) {
                return Ok(entry);
            }
        }
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("filter", &self.filter).field("cursor", &self.cursor).finish()
    }
}

/// Why a reader can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The hub refused the reader.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The database failed.
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

/// Reads the next page of selected events behind `after`, up to `until`.
async fn page(hub: Arc<Hub>, mut filter: Arc<FeedFilter>, after: LogId, until: LogId) -> sqlx::Result<Page> {
    let turn = hub.catching_up.acquire().await;
    answered(Arc::make_mut(&mut filter).resolve(&hub.pool)).await?;
    let (filtered, range) = (filter.log_filter(), Range { after, last: until });
    let rows = query(&hub.pool, async |db| live::first(db, &filtered, range, PAGE).await).await?;
    drop(turn);
    let cursor = if is_page_full(&rows) { rows.last().map_or(until, |row| row.id) } else { until };
    Ok(Page { entries: rows.into_iter().map(|row| Arc::new(Entry::from(row))).collect(), cursor, filter })
}

/// Whether there may be more.
fn is_page_full(rows: &[LoggedEvent]) -> bool {
    usize::try_from(PAGE).is_ok_and(|page| rows.len() >= page)
}
