//! What a token permits. This module imports nothing of the program but the hash of a token: a grant is also the witness
//! for messages about segments, and `message/` stands below everything else in `access/`.

use strum::{EnumString, IntoStaticStr, VariantNames};

use super::token::TokenHash;

/// The scope of a token. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumString, VariantNames, IntoStaticStr, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Scope {
    /// Follow alerts and chat, and read series: what an overlay shows on the stream. The token stands in the settings of OBS, so it reads
    /// no e-mail addresses, whispers or moderation.
    Overlay,
    /// Read everything.
    Read,
    /// Change things as well.
    Admin,
}

impl Scope {
    /// The name in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The permission that a valid token gives. Only [`Access::admit`](super::Access::admit) makes one, of a valid token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    scope: Scope,
    pub(super) hash: TokenHash,
    /// The row of the token; a broadcaster's token of Twitch's has none.
    pub(super) id: Option<i32>,
}

impl Grant {
    pub(super) fn new(scope: Scope, hash: TokenHash, id: Option<i32>) -> Self {
        Self { scope, hash, id }
    }

    /// The token that gives it.
    #[must_use]
    pub fn token(&self) -> TokenHash {
        self.hash
    }

    /// The token's scope.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }
}
