//! One connection with its channels: it logs in, joins, pings, and connects again when it has to.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, OptionFuture};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::account::Accounts;
use super::joins::{Joins, MAX_JOINS};
use super::reader::Reader;
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::metrics::{Counted, Metrics};
use crate::twitch::irc::{ANONYMOUS, Connection, Endpoint, Input, Login, LoginError, ServerMessage};
use crate::twitch::websocket::End;

/// The interval of pings, and how long the answer may take.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a join may take to be confirmed until it is tried again: a channel that does not exist never answers.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long an old connection is read beside the new one, at most.
const MAX_OVERLAP: Duration = Duration::from_secs(120);

/// How long an old connection is read after it was closed from here, if Twitch does not close it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Refusals of an account after which it is not used: the first may be due to its token, which is then replaced.
const MAX_REFUSALS: u32 = 2;

/// Pauses between attempts to connect.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(30) };

/// What connections share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) endpoint: Endpoint,
    pub(super) accounts: Accounts,
    pub(super) reader: Reader,
    pub(super) joins: Joins,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
}

/// How a connection is.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The login, while it is connected.
    pub(super) login: Option<Login>,
    /// Channels that were joined, by login.
    pub(super) joined: BTreeSet<String>,
    /// Why it is not connected, or why it reads anonymously.
    pub(super) problem: Option<String>,
    /// Whether it reads anonymously because Twitch refuses the account.
    is_refused: bool,
}

/// A connection that is kept until this is dropped.
#[derive(Debug)]
pub(super) struct ChatConnection {
    channels: watch::Sender<BTreeSet<String>>,
    report: Arc<Mutex<Report>>,
    replace: Arc<Notify>,
    _stop: DropGuard,
}

impl ChatConnection {
    /// Connects, and joins these channels.
    pub(super) fn start(context: &Arc<Context>, channels: BTreeSet<String>) -> Self {
        let (channels, wanted) = watch::channel(channels);
        let (report, replace, stop) = (Arc::default(), Arc::new(Notify::new()), CancellationToken::new());
        let keeper = Keeper {
            context: context.clone(),
            wanted,
            report: Arc::clone(&report),
            replace: replace.clone(),
            stop: stop.child_token(),
        };
        tokio::spawn(stop.child_token().run_until_cancelled_owned(keeper.run()));
        Self { channels, report, replace, _stop: stop.drop_guard() }
    }

    pub(super) fn channels(&self) -> BTreeSet<String> {
        self.channels.borrow().clone()
    }

    /// Joins these channels from now on, and no others.
    pub(super) fn set_channels(&self, channels: BTreeSet<String>) {
        self.channels.send_if_modified(|old| {
            let is_changed = *old != channels;
            *old = channels;
            is_changed
        });
    }

    pub(super) fn report(&self) -> MutexGuard<'_, Report> {
        lock(&self.report)
    }

    /// Logs in again if another account than this one reads; `None` is an anonymous one. One that Twitch refused is not tried
    /// again.
    pub(super) fn read_as(&self, account: Option<&str>) {
        let report = self.report();
        let reads = report.login.as_ref().map(|login| Some(login.login()).filter(|name| !name.starts_with(ANONYMOUS)));
        if !report.is_refused && reads.is_some_and(|reads| reads != account) {
            self.replace.notify_one();
        }
    }
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a connection.
struct Keeper {
    context: Arc<Context>,
    wanted: watch::Receiver<BTreeSet<String>>,
    report: Arc<Mutex<Report>>,
    /// Another account is to read.
    replace: Arc<Notify>,
    stop: CancellationToken,
}

impl Keeper {
    async fn run(mut self) -> Infallible {
        let mut live = self.connect().await;
        loop {
            live = self.serve(live).await;
        }
    }

    fn connect(&self) -> impl Future<Output = Live> + Send + use<> {
        connect(self.context.clone(), self.report.clone())
    }

