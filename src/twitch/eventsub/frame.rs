//! Reads the text frames of an
//! [EventSub WebSocket](https://dev.twitch.tv/docs/eventsub/websocket-reference/).

use std::borrow::Cow;
use std::time::Duration;

use bytestring::ByteString;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::twitch::payload::Ident;
use crate::twitch::tolerant::{optional, time, version};

/// The silence that Twitch allows itself if a welcome names none:
/// [10 seconds](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#keepalive-message).
const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(10);

/// The longest silence that a client can
/// [ask for](https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#keepalive-message), in seconds.
const MAX_KEEPALIVE: u64 = 600;

/// A text frame, by its message type.
#[derive(Clone, Debug)]
pub enum Frame {
    /// The first frame of a connection.
    Welcome(Welcome),
    /// Nothing happened within the time of a keepalive, which was sent at this time.
    Keepalive(Option<OffsetDateTime>),
    /// The connection is to be replaced by one to this URL. Without a readable URL there is nothing to connect to.
    Reconnect(Option<String>),
    /// A notification or a revocation.
    Message(Notice),
    /// A message type that this version does not know.
    Unknown(String),
}

/// The session that a connection belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Twitch's id of the session.
    pub session_id: String,
    /// Twitch is never silent for longer.
    pub keepalive: Duration,
}

/// The frame of a notification or a revocation: its metadata, and its payload unread.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Unique; the same if it is sent again.
    pub message_id: String,
    /// When Twitch sent it.
    pub sent_at: OffsetDateTime,
    /// Whether a subscription ended.
    pub is_revocation: bool,
    /// The type of the subscription; the payload has it, too.
    pub subscription_type: Option<Ident>,
    /// The version of that type.
    pub subscription_version: Option<Ident>,
    /// The JSON text of the payload, in the memory of the frame.
    pub payload: ByteString,
}

/// Why a frame can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// It is not JSON, or not in the shape of a frame.
    #[error("the frame is no EventSub message: {0}")]
    Shape(#[from] serde_json::Error),
    /// A field is missing, or can't be read, that frames of this type have.
    #[error("the frame is no EventSub message: a {message_type} has a `{field}`, this one has none that can be read")]
    Missing {
        /// As in the metadata.
        message_type: String,
        /// The field's path.
        field: &'static str,
    },
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// Required is what decides how a frame is read.
#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    message_type: Cow<'a, str>,
    #[serde(default, deserialize_with = "message_id")]
    message_id: Option<String>,
    #[serde(default, deserialize_with = "time")]
    message_timestamp: Option<OffsetDateTime>,
    #[serde(default, deserialize_with = "optional")]
    subscription_type: Option<Ident>,
    #[serde(default, deserialize_with = "version")]
    subscription_version: Option<Ident>,
}

#[derive(Default, Deserialize)]
struct WithSession {
    #[serde(default, deserialize_with = "optional")]
    session: SessionFields,
}

#[derive(Default, Deserialize)]
struct SessionFields {
    #[serde(default, deserialize_with = "message_id")]
    id: Option<String>,
    #[serde(default, deserialize_with = "optional")]
    keepalive_timeout_seconds: Option<u64>,
    #[serde(default, deserialize_with = "optional")]
    reconnect_url: Option<String>,
}

impl Frame {
    /// Reads the text of a frame.
    ///
    /// # Errors
    /// [`FrameError`] if it is not JSON, or lacks what its message type needs.
    pub fn parse(text: &ByteString) -> Result<Self, FrameError> {
        let Raw { metadata, payload } = serde_json::from_str(text)?;
        let missing = |field| FrameError::Missing { message_type: metadata.message_type.clone().into_owned(), field };
        let session = || payload.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default();
        match &*metadata.message_type {
            "session_welcome" => {
                let WithSession { session } = session();
                let session_id = session.id.ok_or_else(|| missing("payload.session.id"))?;
                let keepalive =
                    session.keepalive_timeout_seconds.filter(|seconds| (1..=MAX_KEEPALIVE).contains(seconds));
                let keepalive = keepalive.map_or(DEFAULT_KEEPALIVE, Duration::from_secs);
                Ok(Self::Welcome(Welcome { session_id, keepalive }))
            }
            "session_keepalive" => Ok(Self::Keepalive(metadata.message_timestamp)),
            "session_reconnect" => Ok(Self::Reconnect(session().session.reconnect_url)),
            "notification" | "revocation" => Ok(Self::Message(Notice {
                is_revocation: metadata.message_type == "revocation",
                message_id: metadata.message_id.clone().ok_or_else(|| missing("metadata.message_id"))?,
                sent_at: metadata.message_timestamp.ok_or_else(|| missing("metadata.message_timestamp"))?,
                payload: text.slice_ref(payload.ok_or_else(|| missing("payload"))?.get()),
                subscription_type: metadata.subscription_type,
                subscription_version: metadata.subscription_version,
            })),
            other => Ok(Self::Unknown(other.chars().filter(|c| !c.is_control()).take(64).collect())),
        }
    }
}

