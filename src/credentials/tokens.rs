//! Twitch's tokens: kept encrypted, [validated](https://dev.twitch.tv/docs/authentication/validate-tokens/) hourly,
//! [refreshed](https://dev.twitch.tv/docs/authentication/refresh-tokens/) by one replica at a time.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use tokio::sync::Semaphore;

use super::vault::{Vault, VaultError};
use crate::clock::Clock;
use crate::program::Program;
use crate::store::locks::Lock;
use crate::store::tokens::{self, APP, Row};
use crate::store::{answered, is_outage, query};
use crate::twitch::oauth::{BearerToken, OAuth, OAuthError, TokenUser, UserToken, Validated};
use crate::twitch::token_source::{Renewal, TokenSource};

/// Twitch requires every kept token to be validated at start and this often.
const VALIDATE_EVERY: Duration = Duration::from_secs(3_600);

/// A token this close to its end is refreshed rather than used.
const MARGIN: time::Duration = time::Duration::minutes(2);

/// Refreshes at the same time. Each keeps a connection of the pool until Twitch has answered, and requests need the others.
const MAX_REFRESHES: usize = 4;

/// How often it is tried to keep new tokens while the database is away, and the pause in between.
const MAX_PUTS: u32 = 10;
const PUT_PAUSE: Duration = Duration::from_secs(1);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// Only the user can help.
    #[error("{holder} has to consent (again): {reason}; run `{}`", Program::Init)]
    NeedsConsent {
        /// The user's id.
        holder: String,
        /// Why the consent does not hold.
        reason: String,
    },
    /// It can't be decrypted.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Twitch issues none now.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// It can't be read or written.
    #[error("the tokens can't be read or kept: {0}")]
    Database(#[from] sqlx::Error),
}

/// Every token, by its holder. Clones share everything.
#[derive(Clone, Debug)]
pub struct Tokens {
    pool: PgPool,
    vault: Arc<Vault>,
    oauth: OAuth,
    clock: Clock,
    /// Bounds the refreshes in progress.
    refreshes: Arc<Semaphore>,
}

impl Tokens {
    /// The tokens in this database, encrypted by this vault.
    #[must_use]
    pub fn new(pool: PgPool, vault: Vault, oauth: OAuth, clock: Clock) -> Self {
        Self { pool, vault: Arc::new(vault), oauth, clock, refreshes: Arc::new(Semaphore::new(MAX_REFRESHES)) }
    }

    /// The application's own token for one run of a command, beginning with the kept one.
    ///
    /// # Errors
    /// If it can't be read.
    pub async fn app(&self) -> Result<Arc<TokenSource>, TokensError> {
        let row = query(&self.pool, async |db| tokens::get(db, APP).await).await?;
        let held = row.map(|row| self.app_token(row)).transpose()?;
        Ok(Arc::new(TokenSource::app(self.oauth.clone(), held)))
    }

    /// The application's own token, the same for all replicas and runs: a caller that needs another takes the kept one,
    /// or else requests one and keeps it.
    #[must_use]
    pub fn shared_app(&self) -> Arc<TokenSource> {
        let tokens = self.clone();
        let renewal: Renewal = Box::new(move |stale| {
            let tokens = tokens.clone();
            Box::pin(async move { Ok(tokens.renew_app(stale.as_ref()).await?) })
        });
        Arc::new(TokenSource::new("an app token".to_owned(), self.oauth.clone(), renewal))
    }

    /// A user's token to make calls with, refreshed for all replicas when it is spent or Twitch refuses it.
    #[must_use]
    pub fn shared_user(&self, user_id: &str) -> Arc<TokenSource> {
        let (tokens, user_id) = (self.clone(), Arc::<str>::from(user_id));
        let name = format!("a token of user {user_id}");
        let renewal: Renewal = Box::new(move |stale| {
            let (tokens, user_id) = (tokens.clone(), Arc::clone(&user_id));
            Box::pin(async move {
                let token = match stale {
                    Some(stale) => tokens.refresh(&user_id, &stale.access_token).await?,
                    None => tokens.user(&user_id).await?,
                };
                Ok(BearerToken { access_token: token.access_token, expires_at: token.expires_at })
            })
        });
        Arc::new(TokenSource::new(name, self.oauth.clone(), renewal))
    }

    /// Replicas wait while one requests a token, and then find it.
    async fn renew_app(&self, stale: Option<&BearerToken>) -> Result<BearerToken, TokensError> {
        let mut transaction = answered(self.pool.begin()).await?;
        answered(Lock::AppToken.acquire(&mut transaction)).await?;
        let kept = answered(tokens::get(&mut transaction, APP)).await?;
        // One that can't be decrypted is replaced, like one that is spent.
        let kept = kept.and_then(|row| self.app_token(row).ok()).filter(|kept| !kept.is_spent(self.clock.now()));
        let is_stale = |kept: &BearerToken| stale.is_some_and(|stale| is_same(&stale.access_token, &kept.access_token));
        if let Some(kept) = kept.filter(|kept| !is_stale(kept)) {
            return Ok(kept);
        }
        let token = self.oauth.app_token().await?;
        answered(tokens::put(&mut transaction, &self.app_row(&token)?)).await?;
        answered(transaction.commit()).await?;
        Ok(token)
    }

