//! The token of a server that has none yet.

use std::io;

use secrecy::SecretString;
use sqlx::PgConnection;

use super::token::{TokenHash, generate};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::access_tokens::{self, Scope};

/// What it is called.
pub const NAME: &str = "first";

/// The token that is in the data directory, for whoever runs the server.
#[derive(Debug)]
pub struct OwnToken {
    /// Itself.
    pub text: SecretString,
    /// Why it is not in the data directory after all, so that it must be shown now or never.
    pub unkept: Option<io::Error>,
}

/// The token in the data directory, if it still counts; else, if there is no token at all, a new
/// one with every right, which is put there.
///
/// # Errors
/// If the database fails.
pub async fn find_or_make(conn: &mut PgConnection, config: &Config, clock: &Clock) -> sqlx::Result<Option<OwnToken>> {
    if let Some(text) = config.own_token()
        && access_tokens::by_hash(conn, TokenHash::from(&text).as_bytes()).await?.is_some()
    {
        return Ok(Some(OwnToken { text, unkept: None }));
    }
    let text = generate();
    let hash = TokenHash::from(&text);
    if !access_tokens::insert_first(conn, NAME, Scope::Admin, hash.as_bytes(), clock.now()).await? {
        return Ok(None);
    }
    let unkept = config.keep_own_token(&text).err();
    Ok(Some(OwnToken { text, unkept }))
}
