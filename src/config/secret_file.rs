//! The webhook secret that a server without a configured one makes for itself, in its data
//! directory, so that `simulate` and later starts find it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::Config;
use crate::twitch::signature::{SecretError, WebhookSecret};

/// Why the generated secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file system said no.
    #[error("the webhook secret in {path} can't be read or made: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody changed it.
    #[error("the webhook secret in {path} {source}; delete the file to get a new one", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SecretError,
    },
}

impl Config {
    /// Where the generated secret is.
    #[must_use]
    pub fn webhook_secret_file(&self) -> PathBuf {
        self.data_dir.join("webhook-secret")
    }

    /// The configured secret, else the one that a server made earlier.
    ///
    /// # Errors
    /// If there is a file that can't be read or doesn't hold a secret.
    pub fn existing_webhook_secret(&self) -> Result<Option<WebhookSecret>, SecretFileError> {
        if let Some(secret) = &self.twitch.webhook_secret {
            return Ok(Some(secret.clone()));
        }
        let path = self.webhook_secret_file();
        match fs::read_to_string(&path) {
            Ok(text) => {
                WebhookSecret::new(text.trim()).map(Some).map_err(|source| SecretFileError::Invalid { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SecretFileError::Io { path, source }),
        }
    }

    /// Like [`Config::existing_webhook_secret`], but makes the secret if there is none.
    ///
    /// # Errors
    /// If the file can't be read or made.
    pub fn webhook_secret(&self) -> Result<WebhookSecret, SecretFileError> {
        match self.existing_webhook_secret()? {
            Some(secret) => Ok(secret),
            None => self.make_webhook_secret(),
        }
    }

    /// Linked into place when complete, so that two servers starting at once agree on one.
    fn make_webhook_secret(&self) -> Result<WebhookSecret, SecretFileError> {
        let path = self.webhook_secret_file();
        let draft = self.data_dir.join(format!("webhook-secret.{}", std::process::id()));
        let make = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.data_dir)?;
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            writeln!(file, "{}", WebhookSecret::generate().expose_secret())?;
            file.sync_all()?;
            let linked = fs::hard_link(&draft, &path);
            fs::remove_file(&draft)?;
            match linked {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        };
        make().map_err(|source| SecretFileError::Io { path: path.clone(), source })?;
        let not_found = || SecretFileError::Io { path, source: io::ErrorKind::NotFound.into() };
        self.existing_webhook_secret()?.ok_or_else(not_found)
    }
}
