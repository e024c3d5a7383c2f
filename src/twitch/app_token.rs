//! The application's own token: got when first needed, and again when it expires or is refused.

use secrecy::{ExposeSecret, SecretString};
use time::Duration;
use tokio::sync::Mutex;

use super::oauth::{AppToken, OAuth, OAuthError};

/// A token this close to its end is not used any more.
const MARGIN: Duration = Duration::minutes(5);

/// Holds the app token. However many callers need a new one at once, one request is made.
#[derive(Debug)]
pub struct AppTokens {
    oauth: OAuth,
    held: Mutex<Option<AppToken>>,
}

impl AppTokens {
    /// `held` is a token kept from an earlier run, if there is one.
    #[must_use]
    pub fn new(oauth: OAuth, held: Option<AppToken>) -> Self {
        Self { oauth, held: Mutex::new(held) }
    }

    /// Where the tokens come from.
    #[must_use]
    pub fn oauth(&self) -> &OAuth {
        &self.oauth
    }

    /// The token held, or a new one if there is none or its time is up.
    ///
    /// # Errors
    /// [`OAuthError`]
    pub async fn get(&self) -> Result<AppToken, OAuthError> {
        self.get_unless(|_| false).await
    }

    /// A token other than `refused`: a new one, unless another caller has got that already.
    ///
    /// # Errors
    /// [`OAuthError`]
    pub async fn replace(&self, refused: &SecretString) -> Result<AppToken, OAuthError> {
        self.get_unless(|held| held.access_token.expose_secret() == refused.expose_secret()).await
    }

    /// The lock is held during the request: that is what makes it a single one.
    async fn get_unless(&self, is_unfit: impl Fn(&AppToken) -> bool) -> Result<AppToken, OAuthError> {
        let mut held = self.held.lock().await;
        let latest_use = self.oauth.http().clock().now() + MARGIN;
        let is_expired = |token: &AppToken| token.expires_at.is_some_and(|at| at <= latest_use);
        if let Some(token) = held.as_ref().filter(|token| !is_expired(token) && !is_unfit(token)) {
            return Ok(token.clone());
        }
        Ok(held.insert(self.oauth.app_token().await?).clone())
    }
}
