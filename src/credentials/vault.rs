//! Encryption of secrets in the database: XChaCha20-Poly1305.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};

use crate::config::{Config, EncryptionKey, SecretFileError};
use crate::program::Program;

/// Length in bytes of the random nonce before each ciphertext. 192 bits never repeat by chance.
const NONCE: usize = 24;

/// Encrypts and decrypts with one key.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    /// The setting or file that holds the key, for errors.
    key_place: String,
}

/// Why a secret can't be encrypted or decrypted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum VaultError {
    /// Another key, another holder's row, or a changed row: they can't be told apart.
    #[error(
        "what the database holds for {holder:?} can't be decrypted with the key in {key_place}: it was encrypted with \
         another one. Restore that key, or delete the row from the table `token` and run `{}`",
        Program::Init
    )]
    WrongKey {
        /// The holder in the row.
        holder: String,
        /// The setting or the file.
        key_place: String,
    },
    /// Never happens with texts as short as tokens.
    #[error("the secret of {0:?} can't be encrypted")]
    Unsealable(String),
}

impl Vault {
    /// A vault with the configured key, else the one in the data directory, which is made if need be.
    ///
    /// # Errors
    /// If the key's file can't be read or made.
    pub fn open_for(config: &Config) -> Result<Self, SecretFileError> {
        Ok(Self::new(&config.encryption_key()?, key_place(config)))
    }

    /// Like [`Vault::open_for`], but writes nothing: where there is no key yet, nothing can have been encrypted, and a
    /// temporary one will do.
    ///
    /// # Errors
    /// If the key's file can't be read.
    pub fn peek_for(config: &Config) -> Result<Self, SecretFileError> {
        let key = config.existing_encryption_key()?.unwrap_or_else(EncryptionKey::generate);
        Ok(Self::new(&key, key_place(config)))
    }

    /// A vault with this key; `key_place` says in errors where it came from.
    #[must_use]
    pub fn new(key: &EncryptionKey, key_place: String) -> Self {
        let mut bytes = [0; 32];
        #[expect(clippy::expect_used, reason = "a key is 64 hex digits by construction")]
        hex::decode_to_slice(key.expose_secret(), &mut bytes).expect("64 hex digits");
        Self { cipher: XChaCha20Poly1305::new(&Key::from(bytes)), key_place }
    }

    /// Encrypts a secret for its holder: each time into another ciphertext.
    ///
    /// # Errors
    /// [`VaultError::Unsealable`]
    pub fn seal(&self, holder: &str, secret: &SecretString) -> Result<Vec<u8>, VaultError> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: holder.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| VaultError::Unsealable(holder.to_owned()))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts a secret that was encrypted for this holder.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`]
    pub fn open(&self, holder: &str, sealed: &[u8]) -> Result<SecretString, VaultError> {
        let wrong = || VaultError::WrongKey { holder: holder.to_owned(), key_place: self.key_place.clone() };
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or_else(wrong)?;
        let payload = Payload { msg: sealed, aad: holder.as_bytes() };
        let text = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| wrong())?;
        String::from_utf8(text).map(SecretString::from).map_err(|_| wrong())
    }
}

fn key_place(config: &Config) -> String {
    match &config.encryption_key {
        Some(_) => "SHOWTIME_ENCRYPTION_KEY".to_owned(),
        None => config.encryption_key_file().display().to_string(),
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key_place", &self.key_place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault::new(&EncryptionKey::generate(), "SHOWTIME_ENCRYPTION_KEY".to_owned())
    }

    fn token() -> SecretString {
        SecretString::from("a token")
    }

    #[test]
    fn sealed_secret_can_be_opened_and_differs_each_time() {
        let vault = vault();
        let (one, two) = (vault.seal("7", &token()).unwrap(), vault.seal("7", &token()).unwrap());
        assert_ne!(one, two);
        assert!(!one.windows(7).any(|window| window == b"a token"));
        for sealed in [one, two] {
            assert_eq!(vault.open("7", &sealed).unwrap().expose_secret(), "a token");
        }
    }

    #[test]
    fn changed_or_exchanged_row_is_refused() {
        let vault = vault();
        let sealed = vault.seal("7", &token()).unwrap();
        assert!(vault.open("8", &sealed).is_err());
        assert!(vault.open("7", &sealed[..sealed.len() - 1]).is_err());
        assert!(vault.open("7", &sealed[..10]).is_err());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(vault.open("7", &changed).is_err(), "{place}");
        }
    }

    #[test]
    fn wrong_key_error_names_the_place_of_the_key() {
        let sealed = vault().seal("7", &token()).unwrap();
        let error = vault().open("7", &sealed).unwrap_err().to_string();
        assert!(error.contains("SHOWTIME_ENCRYPTION_KEY") && error.contains("init"), "{error}");
        assert!(!format!("{:?}", vault()).contains("cipher"));
    }
}
