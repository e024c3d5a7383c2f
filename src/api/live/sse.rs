//! Feeds as Server-Sent Events (HTML Living Standard, §9.2).

use std::convert::Infallible;

use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::{StreamExt as _, stream};

use super::heartbeat::Heartbeat;
use super::listener::Listener;
use crate::clock::Clock;

/// The reason when a stream ends because its token was revoked.
pub(super) const REVOKED: &str = "the token was revoked";

/// How long a browser waits before it reconnects, in milliseconds.
pub(in crate::api) const RETRY: u32 = 2_000;

/// The response without its body. `X-Accel-Buffering` makes nginx pass events on at once.
pub(in crate::api) fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("text/event-stream");
    response.insert_header(("X-Accel-Buffering", "no"));
    response
}

/// A client, and the timer of its heartbeats.
type Following = (Box<Listener>, Heartbeat);

pub(super) fn stream(listener: Box<Listener>, clock: &Clock) -> HttpResponse {
    // An id without data sets the cursor of a reader that has not got any event yet.
    let opening = Bytes::from(format!("retry: {RETRY}\nid: {}\n\n", listener.cursor()));
    let heartbeat = Heartbeat::new(clock, listener.session());
    let following = Some((listener, heartbeat));
    let rest = stream::unfold(following, |following| async move { Some(follow(following?).await) });
    head().streaming(stream::iter([opening]).chain(rest).map(Ok::<_, Infallible>))
}

/// The next text to send; nothing to follow after the last one.
async fn follow((mut listener, mut heartbeat): Following) -> (Bytes, Option<Following>) {
    let next = if heartbeat.is_due() {
        None
    } else {
        tokio::select! {
            biased;
            next = listener.next() => Some(next),
            () = heartbeat.due() => None,
        }
    };
    match next {
        Some(Ok(frame)) => (frame.sse(), Some((listener, heartbeat))),
        Some(Err(end)) => (Bytes::from(format!(": {end}\n\n")), None),
        None if heartbeat.is_revoked() => (Bytes::from(format!(": {REVOKED}\n\n")), None),
        None => {
            heartbeat.reset();
            (Bytes::from(format!("id: {}\n: heartbeat\n\n", listener.cursor())), Some((listener, heartbeat)))
        }
    }
}
