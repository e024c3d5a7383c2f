//! An access token that many callers share: requested when first needed, and again when it expires or is refused.

use std::fmt;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use super::oauth::{BearerToken, OAuth, OAuthError};

/// A token this close to its end is not used any more.
const MARGIN: Duration = Duration::minutes(5);

/// Returns a token other than the given one, which expired or was refused.
pub type Renewal =
    Box<dyn Fn(Option<BearerToken>) -> BoxFuture<'static, Result<BearerToken, OAuthError>> + Send + Sync>;

/// Holds one token: the application's own, or a user's. However many callers need a new one at once, one request is
/// made.
pub struct TokenSource {
    name: String,
    oauth: OAuth,
    held: Mutex<Option<BearerToken>>,
    renewal: Renewal,
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("name", &self.name).field("oauth", &self.oauth).finish_non_exhaustive()
    }
}

impl BearerToken {
    /// Whether it is expired or about to.
    #[must_use]
    pub fn is_spent(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_some_and(|at| at <= now + MARGIN)
    }
}

impl TokenSource {
    /// The application's own token, beginning with `held`; new ones are requested from Twitch.
    #[must_use]
    pub fn app(oauth: OAuth, held: Option<BearerToken>) -> Self {
        let server = oauth.clone();
        let renewal: Renewal = Box::new(move |_| {
            let oauth = server.clone();
            Box::pin(async move { oauth.app_token().await })
        });
        Self { held: Mutex::new(held), ..Self::new("an app token".to_owned(), oauth, renewal) }
    }

    /// A token that others use too: every one, the first too, comes from `renewal`. `name` completes the sentence
    /// "can't get …".
    #[must_use]
    pub fn new(name: String, oauth: OAuth, renewal: Renewal) -> Self {
        Self { name, oauth, held: Mutex::new(None), renewal }
    }

    /// What it holds, for the sentence "can't get …".
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The login server that the tokens come from.
    #[must_use]
    pub fn oauth(&self) -> &OAuth {
        &self.oauth
    }

    /// The token held, or a new one if there is none or it is spent.
    ///
    /// # Errors
    /// [`OAuthError`]
    pub async fn get(&self) -> Result<BearerToken, OAuthError> {
        self.get_unless(|_| false).await
    }

    /// A token other than `refused`: a new one, unless another caller has got that already.
    ///
    /// # Errors
    /// [`OAuthError`]
    pub async fn replace(&self, refused: &SecretString) -> Result<BearerToken, OAuthError> {
        self.get_unless(|held| held.access_token.expose_secret() == refused.expose_secret()).await
    }

    /// The lock is held during the request: that is what makes it a single one.
    async fn get_unless(&self, is_unfit: impl Fn(&BearerToken) -> bool) -> Result<BearerToken, OAuthError> {
        let mut held = self.held.lock().await;
        let now = self.oauth.http().clock().now();
        if let Some(token) = held.as_ref().filter(|token| !token.is_spent(now) && !is_unfit(token)) {
            return Ok(token.clone());
        }
        let renewed = (self.renewal)(held.clone()).await?;
        Ok(held.insert(renewed).clone())
    }
}
