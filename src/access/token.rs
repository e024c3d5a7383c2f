//! The text of an access token, and what is kept of it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// What every token begins with, so that people and scanners of leaks know one when they see it.
const PREFIX: &str = "showtime_";

/// 256 bits in base64.
const RANDOM_LEN: usize = 43;

/// A new token, to be shown once: `showtime_` and 256 random bits.
#[must_use]
pub fn generate() -> SecretString {
    SecretString::from(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
}

/// Whether a text has the shape of one.
pub(super) fn is_ours(text: &str) -> bool {
    text.strip_prefix(PREFIX).is_some_and(|random| {
        random.len() == RANDOM_LEN && random.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    })
}

/// The SHA-256 of a token. With 256 random bits there is nothing to try out, so a slow, salted hash
/// as for passwords would protect no better and cost every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of this token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// As in the database.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&SecretString> for TokenHash {
    fn from(token: &SecretString) -> Self {
        Self::of(token.expose_secret())
    }
}

/// Checks the name of a token: one that can be typed, and told from an id.
///
/// # Errors
/// What is wanted instead.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let is_short = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    if is_short && !name.bytes().all(|b| b.is_ascii_digit()) && !name.starts_with('-') {
        Ok(())
    } else {
        Err("wants 1 to 64 visible ASCII characters without spaces, not a number, not beginning with a hyphen")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn tokens_have_their_shape_and_never_repeat() {
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
    fn a_name_can_be_typed_and_is_no_id() {
        for good in ["first", "obs-1", "1st", "x"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "12", "two words", "-x", "naïve", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