    /// Serves a connection until there is another one. If Twitch asks for that, or another account is to read, the old one is
    /// read until the new one has joined all channels.
    async fn serve(&mut self, mut live: Live) -> Live {
        let mut successor: Option<BoxFuture<'static, Live>> = None;
        let clock = self.context.clock.clone();
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let tended = live.tend(&self.context, &wanted).await;
            lock(&self.report).joined.clone_from(&live.joined);
            let deadline = live.deadline(&wanted);
            let taken = match tended {
                Ok(()) => tokio::select! {
                    input = live.connection.next() => live.take(&self.context, input).await,
                    Some(new) = OptionFuture::from(successor.as_mut()) => {
                        self.spawn_drain(live, new.complete.clone());
                        return new;
                    }
                    _ = self.wanted.changed() => Ok(Next::Continue),
                    () = self.replace.notified() => Ok(Next::Reconnect),
                    () = clock.sleep_until(deadline) => Ok(Next::Continue),
                },
                Err(end) => Err(end),
            };
            match taken {
                Ok(Next::Continue) => {}
                Ok(Next::Reconnect) => {
                    successor.get_or_insert_with(|| self.connect().boxed());
                }
                Err(end) => {
                    tracing::debug!(%end, "a connection to the chat ended");
                    *lock(&self.report) = Report { problem: Some(end.to_string()), ..Report::default() };
                    return match successor {
                        Some(successor) => successor.await,
                        None => self.connect().await,
                    };
                }
            }
        }
    }

    fn spawn_drain(&self, mut old: Live, complete: CancellationToken) {
        let (context, stop) = (self.context.clone(), self.stop.child_token());
        old.state = context.metrics.chat_connection("closing");
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            let mut overlap = pin!(context.clock.sleep(MAX_OVERLAP));
            loop {
                let input = tokio::select! {
                    input = old.connection.next() => input,
                    () = complete.cancelled() => break,
                    () = &mut overlap => break,
                };
                if old.take(&context, input).await.is_err() {
                    return;
                }
            }
            old.connection.close().await;
            // What was sent before Twitch saw that may have come over this connection alone.
            let rest = async {
                loop {
                    let input = old.connection.next().await;
                    if old.take(&context, input).await.is_err() {
                        return;
                    }
                }
            };
            let _ = timeout(CLOSE_TIMEOUT, rest).await;
        }));
    }
}

/// Connects, however long that takes. The account's token is asked for at each attempt. An account that Twitch refuses twice is
/// not used.
async fn connect(context: Arc<Context>, report: Arc<Mutex<Report>>) -> Live {
    let _state = context.metrics.chat_connection("connecting");
    let (mut failures, mut refusals) = (0, 0);
    loop {
        let attempt = async {
            let account = context.accounts.get().await.map_err(|error| error.to_string())?;
            let credentials = account.credentials.as_ref().filter(|_| refusals < MAX_REFUSALS);
            let is_refused = refusals >= MAX_REFUSALS;
            let refused = is_refused.then(|| lock(&report).problem.clone()).flatten();
            match context.endpoint.connect(credentials).await {
                Ok((login, connection)) => {
                    let problem = refused.or(account.problem.clone());
                    let report = Report { login: Some(login.clone()), problem, is_refused, ..Report::default() };
                    Ok((login, connection, report))
                }
                Err(error) => {
                    if let (LoginError::Refused(_), Some(_)) = (&error, credentials) {
                        refusals += 1;
                        context.accounts.replace(&account).await;
                    }
                    Err(error.to_string())
                }
            }
        };
        match attempt.await {
            Ok((login, connection, connected)) => {
                tracing::info!(login = login.login(), "connected to the chat");
                *lock(&report) = connected;
                return Live::new(&context, login, connection);
            }
            Err(problem) => {
                tracing::debug!(problem, "the chat can't be connected to; trying again");
                lock(&report).problem = Some(problem);
            }
        }
        failures += 1;
        context.clock.sleep(BACKOFF.pause(failures)).await;
    }
}

/// What is to be done after a line.
enum Next {
    Continue,
    Reconnect,
}

/// A connection that is logged in.
struct Live {
    login: Login,
    connection: Connection,
    /// Channels that it was asked to join, and when.
    asked: BTreeMap<String, Instant>,
    joined: BTreeSet<String>,
    /// Cancelled when all channels are joined.
    complete: CancellationToken,
    ping_at: Instant,
    /// When the answer to the last ping is due.
    pong_by: Option<Instant>,
    /// When joins may go on, if there were too many.
    join_at: Option<Instant>,
    state: Counted,
}

