//! A keep-alive connection with little cost per request: it sends prepared bytes and reads only the status of the answer. With
//! hyper's client the generator would need more than twice the processor time per request and become the bottleneck.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time limit for an answer. Twitch waits a few seconds
/// (<https://dev.twitch.tv/docs/eventsub/handling-webhook-events/>).
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Limit for the head of an answer, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// Limit for the number of headers.
const MAX_HEADERS: usize = 64;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The connection was refused.
    #[error("no connection")]
    Refused,
    /// The connection was closed before the answer was complete.
    #[error("closed")]
    Closed,
    /// No answer within [`ANSWER_TIMEOUT`].
    #[error("timed out")]
    TimedOut,
    /// The answer is not HTTP.
    #[error("malformed")]
    Malformed,
}

/// A connection that is opened when it is first used, and again after it was closed.
#[derive(Debug)]
pub struct Connection {
    target: SocketAddr,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

/// The needed parts of an answer's head.
struct Head {
    status: u16,
    /// Length of head and body in bytes; `None` if the body ends with the connection.
    length: Option<usize>,
    is_last: bool,
}

impl Connection {
    /// A connection to this address, not opened yet.
    #[must_use]
    pub fn new(target: SocketAddr) -> Self {
        Self { target, stream: None, received: Vec::with_capacity(1_024) }
    }

    /// Sends a request and returns the status of the answer. If the server closes an idle connection just as the request is
    /// sent, it is sent once more on a new one.
    ///
    /// # Errors
    /// If there is no answer. The next request then opens a new connection.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<u16, Failure> {
        let was_open = self.stream.is_some();
        match timeout(ANSWER_TIMEOUT, self.attempt(request)).await {
            Ok(Err(Failure::Closed)) if was_open && self.received.is_empty() => {
                timeout(ANSWER_TIMEOUT, self.attempt(request)).await.unwrap_or(Err(Failure::TimedOut))
            }
            Ok(result) => result,
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// Keeps the stream only after a whole answer, so that no rest of a broken one is read later.
    async fn attempt(&mut self, request: &[u8]) -> Result<u16, Failure> {
        self.received.clear();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.target).await.map_err(|_| Failure::Refused)?,
        };
        stream.write_all(request).await.map_err(|_| Failure::Closed)?;
        loop {
            let read = stream.read_buf(&mut self.received).await.map_err(|_| Failure::Closed)?;
            if read == 0 {
                return Err(Failure::Closed);
            }
            let Some(head) = Head::read(&self.received)? else { continue };
            let Some(length) = head.length else { return Ok(head.status) };
            while self.received.len() < length {
                if stream.read_buf(&mut self.received).await.map_err(|_| Failure::Closed)? == 0 {
                    return Err(Failure::Closed);
                }
            }
            if !head.is_last {
                self.stream = Some(stream);
            }
            return Ok(head.status);
        }
    }
}

/// Opens a connection with `TCP_NODELAY`.
pub(super) async fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Head {
    /// Parses a head; `None` if it is incomplete.
    fn read(received: &[u8]) -> Result<Option<Self>, Failure> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(received) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if received.len() < MAX_HEAD => return Ok(None),
            _ => return Err(Failure::Malformed),
        };
        let status = response.code.ok_or(Failure::Malformed)?;
        let value = |name: &str| response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
        let body = match value("content-length") {
            Some(text) => Some(std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or(Failure::Malformed)?),
            None if matches!(status, 204 | 304) => Some(0_usize),
            None => None,
        };
        let is_last = value("connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        Ok(Some(Self { status, length: body.and_then(|body| length.checked_add(body)), is_last }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_length_and_end_of_an_answer_are_read() {
        let read = |text: &str| Head::read(text.as_bytes()).map(|head| head.map(|h| (h.status, h.length, h.is_last)));
        assert_eq!(read("HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n"), Ok(Some((204, Some(36), false))));
        let problem = "HTTP/1.1 503 x\r\nContent-Length: 5\r\nConnection: Close\r\n\r\nhel";
        assert_eq!(read(problem), Ok(Some((503, Some(problem.len() + 2), true))));
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\n"), Ok(Some((200, None, false))));
        assert_eq!(read("HTTP/1.1 200 OK\r\nconte"), Ok(None));
        assert_eq!(read("SSH-2.0-OpenSSH\r\n"), Err(Failure::Malformed));
    }
}
