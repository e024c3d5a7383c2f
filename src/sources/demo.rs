//! The demo show: plays the script, one show at a time, and forgets it again.
//!
//! What was played is in the log and the state like everything else. A show that a server could not finish is ended by the
//! next one that starts: the end of a stream has one id, so several servers make one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Connection as _, PgConnection};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::ingest::{Ingest, IngestError};
use crate::message::Message;
use crate::services::{Services, Stopper, Tasks};
use crate::simulate::demo::{self, CHANNEL_ID, LENGTH, Scene, ScriptError};
use crate::store::{forget, read::channels, within};
use crate::twitch::id::StreamId;

/// Requests that may wait.
const QUEUE_LENGTH: usize = 8;

/// Time limit for a request. Forgetting looks at all payloads of the log.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Time limit for reading the state.
const READ_TIMEOUT: Duration = Duration::from_secs(2);

/// Pause after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// Time limit for the scene under way when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no show, or why it is not forgotten.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The first event can't be stored.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The database fails.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The script can't be played.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A scene can't be read back.
    #[error("a scene of the demo can't be read back: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The id of the demo's channel is none.
    #[error("the demo has no channel: {0}")]
    Channel(&'static str),
    /// Other requests are waited for, or the server stops.
    #[error("the demo takes too long to answer")]
    Busy,
}

/// Starts and removes shows. Clones share the stage.
#[derive(Clone, Debug)]
pub struct Demo {
    requests: mpsc::Sender<Request>,
}

/// What is asked for, and where the answer goes.
#[derive(Debug)]
enum Request {
    /// The answer is when the show began.
    Start(oneshot::Sender<Result<OffsetDateTime, DemoError>>),
    Remove(oneshot::Sender<Result<(), DemoError>>),
}

impl Demo {
    /// Starts a show, after the one before is forgotten; if one is on, it goes on. Returns when it began: its stream is live.
    ///
    /// # Errors
    /// [`DemoError`]
    pub async fn start(&self) -> Result<OffsetDateTime, DemoError> {
        self.ask(Request::Start).await
    }

    /// Ends the show that is on, and forgets its channel.
    ///
    /// # Errors
    /// [`DemoError`]
    pub async fn remove(&self) -> Result<(), DemoError> {
        self.ask(Request::Remove).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, DemoError>>) -> Request,
    ) -> Result<T, DemoError> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(request(answer)).map_err(|_| DemoError::Busy)?;
        match timeout(REQUEST_TIMEOUT, answered).await {
            Ok(Ok(result)) => result,
            _ => Err(DemoError::Busy),
        }
    }
}

/// Starts the stage, on which nothing is played until [`Demo::start`].
pub fn spawn(services: &Services, tasks: &mut Tasks) -> (Demo, Stopper) {
    let (requests, received) = mpsc::channel(QUEUE_LENGTH);
    let stopper = Stopper::new(STOP_TIMEOUT);
    let stage = Stage {
        pool: services.pool.clone(),
        database: services.database.clone(),
        ingest: services.ingest.clone(),
        clock: services.clock.clone(),
        requests: received,
        stopper: stopper.clone(),
        scenes: VecDeque::new(),
        next: Some(services.clock.instant()),
    };
    tasks.spawn("demo show", stage.run());
    (Demo { requests }, stopper)
}

/// Plays shows.
#[derive(Debug)]
struct Stage {
    pool: PgPool,
    database: PgConnectOptions,
    ingest: Ingest,
    clock: Clock,
    requests: mpsc::Receiver<Request>,
    stopper: Stopper,
    /// What is left of the show.
    scenes: VecDeque<Scene>,
    /// When the next scene is due; at the start, when the state is looked at for a show that was not finished.
    next: Option<Instant>,
}

impl Stage {
    async fn run(mut self) -> Infallible {
        loop {
            let (clock, next) = (self.clock.clone(), self.next);
            let due = async {
                match next {
                    Some(at) => clock.sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stopper.stopping.cancelled() => break,
                Some(request) = self.requests.recv() => self.answer(request).await,
                () = due => self.advance().await,
            }
        }
        self.stopper.stopped.cancel();
        pending().await
    }

    /// Does what is asked for. One who no longer waits for the answer is no error.
    async fn answer(&mut self, request: Request) {
        match request {
            Request::Start(answer) => drop(answer.send(self.start().await)),
            Request::Remove(answer) => drop(answer.send(self.remove().await)),
        }
    }

    async fn start(&mut self) -> Result<OffsetDateTime, DemoError> {
        let now = self.clock.now();
        if let Some((_, started_at)) = self.live().await?
            && now - started_at < LENGTH
        {
            return Ok(started_at);
        }
        self.remove().await?;
        let mut scenes = VecDeque::from(demo::show(now)?);
        let mut started_at = now;
        if let Some(first) = scenes.pop_front() {
            self.ingest.submit(Message::demo(&first)?).await?;
            started_at = first.at();
        }
        self.scenes = scenes;
        self.schedule();
        Ok(started_at)
    }

    async fn remove(&mut self) -> Result<(), DemoError> {
        self.scenes.clear();
        self.next = None;
        let channel = CHANNEL_ID.parse().map_err(DemoError::Channel)?;
        let user = CHANNEL_ID.parse().map_err(DemoError::Channel)?;
        let forget = async {
            // The connections of the pool have a short time limit for a statement.
            let mut connection = PgConnection::connect_with(&self.database).await?;
            if channels::exists(&mut connection, &channel).await? {
                forget::forget(&mut connection, &user).await?;
            }
            connection.close().await
        };
        Ok(within(REQUEST_TIMEOUT, forget).await?)
    }

    /// Plays the next scene, or tries again a little later.
    async fn advance(&mut self) {
        match self.play().await {
            Ok(()) => self.schedule(),
            Err(error) => {
                tracing::debug!(%error, "a scene of the demo can't be played yet");
                self.next = Some(self.clock.instant() + RETRY);
            }
        }
    }

    async fn play(&mut self) -> Result<(), DemoError> {
        let live = self.live().await?;
        let Some(scene) = self.scenes.front() else {
            if let Some((stream, started_at)) = live {
                self.scenes.push_back(demo::end(stream.as_str(), started_at + LENGTH)?);
            }
            return Ok(());
        };
        // Forgotten meanwhile, or another server has begun another show.
        if live.is_none_or(|(stream, _)| !scene.is_of(stream.as_str())) {
            self.scenes.clear();
            return Ok(());
        }
        match self.ingest.submit(Message::demo(scene)?).await {
            // One that can't be stored, which the writer has logged, holds up no other.
            Ok(_) | Err(IngestError::Rejected) => drop(self.scenes.pop_front()),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn schedule(&mut self) {
        let now = self.clock.now();
        let wait = |scene: &Scene| Duration::try_from(scene.at() - now).unwrap_or_default().min(LENGTH);
        self.next = self.scenes.front().map(|scene| self.clock.instant() + wait(scene));
    }

    /// The stream with which the demo's channel is live, and when it began.
    async fn live(&self) -> Result<Option<(StreamId, OffsetDateTime)>, DemoError> {
        let channel = CHANNEL_ID.parse().map_err(DemoError::Channel)?;
        let row = within(READ_TIMEOUT, channels::get(&self.pool, &channel)).await?;
        Ok(row.filter(|row| row.is_live).and_then(|row| row.stream_id.zip(row.stream_started_at)))
    }
}
