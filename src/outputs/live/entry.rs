//! An event in the ring, and what each feed sends for it.

use std::sync::{Arc, OnceLock};

use sqlx::PgPool;
use tokio::sync::OnceCell;

use super::frame::Frame;
use crate::store::LogId;
use crate::store::read::channels;
use crate::store::read::events::LoggedEvent;
use crate::view::{Alert, Channel, Chat, Event};

/// An event of the log, or a replay of one, with its frames. The first reader of a feed renders the frame, and all
/// others share it.
#[derive(Debug)]
pub struct Entry {
    /// The row of the log.
    pub logged: LoggedEvent,
    /// Whether it is a replay.
    pub is_replay: bool,
    /// The id up to which the log has been read with this entry.
    pub(super) cursor: LogId,
    event: OnceLock<Arc<Frame>>,
    alert: OnceLock<Option<(&'static str, Arc<Frame>)>>,
    chat: OnceLock<Option<Arc<Frame>>>,
    channel: OnceCell<Option<Arc<Frame>>>,
}

impl From<LoggedEvent> for Entry {
    fn from(logged: LoggedEvent) -> Self {
        let cursor = logged.id;
        Self::new(logged, false, cursor)
    }
}

impl Entry {
    fn new(logged: LoggedEvent, is_replay: bool, cursor: LogId) -> Self {
        Self {
            logged,
            is_replay,
            cursor,
            event: OnceLock::new(),
            alert: OnceLock::new(),
            chat: OnceLock::new(),
            channel: OnceCell::new(),
        }
    }

    /// A replay, behind the event with the id `cursor`.
    pub(super) fn replay(logged: LoggedEvent, cursor: LogId) -> Self {
        Self::new(logged, true, cursor)
    }

    /// The cursor of a reader that has seen this; a replay has none.
    #[must_use]
    pub fn id(&self) -> Option<LogId> {
        (!self.is_replay).then_some(self.logged.id)
    }

    /// Its approximate size in bytes.
    pub(super) fn weight(&self) -> usize {
        self.logged.payload.get().len() + 512
    }

    /// The event itself.
    pub(super) fn event(&self) -> &Arc<Frame> {
        let render = || Arc::new(Frame::new(self.id(), "event", &Event::new(&self.logged, self.is_replay)));
        self.event.get_or_init(render)
    }

    /// The kind of alert and its frame, if it is one.
    pub(super) fn alert(&self) -> Option<&(&'static str, Arc<Frame>)> {
        let render = || {
            let alert = Alert::new(&self.logged, self.is_replay)?;
            Some((alert.kind(), Arc::new(Frame::new(self.id(), "alert", &alert))))
        };
        self.alert.get_or_init(render).as_ref()
    }

    /// The change of the chat, if it is one.
    pub(super) fn chat(&self) -> Option<&Arc<Frame>> {
        let render = || {
            let chat = Chat::new(&self.logged, self.is_replay)?;
            Some(Arc::new(Frame::new(self.id(), chat.event(), &chat)))
        };
        self.chat.get_or_init(render).as_ref()
    }

    /// The channel after this event, read once for all readers.
    pub(super) async fn channel(&self, pool: &PgPool) -> sqlx::Result<Option<Arc<Frame>>> {
        let read = async || {
            let Some(id) = &self.logged.channel_id else { return Ok(None) };
            let channel = channels::get(pool, id).await?.map(Channel::from);
            Ok(channel.map(|channel| Arc::new(Frame::new(self.id(), "channel", &channel))))
        };
        self.channel.get_or_try_init(read).await.cloned()
    }
}
