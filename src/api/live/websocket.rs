//! Feeds over a WebSocket (RFC 6455).

use std::time::Duration;

use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, rt};
use actix_ws::{CloseCode, CloseReason, Closed, Message, MessageStream, ProtocolError, Session};
use tokio::time::timeout;

use super::data::HeartbeatData;
use super::heartbeat::Heartbeat;
use super::listener::Listener;
use super::sse::REVOKED;
use crate::api::error::Error;
use crate::clock::Clock;
use crate::outputs::live::frame::Frame;
use crate::outputs::live::reader::End;

/// The subprotocol that browsers ask for beside their token, since they can set no other header.
const PROTOCOL: &str = "showtime";

/// The same, with heartbeats as messages: a page can't see pings. The first heartbeat comes before everything else.
const PROTOCOL_WITH_HEARTBEATS: &str = "showtime.heartbeat";

/// The largest message that a client may send, in bytes. All that is read of them is what overlays report.
const MAX_MESSAGE: usize = 4_096;

/// Time limit until there is room for the next message to the client.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn accept(
    req: &HttpRequest,
    body: Payload,
    listener: Box<Listener>,
    clock: &Clock,
) -> Result<HttpResponse, Error> {
    let (response, session, incoming) =
        actix_ws::handle_with_protocols(req, body, &[PROTOCOL_WITH_HEARTBEATS, PROTOCOL])
            .map_err(|error| Error::NotWebSocket(error.to_string()))?;
    let chosen = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
    let heartbeat_clock = chosen.filter(|chosen| *chosen == PROTOCOL_WITH_HEARTBEATS).map(|_| clock.clone());
    let heartbeat = Heartbeat::new(clock, listener.session());
    let socket = Socket { session, heartbeat, heartbeat_clock, is_answered: true };
    // Ends with the connection, and when the hub stops.
    rt::spawn(socket.run(listener, incoming.max_frame_size(MAX_MESSAGE)));
    Ok(response)
}

/// One connection.
struct Socket {
    session: Session,
    heartbeat: Heartbeat,
    /// The clock for heartbeats as messages; `None` if the client gets pings alone.
    heartbeat_clock: Option<Clock>,
    /// Whether the last ping was answered.
    is_answered: bool,
}

impl Socket {
    async fn run(mut self, listener: Box<Listener>, incoming: MessageStream) {
        let reason = self.follow(listener, incoming).await;
        // Without a reason, the client is gone.
        if let Some(reason) = reason {
            let _ = timeout(SEND_TIMEOUT, self.session.close(Some(reason))).await;
        }
    }

    /// Sends the feed until there is a reason to close; `None` if the client is gone.
    async fn follow(&mut self, mut listener: Box<Listener>, mut incoming: MessageStream) -> Option<CloseReason> {
        self.send_heartbeat(&listener).await?;
        loop {
            if self.heartbeat.is_due()
                && let Some(reason) = self.ping(&listener).await?
            {
                return Some(reason);
            }
            tokio::select! {
                biased;
                message = incoming.recv() => match message {
                    Some(Ok(message)) => {
                        if let Message::Text(text) = &message {
                            listener.receive(text);
                        }
                        if let Some(reason) = self.receive(message).await? {
                            return Some(reason);
                        }
                    }
                    Some(Err(error @ ProtocolError::Overflow)) => {
                        return Some(reason(CloseCode::Size, &error.to_string()));
                    }
                    Some(Err(error)) => return Some(reason(CloseCode::Protocol, &error.to_string())),
                    None => return None,
                },
                next = listener.next() => match next {
                    Ok(frame) => sent(self.session.text(frame.websocket())).await?,
                    Err(end) => return Some(reason(code(&end), &end.to_string())),
                },
                () = self.heartbeat.due() => {}
            }
        }
    }

    /// Pings the client, if its token is valid and it answered the last ping. `Some(None)` to go on; `None` if the client is
    /// gone.
    async fn ping(&mut self, listener: &Listener) -> Option<Option<CloseReason>> {
        if self.heartbeat.is_revoked() {
            return Some(Some(reason(CloseCode::Policy, REVOKED)));
        }
        if !self.is_answered {
            return Some(Some(reason(CloseCode::Policy, "no answer to a ping")));
        }
        self.is_answered = false;
        self.heartbeat.reset();
        sent(self.session.ping(b"")).await?;
        self.send_heartbeat(listener).await?;
        Some(None)
    }

    /// Sends a heartbeat as a message, if the client asked for these. `None` if the client is gone.
    async fn send_heartbeat(&mut self, listener: &Listener) -> Option<()> {
        let Some(clock) = &self.heartbeat_clock else { return Some(()) };
        let frame = Frame::new(Some(listener.cursor()), "heartbeat", &HeartbeatData { sent_at: clock.now() });
        sent(self.session.text(frame.websocket())).await
    }

    /// Handles a message of the client. `Some(None)` to go on; `None` if the client is gone.
    async fn receive(&mut self, message: Message) -> Option<Option<CloseReason>> {
        match message {
            Message::Pong(_) => self.is_answered = true,
            Message::Ping(payload) => sent(self.session.pong(&payload)).await?,
            Message::Close(reason) => return Some(Some(reason.unwrap_or(CloseCode::Normal.into()))),
            Message::Text(_) | Message::Binary(_) | Message::Continuation(_) | Message::Nop => {}
        }
        Some(None)
    }
}

/// `None` if the client is gone, or does not read.
async fn sent(sending: impl Future<Output = Result<(), Closed>>) -> Option<()> {
    timeout(SEND_TIMEOUT, sending).await.ok()?.ok()
}

fn code(end: &End) -> CloseCode {
    match end {
        End::TooSlow | End::Database(_) => CloseCode::Again,
        End::Stopping => CloseCode::Away,
    }
}

fn reason(code: CloseCode, description: &str) -> CloseReason {
    CloseReason { code, description: Some(description.to_owned()) }
}
