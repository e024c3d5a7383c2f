//! Adding, changing and removing bots.

use secrecy::SecretString;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;

use super::secret;
use crate::access::check_name;
use crate::store::tracking::bots;

/// Why a bot can't be added or changed.
#[derive(Debug, thiserror::Error)]
pub enum BotError {
    /// The name can't be one.
    #[error("the name {0}")]
    Name(&'static str),
    /// There is a bot of this name.
    #[error("there is a bot named `{0}` already: choose another name, or rotate its secret")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no bot named `{0}`")]
    Unknown(String),
    /// The secret can't be hashed.
    #[error("the secret can't be hashed")]
    Hash,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Adds a bot, and returns its secret, which is kept nowhere.
///
/// # Errors
/// [`BotError`]
pub async fn add(db: &mut PgConnection, name: &str, now: OffsetDateTime) -> Result<SecretString, BotError> {
    check_name(name).map_err(BotError::Name)?;
    let (secret, hash) = new_secret().await?;
    let id = rand::random_range(1..=i64::MAX);
    match bots::insert(db, id, name, &hash, now).await? {
        true => Ok(secret),
        false => Err(BotError::Exists(name.to_owned())),
    }
}

/// Gives a bot another secret, and returns it. The tokens that it has are refused within seconds.
///
/// # Errors
/// [`BotError`]
pub async fn rotate(db: &mut PgConnection, name: &str) -> Result<SecretString, BotError> {
    let (secret, hash) = new_secret().await?;
    known(bots::rotate(db, name, &hash).await?, name).map(|()| secret)
}

/// Switches a bot off, so that it gets no tokens and those that it has are refused, or on again. What it tracks stays.
///
/// # Errors
/// [`BotError`]
pub async fn switch(db: &mut PgConnection, name: &str, disabled_at: Option<OffsetDateTime>) -> Result<(), BotError> {
    known(bots::switch(db, name, disabled_at).await?, name)
}

/// Removes a bot and all that it tracks.
///
/// # Errors
/// [`BotError`]
pub async fn remove(db: &mut PgConnection, name: &str) -> Result<(), BotError> {
    known(bots::delete(db, name).await?, name)
}

async fn new_secret() -> Result<(SecretString, String), BotError> {
    let secret = secret::generate();
    let hashed = secret.clone();
    let hash = spawn_blocking(move || secret::hash(&hashed)).await.map_err(|_| BotError::Hash)?;
    Ok((secret, hash.map_err(|_| BotError::Hash)?))
}

fn known(is_known: bool, name: &str) -> Result<(), BotError> {
    if is_known { Ok(()) } else { Err(BotError::Unknown(name.to_owned())) }
}
