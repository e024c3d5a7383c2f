//! A keep-alive connection that costs the generator next to nothing: prepared bytes go out, and of
//! the answer only the status is looked at.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take; Twitch waits a few seconds (webhook.md §4).
pub const PATIENCE: Duration = Duration::from_secs(5);

/// More of an answer than any head takes.
const MAX_HEAD: usize = 16 * 1024;

/// More headers than any answer has.
const MAX_HEADERS: usize = 64;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nobody accepts connections there.
    #[error("no connection")]
    Refused,
    /// It was closed before the answer was complete.
    #[error("closed")]
    Closed,
    /// None within [`PATIENCE`].
    #[error("timed out")]
    TimedOut,
    /// Not HTTP.
    #[error("malformed")]
    Malformed,
}

/// One connection, made when it is first needed, and again when it is gone.
#[derive(Debug)]
pub struct Connection {
    target: SocketAddr,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

/// The head of an answer, as far as it matters.
struct Head {
    status: u16,
    /// Head and body, in bytes; `None` if only the end of the connection tells.
    length: Option<usize>,
    is_last: bool,
}

impl Connection {
    /// To be made to this address.
    #[must_use]
    pub fn to(target: SocketAddr) -> Self {
        Self { target, stream: None, received: Vec::with_capacity(1_024) }
    }

    /// Sends a request and returns the status of the answer. A server may close a connection that
    /// was idle just as the next request goes out; then it is sent again, once, on a new one.
    ///
    /// # Errors
    /// If there is no answer. The next request then begins with a new connection.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<u16, Failure> {
        let was_open = self.stream.is_some();
        match timeout(PATIENCE, self.attempt(request)).await {
            Ok(Err(Failure::Closed)) if was_open && self.received.is_empty() => {
                timeout(PATIENCE, self.attempt(request)).await.unwrap_or(Err(Failure::TimedOut))
            }
            Ok(result) => result,
            Err(_) => Err(Failure::TimedOut),
        }
    }

    /// The stream is put back only after a whole answer, so nothing of a broken one is met later.
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

/// Connects, without waiting for more to send.
pub(super) async fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Head {
    /// `None` while more is to come.
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
    fn of_an_answer_status_length_and_end_are_read() {
        let read = |text: &str| Head::read(text.as_bytes()).map(|head| head.map(|h| (h.status, h.length, h.is_last)));
        assert_eq!(read("HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n"), Ok(Some((204, Some(36), false))));
        let problem = "HTTP/1.1 503 x\r\nContent-Length: 5\r\nConnection: Close\r\n\r\nhel";
        assert_eq!(read(problem), Ok(Some((503, Some(problem.len() + 2), true))));
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\n"), Ok(Some((200, None, false))));
        assert_eq!(read("HTTP/1.1 200 OK\r\nconte"), Ok(None));
        assert_eq!(read("SSH-2.0-OpenSSH\r\n"), Err(Failure::Malformed));
    }
}
