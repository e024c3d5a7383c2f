//! A bot's events as a stream of messages.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use tonic::Status;

use super::proto::tracking::WatchEventsResponse;
use super::status::{ended, refused_token};
use crate::tracking::authority::AuthError;
use crate::tracking::following::{Following, Step};

/// Messages to send, or the status with which the stream ends.
type Sent = Result<WatchEventsResponse, Status>;

/// The stream that a call returns.
pub(super) type EventStream = Pin<Box<dyn Stream<Item = Sent> + Send>>;

pub(super) fn events(following: Following) -> EventStream {
    let steps = stream::unfold(Some(following), |following| async move { Some(next(following?).await) });
    Box::pin(steps.flat_map(stream::iter))
}

/// What to send next; nothing to follow after the end.
async fn next(mut following: Following) -> (Vec<Sent>, Option<Following>) {
    match following.step().await {
        Step::Events(events) => {
            (events.iter().map(|event| Ok(WatchEventsResponse::from(&**event))).collect(), Some(following))
        }
        Step::Heartbeat(_) => (Vec::new(), Some(following)),
        Step::TokenOver => (vec![Err(refused_token(AuthError::WrongToken))], None),
        Step::End(end) => (vec![Err(ended(end))], None),
    }
}
