//! One-time links by which a person elsewhere consents: made by an administrator, opened in that person's browser, and
//! answered by any server of the database.

use std::collections::BTreeSet;

use oauth2::RedirectUrl;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};
use time::{Duration, OffsetDateTime};
use url::Url;

use super::consent::scopes_to_ask;
use super::link_error::LinkError;
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::application::Application;
use crate::credentials::consent::{self, Account};
use crate::store::consent_links::{self, ConsentLink};
use crate::store::signals::Channel;
use crate::store::{answered, query, served_channels};
use crate::twitch::id::ChannelId;
use crate::twitch::oauth::ConsentAnswer;

/// How long a link works.
const LIFETIME: Duration = Duration::DAY;

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
        let (id, expires_at) = (hex::encode(rand::random::<[u8; 16]>()), now + LIFETIME);
        let link = ConsentLink { id: hash(&id), channel_id, scopes, expires_at, used_at: None };
        answered(consent_links::insert(self.pool, &link, now)).await?;
        Ok((format!("{}/{id}", self.redirect_url().as_str()), expires_at))
    }

    /// What the link with this id asks for.
    ///
    /// # Errors
    /// [`LinkError`]
    pub async fn request(&self, id: &str, now: OffsetDateTime) -> Result<Request, LinkError> {
        let link = answered(consent_links::get(self.pool, &hash(id))).await?.ok_or(LinkError::Unknown)?;
        LinkError::check(&link, now)?;
        let read = async |db: &mut PgConnection| {
            let Some(account) = account(&mut *db, &link).await? else { return Ok(None) };
            let scopes = scopes_to_ask(db, self.config, &account, &link.scopes).await?;
            Ok(Some((account, scopes)))
        };
        let (account, scopes) = query(self.pool, read).await?.ok_or(LinkError::Unknown)?;
        Ok(Request { account, scopes, expires_at: link.expires_at })
    }

    /// The address at Twitch to send the browser to.
    ///
    /// # Errors
    /// [`LinkError`]
    pub async fn begin(&self, id: &str, now: OffsetDateTime) -> Result<Url, LinkError> {
        let scopes = self.request(id, now).await?.scopes;
        let (oauth, scopes) = (&self.application.oauth, scopes.iter().map(String::as_str));
        let request = oauth.request_consent(scopes, &self.redirect_url(), true);
        answered(consent_links::begin(self.pool, &hash(id), &hash(request.state()))).await?;
        Ok(request.url)
    }

    /// Takes the query that a browser came back with, and keeps the consent.
    ///
    /// # Errors
    /// [`LinkError`]
    pub async fn answer(&self, query: &str, clock: &Clock) -> Result<(), LinkError> {
        let ConsentAnswer { state: Some(state), code } = ConsentAnswer::parse(query) else {
            return Err(LinkError::ForeignState);
        };
        let state = hash(state.expose_secret());
        let link = answered(consent_links::take_state(self.pool, &state)).await?.ok_or(LinkError::ForeignState)?;
        LinkError::check(&link, clock.now())?;
        let Application { oauth, tokens, .. } = self.application;
        let code = code.map_err(LinkError::Denied)?;
        let (user, token) = consent::redeem(oauth, &code, &self.redirect_url()).await?;
        let mut conn = self.pool.acquire().await?;
        let account = answered(account(&mut conn, &link)).await?.ok_or(LinkError::Unknown)?;
        account.keep((oauth, tokens), &mut conn, (&user, &token)).await?;
        answered(consent_links::mark_used(&mut *conn, &link.id, clock.now())).await?;
        tracing::info!(user.login = user.login, "a user has consented by a link");
        // There may be subscriptions that wait for it, and a WebSocket.
        answered(served_channels::request_again(&mut conn, link.channel_id.as_ref(), clock.now())).await?;
        answered(Channel::Reconcile.notify(&mut conn, "")).await?;
        Ok(answered(Channel::Session.notify(&mut conn, "")).await?)
    }

    /// The address that must be registered at Twitch, letter for letter.
    fn redirect_url(&self) -> RedirectUrl {
        let mut url = self.public_url.clone();
        url.set_path(&format!("{}/auth", url.path().trim_end_matches('/')));
        RedirectUrl::from_url(url)
    }
}

async fn account(conn: &mut PgConnection, link: &ConsentLink) -> sqlx::Result<Option<Account>> {
    match &link.channel_id {
        Some(id) => Account::broadcaster(conn, id).await,
        None => Account::bot(conn).await.map(Some),
    }
}

fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}
