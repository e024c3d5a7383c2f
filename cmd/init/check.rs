//! `init check`: what is missing at Twitch, in words or as JSON.

use anyhow::{Result, bail};
use serde::Serialize;
use showtime::cli::{AsJson, print, print_json};
use showtime::program::Program;

use crate::consent::{self, MissingConsent};
use crate::prove::{self, ProvenTransport};
use crate::session::Session;
use crate::subscriptions::{self, Finding, Found, Unwanted};

/// What `init check --json` prints.
#[derive(Serialize)]
struct Report {
    /// Whether nothing is missing.
    is_complete: bool,
    /// The channels that have not consented to all that is needed.
    consents: Vec<MissingConsent>,
    /// The subscriptions that the channels should have.
    subscriptions: Vec<Finding>,
    /// Subscriptions to this server that no channel needs.
    unwanted: Vec<Unwanted>,
    /// How Twitch reaches this server, or this server Twitch.
    transports: Vec<ProvenTransport>,
}

/// Shows what is missing for these channels, or for those that are served, and returns whether nothing is.
pub(crate) async fn run(session: &Session, logins: &[String], format: AsJson) -> Result<bool> {
    session.prove_client().await?;
    let channels = session.channels(logins).await?;
    if channels.is_empty() {
        bail!("no channel is served yet: run `{}`, which serves the channel that consents", Program::Init);
    }
    session.require_settings(&channels)?;
    let consents = consent::missing(session, &channels).await?;
    if !format.json {
        consents.iter().for_each(print);
    }
    let found = subscriptions::find(session, &channels).await?;
    if !format.json {
        found.show();
    }
    let transports = prove::transports(session, &channels).await?;
    let is_complete = consents.is_empty()
        && found.subscriptions.iter().all(|finding| finding.delivers)
        && transports.iter().all(ProvenTransport::works);
    if format.json {
        let Found { subscriptions, unwanted, .. } = found;
        print_json(&Report { is_complete, consents, subscriptions, unwanted, transports })?;
        return Ok(is_complete);
    }
    transports.iter().for_each(print);
    if is_complete {
        print("nothing is missing");
    } else {
        print(format_args!("something is missing: run `{}`", Program::Init));
    }
    Ok(is_complete)
}
