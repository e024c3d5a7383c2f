//! One event on its way to the readers.

use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;

use super::frame::Frame;
use crate::store::read::live::Logged;
use crate::view::{alert, chat};

/// An event of the log, or one that is shown again, with what each feed makes of it: worked out by
/// the first reader who asks, and shared by all.
#[derive(Debug)]
pub struct Entry {
    /// What the log has.
    pub logged: Logged,
    /// Whether it is shown again.
    pub is_replay: bool,
    /// How far the log is read with this entry.
    pub(super) cursor: i64,
    event: OnceLock<Arc<Frame>>,
    alert: OnceLock<Option<(&'static str, Arc<Frame>)>>,
    chat: OnceLock<Option<Arc<Frame>>>,
    channel: OnceCell<Option<Arc<Frame>>>,
}

impl From<Logged> for Entry {
    fn from(logged: Logged) -> Self {
        let cursor = logged.id;
        Self::new(logged, false, cursor)
    }
}

impl Entry {
    fn new(logged: Logged, is_replay: bool, cursor: i64) -> Self {
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

    /// The same once more, behind the event with the id `cursor`.
    pub(super) fn replay(logged: Logged, cursor: i64) -> Self {
        Self::new(logged, true, cursor)
    }

    /// The id with which a reader comes back who has seen this; a replay has none.
    #[must_use]
    pub fn id(&self) -> Option<i64> {
        (!self.is_replay).then_some(self.logged.id)
    }

    /// Roughly how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        self.logged.payload.get().len() + 512
    }

    /// The whole of it.
    pub fn event(&self, render: impl FnOnce() -> Frame) -> Arc<Frame> {
        self.event.get_or_init(|| Arc::new(render())).clone()
    }

    /// The alert that it is, and of which type.
    pub fn alert(&self) -> Option<&(&'static str, Arc<Frame>)> {
        let render = || {
            let alert = alert::of(&self.logged, self.is_replay)?;
            Some((alert.kind(), Arc::new(Frame::new(self.id(), "alert", &alert))))
        };
        self.alert.get_or_init(render).as_ref()
    }

    /// What it says or takes back in chat.
    pub fn chat(&self) -> Option<&Arc<Frame>> {
        let render = || {
            let chat = chat::of(&self.logged, self.is_replay)?;
            Some(Arc::new(Frame::new(self.id(), chat.event(), &chat)))
        };
        self.chat.get_or_init(render).as_ref()
    }

    /// The channel after it, read once for all readers.
    ///
    /// # Errors
    /// If reading fails; the next reader tries again.
    pub async fn channel<E>(
        &self,
        read: impl AsyncFnOnce() -> Result<Option<Frame>, E>,
    ) -> Result<Option<Arc<Frame>>, E> {
        self.channel.get_or_try_init(async || Ok(read().await?.map(Arc::new))).await.cloned()
    }
}
