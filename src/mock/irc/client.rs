//! One connection: what is read, what is sent, and when it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_http::ws::{CloseCode, CloseReason, Frame, Message, ProtocolError};
use bytes::BytesMut;
use bytestring::ByteString;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::connections::Command;
use super::line::Received;
use crate::mock::websocket::Connection;
use crate::mock::world::World;

/// The interval of pings, each of which is to be answered before the next one.
const PING_INTERVAL: Duration = Duration::from_secs(300);

/// What is to be done after a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    /// Send what there is, and close.
    Close,
}

/// A connection and what its client has said before it logged in.
pub(super) struct Session {
    pub(super) world: Arc<World>,
    pub(super) number: u64,
    /// The password, which comes before the name.
    pub(super) password: Option<String>,
    pub(super) is_answered: bool,
}

impl World {
    /// Serves IRC on a connection that has left the HTTP server.
    pub(in crate::mock) fn open_irc(self: &Arc<Self>, stream: std::net::TcpStream, received: BytesMut) {
        let Some((number, commands)) = self.state().irc.add() else { return };
        let world = Arc::clone(self);
        let serving = async move {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            let connection = Connection::new(stream, &received);
            drop(received);
            let session = Session { world: Arc::clone(&world), number, password: None, is_answered: true };
            session.run(connection, commands).await;
            world.forget(number);
        };
        self.sockets.spawn_on(serving, &self.runtime);
    }
}

impl Session {
    async fn run(mut self, mut connection: Connection, mut commands: mpsc::Receiver<Command>) {
        let (stop, clock) = (self.world.stop.clone(), self.world.config.clock.clone());
        let mut ping_at: Instant = clock.instant() + PING_INTERVAL;
        loop {
            let text = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                frame = connection.next() => match self.receive(frame, &mut connection).await {
                    Some((answer, Next::Continue)) => answer,
                    Some((answer, Next::Close)) => {
                        let _ = send(&mut connection, answer).await;
                        break;
                    }
                    None => return,
                },
                command = commands.recv() => match command {
                    Some(Command::Send(text)) => text,
                    Some(Command::Reset) => return connection.reset(),
                    Some(Command::Silence) => return stop.cancelled().await,
                    Some(Command::Close) | None => break,
                },
                () = clock.sleep_until(ping_at) => {
                    if !std::mem::take(&mut self.is_answered) {
                        break;
                    }
                    ping_at = clock.instant() + PING_INTERVAL;
                    "PING :tmi.twitch.tv\r\n".to_owned()
                }
            };
            if send(&mut connection, text).await.is_err() {
                return;
            }
        }
        connection.close(CloseReason { code: CloseCode::Normal, description: None }).await;
    }

    /// Does what the lines of a frame say. `None` at the end of the connection.
    async fn receive(
        &mut self,
        frame: Option<Result<Frame, ProtocolError>>,
        connection: &mut Connection,
    ) -> Option<(String, Next)> {
        match frame?.ok()? {
            Frame::Text(bytes) => {
                let mut answer = String::new();
                for line in String::from_utf8_lossy(&bytes).split("\r\n").filter(|line| !line.is_empty()) {
                    if self.handle(&Received::parse(line), &mut answer) == Next::Close {
                        return Some((answer, Next::Close));
                    }
                }
                Some((answer, Next::Continue))
            }
            Frame::Ping(payload) => {
                connection.send(Message::Pong(payload)).await.ok()?;
                Some((String::new(), Next::Continue))
            }
            Frame::Close(_) => Some((String::new(), Next::Close)),
            Frame::Pong(_) | Frame::Binary(_) | Frame::Continuation(_) => Some((String::new(), Next::Continue)),
        }
    }
}

async fn send(connection: &mut Connection, text: String) -> Result<(), ProtocolError> {
    if text.is_empty() { Ok(()) } else { connection.send(Message::Text(ByteString::from(text))).await }
}
