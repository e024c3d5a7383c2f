//! Takes what was read from the sockets. Twitch does not wait for an acknowledgement and sends nothing twice, so a message
//! that was read is stored in the log or, while that can't be written to, in the spool; reading never waits for either.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::progress::Progress;
use crate::ingest::{Ingest, IngestError};
use crate::message::Message;
use crate::services::Services;
use crate::twitch::id::ChannelId;

/// Messages that are submitted at once, so that batches form.
const WINDOW: usize = 256;

/// Stores what is read from the sockets. One per server; clones share everything.
#[derive(Clone, Debug)]
pub struct Intake {
    ingest: Ingest,
    window: Arc<Semaphore>,
    progress: Progress,
}

impl Intake {
    /// Nothing was read yet.
    #[must_use]
    pub fn new(services: &Services) -> Self {
        let window = Arc::new(Semaphore::new(WINDOW));
        Self { ingest: services.ingest.clone(), window, progress: Progress::default() }
    }

    /// Takes a message that the socket of this channel's user got, and returns at once.
    pub fn accept(&self, channel: &ChannelId, message: Box<Message>) {
        let ticket = self.progress.begin(channel, message.at());
        let Ok(permit) = self.window.clone().try_acquire_owned() else { return self.progress.lose(&ticket) };
        let Self { ingest, progress, .. } = self.clone();
        tokio::spawn(async move {
            let _permit = permit;
            match ingest.submit(message).await {
                // One that the database refuses is counted by the writer, and would be refused again.
                Ok(_) | Err(IngestError::Rejected) => progress.keep(&ticket),
                Err(_) => progress.lose(&ticket),
            }
        });
    }

    /// Records that Twitch said at this time that there is nothing else: a keepalive. Not for a welcome: what happened before
    /// it was not sent.
    pub fn keepalive(&self, channel: &ChannelId, at: OffsetDateTime) {
        self.progress.keep(&self.progress.begin(channel, at));
    }

    /// Up to when all that was read of this channel is in the log or in the spool, by Twitch's clock: where a gap begins.
    /// `None` if nothing has been read yet.
    ///
    /// It is also what belongs into `websocket_session.last_message_at`, so that another server knows where the gap of a
    /// killed one begins: while a gap is not recorded yet, the time before it has to stay there.
    #[must_use]
    pub fn secured_until(&self, channel: &ChannelId) -> Option<OffsetDateTime> {
        self.progress.kept_until(channel)
    }
}
