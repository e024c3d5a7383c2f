//! The token of a server that has none yet.

use std::io;

use secrecy::SecretString;
use sqlx::PgConnection;

use super::grant::Scope;
use super::token::{TokenHash, generate};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::access_tokens;

/// Its name in the list of tokens.
pub const NAME: &str = "first";

/// The token in the data directory, for the operator of this server.
#[derive(Debug)]
pub struct BootstrapToken {
    /// The token.
    pub text: SecretString,
    /// Why it could not be written to the data directory, so that it must be shown now or never.
    pub write_error: Option<io::Error>,
}

/// Returns the token of the data directory, if it is still valid. If there is no token at all, makes one with the scope
/// `admin` and writes it there.
///
/// # Errors
/// If the database fails.
pub async fn bootstrap(
    conn: &mut PgConnection,
    config: &Config,
    clock: &Clock,
) -> sqlx::Result<Option<BootstrapToken>> {
    if let Some(text) = config.bootstrap_token()
        && access_tokens::by_hash(conn, TokenHash::from(&text).as_bytes()).await?.is_some()
    {
        return Ok(Some(BootstrapToken { text, write_error: None }));
    }
    let text = generate();
    let hash = TokenHash::from(&text);
    if !access_tokens::insert_first(conn, NAME, Scope::Admin, hash.as_bytes(), clock.now()).await? {
        return Ok(None);
    }
    let write_error = config.write_bootstrap_token(&text).err();
    Ok(Some(BootstrapToken { text, write_error }))
}
