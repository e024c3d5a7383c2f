//! One-time links by which a person elsewhere consents: made by an administrator, opened in that person's browser, and
//! answered by any server of the database.

use std::collections::BTreeSet;

use oauth2::RedirectUrl;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use time::{Duration, OffsetDateTime};
use url::Url;

use crate::config::Config;
use crate::credentials::application::Application;
use crate::credentials::consent::{self, Account, BOT_SCOPES, ConsentFailure};
use crate::store::consent_links::{self, ConsentLink};
use crate::store::served_channels;
use crate::store::signals::Channel;
use crate::subscriptions::desired;
use crate::twitch::id::ChannelId;
use crate::twitch::oauth::{ConsentAnswer, ConsentError};

/// How long a link works.
const LIFETIME: Duration = Duration::DAY;

/// Why a link leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is none with this id.
    #[error("This link is unknown. Ask for a new one.")]
    Unknown,
    /// The consent was given.
    #[error("This link was used already. If something is still missing, ask for a new one.")]
    Used,
    /// It is too old.
    #[error("This link has expired. Ask for a new one.")]
    Expired,
    /// The browser came back with a state that was not sent, or was used.
    #[error("This answer of Twitch was not expected, or came before. Open the link again.")]
    ForeignState,
    /// The person refused, or Twitch did.
    #[error("{0}. To decide otherwise, open the link again.")]
    Denied(ConsentError),
    /// Twitch has a consent, and there is none to keep.
    #[error(transparent)]
    Failed(#[from] ConsentFailure),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Links that begin with the public address of the servers.
#[derive(Debug)]
pub struct Links<'a> {
    /// The connections.
    pub pool: &'a PgPool,
    /// The settings.
    pub config: &'a Config,
    /// The application that is consented to.
    pub application: &'a Application,
    /// The public address.
    pub public_url: &'a Url,
}

/// What is asked for by a link.
#[derive(Debug)]
pub struct Request {
    /// The account.
    pub account: Account,
    /// The scopes: those that were asked for, those that are needed anyway, and those that are granted.
    pub scopes: BTreeSet<String>,
    /// When the link ends.
    pub expires_at: OffsetDateTime,
}

/// The scopes to ask an account for. A token has only the scopes that were requested with it, so those that it has granted are
/// among them.
///
/// # Errors
/// If the database fails.
pub async fn scopes(
    conn: &mut PgConnection,
    config: &Config,
    account: &Account,
    further: &[String],
) -> sqlx::Result<BTreeSet<String>> {
    let mut scopes = account.granted(&mut *conn).await?;
    match account {
        Account::Bot(_) => scopes.extend(BOT_SCOPES.map(str::to_owned)),
        Account::Broadcaster { id, .. } => {
            let served = served_channels::all(conn).await?;
            let transport = served.into_iter().find(|channel| channel.id == *id).and_then(|channel| channel.transport);
            let granted: Vec<_> = scopes.iter().cloned().collect();
            let types = desired::types(&config.twitch.extra_types);
            let needed = desired::scopes(&types, &granted, transport.unwrap_or(config.twitch.transport()));
            scopes.extend(needed.into_iter().map(str::to_owned));
        }
    }
    scopes.extend(further.iter().cloned());
    Ok(scopes)
}

impl Links<'_> {
    /// Makes a link, and returns its address and when it ends.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn create(
        &self,
        channel_id: Option<ChannelId>,
        scopes: Vec<String>,
        now: OffsetDateTime,
    ) -> sqlx::Result<(String, OffsetDateTime)> {
        let id = hex::encode(rand::random::<[u8; 16]>());
        let expires_at = now + LIFETIME;
        let link = ConsentLink { id: hash(&id), channel_id, scopes, expires_at, used_at: None };
        consent_links::insert(self.pool, &link, now).await?;
        Ok((format!("{}/{id}", self.redirect_url().as_str()), expires_at))
    }

    /// What the link with this id asks for.
    ///
    /// # Errors
    /// [`LinkError`]
    pub async fn request(&self, id: &str, now: OffsetDateTime) -> Result<Request, LinkError> {
        let link = consent_links::get(self.pool, &hash(id)).await?.ok_or(LinkError::Unknown)?;
        check(&link, now)?;
        let mut conn = self.pool.acquire().await?;
        let account = account(&mut conn, &link).await?;
        let scopes = scopes(&mut conn, self.config, &account, &link.scopes).await?;
        Ok(Request { account, scopes, expires_at: link.expires_at })
    }

    /// The address at Twitch to send the browser to.
    ///
    /// # Errors
    /// [`LinkError`]
    pub async fn begin(&self, id: &str, now: OffsetDateTime) -> Result<Url, LinkError> {
        let Request { scopes, .. } = self.request(id, now).await?;
        let scopes = scopes.iter().map(String::as_str);
        // The browser may be signed in as another user, which only Twitch's page can show.
        let request = self.application.oauth.request_consent(scopes, &self.redirect_url(), true);
        consent_links::begin(self.pool, &hash(id), &hash(request.state())).await?;
        Ok(request.url)
    }

    /// Takes the query that a browser came back with, and keeps the consent.
    ///
    /// # Errors
    /// [`LinkError`]
    pub async fn answer(&self, query: &str, now: OffsetDateTime) -> Result<(), LinkError> {
        let ConsentAnswer { state, code } = ConsentAnswer::parse(query);
        let state = state.ok_or(LinkError::ForeignState)?;
        let link = consent_links::take_state(self.pool, &hash(state.expose_secret())).await?;
        let link = link.ok_or(LinkError::ForeignState)?;
        check(&link, now)?;
        let code = code.map_err(LinkError::Denied)?;
        let Application { oauth, tokens, .. } = self.application;
        let (user, token) = consent::redeem(oauth, &code, &self.redirect_url()).await?;
        let mut conn = self.pool.acquire().await?;
        let account = account(&mut conn, &link).await?;
        account.keep((oauth, tokens), &mut conn, (&user, &token)).await?;
        consent_links::mark_used(&mut *conn, &link.id, now).await?;
        tracing::info!(user.login = user.login, "a user has consented by a link");
        // There may be subscriptions that wait for it, and a WebSocket.
        Channel::Reconcile.notify(&mut conn, "").await?;
        Ok(Channel::Session.notify(&mut conn, "").await?)
    }

    /// The address that must be registered at Twitch, letter for letter.
    fn redirect_url(&self) -> RedirectUrl {
        let mut url = self.public_url.clone();
        url.set_path(&format!("{}/auth", url.path().trim_end_matches('/')));
        RedirectUrl::from_url(url)
    }
}

fn check(link: &ConsentLink, now: OffsetDateTime) -> Result<(), LinkError> {
    match link {
        ConsentLink { used_at: Some(_), .. } => Err(LinkError::Used),
        ConsentLink { expires_at, .. } if *expires_at <= now => Err(LinkError::Expired),
        _ => Ok(()),
    }
}

async fn account(conn: &mut PgConnection, link: &ConsentLink) -> Result<Account, LinkError> {
    let Some(id) = &link.channel_id else { return Ok(Account::bot(conn).await?) };
    // A channel that is no longer served asks for nothing.
    Account::broadcaster(conn, id).await?.ok_or(LinkError::Unknown)
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}
