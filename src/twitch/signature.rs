//! Signatures of webhook messages: HMAC-SHA256 over message id, timestamp and raw body.
//! <https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#verifying-the-event-message>

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The prefix of a signature; 64 lower-case hex digits follow.
const PREFIX: &str = "sha256=";

/// Shortest and longest secret that Twitch accepts, in ASCII characters.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 10..=100;

/// Secrets that Twitch's documentation prints. They are public, so they prove nothing.
const PUBLISHED: [&str; 2] =
    ["5f1a6e7cd2e7137ccf9e15b2f43fe63949eb84b1db83c1d5a867dc93429de4e4", "your secret goes here"];

/// What a fingerprint is made of. It begins with no message id that a timestamp follows, so it is no message of Twitch's.
const FINGERPRINTED: &[u8] = b"showtime: fingerprint of the webhook secret";

/// A secret shared with Twitch, fit to be used as a subscription's `transport.secret`.
#[derive(Clone, Debug)]
pub struct WebhookSecret(SecretString);

/// Why a text can't be a [`WebhookSecret`]. Never shows the text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SecretError {
    /// Outside Twitch's limits.
    #[error("has {0} characters, but Twitch requires 10 to 100")]
    Length(usize),
    /// Not ASCII.
    #[error("holds a character that is not printable ASCII, but Twitch requires ASCII")]
    NotAscii,
    /// One of the secrets that documentation shows as an example.
    #[error("is an example from Twitch's documentation, which is public")]
    Published,
}

impl WebhookSecret {
    /// Checks Twitch's limits: 10 to 100 printable ASCII characters, and not a published example.
    ///
    /// # Errors
    /// Says which limit the text breaks.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        if PUBLISHED.contains(&text) {
            return Err(SecretError::Published);
        }
        if !text.bytes().all(|b| matches!(b, b' '..=b'~')) {
            return Err(SecretError::NotAscii);
        }
        if !SECRET_LENGTH.contains(&text.len()) {
            return Err(SecretError::Length(text.len()));
        }
        Ok(Self(SecretString::from(text)))
    }

    /// A new secret: 256 random bits as 64 hex digits.
    #[must_use]
    pub fn generate() -> Self {
        Self(SecretString::from(hex::encode(rand::random::<[u8; 32]>())))
    }

    /// The header value with which Twitch would sign this message.
    #[must_use]
    pub fn sign(&self, message_id: &str, timestamp: &str, body: &[u8]) -> String {
        let mac = digest(self.key(), message_id, timestamp, body);
        format!("{PREFIX}{}", hex::encode(mac.finalize().into_bytes()))
    }

    /// A signer for many messages, keyed once.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer(self.key())
    }

    /// What tells this secret from others, but not what it is.
    #[must_use]
    pub fn fingerprint(&self) -> SecretFingerprint {
        SecretFingerprint(hex::encode(self.key().chain_update(FINGERPRINTED).finalize().into_bytes()))
    }

    fn key(&self) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        Hmac::new_from_slice(self.0.expose_secret().as_bytes()).expect("a key of any length")
    }
}