/// Reads an id as a header of a webhook could hold it: 1 to 256 printable ASCII characters without spaces.
fn message_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let id: Option<String> = optional(deserializer)?;
    Ok(id.filter(|id| (1..=256).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(frame: &Value) -> Result<Frame, FrameError> {
        Frame::parse(&frame.to_string().into())
    }

    fn frame(message_type: &str, payload: Value) -> Value {
        json!({
            "metadata": {
                "message_id": "befa7b53-d79d-478f-86b9-120f112b044e", "message_type": message_type,
                "message_timestamp": "2026-03-14T18:02:11.480213377Z",
            },
            "payload": payload,
        })
    }

    #[test]
    fn welcome_needs_only_the_id_of_the_session() {
        for (session, keepalive) in [
            (json!({ "id": "AgoQ1", "keepalive_timeout_seconds": 30, "recovery_url": null }), 30),
            (json!({ "id": "AgoQ1", "keepalive_timeout_seconds": null, "status": 5 }), 10),
            (json!({ "id": "AgoQ1", "keepalive_timeout_seconds": 0 }), 10),
            (json!({ "id": "AgoQ1", "keepalive_timeout_seconds": "x" }), 10),
        ] {
            let welcome = parse(&frame("session_welcome", json!({ "session": session }))).unwrap();
            let Frame::Welcome(Welcome { session_id, keepalive: read }) = welcome else { panic!("{welcome:?}") };
            assert_eq!((session_id.as_str(), read.as_secs()), ("AgoQ1", keepalive));
        }
        for payload in
            [json!({}), Value::Null, json!({ "session": { "id": "" } }), json!({ "session": { "id": "a b" } })]
        {
            assert!(parse(&frame("session_welcome", payload)).unwrap_err().to_string().contains("payload.session.id"));
        }
    }

    #[test]
    fn reconnect_without_a_readable_url_names_none() {
        let url = |session: Value| match parse(&frame("session_reconnect", json!({ "session": session }))).unwrap() {
            Frame::Reconnect(url) => url,
            other => panic!("{other:?}"),
        };
        assert_eq!(url(json!({ "reconnect_url": "wss://a.example/ws?id=1" })).unwrap(), "wss://a.example/ws?id=1");
        assert_eq!([url(json!({ "reconnect_url": 5 })), url(json!({})), url(Value::Null)], [None, None, None]);
    }

    #[test]
    fn message_keeps_its_payload_as_it_came() {
        let text: ByteString = r#"{"payload": {"b" : 1.0,"a":"\u00e9"} ,"metadata":{"message_type":"notification",
            "message_id":"1","message_timestamp":"2026-03-14T18:02:11Z","subscription_version":2}}"#
            .into();
        let Frame::Message(notice) = Frame::parse(&text).unwrap() else { panic!("no message") };
        assert_eq!((&*notice.payload, notice.is_revocation), (r#"{"b" : 1.0,"a":"\u00e9"}"#, false));
        assert_eq!(notice.subscription_version.unwrap().as_str(), "2");
    }

    #[test]
    fn message_without_identity_or_time_is_refused() {
        let mut with_fields = frame("revocation", json!({}));
        assert!(matches!(parse(&with_fields).unwrap(), Frame::Message(Notice { is_revocation: true, .. })));
        for (pointer, bad) in [
            ("/metadata/message_id", json!("a b")),
            ("/metadata/message_id", json!(5)),
            ("/metadata/message_timestamp", json!("yesterday")),
            ("/payload", Value::Null),
        ] {
            let good = std::mem::replace(with_fields.pointer_mut(pointer).unwrap(), bad);
            assert!(matches!(parse(&with_fields).unwrap_err(), FrameError::Missing { .. }), "{pointer}");
            *with_fields.pointer_mut(pointer).unwrap() = good;
        }
    }

    #[test]
    fn frame_of_another_kind_is_unknown_and_what_is_no_frame_fails() {
        assert!(
            matches!(parse(&frame("session_song", json!({}))).unwrap(), Frame::Unknown(kind) if kind == "session_song")
        );
        let bare = json!({ "metadata": { "message_type": "session_keepalive" } });
        assert!(matches!(parse(&bare).unwrap(), Frame::Keepalive(None)));
        assert!(matches!(parse(&frame("session_keepalive", json!({}))).unwrap(), Frame::Keepalive(Some(_))));
        for text in ["", "hello", "[]", "{}", r#"{"metadata":{}}"#, r#"{"metadata":{"message_type":5}}"#] {
            assert!(matches!(Frame::parse(&text.into()).unwrap_err(), FrameError::Shape(_)), "{text}");
        }
    }
}
