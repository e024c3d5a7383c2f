//! Requests the consents that the channels' subscriptions need and that are not given yet.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context as _, Result};
use serde::Serialize;
use showtime::cli::{print, printable, with_causes};
use showtime::credentials::consent::{self, Account};
use showtime::setup::consent::{CONSENT_TIMEOUT, Listener};
use showtime::store::served_channels::ServedChannel;
use showtime::subscriptions::desired;
use showtime::twitch::oauth::{TokenUser, UserToken};

use crate::session::Session;

/// How users are asked.
#[derive(Clone, Copy)]
pub(crate) struct Browser {
    /// Where Twitch sends the browser back to.
    pub(crate) port: u16,
    /// Whether the page is opened, and not only its address shown.
    pub(crate) opens: bool,
}

/// Requests the missing consents, also to these further scopes, and returns whether all were given. If one channel does not
/// consent, the others are still asked. A token has only the scopes that were requested with it, though Twitch remembers all
/// consents: so those that are granted are requested again.
pub(crate) async fn obtain(
    session: &Session,
    channels: &[ServedChannel],
    further: &[String],
    browser: Browser,
) -> Result<bool> {
    let mut is_complete = true;
    for channel in channels {
        let name = printable(&channel.display_name);
        let granted = session.granted(channel).await?;
        let needed = session.scopes(channel, &granted).await?;
        let mut wanted = needed.iter().copied().chain(further.iter().map(String::as_str));
        if wanted.all(|scope| granted.iter().any(|granted| granted == scope)) {
            print(format_args!("{name} has consented to everything that is needed"));
            continue;
        }
        let scopes = needed.iter().copied().chain(granted.iter().chain(further).map(String::as_str)).collect();
        if let Err(error) = obtain_of(session, channel, &scopes, browser).await {
            print(format_args!("{name}: no consent: {}", printable(&with_causes(error.as_ref()))));
            is_complete = false;
        }
    }
    Ok(is_complete)
}

/// Requests the consent of any channel, and returns the one that gave it.
pub(crate) async fn obtain_any(session: &Session, further: &[String], browser: Browser) -> Result<ServedChannel> {
    let needed = desired::scopes(&session.types, &[], session.twitch.transport());
    let scopes = needed.into_iter().chain(further.iter().map(String::as_str)).collect();
    let (user, token) = request(session, ("your channel", None), &scopes, browser).await?;
    let found = session.helix.users_by_login(&[&user.login]).await?.into_iter().next();
    let found = found.with_context(|| format!("Twitch knows no channel {:?}", user.login))?;
    let channel = ServedChannel::new(found, session.clock.now());
    keep(session, &channel, &user, &token).await?;
    Ok(channel)
}

async fn obtain_of(
    session: &Session,
    channel: &ServedChannel,
    scopes: &BTreeSet<&str>,
    browser: Browser,
) -> Result<()> {
    let name = printable(&channel.display_name);
    let (user, token) = request(session, (&*name, Some(&*name)), scopes, browser).await?;
    keep(session, channel, &user, &token).await
}

async fn keep(session: &Session, channel: &ServedChannel, user: &TokenUser, token: &UserToken) -> Result<()> {
    let account = Account::Broadcaster { id: channel.id.clone(), login: channel.login.clone() };
    let mut connection = session.pool.acquire().await?;
    account.keep((&session.oauth, &session.tokens), &mut connection, (user, token)).await?;
    print(format_args!("{} has consented", printable(&channel.display_name)));
    Ok(())
}

/// Opens Twitch's page in a browser, or shows its address, and waits for a consent of this account, with the name that it
/// has to sign in as, if that is known.
pub(crate) async fn request(
    session: &Session,
    (account, name): (&str, Option<&str>),
    scopes: &BTreeSet<&str>,
    browser: Browser,
) -> Result<(TokenUser, UserToken)> {
    let listener = Listener::bind(browser.port)?;
    if let Some(reason) = listener.unavailable() {
        print(format_args!("note: {reason}"));
    }
    let list: Vec<_> = scopes.iter().copied().collect();
    let redirect_url = listener.redirect_url();
    // The browser may be signed in as another user, which only Twitch's page can show.
    print(format_args!("{account} has to consent to: {}", list.join(", ")));
    let request = session.oauth.request_consent(list.iter().copied(), &redirect_url, true);
    print(format_args!(
        "sign in {} at this address, within {} minutes:\n  {}",
        name.map_or_else(|| format!("with the account of {account}"), |name| format!("as {name}")),
        CONSENT_TIMEOUT.as_secs() / 60,
        request.url
    ));
    if browser.opens {
        let url = request.url.to_string();
        if tokio::task::spawn_blocking(move || webbrowser::open(&url)).await?.is_err() {
            print("(no browser could be opened: please open the address yourself)");
        }
    }
    let code = listener.wait(request, CONSENT_TIMEOUT).await?;
    Ok(consent::redeem(&session.oauth, &code, &redirect_url).await?)
}

/// A channel that has not consented to all that is needed. Its `Display` says so.
#[derive(Serialize)]
pub(crate) struct MissingConsent {
    /// The channel's login.
    channel: String,
    #[serde(skip)]
    display_name: String,
    /// What it has not consented to.
    scopes: Vec<&'static str>,
}

impl fmt::Display for MissingConsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has not consented to: {}", printable(&self.display_name), self.scopes.join(", "))
    }
}

/// The consents that are missing.
pub(crate) async fn missing(session: &Session, channels: &[ServedChannel]) -> Result<Vec<MissingConsent>> {
    let mut consents = Vec::new();
    for channel in channels {
        let granted = session.granted(channel).await?;
        let mut scopes: Vec<_> = session.scopes(channel, &granted).await?.into_iter().collect();
        scopes.retain(|scope| !granted.iter().any(|granted| granted == scope));
        if !scopes.is_empty() {
            let (channel, display_name) = (channel.login.clone(), channel.display_name.clone());
            consents.push(MissingConsent { channel, display_name, scopes });
        }
    }
    Ok(consents)
}
