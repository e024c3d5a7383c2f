//! Tests what the transports of the channels need: that Twitch reaches the callback, or that this machine reaches Twitch's
//! WebSocket.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use showtime::cli::{print, printable};
use showtime::setup::{probe, websocket};
use showtime::store::served_channels::ServedChannel;
use showtime::twitch::transport::TransportKind;

use crate::session::{Session, Webhook};

/// A transport that was tried. Its `Display` says how that went.
#[derive(Serialize)]
pub(crate) struct ProvenTransport {
    /// `webhook` or `websocket`.
    transport: &'static str,
    /// The callback, or Twitch's WebSocket server.
    url: String,
    /// Why it can't be used; `null` if it can.
    problem: Option<String>,
}

impl ProvenTransport {
    pub(crate) fn works(&self) -> bool {
        self.problem.is_none()
    }
}

impl fmt::Display for ProvenTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transport, url, problem } = self;
        let is_webhook = *transport == TransportKind::Webhook.as_str();
        let name = if is_webhook { "callback" } else { "WebSocket" };
        match problem {
            Some(problem) => write!(f, "the {name} {url} can't be used: {}", printable(problem)),
            None if is_webhook => write!(f, "the callback {url} can be reached and knows the secret"),
            None => write!(f, "the WebSocket {url} can be opened"),
        }
    }
}

/// Tries the transports of these channels.
pub(crate) async fn transports(session: &Session, channels: &[ServedChannel]) -> Result<Vec<ProvenTransport>> {
    let mut tried = Vec::new();
    if session.uses(TransportKind::Webhook, channels) {
        let Webhook { callback, direct, secret } = session.webhook()?;
        let outcome = probe::probe(callback, Some(direct), secret, &session.clock).await;
        let problem = outcome.err().map(|error| error.to_string());
        let transport = TransportKind::Webhook.as_str();
        tried.push(ProvenTransport { transport, url: callback.to_string(), problem });
    }
    if session.uses(TransportKind::Websocket, channels) {
        let url = &session.twitch.websocket_url;
        let problem = websocket::probe(url).await.err().map(|error| error.to_string());
        tried.push(ProvenTransport { transport: TransportKind::Websocket.as_str(), url: url.to_string(), problem });
    }
    Ok(tried)
}

/// Shows whether the transports of these channels work, and returns whether all do.
pub(crate) async fn show(session: &Session, channels: &[ServedChannel]) -> Result<bool> {
    let tried = transports(session, channels).await?;
    tried.iter().for_each(print);
    Ok(tried.iter().all(ProvenTransport::works))
}
