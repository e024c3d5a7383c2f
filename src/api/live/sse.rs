//! Feeds as Server-Sent Events (HTML Living Standard, §9.2).

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::stream;
use time::OffsetDateTime;

use super::listener::Listener;
use crate::clock::Clock;

/// The interval of heartbeats, shorter than the idle timeouts of proxies. At each, the reader's token is checked.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// The reason when a stream ends because its token was revoked.
pub(super) const REVOKED: &str = "the token was revoked";

/// How long a browser waits before it reconnects, in milliseconds.
const RETRY: u32 = 2_000;

/// The response without its body. `X-Accel-Buffering` makes nginx pass events on at once.
pub(super) fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream");
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header(("X-Accel-Buffering", "no"));
    response
}

/// The state of a stream.
enum Step {
    Begin(Listener),
    /// Following, until the next heartbeat.
    Follow(Listener, OffsetDateTime),
    End,
}

pub(super) fn stream(listener: Listener, clock: &Clock) -> HttpResponse {
    let clock = clock.clone();
    head().streaming(stream::unfold(Step::Begin(listener), move |step| {
        let clock = clock.clone();
        async move {
            let (text, step) = match step {
                // An id without data sets the cursor of a reader that has not got any event yet.
                Step::Begin(listener) => {
                    let text = format!("retry: {RETRY}\nid: {}\n\n", listener.cursor());
                    (Bytes::from(text), Step::Follow(listener, clock.now() + HEARTBEAT))
                }
                Step::Follow(listener, heartbeat) => follow(listener, heartbeat, &clock).await,
                Step::End => return None,
            };
            Some((Ok::<_, Infallible>(text), step))
        }
    }))
}

async fn follow(mut listener: Listener, heartbeat: OffsetDateTime, clock: &Clock) -> (Bytes, Step) {
    let next = tokio::select! {
        biased;
        () = clock.sleep_until(heartbeat) => None,
        next = listener.next() => Some(next),
    };
    match next {
        Some(Ok(frame)) => (frame.sse(), Step::Follow(listener, heartbeat)),
        Some(Err(end)) => (Bytes::from(format!(": {end}\n\n")), Step::End),
        None if !listener.is_authorized().await => (Bytes::from(format!(": {REVOKED}\n\n")), Step::End),
        None => {
            let text = format!("id: {}\n: heartbeat\n\n", listener.cursor());
            (Bytes::from(text), Step::Follow(listener, clock.now() + HEARTBEAT))
        }
    }
}
