//! The text of an access token, and its hash, which is all that is stored.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Every token begins with it, so that people and leak scanners recognise one.
const PREFIX: &str = "showtime_";

/// The length of 256 bits in base64.
const RANDOM_LEN: usize = 43;

/// A new token, to be shown once: `showtime_` and 256 random bits.
#[must_use]
pub fn generate() -> SecretString {
    SecretString::from(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
}

/// Whether a text has the shape of a token.
pub(super) fn is_ours(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == RANDOM_LEN && random.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}

/// The SHA-256 of a token. 256 random bits can't be found by trying, so a slow, salted hash as for passwords would
/// protect no better, and slow down every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes this token.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The bytes that the database stores.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&SecretString> for TokenHash {
    fn from(token: &SecretString) -> Self {
        Self::new(token.expose_secret())
    }
}

/// Checks the name of a token: it can be typed, and is no id.
///
/// # Errors
/// What a name must be.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let is_short = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    if is_short && !name.bytes().all(|b| b.is_ascii_digit()) && !name.starts_with('-') {
        Ok(())
    } else {
        Err("must be 1 to 64 visible ASCII characters without spaces, not a number, and not begin with a hyphen")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn generated_tokens_have_the_shape_and_differ() {
        let made: Vec<_> = (0..100).map(|_| generate()).collect();
        assert!(made.iter().all(|token| is_ours(token.expose_secret())));
        assert_eq!(made.iter().map(TokenHash::from).collect::<HashSet<_>>().len(), 100);
        assert!(!format!("{made:?}").contains(PREFIX));
        let token = made[0].expose_secret();
        for other in [&token[1..], &token[..51], &format!("{token}A"), &token.replace("showtime_", "showtime_=")] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn name_can_be_typed_and_is_no_id() {
        for good in ["first", "obs-1", "1st", "x"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "12", "two words", "-x", "naïve", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
