//! The tokens that Twitch gave us: kept encrypted, validated hourly, refreshed by one replica at a
//! time (oauth.md "Refresh", "Validate").

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;

use super::vault::{Vault, VaultError};
use crate::clock::Clock;
use crate::program::Program;
use crate::store::locks::Lock;
use crate::store::tokens::{self, APP, Row};
use crate::twitch::app_token::{AppTokens, Renewal};
use crate::twitch::oauth::{AppToken, OAuth, OAuthError, TokenUser, UserToken, Validated};

/// Twitch wants every token that is kept validated at start and this often.
const VALIDATE_EVERY: Duration = Duration::from_secs(3_600);

/// A token this close to its end is refreshed rather than used.
const MARGIN: time::Duration = time::Duration::minutes(2);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// Only the person can help.
    #[error("{holder} has to consent (again): {reason}; run `{}`", Program::Init)]
    NeedsConsent {
        /// Who.
        holder: String,
        /// Why.
        reason: String,
    },
    /// It can't be decrypted.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Twitch gives none now.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// It can't be read or kept.
    #[error("the tokens can't be read or kept: {0}")]
    Database(#[from] sqlx::Error),
}

/// Every token, by whoever holds it.
#[derive(Debug)]
pub struct Tokens {
    pool: PgPool,
    vault: Vault,
    oauth: OAuth,
    clock: Clock,
}

impl Tokens {
    /// Kept in this database, encrypted by this vault.
    #[must_use]
    pub fn new(pool: PgPool, vault: Vault, oauth: OAuth, clock: Clock) -> Self {
        Self { pool, vault, oauth, clock }
    }

