//! Why a sink is refused.

use std::borrow::Cow;

/// A field of a sink that is wrong, and what it must be.
#[derive(Debug, thiserror::Error)]
#[error("{field} {reason}")]
pub struct SettingsError {
    /// The field, such as `settings.exchange`.
    pub field: Cow<'static, str>,
    /// What is wrong with it, or what it must be. Never holds a secret.
    pub reason: String,
}

impl SettingsError {
    /// This field is wrong, for this reason.
    #[must_use]
    pub fn new(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}
