//! Tests what the transports of the channels need: that Twitch reaches the callback, or that this machine reaches Twitch's
//! WebSocket.

use anyhow::Result;
use showtime::cli::{print, printable};
use showtime::setup::{probe, websocket};
use showtime::store::served_channels::ServedChannel;
use showtime::twitch::transport::TransportKind;

use crate::session::{Session, Webhook};

/// Shows whether the transports of these channels work, and returns whether all do.
pub(crate) async fn transports(session: &Session, channels: &[ServedChannel]) -> Result<bool> {
    let mut is_proven = true;
    if session.uses(TransportKind::Webhook, channels) {
        is_proven &= prove_callback(session, &session.webhook()?).await;
    }
    if session.uses(TransportKind::Websocket, channels) {
        is_proven &= prove_websocket(session).await;
    }
    Ok(is_proven)
}

async fn prove_callback(session: &Session, webhook: &Webhook<'_>) -> bool {
    let callback = webhook.callback;
    let outcome = probe::probe(callback, Some(webhook.direct), webhook.secret, &session.clock).await;
    match &outcome {
        Ok(()) => print(format_args!("the callback {callback} can be reached and knows the secret")),
        Err(error) => {
            print(format_args!("the callback {callback} can't be used: {}", printable(&error.to_string())));
        }
    }
    outcome.is_ok()
}

async fn prove_websocket(session: &Session) -> bool {
    let url = &session.twitch.websocket_url;
    let outcome = websocket::probe(url).await;
    match &outcome {
        Ok(()) => print(format_args!("the WebSocket {url} can be opened")),
        Err(error) => print(format_args!("the WebSocket {url} can't be used: {}", printable(&error.to_string()))),
    }
    outcome.is_ok()
}
