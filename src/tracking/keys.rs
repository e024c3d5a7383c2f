//! The keys that sign the tokens of bots: encrypted rows, of which the first is made when it is needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::jwt::Key;
use crate::config::{Config, SecretFileError};
use crate::credentials::vault::{Vault, VaultError};
use crate::store::tracking::signing_keys::{self, SealedKey};

/// Length of a key in bytes.
const LENGTH: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key that encrypts can't be read or made.
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    /// The row was encrypted with another one, or changed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The keys that this process knows.
#[derive(Debug)]
pub(super) struct Keys {
    config: Arc<Config>,
    vault: Mutex<Option<Arc<Vault>>>,
    known: Mutex<HashMap<String, Key>>,
    signs: OnceLock<Key>,
}

impl Keys {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self { config, vault: Mutex::default(), known: Mutex::default(), signs: OnceLock::new() }
    }

    /// Encrypts what is kept of bots.
    pub(super) fn vault(&self) -> Result<Arc<Vault>, SecretFileError> {
        let mut vault = lock(&self.vault);
        if let Some(vault) = vault.as_ref() {
            return Ok(Arc::clone(vault));
        }
        let opened = Arc::new(Vault::open_for(&self.config)?);
        *vault = Some(Arc::clone(&opened));
        Ok(opened)
    }

    /// The key that signs, which is made if there is none.
    pub(super) async fn signing(&self, db: &mut PgConnection, now: OffsetDateTime) -> Result<Key, KeyError> {
        if let Some(key) = self.signs.get() {
            return Ok(key.clone());
        }
        let sealed = match signing_keys::newest(&mut *db).await? {
            Some(sealed) => sealed,
            None => {
                signing_keys::insert_first(&mut *db, &self.generate()?, now).await?;
                signing_keys::newest(db).await?.ok_or(sqlx::Error::RowNotFound)?
            }
        };
        let key = self.open(&sealed)?;
        Ok(self.signs.get_or_init(|| key).clone())
    }

    /// The key with this id, if there is one.
    pub(super) async fn get(&self, db: &mut PgConnection, id: &str) -> Result<Option<Key>, KeyError> {
        if let Some(key) = self.known(id) {
            return Ok(Some(key));
        }
        match signing_keys::get(db, id).await? {
            Some(sealed) => self.open(&sealed).map(Some),
            None => Ok(None),
        }
    }

    /// The key with this id, if this process has seen it.
    pub(super) fn known(&self, id: &str) -> Option<Key> {
        lock(&self.known).get(id).cloned()
    }

    fn generate(&self) -> Result<SealedKey, KeyError> {
        let id = hex::encode(rand::random::<[u8; 8]>());
        let text = SecretString::from(BASE64_STANDARD.encode(rand::random::<[u8; LENGTH]>()));
        let key_sealed = self.vault()?.seal(&holder(&id), &text)?;
        Ok(SealedKey { id, key_sealed })
    }

    fn open(&self, sealed: &SealedKey) -> Result<Key, KeyError> {
        let text = self.vault()?.open(&holder(&sealed.id), &sealed.key_sealed)?;
        let bytes = SecretSlice::from(BASE64_STANDARD.decode(text.expose_secret()).unwrap_or_default());
        let key = Key::new(sealed.id.clone(), bytes.expose_secret());
        lock(&self.known).insert(sealed.id.clone(), key.clone());
        Ok(key)
    }
}

/// No critical section of these locks can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is authenticated with a key, so that rows can't be swapped.
fn holder(id: &str) -> String {
    format!("signing-key:{id}")
}
