//! The application's own token: got when first needed, and again when it expires or is refused.

use std::fmt;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use super::oauth::{AppToken, OAuth, OAuthError};

/// A token this close to its end is not used any more.
const MARGIN: Duration = Duration::minutes(5);

/// Brings a token other than this one, which is of no use any more.
pub type Renewal = Box<dyn Fn(Option<AppToken>) -> BoxFuture<'static, Result<AppToken, OAuthError>> + Send + Sync>;

/// Holds the app token. However many callers need a new one at once, one request is made.
pub struct AppTokens {
    oauth: OAuth,
    held: Mutex<Option<AppToken>>,
    renewal: Renewal,
}

impl fmt::Debug for AppTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppTokens").field("oauth", &self.oauth).finish_non_exhaustive()
    }
}

impl AppToken {
    /// Whether its time is up, or nearly.
    #[must_use]
    pub fn is_spent(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now + MARGIN)
    }
}

impl AppTokens {
    /// New tokens are asked of Twitch. `held` is one kept from an earlier run, if there is one.
    #[must_use]
    pub fn new(oauth: OAuth, held: Option<AppToken>) -> Self {
        let asked = oauth.clone();
        let renewal: Renewal = Box::new(move |_| {
            let oauth = asked.clone();
            Box::pin(async move { oauth.app_token().await })
        });
        Self { oauth, held: Mutex::new(held), renewal }
    }

    /// New tokens, the first one too, come from whoever shares them with others.
    #[must_use]
    pub fn shared(oauth: OAuth, renewal: Renewal) -> Self {
        Self { oauth, held: Mutex::new(None), renewal }
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
        let now = self.oauth.http().clock().now();
        if let Some(token) = held.as_ref().filter(|token| !token.is_spent(now) && !is_unfit(token)) {
            return Ok(token.clone());
        }
        let renewed = (self.renewal)(held.clone()).await?;
        Ok(held.insert(renewed).clone())
    }
}
