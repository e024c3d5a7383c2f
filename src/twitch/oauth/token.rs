//! Tokens, and the answers in which Twitch sends them.

use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, RefreshToken, Scope};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use super::OAuthError;
use crate::twitch::id::UserId;

/// A token to make calls with. One of the application itself lasts about 60 days, one of a user about four hours.
#[derive(Clone, Debug)]
pub struct BearerToken {
    /// For the `Authorization` header.
    pub access_token: SecretString,
    /// When it expires by itself, if Twitch said so.
    pub expires_at: Option<OffsetDateTime>,
}

/// The tokens that a user's consent brings.
#[derive(Clone, Debug)]
pub struct UserToken {
    /// For the `Authorization` header.
    pub access_token: SecretString,
    /// For [`refresh`](super::OAuth::refresh).
    pub refresh_token: SecretString,
    /// The scopes that the user granted.
    pub scopes: Vec<String>,
    /// When the access token expires by itself, if Twitch said so.
    pub expires_at: Option<OffsetDateTime>,
}

/// What Twitch says of a token that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The user who consented; `None` for app tokens.
    pub user: Option<TokenUser>,
    /// The scopes that the user granted.
    pub scopes: Vec<String>,
    /// When it expires by itself; `None` if never.
    pub expires_at: Option<OffsetDateTime>,
}

/// The user who granted a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUser {
    /// Twitch's id.
    pub id: UserId,
    /// Lower-case ASCII.
    pub login: String,
}

/// The [token endpoint](https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/)'s answer. Its `Debug` shows no
/// tokens: oauth2's types redact.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct TokenAnswer {
    access_token: AccessToken,
    token_type: BasicTokenType,
    refresh_token: Option<RefreshToken>,
    /// Seconds. Missing in the documented answer to a refresh.
    expires_in: Option<u64>,
    #[serde(default, deserialize_with = "scopes")]
    scope: Vec<Scope>,
}

impl oauth2::TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        Some(&self.scope)
    }
}

impl TokenAnswer {
    pub(super) fn into_app_token(self, now: OffsetDateTime) -> BearerToken {
        BearerToken {
            access_token: SecretString::from(self.access_token.into_secret()),
            expires_at: expiry(self.expires_in, now),
        }
    }

    /// `held` stays in use if Twitch sends no refresh token to replace it.
    pub(super) fn into_user_token(
        self,
        held: Option<&SecretString>,
        now: OffsetDateTime,
    ) -> Result<UserToken, OAuthError> {
        let refresh_token = match (self.refresh_token, held) {
            (Some(new), _) => SecretString::from(new.into_secret()),
            (None, Some(held)) => SecretString::from(held.expose_secret()),
            (None, None) => return Err(OAuthError::Malformed("it has no refresh token".to_owned())),
        };
        Ok(UserToken {
            access_token: SecretString::from(self.access_token.into_secret()),
            refresh_token,
            scopes: self.scope.iter().map(|scope| scope.to_string()).collect(),
            expires_at: expiry(self.expires_in, now),
        })
    }
}

/// The [validate endpoint](https://dev.twitch.tv/docs/authentication/validate-tokens/)'s answer. That an app token has no
/// user is said in more than one way.
#[derive(Deserialize)]
pub(super) struct ValidateAnswer {
    pub(super) client_id: String,
    login: Option<String>,
    user_id: Option<String>,
    #[serde(default, deserialize_with = "scopes")]
    scopes: Vec<Scope>,
    expires_in: Option<u64>,
}

impl ValidateAnswer {
    pub(super) fn dated(self, now: OffsetDateTime) -> Validated {
        let user = self.user_id.and_then(|id| id.try_into().ok()).zip(self.login);
        Validated {
            user: user.map(|(id, login)| TokenUser { id, login }),
            scopes: self.scopes.iter().map(|scope| scope.to_string()).collect(),
            expires_at: expiry(self.expires_in.filter(|seconds| *seconds > 0), now),
        }
    }
}

fn expiry(seconds: Option<u64>, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let span = time::Duration::seconds(i64::try_from(seconds?).ok()?);
    now.checked_add(span)
}

/// Reads scopes: Twitch sends an array, RFC 6749 has words in one string; null, a missing field and `[""]` mean none.
fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Scope>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scopes {
        Array(Vec<String>),
        Words(String),
        Nothing(()),
    }
    let names = match Scopes::deserialize(deserializer)? {
        Scopes::Array(names) => names,
        Scopes::Words(words) => words.split(' ').map(str::to_owned).collect(),
        Scopes::Nothing(()) => Vec::new(),
    };
    Ok(names.into_iter().filter(|name| !name.is_empty()).map(Scope::new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rest: &str) -> TokenAnswer {
        serde_json::from_str(&format!(r#"{{"access_token":"a","token_type":"bearer"{rest}}}"#)).unwrap()
    }

    #[test]
    fn scopes_are_read_in_every_notation() {
        for (field, names) in [
            (r#","scope":["bits:read","chat:read"]"#, vec!["bits:read", "chat:read"]),
            (r#","scope":"bits:read chat:read""#, vec!["bits:read", "chat:read"]),
            (r#","scope":null"#, vec![]),
            (r#","scope":[""]"#, vec![]),
            (r#","scope":[]"#, vec![]),
            (r#","scope":"""#, vec![]),
            ("", vec![]),
        ] {
            let scope: Vec<_> = answer(field).scope.iter().map(|scope| scope.to_string()).collect();
            assert_eq!(scope, names, "{field}");
        }
    }

    #[test]
    fn refresh_without_a_new_refresh_token_keeps_the_old_one() {
        let held = SecretString::from("held");
        let kept = answer("").into_user_token(Some(&held), OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(kept.refresh_token.expose_secret(), "held");
        assert_eq!(kept.expires_at, None);
        let rotated = answer(r#","refresh_token":"new","expires_in":60"#);
        let rotated = rotated.into_user_token(Some(&held), OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(rotated.refresh_token.expose_secret(), "new");
        assert_eq!(rotated.expires_at, Some(OffsetDateTime::UNIX_EPOCH + time::Duration::MINUTE));
        assert!(answer("").into_user_token(None, OffsetDateTime::UNIX_EPOCH).is_err(), "a code must bring one");
    }

    #[test]
    fn debug_output_shows_no_token() {
        let answer = answer(r#","refresh_token":"canary-refresh""#);
        let shown = format!("{answer:?} {:?}", answer.refresh_token);
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn app_token_has_no_user_in_any_notation() {
        for fields in [r#","login":null,"user_id":null,"scopes":null"#, "", r#","login":"","user_id":"","scopes":[]"#] {
            let text = format!(r#"{{"client_id":"c","expires_in":0{fields}}}"#);
            let read: ValidateAnswer = serde_json::from_str(&text).unwrap();
            let validated = read.dated(OffsetDateTime::UNIX_EPOCH);
            assert_eq!(validated, Validated { user: None, scopes: vec![], expires_at: None });
        }
    }
}
