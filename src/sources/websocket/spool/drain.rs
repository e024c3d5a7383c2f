//! Moves messages from the spool into the log.

use std::collections::HashSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::PgPool;
use tokio::task::spawn_blocking;

use super::segment::{self, Contents, Found, Locked};
use super::{Spool, State, lock};
use crate::ingest::{Ingest, IngestError};
use crate::message::Message;
use crate::services::Services;
use crate::sources::websocket::gap::Gaps;
use crate::store::{forget, query};

/// How often the drain looks whether the log can be written to.
const PERIOD: Duration = Duration::from_secs(1);

/// Messages that are submitted at once: a small part of the writer's queue.
const MAX_IN_FLIGHT: usize = 64;

/// Drains the segments of this server, and those of servers that have ended.
#[derive(Debug)]
pub(super) struct Drain {
    ingest: Ingest,
    pool: PgPool,
    gaps: Gaps,
    spool: Spool,
    state: Arc<State>,
}

/// Why a segment could not be drained now.
#[derive(Debug, thiserror::Error)]
enum DrainError {
    #[error("messages in the spool can't be read: {0}")]
    File(#[from] std::io::Error),
    #[error("{path} was not written with this server's encryption key: restore that key, or delete the file", path = .0.display())]
    Foreign(PathBuf),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

impl Drain {
    pub(super) fn new(services: &Services, state: Arc<State>, spool: Spool) -> Self {
        let (ingest, pool) = (services.ingest.clone(), services.pool.clone());
        Self { ingest, pool, gaps: Gaps::new(services), spool, state }
    }

    /// Runs until it is dropped.
    pub(super) async fn run(self) -> Infallible {
        loop {
            if self.ingest.write_error().is_none() {
                match self.run_once().await {
                    Ok(()) => self.state.set_error(None),
                    // The database is away again; its own check says so.
                    Err(DrainError::Database(_) | DrainError::Ingest(_)) => {}
                    Err(error) => self.state.set_error(Some(error.to_string())),
                }
            }
            self.state.clock.sleep(PERIOD).await;
        }
    }

    /// Records what was lost, and drains all segments that were complete when it began.
    async fn run_once(&self) -> Result<(), DrainError> {
        for (channel, lost) in self.state.progress.lost() {
            self.gaps.record(&channel, lost.began_at, lost.ended_at, "spool").await?;
            self.state.progress.forget_lost(&channel, lost);
        }
        if self.spool.has_segment() {
            self.spool.end_segment().await;
        }
        // What the log takes meanwhile is drained again.
        let settled = std::mem::take(&mut *lock(&self.state.settled));
        let mut outcome = Ok(());
        for Found { path, .. } in self.list().await? {
            // A segment of another key keeps no other from being drained.
            match self.drain(path, &settled).await {
                Err(error @ DrainError::Foreign(_)) => outcome = Err(error),
                other => other?,
            }
        }
        let bytes = self.list().await?.iter().map(|segment| segment.bytes).sum();
        self.state.set_drained(bytes);
        outcome
    }

    async fn list(&self) -> Result<Vec<Found>, DrainError> {
        let state = self.state.clone();
        Ok(off_thread(move || segment::list(&state.dir)).await?)
    }

    /// Submits the messages of a segment but those that the log has, and deletes it, unless another process has it.
    async fn drain(&self, path: PathBuf, settled: &HashSet<String>) -> Result<(), DrainError> {
        let state = self.state.clone();
        let at = path.clone();
        let read = off_thread(move || {
            let Some(mut locked) = Locked::open(&at)? else { return Ok(None) };
            let contents = locked.read(&state.seal)?;
            Ok(Some((locked, contents)))
        });
        let Some((locked, contents)) = read.await? else { return Ok(()) };
        let Contents::Messages(mut messages, is_torn) = contents else { return Err(DrainError::Foreign(path)) };
        if is_torn {
            tracing::warn!(spool.segment = %path.display(), "the end of a segment was cut off by a crash");
            self.state.progress.count_lost();
        }
        messages.retain(|message| !settled.contains(message.id()));
        self.drop_forgotten(&mut messages).await?;
        let count = messages.len();
        let submitting = messages.into_iter().map(async |message| match self.ingest.submit(message).await {
            // One that the database refuses is counted by the writer, and would be refused again.
            Ok(_) | Err(IngestError::Rejected) => Ok(()),
            Err(error) => Err(error),
        });
        stream::iter(submitting).buffered(MAX_IN_FLIGHT).try_collect::<()>().await?;
        off_thread(move || locked.remove()).await?;
        if count > 0 {
            tracing::info!(spool.segment = %path.display(), spool.messages = count, "drained a segment of the spool");
        }
        Ok(())
    }

    /// Drops messages from before a person or channel was forgotten, if they name it.
    #[expect(clippy::vec_box, reason = "messages are submitted in boxes")]
    async fn drop_forgotten(&self, messages: &mut Vec<Box<Message>>) -> Result<(), DrainError> {
        if messages.is_empty() {
            return Ok(());
        }
        let forgotten = query(&self.pool, async |db| forget::forgotten_since(db).await).await?;
        let forgotten: Vec<_> = forgotten.into_iter().map(|(id, at)| (format!("\"{id}\""), at)).collect();
        messages.retain(|message| {
            !forgotten.iter().any(|(id, at)| message.at() < *at && message.body().contains(id.as_str()))
        });
        Ok(())
    }
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    spawn_blocking(work).await.map_err(std::io::Error::other)?
}
