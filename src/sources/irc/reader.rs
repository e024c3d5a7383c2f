//! Takes what the lines of chats say: messages enter the log, and who comes and leaves changes the presence.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::presence::{Presence, Visit};
use crate::clock::Clock;
use crate::incidents::{Incidents, Kind};
use crate::ingest::{Ingest, IngestError};
use crate::message::Message;
use crate::store::chat::OpenChat;
use crate::twitch::id::ChannelId;
use crate::twitch::irc::{Login, ServerMessage};

/// Messages that wait for the log. While the database is away more are lost, and counted.
const MAX_WAITING: usize = 8_192;

/// Messages that are submitted at once, so that batches form: a part of the writer's queue, which is for EventSub as well.
const MAX_IN_FLIGHT: usize = 64;

/// Pause before a message is submitted again that could not be stored.
const RETRY: Duration = Duration::from_millis(250);

/// A chat that is read.
#[derive(Debug)]
struct Chat {
    wanted: OpenChat,
    presence: Presence,
}

/// Reads the chats. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// By the channel's login.
    chats: Arc<Mutex<HashMap<String, Chat>>>,
    queue: mpsc::Sender<Box<Message>>,
    /// Messages that are not in the log yet.
    unstored: Arc<AtomicUsize>,
    incidents: Incidents,
    clock: Clock,
}

/// What has changed in a chat.
#[derive(Debug)]
pub(super) struct ChatChange {
    pub(super) channel_id: ChannelId,
    pub(super) login: String,
    /// The visits to keep; `None` for one that is over.
    pub(super) visits: Vec<(String, Option<Visit>)>,
}

impl Reader {
    /// A reader, and the task that submits its messages.
    pub(super) fn new(
        ingest: Ingest,
        incidents: Incidents,
        clock: Clock,
    ) -> (Self, impl Future<Output = Infallible> + Send) {
        let (queue, messages) = mpsc::channel(MAX_WAITING);
        let unstored = Arc::default();
        let reader =
            Self { chats: Arc::default(), queue, unstored: Arc::clone(&unstored), incidents, clock: clock.clone() };
        (reader, submit_all(messages, unstored, ingest, clock))
    }

    fn chats(&self) -> MutexGuard<'_, HashMap<String, Chat>> {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads these chats from now on. `kept` is who was in those that are new.
    pub(super) fn read(&self, wanted: &[OpenChat], kept: &mut HashMap<ChannelId, BTreeMap<String, Visit>>) {
        let mut chats = self.chats();
        let mut old = std::mem::take(&mut *chats);
        for wanted in wanted {
            let login = &wanted.channel.login;
            let mut chat = old.remove(login).unwrap_or_else(|| Chat {
                wanted: wanted.clone(),
                presence: Presence::new(kept.remove(&wanted.channel.id).unwrap_or_default()),
            });
            if !wanted.membership {
                chat.presence = Presence::default();
            }
            chat.wanted = wanted.clone();
            chats.insert(login.clone(), chat);
        }
    }

    /// Takes what a line says.
    pub(super) fn take(&self, login: &Login, message: ServerMessage) {
        let now = self.clock.now();
        let is_own = |of: &str| of == login.login();
        match message {
            ServerMessage::Chat(line) => {
                let mut chats = self.chats();
                let Some(chat) = chats.get_mut(&line.channel) else { return };
                if chat.wanted.membership && !is_own(&line.login) {
                    chat.presence.see(&line.login, now);
                }
                let takes_lines = chat.wanted.takes_lines;
                let made = takes_lines.then(|| Message::from_irc(login, &line, &chat.wanted.channel, now));
                drop(chats);
                match made {
                    Some(Ok(message)) => self.submit(message),
                    Some(Err(error)) => self.refuse("chat message", &error),
                    None => {}
                }
            }
            ServerMessage::Join { channel, login } if !is_own(&login) => {
                self.with_presence(&channel, |presence| presence.see(&login, now));
            }
            ServerMessage::Part { channel, login } if !is_own(&login) => {
                self.with_presence(&channel, |presence| presence.miss(&login, now));
            }
            ServerMessage::Names { channel, mut logins } => {
                logins.retain(|login| !is_own(login));
                self.with_presence(&channel, |presence| presence.list(logins));
            }
            ServerMessage::EndOfNames { channel } => {
                self.with_presence(&channel, |presence| presence.end_list(now));
            }
            ServerMessage::Unknown(_) => {
                self.refuse("unknown command", "Twitch sent a command that it does not document")
            }
            _ => {}
        }
    }

    /// Counts a line or a frame that was not accepted.
    pub(super) fn refuse(&self, subject: &str, error: &(impl Display + ?Sized)) {
        self.incidents.record(Kind::RefusedLine, Some(subject), error);
    }

    fn with_presence(&self, channel: &str, change: impl FnOnce(&mut Presence)) {
        if let Some(chat) = self.chats().get_mut(channel).filter(|chat| chat.wanted.membership) {
            change(&mut chat.presence);
        }
    }

    fn submit(&self, message: Box<Message>) {
        self.unstored.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(message).is_err() {
            self.unstored.fetch_sub(1, Ordering::Relaxed);
            self.refuse("queue", "the database was away for too long, and a message was lost");
        }
    }

    /// Whether no message waits for the log.
    pub(super) fn is_idle(&self) -> bool {
        self.unstored.load(Ordering::Relaxed) == 0
    }

    /// What has changed in the chats. Who came and who left is told; the visits are to be kept.
    pub(super) fn changes(&self, login: &Login, now: OffsetDateTime) -> Vec<ChatChange> {
        let (mut changes, mut messages) = (Vec::new(), Vec::new());
        for (name, chat) in self.chats().iter_mut().filter(|(_, chat)| chat.wanted.membership) {
            let change = chat.presence.change(now);
            let visits = chat.presence.unkept();
            let channel = &chat.wanted.channel;
            if !change.is_empty() {
                messages.push(Message::presence(login, channel, &change.joined, &change.left, now));
            }
            if !visits.is_empty() {
                changes.push(ChatChange { channel_id: channel.id.clone(), login: name.clone(), visits });
            }
        }
        for message in messages {
            match message {
                Ok(message) => self.submit(message),
                Err(error) => self.refuse("presence", &error),
            }
        }
        changes
    }

    /// These visits could not be kept.
    pub(super) fn keep_later(&self, change: ChatChange) {
        let logins = change.visits.into_iter().map(|(login, _)| login);
        self.with_presence(&change.login, |presence| presence.keep_later(logins));
    }
}

/// Submits messages in their order, and again those that could not be stored.
async fn submit_all(
    mut messages: mpsc::Receiver<Box<Message>>,
    unstored: Arc<AtomicUsize>,
    ingest: Ingest,
    clock: Clock,
) -> Infallible {
    let stream = futures_util::stream::poll_fn(move |context| messages.poll_recv(context));
    let submit = async |message: Box<Message>| {
        // One that the database refuses is counted by the writer, and would be refused again.
        while !matches!(ingest.submit(message.clone()).await, Ok(_) | Err(IngestError::Rejected)) {
            clock.sleep(RETRY).await;
        }
        unstored.fetch_sub(1, Ordering::Relaxed);
    };
    stream.for_each_concurrent(MAX_IN_FLIGHT, submit).await;
    std::future::pending().await
}