impl Live {
    fn new(context: &Context, login: Login, connection: Connection) -> Self {
        Self {
            login,
            connection,
            asked: BTreeMap::new(),
            joined: BTreeSet::new(),
            complete: CancellationToken::new(),
            ping_at: context.clock.instant() + PING_INTERVAL,
            pong_by: None,
            join_at: None,
            state: context.metrics.chat_connection("connected"),
        }
    }

    /// Sends what is due: a ping, parts, joins.
    async fn tend(&mut self, context: &Context, wanted: &BTreeSet<String>) -> Result<(), End> {
        let now = context.clock.instant();
        match self.pong_by {
            Some(by) if now >= by => {
                return Err(End::Broken(format!("a ping was not answered within {} s", PING_TIMEOUT.as_secs())));
            }
            None if now >= self.ping_at => {
                self.pong_by = Some(now + PING_TIMEOUT);
                self.connection.send("PING :showtime").await?;
            }
            _ => {}
        }
        let unwanted: Vec<_> = self.asked.keys().filter(|channel| !wanted.contains(*channel)).cloned().collect();
        for unwanted in unwanted.chunks(MAX_JOINS) {
            self.connection.send(&command("PART", unwanted)).await?;
            for channel in unwanted {
                self.asked.remove(channel);
                self.joined.remove(channel);
            }
        }
        self.join(context, wanted, now).await
    }

    async fn join(&mut self, context: &Context, wanted: &BTreeSet<String>, now: Instant) -> Result<(), End> {
        if wanted.is_subset(&self.joined) {
            self.complete.cancel();
        }
        if self.join_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        let is_due = |channel: &&String| self.retry_at(channel).is_none_or(|at| now >= at);
        let missing: Vec<_> = wanted.difference(&self.joined).filter(is_due).cloned().collect();
        let (count, next_at) = context.joins.take(missing.len(), now);
        self.join_at = next_at;
        if count > 0 {
            self.asked.extend(missing[..count].iter().map(|channel| (channel.clone(), now)));
            self.connection.send(&command("JOIN", &missing[..count])).await?;
        }
        Ok(())
    }

    /// When a channel that was asked for is asked for again.
    fn retry_at(&self, channel: &str) -> Option<Instant> {
        self.asked.get(channel).map(|at| *at + JOIN_TIMEOUT)
    }

    /// When there is something to send, at the latest.
    fn deadline(&self, wanted: &BTreeSet<String>) -> Instant {
        let retry_at = || wanted.difference(&self.joined).filter_map(|channel| self.retry_at(channel)).min();
        // While there were too many joins, none is tried again.
        let join_at = self.join_at.or_else(retry_at);
        join_at.into_iter().fold(self.pong_by.unwrap_or(self.ping_at), Instant::min)
    }

    /// Takes what the connection brought.
    async fn take(&mut self, context: &Context, input: Result<Input, End>) -> Result<Next, End> {
        let line = match input? {
            Input::Line(line) => line,
            Input::Bad(reason) => {
                context.reader.refuse("frame", reason);
                return Ok(Next::Continue);
            }
        };
        match ServerMessage::parse(&line) {
            Err(error) => context.reader.refuse(error.name(), &error),
            Ok(ServerMessage::Reconnect) => return Ok(Next::Reconnect),
            Ok(ServerMessage::Ping(text)) => self.connection.send(&format!("PONG :{text}")).await?,
            Ok(ServerMessage::Pong) => {
                self.pong_by = None;
                self.ping_at = context.clock.instant() + PING_INTERVAL;
            }
            Ok(message) => {
                match &message {
                    ServerMessage::EndOfNames { channel } => {
                        self.joined.insert(channel.clone());
                    }
                    ServerMessage::Part { channel, login } if login == self.login.login() => {
                        self.joined.remove(channel);
                    }
                    _ => {}
                }
                context.reader.take(&self.login, message);
            }
        }
        Ok(Next::Continue)
    }
}

/// A command about channels.
fn command(name: &str, channels: &[String]) -> String {
    let channels: Vec<_> = channels.iter().map(|channel| format!("#{channel}")).collect();
    format!("{name} {}", channels.join(","))
}
