//! The sessions, and what their sockets are told.

use std::collections::BTreeMap;
use std::time::Duration;

use bytestring::ByteString;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::close::Close;

/// Commands that may wait for a socket that does not write. With one more it is closed with 4005.
const MAX_WAITING: usize = 1_024;

/// The sessions that have a socket.
#[derive(Debug, Default)]
pub(in crate::mock) struct Sessions {
    pub(super) by_id: BTreeMap<String, Session>,
    /// Number of the next socket.
    pub(super) next_socket: u64,
}

/// A session of the protocol.
#[derive(Debug)]
pub(in crate::mock) struct Session {
    pub(super) connected_at: OffsetDateTime,
    pub(super) keepalive: Duration,
    /// The address of this mock, as the client knows it.
    pub(super) host: String,
    /// The user of the first subscription: others can't subscribe.
    pub(super) user_id: Option<String>,
    /// Gets the events.
    pub(super) socket: Handle,
    /// The socket that takes over with its welcome.
    pub(super) next: Option<Next>,
    /// The socket before, until it ends, if the session has moved.
    pub(super) old: Option<Handle>,
    /// What the URL for reconnecting proves itself with, until a socket that it opened is welcomed.
    pub(super) challenge: Option<String>,
    /// Whether events are sent. If not, they are lost, as on a connection that is half open.
    pub(super) delivers: bool,
}

/// A new socket of a session that has one.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) socket: Handle,
    /// What its URL proved itself with.
    pub(super) challenge: String,
}

/// The other end of a socket's task.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) number: u64,
    pub(super) commands: mpsc::Sender<Command>,
    /// Cancelled if the socket does not take its commands.
    pub(super) overflow: CancellationToken,
}

/// What a socket is to do.
#[derive(Debug)]
pub(in crate::mock) enum Command {
    /// Send this text: a notification or revocation with this message id, or a frame of the session itself.
    Send(ByteString, Option<String>),
    /// Send it in several fragments.
    SendInFragments(ByteString, Option<String>),
    /// Ask the client to reconnect, and end with 4004 so much later.
    Reconnect(ByteString, Duration),
    /// Close with a code.
    Close(Close),
    /// Reset the connection.
    Abort,
    /// Send nothing any more, but go on reading.
    Silence,
    /// Send and read nothing any more.
    HalfOpen,
    /// The session has a subscription.
    Subscribed,
    /// Send keepalives, or none.
    Keepalive(bool),
    /// Count the client's pongs, or none.
    Pongs(bool),
    /// Tell that all before this was written.
    Flush(oneshot::Sender<()>),
}

/// A socket that was admitted, for its task.
pub(super) struct Opened {
    pub(super) session_id: String,
    pub(super) number: u64,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) overflow: CancellationToken,
    pub(super) keepalive: Duration,
    pub(super) is_used: bool,
    /// How late the welcome is.
    pub(super) delay: Duration,
}

impl Handle {
    /// Gives the socket a command. One that has too many waiting is closed.
    pub(super) fn give(&self, command: Command) {
        if matches!(self.commands.try_send(command), Err(mpsc::error::TrySendError::Full(_))) {
            self.overflow.cancel();
        }
    }
}

impl Sessions {
    pub(super) fn handle(&mut self) -> (Handle, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(MAX_WAITING);
        self.next_socket += 1;
        (Handle { number: self.next_socket, commands, overflow: CancellationToken::new() }, receiver)
    }
}
