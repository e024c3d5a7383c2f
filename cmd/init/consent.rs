//! Requests the consents that the channels' subscriptions need and that are not given yet.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use showtime::cli::{print, printable, with_causes};
use showtime::setup::consent::{CONSENT_TIMEOUT, Listener};
use showtime::store::served_channels::ServedChannel;
use showtime::subscriptions::desired;
use showtime::twitch::transport::TransportKind;

use crate::session::Session;

/// Requests the missing consents, and returns whether all were given. If one channel does not consent, the others are
/// still asked.
pub(crate) async fn obtain(session: &Session, channels: &[ServedChannel], port: u16, no_browser: bool) -> Result<bool> {
    let mut is_complete = true;
    for channel in channels {
        let name = printable(&channel.display_name);
        let granted = session.granted(channel).await?;
        if desired::missing_scopes(&session.types, &granted, TransportKind::Webhook).is_empty() {
            print(format_args!("{name} has consented to everything that is needed"));
            continue;
        }
        // A token has only the scopes that were requested with it, though Twitch remembers all consents.
        let scopes = desired::scopes(&session.types, &granted, TransportKind::Webhook).into_iter();
        let scopes = scopes.chain(granted.iter().map(String::as_str)).collect();
        if let Err(error) = request(session, channel, scopes, port, no_browser).await {
            print(format_args!("{name}: no consent: {}", printable(&with_causes(error.as_ref()))));
            is_complete = false;
        }
    }
    Ok(is_complete)
}

async fn request(
    session: &Session,
    channel: &ServedChannel,
    scopes: BTreeSet<&str>,
    port: u16,
    no_browser: bool,
) -> Result<()> {
    let listener = Listener::bind(port)?;
    if let Some(reason) = listener.unavailable() {
        print(format_args!("note: {reason}"));
    }
    let redirect_url = listener.redirect_url();
    let list: Vec<_> = scopes.iter().copied().collect();
    // The browser may be signed in as another user, which only Twitch's page can show.
    let request = session.oauth.request_consent(scopes, &redirect_url, true);
    let name = printable(&channel.display_name);
    print(format_args!("{name} has to consent to: {}", list.join(", ")));
    print(format_args!(
        "sign in as {name} at this address, within {} minutes:\n  {}",
        CONSENT_TIMEOUT.as_secs() / 60,
        request.url
    ));
    if !no_browser {
        let url = request.url.to_string();
        if tokio::task::spawn_blocking(move || webbrowser::open(&url)).await?.is_err() {
            print("(no browser could be opened: please open the address yourself)");
        }
    }
    let code = listener.wait(request, CONSENT_TIMEOUT).await?;
    let token = session.oauth.exchange(&code, &redirect_url).await?;
    let validated = session.oauth.validate(&token.access_token).await?;
    match validated.user {
        Some(user) if user.id.channel() == channel.id => {
            session.tokens.keep_user(&user, &token).await?;
            print(format_args!("{name} has consented"));
            Ok(())
        }
        Some(user) => {
            session.oauth.revoke(&token.access_token).await?;
            bail!("it was {} who consented; sign in as {name}", user.login)
        }
        None => bail!("Twitch issued a token without a user"),
    }
}

/// Shows which consents are missing. Returns true if none is.
pub(crate) async fn show(session: &Session, channels: &[ServedChannel]) -> Result<bool> {
    let mut is_complete = true;
    for channel in channels {
        let granted = session.granted(channel).await?;
        let missing = desired::missing_scopes(&session.types, &granted, TransportKind::Webhook);
        if !missing.is_empty() {
            print(format_args!("{} has not consented to: {}", printable(&channel.display_name), missing.join(", ")));
            is_complete = false;
        }
    }
    Ok(is_complete)
}
