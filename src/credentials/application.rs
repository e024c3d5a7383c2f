//! The configured Twitch application, and all that acts in its name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::tokens::Tokens;
use super::vault::Vault;
use crate::backoff::Backoff;
use crate::config::SecretFileError;
use crate::http::RetryPolicy;
use crate::services::Services;
use crate::twitch::helix::Helix;
use crate::twitch::id::UserId;
use crate::twitch::oauth::{Credentials, OAuth};
use crate::twitch::token_source::TokenSource;

/// What components need to act at Twitch. Without a configured application there is none, and they are off.
#[derive(Clone, Debug)]
pub struct Application {
    /// Twitch's login server, asked as this application.
    pub oauth: OAuth,
    /// The tokens that users gave to this application.
    pub tokens: Tokens,
    /// The application's own token, shared with all replicas.
    pub app_tokens: Arc<TokenSource>,
    /// Twitch's API, called with the application's own token.
    pub helix: Helix,
    /// Twitch's API, called with the tokens of these users.
    users: Arc<Mutex<HashMap<UserId, UserClient>>>,
}

/// A client that calls with a user's token.
#[derive(Debug)]
struct UserClient {
    helix: Helix,
    /// The token that was kept when it was made, encrypted.
    sealed: Option<Vec<u8>>,
}

/// Of calls with a user's token. They are made while a WebSocket session is to be subscribed on, which Twitch closes after
/// ten seconds without a subscription: so more and earlier retries, which cost points of this user's rate limit only.
const USER_RETRIES: RetryPolicy = RetryPolicy {
    timeout: Duration::from_secs(3),
    retries: 6,
    backoff: Backoff { first: Duration::from_millis(100), max: Duration::from_secs(1) },
    rate_limit_wait: Duration::from_secs(5),
};

impl Application {
    /// The application of the settings, if there is one.
    ///
    /// # Errors
    /// If the key that encrypts tokens can't be read or made.
    pub fn open(services: &Services) -> Result<Option<Self>, SecretFileError> {
        let config = &services.config;
        let Some(client) = &config.twitch.client else { return Ok(None) };
        let credentials = Credentials { client_id: client.id.clone(), client_secret: client.secret.clone() };
        let oauth = OAuth::new(credentials, &config.twitch.auth_url, services.http.clone());
        let vault = Vault::open_for(config)?;
        let tokens = Tokens::new(services.pool.clone(), vault, oauth.clone(), services.clock.clone());
        let app_tokens = tokens.shared_app();
        let helix = Helix::new(config.twitch.api_url.clone(), app_tokens.clone());
        Ok(Some(Self { oauth, tokens, app_tokens, helix, users: Arc::default() }))
    }

    /// Twitch's API, called with the token of this user. All callers share the token and its rate limit, until another token is
    /// kept: that of a new consent has other scopes, and Twitch would accept the one before for hours.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn as_user(&self, user: &UserId) -> sqlx::Result<Helix> {
        let sealed = self.tokens.sealed(user.as_str()).await?;
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = users.get(user).filter(|client| client.sealed == sealed) {
            return Ok(client.helix.clone());
        }
        let helix = self.helix.as_user(self.tokens.shared_user(user.as_str()), USER_RETRIES);
        users.insert(user.clone(), UserClient { helix: helix.clone(), sealed });
        Ok(helix)
    }
}
