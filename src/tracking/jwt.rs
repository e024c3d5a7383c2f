//! JSON Web Tokens with HMAC-SHA-256 ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)): the one algorithm that the tokens
//! of bots have, so that none can be asked for in a header.

use std::fmt;

use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Who issues the tokens.
const ISSUER: &str = "showtime";

/// What the tokens are for.
const AUDIENCE: &str = "tracking";

/// The longest text that is taken for a token.
const MAX_LENGTH: usize = 2_048;

/// How far two clocks may differ, in seconds.
const LEEWAY: i64 = 60;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Claims {
    iss: String,
    aud: String,
    /// The id of the bot.
    pub sub: String,
    /// The name of the bot.
    pub name: String,
    /// The shard that the bot's process serves.
    pub shard: i64,
    /// The generation of the bot's tokens.
    #[serde(rename = "gen")]
    pub generation: i32,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it expires.
    pub exp: i64,
    /// Of this token alone.
    pub jti: String,
}

/// A bot, for which a token is made.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its id.
    pub bot_id: i64,
    /// Its name.
    pub name: &'a str,
    /// The shard that its process serves.
    pub shard: i64,
    /// The generation of its tokens.
    pub generation: i32,
}

impl Claims {
    /// Of a token that is issued at `iat` and expires at `exp`.
    #[must_use]
    pub fn new(subject: Subject<'_>, iat: i64, exp: i64) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: subject.bot_id.to_string(),
            name: subject.name.to_owned(),
            shard: subject.shard,
            generation: subject.generation,
            iat,
            exp,
            jti: hex::encode(rand::random::<[u8; 16]>()),
        }
    }
}

/// A key that signs tokens.
#[derive(Clone)]
pub struct Key {
    id: String,
    signs: EncodingKey,
    verifies: DecodingKey,
}

impl Key {
    /// The key that tokens call by this id.
    #[must_use]
    pub fn new(id: String, bytes: &[u8]) -> Self {
        Self { id, signs: EncodingKey::from_secret(bytes), verifies: DecodingKey::from_secret(bytes) }
    }

    /// Signs what a token says.
    ///
    /// # Errors
    /// Never, with the algorithm that it has.
    pub fn sign(&self, claims: &Claims) -> Result<SecretString, Error> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, claims, &self.signs).map(SecretString::from)
    }

    /// What a token says, if this key signed it, it is for tracking, and it has not expired.
    #[must_use]
    pub fn verify(&self, token: &str, now: i64) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        // The crate would compare with the machine's clock.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &self.verifies, &validation).ok()?.claims;
        let is_current = now < claims.exp && claims.iat <= now + LEEWAY;
        is_current.then_some(claims)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The id of the key that a token says it was signed with, if it has the shape of ours.
#[must_use]
pub fn key_id(token: &str) -> Option<String> {
    if token.len() > MAX_LENGTH {
        return None;
    }
    decode_header(token).ok().filter(|header| header.alg == Algorithm::HS256)?.kid
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn key() -> Key {
        Key::new("k1".to_owned(), &[7; 32])
    }

    fn claims() -> Claims {
        Claims::new(Subject { bot_id: 5, name: "tatsu", shard: 3, generation: 2 }, 1_000, 2_000)
    }

    #[test]
    fn token_says_what_was_signed_until_it_expires() {
        let token = key().sign(&claims()).unwrap();
        let token = token.expose_secret();
        assert_eq!(key_id(token).as_deref(), Some("k1"));
        let read = key().verify(token, 1_999).unwrap();
        assert_eq!((read.sub.as_str(), read.name.as_str(), read.shard, read.generation), ("5", "tatsu", 3, 2));
        assert_eq!(key().verify(token, 2_000), None, "expired");
        assert_eq!(key().verify(token, 900), None, "of the future");
    }

    #[test]
    fn changed_token_is_refused() {
        let token = key().sign(&claims()).unwrap();
        let token = token.expose_secret();
        assert_eq!(Key::new("k1".to_owned(), &[8; 32]).verify(token, 1_500), None);
        for place in 0..token.len() {
            let mut changed = token.as_bytes().to_vec();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(key().verify(&changed, 1_500), None, "{place}");
        }
        let other = Claims { aud: "another".to_owned(), ..claims() };
        assert_eq!(key().verify(key().sign(&other).unwrap().expose_secret(), 1_500), None);
        assert_eq!(key().verify("", 0), None);
    }

    #[test]
    fn algorithm_of_a_header_is_never_followed() {
        for header in [r#"{"alg":"none","kid":"k1"}"#, r#"{"alg":"HS512","kid":"k1"}"#, r#"{"alg":"HS256"}"#, "", "[]"]
        {
            let token = format!("{}.e30.", BASE64_URL_SAFE_NO_PAD.encode(header));
            assert_eq!(key_id(&token), None, "{header}");
        }
        assert_eq!(key_id(&"x".repeat(5_000)), None);
    }
}
