//! What a webhook is to do.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::outputs::sink::error::SettingsError;

/// Settings of a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// Whether test events are sent, with the header `showtime-test`.
    pub tests: bool,
}

impl WebhookSettings {
    /// What is to be encrypted.
    ///
    /// # Errors
    /// What is wrong.
    pub fn secret(&mut self, _url: Option<SecretString>) -> Result<Option<SecretString>, SettingsError> {
        Err(SettingsError::new("kind", "must be `amqp`: this version sends no webhooks"))
    }
}
