//! Secrets that the server generates if they are not configured. It keeps them in its data directory, where other programs
//! and later starts find them.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::{Config, EncryptionKey};
use crate::twitch::signature::WebhookSecret;

/// Why a generated secret can't be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file can't be read or written.
    #[error("the secret in {path} can't be read or made: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file was changed since.
    #[error("the secret in {path} {reason}; restore the file, or delete it to get a new one", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// The file of the generated webhook secret.
    #[must_use]
    pub fn webhook_secret_file(&self) -> PathBuf {
        self.data_dir.join("webhook-secret")
    }

    /// The file of the generated encryption key.
    #[must_use]
    pub fn encryption_key_file(&self) -> PathBuf {
        self.data_dir.join("encryption-key")
    }

    /// The file of the access token that a server made at its first start.
    #[must_use]
    pub fn bootstrap_token_file(&self) -> PathBuf {
        self.data_dir.join("token")
    }

    /// The access token that a server made at its first start; it may have been revoked since.
    #[must_use]
    pub fn bootstrap_token(&self) -> Option<SecretString> {
        fs::read_to_string(self.bootstrap_token_file()).ok().map(|text| SecretString::from(text.trim()))
    }

    /// Writes an access token to its file, in place of the one that is there.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn write_bootstrap_token(&self, token: &SecretString) -> io::Result<()> {
        let path = self.bootstrap_token_file();
        let draft = draft(&path, token.expose_secret())?;
        fs::rename(&draft, &path).inspect_err(|_| drop(fs::remove_file(&draft)))
    }

    /// The configured webhook secret, else the one that a server made earlier.
    ///
    /// # Errors
    /// If there is a file that can't be read or doesn't hold a secret.
    pub fn existing_webhook_secret(&self) -> Result<Option<WebhookSecret>, SecretFileError> {
        match &self.twitch.webhook_secret {
            Some(secret) => Ok(Some(secret.clone())),
            None => read(&self.webhook_secret_file(), WebhookSecret::new),
        }
    }

    /// Like [`Config::existing_webhook_secret`], but makes the secret if there is none.
    ///
    /// # Errors
    /// If the file can't be read or made.
    pub fn webhook_secret(&self) -> Result<WebhookSecret, SecretFileError> {
        match &self.twitch.webhook_secret {
            Some(secret) => Ok(secret.clone()),
            None => read_or_make(&self.webhook_secret_file(), WebhookSecret::new, WebhookSecret::generate),
        }
    }

    /// The configured encryption key, else the one that a server made earlier.
    ///
    /// # Errors
    /// If there is a file that can't be read or doesn't hold a key.
    pub fn existing_encryption_key(&self) -> Result<Option<EncryptionKey>, SecretFileError> {
        match &self.encryption_key {
            Some(key) => Ok(Some(key.clone())),
            None => read(&self.encryption_key_file(), EncryptionKey::new),
        }
    }

    /// Like [`Config::existing_encryption_key`], but makes the key if there is none.
    ///
    /// # Errors
    /// If the file can't be read or made.
    pub fn encryption_key(&self) -> Result<EncryptionKey, SecretFileError> {
        match &self.encryption_key {
            Some(key) => Ok(key.clone()),
            None => read_or_make(&self.encryption_key_file(), EncryptionKey::new, EncryptionKey::generate),
        }
    }
}

fn read<T, E: ToString>(path: &Path, parse: fn(&str) -> Result<T, E>) -> Result<Option<T>, SecretFileError> {
    match fs::read_to_string(path) {
        Ok(text) => parse(text.trim())
            .map(Some)
            .map_err(|error| SecretFileError::Invalid { path: path.to_owned(), reason: error.to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SecretFileError::Io { path: path.to_owned(), source }),
    }
}

fn read_or_make<T: ExposeSecret<str>, E: ToString>(
    path: &Path,
    parse: fn(&str) -> Result<T, E>,
    generate: fn() -> T,
) -> Result<T, SecretFileError> {
    if let Some(secret) = read(path, parse)? {
        return Ok(secret);
    }
    let io = |source| SecretFileError::Io { path: path.to_owned(), source };
    make(path, generate().expose_secret()).map_err(io)?;
    read(path, parse)?.ok_or_else(|| io(io::ErrorKind::NotFound.into()))
}

/// Links a complete file into place, so that two servers that start at the same time agree on one secret.
fn make(path: &Path, secret: &str) -> io::Result<()> {
    let draft = draft(path, secret)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Writes a complete file beside the final path, and returns its path.
fn draft(path: &Path, secret: &str) -> io::Result<PathBuf> {
    if let Some(dir) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    Ok(draft)
}
