//! `/channels/{channel}/test` and `/events/{id}/replay`.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Context;
use super::body::Body;
use super::channels::ChannelPath;
use super::error::Error;
use super::events::EventPath;
use super::query::{Nothing, Parsed, Query};
use super::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::simulate::people::Person;
use crate::simulate::test_event::TestEventError;
use crate::store::{LogId, log};
use crate::twitch::catalogue::lookup::{self, KindError};

/// A test event to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestEvent {
    /// A subscription type of Twitch that is about a channel.
    #[serde(rename = "type")]
    kind: String,
    /// Fields of the event that differ from the sample of the type.
    #[serde(default)]
    #[schema(value_type = Object, required = false)]
    event: Map<String, Value>,
}

/// The message that was sent.
#[derive(Debug, Serialize, ToSchema)]
struct TestEventSent {
    /// Its id in the log.
    #[schema(value_type = i64)]
    id: LogId,
    /// Its `message_id` there.
    message_id: String,
}

impl TestEventSent {
    fn example() -> Self {
        Self { id: LogId(1042), message_id: "befa7b53-d79d-478f-86b9-120f112b044e".into() }
    }
}

/// Send a test event
///
/// Makes an event of this type on this channel, marks it as a test, signs it, and sends it to the server's own callback:
/// it is processed like a real one. Answers when the event is in the log. The feeds send it with `is_test`. The state
/// does not change: no stream begins, and no viewer is counted.
#[utoipa::path(
    tag = "events",
    params(ChannelPath),
    request_body(content = TestEvent, example = json!({ "type": "channel.cheer", "event": { "bits": 500 } })),
    responses(
        (status = ACCEPTED, description = "The test event is in the log", body = TestEventSent,
            example = json!(TestEventSent::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/channels/{channel}/test")]
pub(super) async fn send_test_event(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    _query: Query<Nothing>,
    body: Body<TestEvent>,
) -> Result<HttpResponse, Error> {
    let Body(TestEvent { kind, event }) = body;
    let channel = ctx.served_channel(&path.channel).await?;
    let channel = Person { id: channel.id.into(), login: channel.login, display_name: channel.display_name };
    let message_id = ctx.tester.send(&kind, channel, event).await?;
    let id = ctx.query(async |db| log::find(db, &message_id).await).await?;
    let id = id.ok_or_else(|| Error::Broken(format!("the log lacks {message_id}")))?;
    Ok(HttpResponse::Accepted().json(TestEventSent { id, message_id }))
}

impl From<TestEventError> for Error {
    fn from(error: TestEventError) -> Self {
        let reason = error.to_string();
        let invalid = |name: &str, reason| Self::InvalidField { name: name.to_owned(), reason };
        match error {
            TestEventError::Kind(KindError::Unknown { suggestions, .. }) if suggestions.is_empty() => {
                invalid("type", format!("{reason}; it has {}", lookup::names().join(", ")))
            }
            TestEventError::Kind(_) | TestEventError::Template(_) => invalid("type", reason),
            TestEventError::WrongType { error, .. } => invalid(&format!("event.{}", error.field), reason),
            TestEventError::NoSuchField { field, .. } | TestEventError::AnotherChannel { field } => {
                invalid(&format!("event.{field}"), reason)
            }
            TestEventError::Address(_)
            | TestEventError::Delivery(_)
            | TestEventError::NotTaken(_)
            | TestEventError::Clock(_) => Self::Undelivered(reason),
        }
    }
}

/// Replay an event
///
/// The live feeds that include this event send it once more, marked with `is_replay`. It is not
/// stored again, and no cursor changes.
#[utoipa::path(
    tag = "events",
    params(EventPath),
    responses(
        (status = NO_CONTENT, description = "The feeds will send it"),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[post("/events/{id}/replay")]
pub(super) async fn replay_event(
    ctx: Data<Context>,
    path: Path<EventPath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    let Parsed(id) = path.id;
    match ctx.query(async |db| log::replay(db, id).await).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(Error::NotFound { what: "event", name: id.to_string() }),
    }
}
