//! What of a sink is kept encrypted: the broker's URL, or a webhook's URL and keys.

use secrecy::SecretString;

use super::error::SettingsError;
use crate::config::Config;
use crate::credentials::vault::Vault;
use crate::store::sinks::SinkDefinition;

/// Encrypts the secret of the sink with this name.
///
/// # Errors
/// If there is no key.
pub fn seal(config: &Config, name: &str, secret: &SecretString) -> Result<Vec<u8>, SettingsError> {
    let failed = |error: &dyn std::error::Error| SettingsError::new("url", format!("can't be encrypted: {error}"));
    let vault = Vault::open_for(config).map_err(|error| failed(&error))?;
    vault.seal(&holder(name), secret).map_err(|error| failed(&error))
}

/// Decrypts the secret of a sink; `None` if it has none.
///
/// # Errors
/// If it was encrypted with another key.
pub fn open(config: &Config, sink: &SinkDefinition) -> Result<Option<SecretString>, SettingsError> {
    let Some(sealed) = &sink.secret_sealed else { return Ok(None) };
    let unreadable = "can't be decrypted with this server's key: restore the key, or set the URL again";
    let vault = Vault::peek_for(config).map_err(|_| SettingsError::new("url", unreadable))?;
    vault.open(&holder(&sink.name), sealed).map(Some).map_err(|_| SettingsError::new("url", unreadable))
}

/// What is authenticated with the secret, so that rows can't be swapped.
fn holder(name: &str) -> String {
    format!("sink:{name}")
}
