//! A bot's events as Server-Sent Events.

use std::convert::Infallible;

use actix_web::HttpResponse;
use actix_web::web::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};

use super::event::BotEventView;
use crate::api::live::sse;
use crate::outputs::live::frame::Frame;
use crate::store::tracking::events::BotEvent;
use crate::tracking::following::{Following, Step};

pub(super) fn stream(following: Following) -> HttpResponse {
    // An id without data sets the cursor of a reader that has not got any event yet.
    let opening = Bytes::from(format!("retry: {}\nid: {}\n\n", sse::RETRY, following.cursor()));
    let rest = stream::unfold(Some(following), |following| async move { Some(next(following?).await) });
    sse::head().streaming(stream::iter([opening]).chain(rest).map(Ok::<_, Infallible>))
}

/// The next text to send; nothing to follow after the last one.
async fn next(mut following: Following) -> (Bytes, Option<Following>) {
    match following.step().await {
        Step::Events(events) => {
            let mut text = BytesMut::new();
            events.iter().for_each(|event| text.extend_from_slice(&frame(event)));
            (text.freeze(), Some(following))
        }
        Step::Heartbeat(cursor) => (Bytes::from(format!("id: {cursor}\n: heartbeat\n\n")), Some(following)),
        Step::TokenOver => (Bytes::from_static(b": the token is no longer valid\n\n"), None),
        Step::End(end) => (Bytes::from(format!(": {end}\n\n")), None),
    }
}

fn frame(event: &BotEvent) -> Bytes {
    Frame::new(Some(event.id), "event", &BotEventView::from(event)).sse()
}
