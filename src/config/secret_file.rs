//! Secrets that the server generates if they are not configured. It keeps them in its data directory, where other programs
//! and later starts find them.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
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
        replace(&self.bootstrap_token_file(), token.expose_secret())
    }

    /// Writes the webhook secret to its file, in place of the one that is there, unless one is configured.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn replace_webhook_secret(&self, secret: &WebhookSecret) -> Result<(), SecretFileError> {
        let path = self.webhook_secret_file();
        match self.twitch.webhook_secret {
            Some(_) => Ok(()),
            None => replace(&path, secret.expose_secret()).map_err(|source| SecretFileError::Io { path, source }),
        }
    }

    /// Writes the encryption key to its file, in place of the one that is there, unless one is configured.
    ///
    /// # Errors
    /// If the file can't be made.
    pub fn replace_encryption_key(&self, key: &EncryptionKey) -> Result<(), SecretFileError> {
        let path = self.encryption_key_file();
        match self.encryption_key {
            Some(_) => Ok(()),
            None => replace(&path, key.expose_secret()).map_err(|source| SecretFileError::Io { path, source }),
        }
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
    warn_if_exposed(path);
    match fs::read_to_string(path) {
        Ok(text) => parse(text.trim())
            .map(Some)
            .map_err(|error| SecretFileError::Invalid { path: path.to_owned(), reason: error.to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SecretFileError::Io { path: path.to_owned(), source }),
    }
}

/// Logs a warning if other users can read or replace the secret.
fn warn_if_exposed(path: &Path) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let path = path.display();
    if metadata.is_symlink() {
        tracing::warn!("{path} is a symbolic link: the secret is as safe as the file and the directories it leads to");
    } else if metadata.mode() & 0o077 != 0 {
        tracing::warn!("other users may read or replace the secret in {path}: `chmod 600 {path}`");
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

/// Puts a complete file in the place of the one that is there.
fn replace(path: &Path, secret: &str) -> io::Result<()> {
    let draft = draft(path, secret)?;
    fs::rename(&draft, path).inspect_err(|_| drop(fs::remove_file(&draft)))
}

/// Writes a complete file beside the final path, and returns its path.
fn draft(path: &Path, secret: &str) -> io::Result<PathBuf> {
    if let Some(dir) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    // One that an ended process left behind, or a link that leads elsewhere.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_in_the_place_of_a_draft_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (other, path) = (place.path().join("other"), place.path().join("webhook-secret"));
        fs::write(&other, "unharmed").unwrap();
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        std::os::unix::fs::symlink(&other, &draft).unwrap();
        make(&path, "a new secret").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "unharmed");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a new secret\n");
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert!(metadata.is_file() && metadata.mode() & 0o777 == 0o600);
        assert!(!draft.exists());
    }
}
