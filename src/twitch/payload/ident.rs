//! Short texts that identify or name something.

use serde::{Deserialize, Serialize};

/// A Twitch id, login, display name or status: short text that can be stored and indexed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(try_from = "String")]
#[sqlx(transparent)]
pub struct Ident(String);

impl Ident {
    /// Whether this text can be an [`Ident`]: 1 to 256 bytes without control characters.
    #[must_use]
    pub fn is_valid(text: &str) -> bool {
        (1..=256).contains(&text.len()) && !text.chars().any(char::is_control)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Ident {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Ident {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if Self::is_valid(&text) { Ok(Self(text)) } else { Err("expected 1 to 256 bytes without control characters") }
    }
}

impl From<Ident> for String {
    fn from(ident: Ident) -> Self {
        ident.0
    }
}
