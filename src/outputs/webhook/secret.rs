//! What a webhook's row keeps encrypted: the URL, which is a secret for many receivers, and the keys.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::sign::SigningKey;

/// How long the key before the newest one still signs, so that receivers can be given the new one.
pub const ROTATION: Duration = Duration::from_secs(24 * 3_600);

/// The URL and the keys of a webhook.
#[derive(Clone, Debug)]
pub struct WebhookSecret {
    /// The receiver's URL; `None` if a variable of the environment holds it.
    pub url: Option<SecretString>,
    newest: SigningKey,
    previous: Option<(SigningKey, OffsetDateTime)>,
}

/// Its text, before it is encrypted.
#[derive(Deserialize, Serialize)]
struct Plain {
    url: Option<String>,
    key: String,
    previous: Option<(String, i64)>,
}

impl WebhookSecret {
    /// A webhook with a new key.
    #[must_use]
    pub fn new(url: Option<SecretString>) -> Self {
        Self { url, newest: SigningKey::generate(), previous: None }
    }

    /// Reads what [`Self::text`] has written; `None` if it is something else.
    #[must_use]
    pub fn parse(text: &SecretString) -> Option<Self> {
        let Plain { url, key, previous } = serde_json::from_str(text.expose_secret()).ok()?;
        let previous = previous.and_then(|(key, until)| {
            Some((SigningKey::parse(&key)?, OffsetDateTime::from_unix_timestamp(until).ok()?))
        });
        Some(Self { url: url.map(SecretString::from), newest: SigningKey::parse(&key)?, previous })
    }

    /// The text to encrypt.
    #[must_use]
    pub fn text(&self) -> SecretString {
        let exposed = |key: &SigningKey| key.text().expose_secret().to_owned();
        let plain = Plain {
            url: self.url.as_ref().map(|url| url.expose_secret().to_owned()),
            key: exposed(&self.newest),
            previous: self.previous.as_ref().map(|(key, until)| (exposed(key), until.unix_timestamp())),
        };
        SecretString::from(serde_json::json!(plain).to_string())
    }

    /// The newest key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.newest
    }

    /// Makes a new key. The one before it signs for [`ROTATION`] more, an older one no longer.
    pub fn rotate(&mut self, now: OffsetDateTime) {
        let before = std::mem::replace(&mut self.newest, SigningKey::generate());
        self.previous = Some((before, now + ROTATION));
    }

    /// The value of `webhook-signature`: by the newest key, and by the one before it while that still signs.
    #[must_use]
    pub fn sign(&self, id: &str, now: OffsetDateTime, body: &[u8]) -> String {
        let timestamp = now.unix_timestamp();
        let newest = self.newest.sign(id, timestamp, body);
        match &self.previous {
            Some((key, until)) if now < *until => format!("{newest} {}", key.sign(id, timestamp, body)),
            _ => newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn key_before_the_newest_signs_for_a_day() {
        let now = datetime!(2026-11-26 05:00 UTC);
        let mut secret = WebhookSecret::new(Some(SecretString::from("https://example.org/hunter2")));
        let first = secret.key().sign("a", now.unix_timestamp(), b"body");
        assert_eq!(secret.sign("a", now, b"body"), first);
        secret.rotate(now);
        let secret = WebhookSecret::parse(&secret.text()).unwrap();
        let newest = secret.key().sign("a", now.unix_timestamp(), b"body");
        assert_eq!(secret.sign("a", now, b"body"), format!("{newest} {first}"));
        let tomorrow = now + ROTATION;
        assert_eq!(secret.sign("a", tomorrow, b""), secret.key().sign("a", tomorrow.unix_timestamp(), b""));
        assert_eq!(secret.url.as_ref().unwrap().expose_secret(), "https://example.org/hunter2");
        let shown = format!("{secret:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("whsec_"), "{shown}");
    }
}