impl ExposeSecret<str> for WebhookSecret {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

/// The HMAC of a constant, keyed by a [`WebhookSecret`]: 64 hex digits, by which servers compare their secrets.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct SecretFingerprint(String);

impl SecretFingerprint {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Signs messages as [`WebhookSecret::sign`] does, without keying the HMAC for each.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// The 64 hex digits of the header, after its `sha256=`.
    #[must_use]
    pub fn digits(&self, message_id: &[u8], timestamp: &[u8], body: &[u8]) -> [u8; 64] {
        let mac = digest(self.0.clone(), message_id, timestamp, body).finalize().into_bytes();
        let mut digits = [b'0'; 64];
        // It fits: 32 bytes are 64 digits.
        let _ = hex::encode_to_slice(mac, &mut digits);
        digits
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

/// Checks signatures against the current secret and, while it is being rotated, the previous one.
#[derive(Clone)]
pub struct Verifier {
    /// Keyed once, cloned for each message.
    keys: Vec<Hmac<Sha256>>,
}

impl Verifier {
    /// Accepts what is signed with any of these secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a WebhookSecret>) -> Self {
        Self { keys: secrets.into_iter().map(WebhookSecret::key).collect() }
    }

    /// Whether `signature`, the header as it arrived, is genuine. Compares in constant time;
    /// a malformed signature is simply not genuine.
    #[must_use]
    pub fn is_genuine(&self, signature: &str, message_id: &str, timestamp: &str, body: &[u8]) -> bool {
        let Some(digits) = signature.strip_prefix(PREFIX) else { return false };
        let mut claimed = [0; 32];
        if digits.bytes().any(|b| b.is_ascii_uppercase()) || hex::decode_to_slice(digits, &mut claimed).is_err() {
            return false;
        }
        self.keys.iter().any(|key| digest(key.clone(), message_id, timestamp, body).verify_slice(&claimed).is_ok())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("keys", &self.keys.len()).finish()
    }
}

fn digest(key: Hmac<Sha256>, message_id: impl AsRef<[u8]>, timestamp: impl AsRef<[u8]>, body: &[u8]) -> Hmac<Sha256> {
    key.chain_update(message_id).chain_update(timestamp).chain_update(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "fact-sheet-secret-0001";
    const ID: &str = "0b1c2d3e-4f50-4617-8899-aabbccddeeff";
    const TIMESTAMP: &str = "2026-03-14T18:02:11.480213377Z";
    const A: &str = r#"{"subscription":{"id":"5e0c1a2b-3333-4444-8555-666677778888","status":"enabled","type":"stream.offline","version":"1","cost":1,"condition":{"broadcaster_user_id":"90210441"},"transport":{"method":"webhook","callback":"https://hooks.example.org/twitch"},"created_at":"2026-03-01T09:00:00.123456789Z"},"event":{"id":"42170003821","broadcaster_user_id":"90210441","broadcaster_user_login":"maplearcade","broadcaster_user_name":"MapleArcade"}}"#;
    const B: &str =
        r#"{"challenge":"caf3-4d17-not-a-real-one","subscription":{"id":"5e0c1a2b-3333-4444-8555-666677778888"}}"#;

    fn secret(text: &str) -> WebhookSecret {
        WebhookSecret::new(text).unwrap()
    }

    #[test]
    fn published_vectors_verify() {
        let verifier = Verifier::new([&secret(SECRET)]);
        for (body, hex) in [
            (A, "c8135a1691c83775658c21acfa9eeedfafd854440554d5ea8b30702fcb98313c"),
            (B, "6d4b2b0330d32fe315369201fce50221d866538147769a779c2e8fc6be33429e"),
        ] {
            let signature = format!("sha256={hex}");
            assert_eq!(secret(SECRET).sign(ID, TIMESTAMP, body.as_bytes()), signature);
            assert!(verifier.is_genuine(&signature, ID, TIMESTAMP, body.as_bytes()));
        }
    }

    #[test]
    fn message_with_a_changed_part_is_forged() {
        let verifier = Verifier::new([&secret(SECRET)]);
        let signature = secret(SECRET).sign(ID, TIMESTAMP, A.as_bytes());
        assert!(!verifier.is_genuine(&signature, "other", TIMESTAMP, A.as_bytes()));
        assert!(!verifier.is_genuine(&signature, ID, "2026-03-14T18:02:11Z", A.as_bytes()));
        assert!(!verifier.is_genuine(&signature, ID, TIMESTAMP, B.as_bytes()));
        assert!(!Verifier::new([&secret("another secret")]).is_genuine(&signature, ID, TIMESTAMP, A.as_bytes()));
        for malformed in
            ["", "sha256=", "sha1=00", &signature[..70], &signature.to_uppercase(), &format!("{signature}0")]
        {
            assert!(!verifier.is_genuine(malformed, ID, TIMESTAMP, A.as_bytes()), "{malformed}");
        }
    }

    #[test]
    fn both_secrets_of_a_rotation_are_accepted() {
        let (old, new) = (secret("the old secret"), secret("the new secret"));
        let verifier = Verifier::new([&new, &old]);
        for signer in [&old, &new] {
            assert!(verifier.is_genuine(&signer.sign(ID, TIMESTAMP, b"{}"), ID, TIMESTAMP, b"{}"));
        }
    }

    #[test]
    fn secret_outside_twitchs_limits_is_refused() {
        assert_eq!(WebhookSecret::new("ninechars").unwrap_err(), SecretError::Length(9));
        assert!(WebhookSecret::new("ten chars!").is_ok());
        assert!(WebhookSecret::new(&"x".repeat(100)).is_ok());
        assert_eq!(WebhookSecret::new(&"x".repeat(101)).unwrap_err(), SecretError::Length(101));
        assert_eq!(WebhookSecret::new("grüße aus köln").unwrap_err(), SecretError::NotAscii);
        assert_eq!(WebhookSecret::new(PUBLISHED[0]).unwrap_err(), SecretError::Published);
        assert!(WebhookSecret::new(WebhookSecret::generate().expose_secret()).is_ok());
    }

    #[test]
    fn signer_signs_as_its_secret_does() {
        let digits = secret(SECRET).signer().digits(ID.as_bytes(), TIMESTAMP.as_bytes(), A.as_bytes());
        let signature = format!("{PREFIX}{}", String::from_utf8(digits.into()).unwrap());
        assert_eq!(signature, secret(SECRET).sign(ID, TIMESTAMP, A.as_bytes()));
    }

    #[test]
    fn fingerprint_tells_secrets_apart() {
        let fingerprint = secret(SECRET).fingerprint();
        assert_eq!(fingerprint, secret(SECRET).fingerprint());
        assert_ne!(fingerprint, secret("another secret").fingerprint());
        assert!(fingerprint.as_str().len() == 64 && !fingerprint.as_str().contains(SECRET));
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let secret = secret(SECRET);
        let shown = format!("{:?} {:?} {:?}", secret, Verifier::new([&secret]), secret.signer());
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
