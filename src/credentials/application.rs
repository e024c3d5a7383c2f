//! The configured Twitch application, and all that acts in its name.

use std::sync::Arc;

use super::tokens::Tokens;
use super::vault::Vault;
use crate::config::SecretFileError;
use crate::services::Services;
use crate::twitch::helix::Helix;
use crate::twitch::oauth::{Credentials, OAuth};
use crate::twitch::token_source::TokenSource;

/// What components need to act at Twitch. Without a configured application there is none, and they are off.
#[derive(Clone, Debug)]
pub struct Application {
    /// Twitch's login server, asked as this application.
    pub oauth: OAuth,
    /// The tokens that users gave to this application.
    pub tokens: Arc<Tokens>,
    /// The application's own token, shared with all replicas.
    pub app_tokens: Arc<TokenSource>,
    /// Twitch's API, called with the application's own token.
    pub helix: Helix,
}

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
        let tokens = Arc::new(Tokens::new(services.pool.clone(), vault, oauth.clone(), services.clock.clone()));
        let app_tokens = tokens.shared_app();
        let helix = Helix::new(config.twitch.api_url.clone(), app_tokens.clone());
        Ok(Some(Self { oauth, tokens, app_tokens, helix }))
    }
}
