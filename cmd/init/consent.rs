//! Requests the consents that the channels' subscriptions need and that are not given yet.

use anyhow::{Result, bail};
use showtime::cli::with_causes;
use showtime::setup::consent::{Listener, PATIENCE};
use showtime::store::served_channels::ServedChannel;
use showtime::subscriptions::desired;

use crate::session::Session;

/// Requests the missing consents. A failure with one channel does not keep the others from it.
pub(crate) async fn obtain(session: &Session, channels: &[ServedChannel], port: u16, no_browser: bool) -> Result<()> {
    for channel in channels {
        let granted = session.granted(channel).await?;
        let scopes = desired::scopes(&session.types, &granted);
        if scopes.iter().all(|scope| granted.iter().any(|granted| granted == scope)) {
            println!("{} has consented to everything that is needed", channel.display_name);
            continue;
        }
        // A token has only the scopes that were requested with it, though Twitch remembers all consents.
        let scopes = scopes.into_iter().chain(granted.iter().map(String::as_str)).collect();
        if let Err(error) = ask(session, channel, scopes, port, no_browser).await {
            println!("{}: no consent: {}", channel.display_name, with_causes(error.as_ref()));
        }
    }
    Ok(())
}

async fn ask(
    session: &Session,
    channel: &ServedChannel,
    scopes: std::collections::BTreeSet<&str>,
    port: u16,
    no_browser: bool,
) -> Result<()> {
    let listener = Listener::bind(port)?;
    let redirect_url = listener.redirect_url();
    let list: Vec<_> = scopes.iter().copied().collect();
    // The browser may be signed in as another user, which only Twitch's page can show.
    let request = session.oauth.request_consent(scopes, &redirect_url, true);
    let name = &channel.display_name;
    println!("{name} has to consent to: {}", list.join(", "));
    println!("sign in as {name} at this address, within {} minutes:\n  {}", PATIENCE.as_secs() / 60, request.url);
    if !no_browser {
        let url = request.url.to_string();
        if tokio::task::spawn_blocking(move || webbrowser::open(&url)).await?.is_err() {
            println!("(no browser could be opened: please open the address yourself)");
        }
    }
    let code = listener.wait(request, PATIENCE).await?;
    let token = session.oauth.exchange(&code, &redirect_url).await?;
    let validated = session.oauth.validate(&token.access_token).await?;
    match validated.user {
        Some(user) if user.id.channel() == channel.id => {
            session.tokens.keep_user(&user, &token).await?;
            println!("{name} has consented");
            Ok(())
        }
        Some(user) => {
            session.oauth.revoke(&token.access_token).await?;
            bail!("it was {} who consented; sign in as {name}", user.login)
        }
        None => bail!("Twitch issued a token without a user"),
    }
}

/// Shows which consents are missing, and returns whether none is.
pub(crate) async fn show(session: &Session, channels: &[ServedChannel]) -> Result<bool> {
    let mut is_well = true;
    for channel in channels {
        let granted = session.granted(channel).await?;
        let scopes = desired::scopes(&session.types, &granted);
        let missing: Vec<_> =
            scopes.into_iter().filter(|scope| !granted.iter().any(|granted| granted == scope)).collect();
        if !missing.is_empty() {
            println!("{} has not consented to: {}", channel.display_name, missing.join(", "));
            is_well = false;
        }
    }
    Ok(is_well)
}
