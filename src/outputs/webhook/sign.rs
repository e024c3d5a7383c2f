//! Signatures by [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// What a key begins with; the base64 of its bytes follows.
const PREFIX: &str = "whsec_";

/// Bytes of a new key.
const KEY_LENGTH: usize = 32;

/// A key that one endpoint shares with this server.
#[derive(Clone, Debug)]
pub struct SigningKey(SecretString);

impl SigningKey {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        Self(SecretString::from(format!("{PREFIX}{}", STANDARD.encode(rand::random::<[u8; KEY_LENGTH]>()))))
    }

    /// The key that this text (`whsec_…`) is; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_key = text.strip_prefix(PREFIX).is_some_and(|key| STANDARD.decode(key).is_ok());
        is_key.then(|| Self(SecretString::from(text)))
    }

    /// The text that its owner gets, once.
    #[must_use]
    pub fn text(&self) -> &SecretString {
        &self.0
    }

    /// The signature `v1,…` of the bytes that are sent, at a Unix time in seconds.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let encoded = self.0.expose_secret().strip_prefix(PREFIX).unwrap_or_default();
        let key = STANDARD.decode(encoded).unwrap_or_default();
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The `webhook-id` of a message: Twitch's id, without the characters that could end it in what is signed.
#[must_use]
pub fn webhook_id(message_id: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    message_id.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_published_vectors() {
        for (key, id, timestamp, body, signature) in [
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
            (
                "whsec_c2hvd3RpbWUtZXhhbXBsZS1rZXktMDEyMzQ1Njc4OWE=",
                "evt_1",
                1_795_000_000,
                r#"{"type":"channel.follow","data":{}}"#,
                "v1,sTbM03XAVdzBAe5Va/OCSDAvllwmkWLSc9j3+E93scw=",
            ),
        ] {
            assert_eq!(SigningKey::parse(key).unwrap().sign(id, timestamp, body.as_bytes()), signature);
        }
    }

    #[test]
    fn new_key_is_one_that_receivers_can_read() {
        let key = SigningKey::generate();
        let text = key.text().expose_secret();
        assert!(SigningKey::parse(text).is_some());
        let judge = standardwebhooks::Webhook::new(text).unwrap();
        assert_eq!(judge.sign("a", 5, b"body").unwrap(), key.sign("a", 5, b"body"));
        assert!(!format!("{key:?}").contains(text.trim_start_matches(PREFIX)));
        assert!(SigningKey::parse("whsec_?").is_none() && SigningKey::parse("secret").is_none());
    }

    #[test]
    fn id_holds_nothing_that_could_end_it() {
        assert_eq!(webhook_id("f1c2a387-161a-49f9-a165-0f21d7a4e1c4"), "f1c2a387-161a-49f9-a165-0f21d7a4e1c4");
        assert_eq!(webhook_id("a.b/c=é"), "a_b_c__");
    }
}
