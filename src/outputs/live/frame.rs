//! A message of a feed, encoded for each transport.

use std::sync::OnceLock;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;

use crate::store::LogId;

/// A message of a feed. Each transport's encoding is made once, for all readers.
#[derive(Debug)]
pub struct Frame {
    id: Option<LogId>,
    event: &'static str,
    data: String,
    sse: OnceLock<Bytes>,
    websocket: OnceLock<ByteString>,
}

impl Frame {
    /// A message with this name and data. Its `id` becomes the reader's cursor; without one the cursor stays.
    pub fn new(id: Option<LogId>, event: &'static str, data: &impl Serialize) -> Self {
        let data = serde_json::to_string(data).unwrap_or_default();
        Self { id, event, data, sse: OnceLock::new(), websocket: OnceLock::new() }
    }

    /// As a Server-Sent Event: lines, and an empty one.
    pub fn sse(&self) -> Bytes {
        self.sse.get_or_init(|| self.lines().into()).clone()
    }

    /// As a WebSocket message: one JSON object.
    pub fn websocket(&self) -> ByteString {
        self.websocket.get_or_init(|| self.object().into()).clone()
    }

    fn lines(&self) -> String {
        let mut text = String::with_capacity(self.data.len() + 64);
        if let Some(id) = self.id {
            text.push_str(&format!("id: {id}\n"));
        }
        text.push_str(&format!("event: {}\n", self.event));
        // A payload is passed on as it came, line breaks included: each of its lines is a data line.
        for line in self.data.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            text.push_str("data: ");
            text.push_str(line);
            text.push('\n');
        }
        text.push('\n');
        text
    }

    fn object(&self) -> String {
        let (event, data) = (self.event, &self.data);
        match self.id {
            Some(id) => format!(r#"{{"id":{id},"event":"{event}","data":{data}}}"#),
            None => format!(r#"{{"event":"{event}","data":{data}}}"#),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn transports_carry_the_same_message() {
        let frame = Frame::new(Some(LogId(7)), "alert", &serde_json::json!({ "bits": 5 }));
        assert_eq!(frame.sse(), "id: 7\nevent: alert\ndata: {\"bits\":5}\n\n");
        assert_eq!(frame.websocket(), r#"{"id":7,"event":"alert","data":{"bits":5}}"#);
        let frame = Frame::new(None, "alert", &5);
        assert_eq!(frame.sse(), "event: alert\ndata: 5\n\n");
        assert_eq!(frame.websocket(), r#"{"event":"alert","data":5}"#);
    }

    #[test]
    fn data_of_several_lines_is_one_event() {
        let text = "{\r\n  \"text\": \"a\\nb\",\r\r\n\n  \"n\": 1\n}";
        let frame = Frame::new(Some(LogId(1)), "event", &RawValue::from_string(text.to_owned()).unwrap());
        assert_eq!(
            frame.sse(),
            "id: 1\nevent: event\ndata: {\ndata:   \"text\": \"a\\nb\",\ndata:   \"n\": 1\ndata: }\n\n"
        );
    }
}