    fn app_token(&self, row: Row) -> Result<BearerToken, VaultError> {
        Ok(BearerToken { access_token: self.vault.open(APP, &row.access_token)?, expires_at: row.expires_at })
    }

    fn app_row(&self, token: &BearerToken) -> Result<Row, VaultError> {
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

    /// Keeps the application's token for other replicas, unless it is kept already.
    async fn keep_app(&self, app: &TokenSource) -> Result<(), TokensError> {
        let token = app.get().await?;
        let mut transaction = answered(self.pool.begin()).await?;
        if let Some(row) = answered(tokens::get_locked(&mut transaction, APP)).await? {
            let kept = self.vault.open(APP, &row.access_token);
            if kept.is_ok_and(|kept| is_same(&kept, &token.access_token)) {
                return Ok(());
            }
        }
        answered(tokens::put(&mut transaction, &self.app_row(&token)?)).await?;
        Ok(answered(transaction.commit()).await?)
    }

    /// Keeps the tokens that a user's consent brought.
    ///
    /// # Errors
    /// [`TokensError`]
    pub async fn keep_user(&self, user: &TokenUser, token: &UserToken) -> Result<(), TokensError> {
        let row = self.row(user.id.as_str(), Some(user.login.clone()), token)?;
        Ok(self.put(&row, None).await?)
    }

    /// A user's token, refreshed if it is spent.
    ///
    /// # Errors
    /// [`TokensError`]. While the user has to consent, Twitch isn't asked.
    pub async fn user(&self, user_id: &str) -> Result<UserToken, TokensError> {
        let row = query(&self.pool, async |db| tokens::get(db, user_id).await).await?;
        let token = self.usable(user_id, row)?;
        let latest_use = self.clock.now() + MARGIN;
        if token.expires_at.is_some_and(|at| at <= latest_use) {
            return self.refresh(user_id, &token.access_token).await;
        }
        Ok(token)
    }

    /// A user's access token as it is kept, encrypted: each consent and each refresh brings another one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn sealed(&self, user_id: &str) -> sqlx::Result<Option<Vec<u8>>> {
        let row = query(&self.pool, async |db| tokens::get(db, user_id).await).await?;
        Ok(row.map(|row| row.access_token))
    }

    /// Keeps tokens that can't be requested again, although the database may be away for a moment. With `stale`, only if that is
    /// still kept: a consent may have brought others meanwhile.
    async fn put(&self, row: &Row, stale: Option<&SecretString>) -> sqlx::Result<()> {
        let mut tries = 1;
        loop {
            match answered(self.try_put(row, stale)).await {
                Err(error) if tries < MAX_PUTS && is_outage(&error) => tries += 1,
                outcome => return outcome,
            }
            self.clock.sleep(PUT_PAUSE).await;
        }
    }

    async fn try_put(&self, row: &Row, stale: Option<&SecretString>) -> sqlx::Result<()> {
        let mut transaction = self.pool.begin().await?;
        let kept = tokens::get_locked(&mut transaction, &row.holder).await?;
        let kept = kept.and_then(|kept| self.vault.open(&row.holder, &kept.access_token).ok());
        if stale.is_none_or(|stale| kept.is_some_and(|kept| is_same(&kept, stale))) {
            tokens::put(&mut transaction, row).await?;
        }
        transaction.commit().await
    }

    /// Waits until no token is being refreshed, so that none is lost.
    pub async fn finish(&self) {
        let _all = self.refreshes.acquire_many(MAX_REFRESHES as u32).await;
    }

