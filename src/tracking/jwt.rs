//! JSON Web Tokens with HMAC-SHA-256 ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)): the one algorithm that the tokens
//! of bots have, so that none can be asked for in a header.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

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

#[derive(Deserialize, Serialize)]
struct Header {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    kid: String,
}

/// A key that signs tokens.
#[derive(Clone)]
pub struct Key {
    id: String,
    bytes: SecretSlice<u8>,
}

impl Key {
    /// The key that tokens call by this id.
    #[must_use]
    pub fn new(id: String, bytes: Vec<u8>) -> Self {
        Self { id, bytes: bytes.into() }
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.bytes.expose_secret()).expect("a key of any length");
        mac.update(text.as_bytes());
        mac
    }

    /// Signs what a token says.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> SecretString {
        let header = Header { alg: "HS256".to_owned(), typ: Some("JWT".to_owned()), kid: self.id.clone() };
        let text = format!("{}.{}", encode(&header), encode(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.mac(&text).finalize().into_bytes());
        SecretString::from(format!("{text}.{signature}"))
    }

    /// What a token says, if this key signed it, it is for tracking, and it has not expired.
    #[must_use]
    pub fn verify(&self, token: &str, now: i64) -> Option<Claims> {
        let (text, signature) = token.rsplit_once('.')?;
        self.mac(text).verify_slice(&BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        let claims: Claims = decode(text.split_once('.')?.1)?;
        let is_ours = claims.iss == ISSUER && claims.aud == AUDIENCE;
        let is_current = now < claims.exp && claims.iat <= now + LEEWAY;
        (is_ours && is_current).then_some(claims)
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
    let header: Header = decode(token.split_once('.')?.0)?;
    (header.alg == "HS256" && header.typ.is_none_or(|typ| typ == "JWT")).then_some(header.kid)
}

fn encode(value: &impl Serialize) -> String {
    // Structs of texts and numbers always serialize.
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new("k1".to_owned(), vec![7; 32])
    }

    fn claims() -> Claims {
        Claims::new(Subject { bot_id: 5, name: "tatsu", shard: 3, generation: 2 }, 1_000, 2_000)
    }

    #[test]
    fn token_says_what_was_signed_until_it_expires() {
        let token = key().sign(&claims());
        let token = token.expose_secret();
        assert_eq!(key_id(token).as_deref(), Some("k1"));
        let read = key().verify(token, 1_999).unwrap();
        assert_eq!((read.sub.as_str(), read.name.as_str(), read.shard, read.generation), ("5", "tatsu", 3, 2));
        assert_eq!(key().verify(token, 2_000), None, "expired");
        assert_eq!(key().verify(token, 900), None, "of the future");
    }

    #[test]
    fn changed_token_is_refused() {
        let token = key().sign(&claims());
        let token = token.expose_secret();
        assert_eq!(Key::new("k1".to_owned(), vec![8; 32]).verify(token, 1_500), None);
        for place in 0..token.len() {
            let mut changed = token.as_bytes().to_vec();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(key().verify(&changed, 1_500), None, "{place}");
        }
        let other = Claims { aud: "another".to_owned(), ..claims() };
        assert_eq!(key().verify(key().sign(&other).expose_secret(), 1_500), None);
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

    /// [The example of RFC 7515](https://www.rfc-editor.org/rfc/rfc7515#appendix-A.1).
    #[test]
    fn signature_is_that_of_the_standard() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let key = Key::new(String::new(), BASE64_URL_SAFE_NO_PAD.decode(key).unwrap());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(key.mac(text).finalize().into_bytes());
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }
}