    /// The application's own token for one run of a command, begun with the one that is kept.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn app(&self) -> Result<Arc<AppTokens>, TokensError> {
        let row = tokens::get(&mut *self.pool.acquire().await?, APP).await?;
        let held = row.map(|row| self.app_token(row)).transpose()?;
        Ok(Arc::new(AppTokens::new(self.oauth.clone(), held)))
    }

    /// The application's own token, one and the same for all replicas and runs: whoever needs
    /// another takes the one that is kept, or else asks Twitch and keeps what it gets.
    #[must_use]
    pub fn shared_app(self: &Arc<Self>) -> Arc<AppTokens> {
        let tokens = Arc::clone(self);
        let renewal: Renewal = Box::new(move |stale| {
            let tokens = Arc::clone(&tokens);
            Box::pin(async move {
                tokens.renew_app(stale.as_ref()).await.map_err(|error| match error {
                    TokensError::OAuth(error) => error,
                    error => OAuthError::NotShared(error.to_string()),
                })
            })
        });
        Arc::new(AppTokens::shared(self.oauth.clone(), renewal))
    }

    /// Others wait while one asks Twitch, and then find what it has got.
    async fn renew_app(&self, stale: Option<&AppToken>) -> Result<AppToken, TokensError> {
        let mut transaction = self.pool.begin().await?;
        Lock::AppToken.acquire(&mut transaction).await?;
        let kept = tokens::get(&mut transaction, APP).await?;
        // One that can't be decrypted is worth no more than one that is spent.
        let kept = kept.and_then(|row| self.app_token(row).ok()).filter(|kept| !kept.is_spent(self.clock.now()));
        let is_stale = |kept: &AppToken| stale.is_some_and(|stale| is_same(&stale.access_token, &kept.access_token));
        if let Some(kept) = kept.filter(|kept| !is_stale(kept)) {
            return Ok(kept);
        }
        let token = self.oauth.app_token().await?;
        tokens::put(&mut transaction, &self.app_row(&token)?).await?;
        transaction.commit().await?;
        Ok(token)
    }

    fn app_token(&self, row: Row) -> Result<AppToken, VaultError> {
        Ok(AppToken { access_token: self.vault.open(APP, &row.access_token)?, expires_at: row.expires_at })
    }

    fn app_row(&self, token: &AppToken) -> Result<Row, VaultError> {
        Ok(Row {
            holder: APP.to_owned(),
            login: None,
            access_token: self.vault.seal(APP, &token.access_token)?,
            refresh_token: None,
            scopes: Vec::new(),
            expires_at: token.expires_at,
            obtained_at: self.clock.now(),
            validated_at: None,
            needs_consent: None,
        })
    }

    /// Keeps the application's token for others, unless it is the one that is kept already.
    ///
    /// # Errors
    /// [`TokensError`]
    pub async fn keep_app(&self, app: &AppTokens) -> Result<(), TokensError> {
        let token = app.get().await?;
        let mut transaction = self.pool.begin().await?;
        if let Some(row) = tokens::lock(&mut transaction, APP).await? {
            let kept = self.vault.open(APP, &row.access_token);
            if kept.is_ok_and(|kept| is_same(&kept, &token.access_token)) {
                return Ok(());
            }
        }
        tokens::put(&mut transaction, &self.app_row(&token)?).await?;
        Ok(transaction.commit().await?)
    }

    /// Keeps what a person's consent brought.
    ///
    /// # Errors
    /// [`TokensError`]
    pub async fn keep_user(&self, user: &TokenUser, token: &UserToken) -> Result<(), TokensError> {
        let row = self.row(&user.id, Some(user.login.clone()), token)?;
        Ok(tokens::put(&mut *self.pool.acquire().await?, &row).await?)
    }

    /// A user's token, refreshed if its time is up.
    ///
    /// # Errors
    /// [`TokensError`]; while the person has to consent, Twitch isn't asked.
    pub async fn user(&self, user_id: &str) -> Result<UserToken, TokensError> {
        let row = tokens::get(&mut *self.pool.acquire().await?, user_id).await?;
        let token = self.usable(user_id, row)?;
        let latest_use = self.clock.now() + MARGIN;
        if token.expires_at.is_some_and(|at| at <= latest_use) {
            return self.refresh(user_id, &token.access_token).await;
        }
        Ok(token)
    }

    /// A token other than `stale`. The row stays locked while Twitch is asked, so that of any
    /// number of replicas one asks, and the others find what it got; and the new tokens are kept
    /// before anybody uses them.
    ///
    /// # Errors
    /// [`TokensError`]; once Twitch has refused, the person has to consent, and Twitch isn't asked
    /// again.
    pub async fn refresh(&self, user_id: &str, stale: &SecretString) -> Result<UserToken, TokensError> {
        let mut transaction = self.pool.begin().await?;
        let row = tokens::lock(&mut transaction, user_id).await?;
        let login = row.as_ref().and_then(|row| row.login.clone());
        let held = self.usable(user_id, row)?;
        if !is_same(&held.access_token, stale) {
            return Ok(held);
        }
        match self.oauth.refresh(&held.refresh_token).await {
            Ok(mut token) => {
                // Twitch may leave the scopes out; refreshing changes none.
                if token.scopes.is_empty() {
                    token.scopes = held.scopes;
                }
                tokens::put(&mut transaction, &self.row(user_id, login, &token)?).await?;
                transaction.commit().await?;
                Ok(token)
            }
            Err(error) if error.needs_consent() => {
                let reason = error.to_string();
                tokens::mark_needs_consent(&mut transaction, user_id, &reason).await?;
                transaction.commit().await?;
                tracing::warn!(user_id, reason, "a user has to consent again: run `{}`", Program::Init);
                Err(TokensError::NeedsConsent { holder: user_id.to_owned(), reason })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Validates every token, at start and every hour, and refreshes what Twitch doesn't take any
    /// more. Never ends.
    pub async fn run(self: Arc<Self>, app: Arc<AppTokens>) -> Infallible {
        loop {
            if let Err(error) = self.check(&app).await {
                tracing::warn!(%error, "the tokens can't be checked now");
            }
            self.clock.sleep(VALIDATE_EVERY).await;
        }
    }

    /// Validates every token once. What is wrong with one keeps none of the others from it.
    ///
    /// # Errors
    /// If the tokens can't be read.
    pub async fn check(&self, app: &AppTokens) -> Result<(), TokensError> {
        if let Err(error) = self.check_app(app).await {
            tracing::warn!(%error, "the app token can't be checked now");
        }
        let rows = tokens::all(&mut *self.pool.acquire().await?).await?;
        for row in rows.into_iter().filter(|row| row.holder != APP && row.needs_consent.is_none()) {
            let user_id = row.holder.clone();
            if let Err(error) = self.check_user(row).await {
                tracing::warn!(%error, user_id, "a user's token is not in order");
            }
        }
        Ok(())
    }

    async fn check_app(&self, app: &AppTokens) -> Result<(), TokensError> {
        let token = app.get().await?;
        let validated = match self.oauth.validate(&token.access_token).await {
            Err(OAuthError::Refused { .. }) => {
                let token = app.replace(&token.access_token).await?;
                self.oauth.validate(&token.access_token).await?
            }
            outcome => outcome?,
        };
        self.keep_app(app).await?;
        self.mark_valid(APP, &validated).await
    }

    async fn check_user(&self, row: Row) -> Result<(), TokensError> {
        let user_id = row.holder.clone();
        let token = self.usable(&user_id, Some(row))?;
        let validated = match self.oauth.validate(&token.access_token).await {
            Err(OAuthError::Refused { .. }) => {
                let token = self.refresh(&user_id, &token.access_token).await?;
                self.oauth.validate(&token.access_token).await?
            }
            outcome => outcome?,
        };
        self.mark_valid(&user_id, &validated).await
    }

    async fn mark_valid(&self, holder: &str, validated: &Validated) -> Result<(), TokensError> {
        let mut connection = self.pool.acquire().await?;
        let (scopes, expires_at) = (&validated.scopes, validated.expires_at);
        Ok(tokens::mark_valid(&mut connection, holder, scopes, expires_at, self.clock.now()).await?)
    }

    /// Decrypts a user's row, unless it is known to be of no use.
    fn usable(&self, user_id: &str, row: Option<Row>) -> Result<UserToken, TokensError> {
        let needs = |reason: &str| TokensError::NeedsConsent { holder: user_id.to_owned(), reason: reason.to_owned() };
        let row = row.ok_or_else(|| needs("there is no consent yet"))?;
        if let Some(reason) = &row.needs_consent {
            return Err(needs(reason));
        }
        let refresh_token = row.refresh_token.ok_or_else(|| needs("the consent can't be refreshed"))?;
        Ok(UserToken {
            access_token: self.vault.open(user_id, &row.access_token)?,
            refresh_token: self.vault.open(user_id, &refresh_token)?,
            scopes: row.scopes,
            expires_at: row.expires_at,
        })
    }

    fn row(&self, user_id: &str, login: Option<String>, token: &UserToken) -> Result<Row, VaultError> {
        Ok(Row {
            holder: user_id.to_owned(),
            login,
            access_token: self.vault.seal(user_id, &token.access_token)?,
            refresh_token: Some(self.vault.seal(user_id, &token.refresh_token)?),
            scopes: token.scopes.clone(),
            expires_at: token.expires_at,
            obtained_at: self.clock.now(),
            validated_at: None,
            needs_consent: None,
        })
    }
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}