    /// A token other than `stale`. The row stays locked during the request, so that only one replica makes one, and the
    /// others find the result. New tokens are kept before they are used, also when the caller does not wait for them.
    ///
    /// # Errors
    /// [`TokensError`]. Once Twitch has refused, the user has to consent, and Twitch isn't asked again.
    pub async fn refresh(&self, user_id: &str, stale: &SecretString) -> Result<UserToken, TokensError> {
        let (tokens, user_id, stale) = (self.clone(), user_id.to_owned(), stale.clone());
        // Of its own: Twitch may have ended the old token when the caller is cancelled.
        let refreshing = tokio::spawn(async move { tokens.refresh_to_the_end(&user_id, &stale).await });
        refreshing.await.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(sqlx::Error::PoolClosed.into()),
        })
    }

    async fn refresh_to_the_end(&self, user_id: &str, stale: &SecretString) -> Result<UserToken, TokensError> {
        let _permit = self.refreshes.acquire().await;
        let mut transaction = answered(self.pool.begin()).await?;
        let row = answered(tokens::get_locked(&mut transaction, user_id)).await?;
        let login = row.as_ref().and_then(|row| row.login.clone());
        let held = self.usable(user_id, row)?;
        if !is_same(&held.access_token, stale) {
            return Ok(held);
        }
        match self.oauth.refresh(&held.refresh_token).await {
            Ok(mut token) => {
                // Twitch may leave the scopes out; a refresh changes none.
                if token.scopes.is_empty() {
                    token.scopes = held.scopes;
                }
                let row = self.row(user_id, login, &token)?;
                let kept = answered(async {
                    tokens::put(&mut transaction, &row).await?;
                    transaction.commit().await
                });
                if kept.await.is_err() {
                    self.put(&row, Some(stale)).await?;
                }
                Ok(token)
            }
            Err(error) if error.needs_consent() => {
                let reason = error.to_string();
                answered(tokens::mark_needs_consent(&mut transaction, user_id, &reason)).await?;
                answered(transaction.commit()).await?;
                tracing::warn!(user_id, reason, "a user has to consent again: run `{}`", Program::Init);
                Err(TokensError::NeedsConsent { holder: user_id.to_owned(), reason })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Validates every token, at start and every hour, and replaces those that Twitch refuses. Never ends.
    pub async fn run(self, app: Arc<TokenSource>) -> Infallible {
        loop {
            if let Err(error) = self.check(&app).await {
                tracing::warn!(%error, "the tokens can't be checked now");
            }
            self.clock.sleep(VALIDATE_EVERY).await;
        }
    }

    /// Validates every token once. A failure with one does not keep the others from it.
    ///
    /// # Errors
    /// If the tokens can't be read.
    pub async fn check(&self, app: &TokenSource) -> Result<(), TokensError> {
        if let Err(error) = self.check_app(app).await {
            tracing::warn!(%error, "the app token can't be checked now");
        }
        let user_ids = query(&self.pool, async |db| tokens::users(db).await).await?;
        for user_id in user_ids {
            match self.check_user(&user_id).await {
                // Logged when Twitch refused it.
                Ok(()) | Err(TokensError::NeedsConsent { .. }) => {}
                Err(error) => tracing::warn!(%error, user_id, "a user's token is not in order"),
            }
        }
        Ok(())
    }

    async fn check_app(&self, app: &TokenSource) -> Result<(), TokensError> {
        let mut token = app.get().await?;
        let validated = match self.oauth.validate(&token.access_token).await {
            Err(OAuthError::Refused { .. }) => {
                token = app.replace(&token.access_token).await?;
                self.oauth.validate(&token.access_token).await?
            }
            outcome => outcome?,
        };
        self.keep_app(app).await?;
        self.mark_valid(APP, &token.access_token, &validated).await
    }

    async fn check_user(&self, user_id: &str) -> Result<(), TokensError> {
        let row = query(&self.pool, async |db| tokens::get(db, user_id).await).await?;
        let mut token = self.usable(user_id, row)?;
        let validated = match self.oauth.validate(&token.access_token).await {
            Err(OAuthError::Refused { .. }) => {
                token = self.refresh(user_id, &token.access_token).await?;
                self.oauth.validate(&token.access_token).await?
            }
            outcome => outcome?,
        };
        self.mark_valid(user_id, &token.access_token, &validated).await
    }

    /// Records what Twitch said of this token, unless another one is kept by now: that of a new consent has other scopes.
    async fn mark_valid(&self, holder: &str, token: &SecretString, validated: &Validated) -> Result<(), TokensError> {
        let mut transaction = answered(self.pool.begin()).await?;
        let row = answered(tokens::get_locked(&mut transaction, holder)).await?;
        let kept = row.and_then(|row| self.vault.open(holder, &row.access_token).ok());
        if kept.is_some_and(|kept| is_same(&kept, token)) {
            let (scopes, expires_at, now) = (&validated.scopes, validated.expires_at, self.clock.now());
            answered(tokens::mark_valid(&mut transaction, holder, scopes, expires_at, now)).await?;
        }
        Ok(answered(transaction.commit()).await?)
    }

    /// Decrypts a user's row, unless it is known that the user has to consent.
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

impl From<TokensError> for OAuthError {
    fn from(error: TokensError) -> Self {
        match error {
            TokensError::OAuth(error) => error,
            TokensError::NeedsConsent { .. } => Self::NeedsConsent(error.to_string()),
            TokensError::Vault(_) | TokensError::Database(_) => Self::NotShared(error.to_string()),
        }
    }
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}
