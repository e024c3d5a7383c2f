//! The TCP connection of a WebSocket, once it has left the HTTP server. Its buffers hold one frame, so that thousands of
//! connections need little memory.

use std::time::Duration;

use actix_http::ws::{CloseReason, Codec, Frame, Message, ProtocolError};
use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::codec::Framed;

/// The size with which each buffer begins, in bytes. They grow to the size of the largest frame.
const BUFFER: usize = 64;

/// The largest frame that a client may send, in bytes.
const MAX_FRAME: usize = 4_096;

/// How long a client may take to read a close frame and to end the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection.
pub(in crate::mock) struct Connection(Framed<TcpStream, Codec>);

impl Connection {
    /// `received` is what the client sent behind its request.
    pub(in crate::mock) fn new(stream: TcpStream, received: &BytesMut) -> Self {
        let mut framed = Framed::with_capacity(stream, Codec::new().max_size(MAX_FRAME), BUFFER);
        framed.read_buffer_mut().extend_from_slice(received);
        Self(framed)
    }

    /// The next frame of the client; `None` at its end.
    pub(in crate::mock) async fn next(&mut self) -> Option<Result<Frame, ProtocolError>> {
        self.0.next().await
    }

    /// Writes a frame.
    pub(in crate::mock) async fn send(&mut self, message: Message) -> Result<(), ProtocolError> {
        self.0.send(message).await
    }

    /// Writes a close frame and ends the connection.
    pub(in crate::mock) async fn close(mut self, reason: CloseReason) {
        let closing = async {
            if self.send(Message::Close(Some(reason))).await.is_err() {
                return;
            }
            let mut stream = self.0.into_inner();
            let _ = stream.shutdown().await;
            // With unread data the connection would be reset, and the client might never see the close frame.
            let mut unread = [0; 256];
            while matches!(stream.read(&mut unread).await, Ok(1..)) {}
        };
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
    }

    /// Resets the connection.
    pub(in crate::mock) fn reset(self) {
        let _ = self.0.get_ref().set_zero_linger();
    }
}
