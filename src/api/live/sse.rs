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

/// How often a stream tells that it lives, more often than proxies lose patience, and looks whether
/// its reader may still read.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Why a stream ends whose token was revoked.
pub(super) const UNWELCOME: &str = "the token was revoked";

/// How long a browser waits before it comes back, in milliseconds.
const RETRY: u32 = 2_000;

/// The response without its body. `X-Accel-Buffering` asks nginx to pass events on at once.
pub(super) fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream");
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header(("X-Accel-Buffering", "no"));
    response
}

/// Where a stream is.
enum Step {
    Begin(Listener),
    /// Until the next heartbeat.
    Go(Listener, OffsetDateTime),
    End,
}

pub(super) fn stream(listener: Listener, clock: &Clock) -> HttpResponse {
    let clock = clock.clone();
    head().streaming(stream::unfold(Step::Begin(listener), move |step| {
        let clock = clock.clone();
        async move {
            let (text, step) = match step {
                // An id without data moves the cursor of a reader that has not seen any event yet.
                Step::Begin(listener) => {
                    let text = format!("retry: {RETRY}\nid: {}\n\n", listener.cursor());
                    (Bytes::from(text), Step::Go(listener, clock.now() + HEARTBEAT))
                }
                Step::Go(listener, heartbeat) => go(listener, heartbeat, &clock).await,
                Step::End => return None,
            };
            Some((Ok::<_, Infallible>(text), step))
        }
    }))
}

async fn go(mut listener: Listener, heartbeat: OffsetDateTime, clock: &Clock) -> (Bytes, Step) {
    let next = tokio::select! {
        biased;
        () = clock.sleep_until(heartbeat) => None,
        next = listener.next() => Some(next),
    };
    match next {
        Some(Ok(frame)) => (frame.sse(), Step::Go(listener, heartbeat)),
        Some(Err(end)) => (Bytes::from(format!(": {end}\n\n")), Step::End),
        None if !listener.is_welcome().await => (Bytes::from(format!(": {UNWELCOME}\n\n")), Step::End),
        None => {
            let text = format!("id: {}\n: heartbeat\n\n", listener.cursor());
            (Bytes::from(text), Step::Go(listener, clock.now() + HEARTBEAT))
        }
    }
}
