//! [Server-Sent Events](https://html.spec.whatwg.org/multipage/server-sent-events.html), as far as showtime's feeds use them.

use anyhow::{Result, bail};

/// The longest event, in bytes. A snapshot of all channels is the largest.
const MAX_LENGTH: usize = 64 << 20;

/// An event of a feed, or an id alone: then `data` is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FeedEvent {
    pub(super) id: Option<String>,
    pub(super) name: String,
    /// JSON.
    pub(super) data: String,
    /// The last comment. The server's says why it ends the stream.
    pub(super) comment: String,
}

/// Bytes of a stream, of which whole events are taken. What a broken connection left unfinished was no event.
#[derive(Default)]
pub(super) struct Parser {
    bytes: Vec<u8>,
    /// How many of the bytes were searched for the end of an event.
    searched: usize,
}

impl Parser {
    /// Adds bytes of the stream.
    ///
    /// # Errors
    /// If an event does not end.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > MAX_LENGTH {
            bail!("the server sent an event of more than {MAX_LENGTH} bytes");
        }
        Ok(())
    }

    /// The next whole event.
    pub(super) fn next(&mut self) -> Option<FeedEvent> {
        let from = self.searched.saturating_sub(1);
        let Some(at) = self.bytes[from..].windows(2).position(|pair| pair == b"\n\n") else {
            self.searched = self.bytes.len();
            return None;
        };
        let block: Vec<u8> = self.bytes.drain(..from + at + 2).collect();
        self.searched = 0;
        Some(event(&String::from_utf8_lossy(&block)))
    }
}

fn event(block: &str) -> FeedEvent {
    let mut event = FeedEvent::default();
    for line in block.lines() {
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => value.clone_into(&mut event.comment),
            "id" => event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut event.name),
            "data" if event.data.is_empty() => value.clone_into(&mut event.data),
            "data" => event.data = format!("{}\n{value}", event.data),
            _ => {}
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_from_parts_of_any_length() {
        let stream = "retry: 2000\nid: 7\n\nid: 8\nevent: event\ndata: {\"a\":\ndata: 1}\n\nid: 8\n: heartbeat\n\nid: 9\nevent: ev";
        for length in 1..stream.len() {
            let (mut parser, mut events) = (Parser::default(), Vec::new());
            for part in stream.as_bytes().chunks(length) {
                parser.push(part).unwrap();
                events.extend(std::iter::from_fn(|| parser.next()));
            }
            let ids: Vec<_> = events.iter().map(|event| event.id.as_deref().unwrap()).collect();
            assert_eq!(ids, ["7", "8", "8"], "the last event has no end");
            assert_eq!((&*events[1].name, &*events[1].data), ("event", "{\"a\":\n1}"));
            assert_eq!((&*events[2].data, &*events[2].comment), ("", "heartbeat"));
        }
    }
}
