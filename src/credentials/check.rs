//! What `/status` shows of Twitch's tokens: the check `tokens` and the list.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::program::Program;
use crate::status::Check;
use crate::store::read::health::{Records, TokenRow};

/// A token that is kept, without its text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenStatus)]
pub struct TokenReport {
    /// A user id, or `app` for the application itself.
    holder: String,
    /// The user's login.
    login: Option<String>,
    /// `good`, or `needs_consent`.
    status: &'static str,
    /// When the access token expires by itself; it is renewed before it is used again.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// When Twitch last confirmed it.
    #[serde(with = "time::serde::rfc3339::option")]
    validated_at: Option<OffsetDateTime>,
    /// The status in words.
    message: String,
    /// The command to run, if a person has to act.
    #[schema(value_type = Option<String>)]
    command: Option<Program>,
}

impl From<TokenRow> for TokenReport {
    fn from(row: TokenRow) -> Self {
        let (status, message, command) = match row.needs_consent {
            Some(reason) => ("needs_consent", reason, Some(Program::Init)),
            None => ("good", "Twitch accepts it, as far as we know".to_owned(), None),
        };
        let TokenRow { holder, login, expires_at, validated_at, .. } = row;
        Self { holder, login, status, expires_at, validated_at, message, command }
    }
}

/// The check `tokens`: whether a user has to consent again.
pub(super) fn tokens(records: &Records) -> Check {
    let revoked = records.tokens.iter().filter_map(|token| Some((token, token.needs_consent.as_ref()?)));
    let revoked: Vec<_> = revoked
        .map(|(token, reason)| format!("{}: {reason}", token.login.as_deref().unwrap_or(&token.holder)))
        .collect();
    match revoked.as_slice() {
        [] => Check::pass("tokens", "no token needs a new consent"),
        revoked => {
            Check::warn("tokens", format!("consent is needed again ({}): run `{}`", revoked.join("; "), Program::Init))
        }
    }
}
