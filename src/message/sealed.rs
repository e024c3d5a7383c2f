//! Messages that are kept outside of the log for a while: encrypted and authenticated, so that only what was a message before
//! can be one again. A file of them is private and tells nothing; what was added or changed there is refused.

use std::fmt;

use bytestring::ByteString;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use time::OffsetDateTime;

use super::{Content, Message, MessageType};
use crate::config::EncryptionKey;

/// Length in bytes of the random nonce before each ciphertext.
const NONCE: usize = 24;

/// Length in bytes of a fingerprint.
pub const FINGERPRINT: usize = 16;

/// Seals messages, and opens them again.
pub struct Seal {
    cipher: XChaCha20Poly1305,
    fingerprint: [u8; FINGERPRINT],
}

/// A sealed message can't be opened: it was cut off or changed, or sealed with another key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the message can't be decrypted")]
pub struct OpenError;

/// All of a message but its body, which follows.
#[derive(Serialize, Deserialize)]
struct Head {
    id: String,
    /// In microseconds since 1970.
    at: i64,
    #[serde(rename = "type")]
    message_type: String,
}

impl Seal {
    /// Seals with a key of its own, which follows from this one.
    #[must_use]
    pub fn new(key: &EncryptionKey) -> Self {
        let key = derive(key.expose_secret().as_bytes(), b"showtime: messages outside of the log");
        let mut fingerprint = [0; FINGERPRINT];
        fingerprint.copy_from_slice(&derive(&key, b"showtime: fingerprint of the key")[..FINGERPRINT]);
        Self { cipher: XChaCha20Poly1305::new(&Key::from(key)), fingerprint }
    }

    /// What tells this key from others, but not what it is.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; FINGERPRINT] {
        &self.fingerprint
    }

    /// Encrypts a message, each time into another ciphertext.
    ///
    /// # Errors
    /// Never with messages of a size that Twitch sends.
    pub fn seal(&self, message: &Message) -> Result<Vec<u8>, OpenError> {
        let Message { id, at, message_type, body, .. } = message;
        let at = i64::try_from(at.unix_timestamp_nanos() / 1_000).map_err(|_| OpenError)?;
        let head = Head { id: id.clone(), at, message_type: message_type.as_str().to_owned() };
        let mut text = serde_json::to_vec(&head).map_err(|_| OpenError)?;
        text.push(b'\n');
        text.extend_from_slice(body.as_bytes());
        let nonce: [u8; NONCE] = rand::random();
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), text.as_slice()).map_err(|_| OpenError)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts what [`seal`](Self::seal) made of a message.
    ///
    /// # Errors
    /// If this key did not seal it, or it was changed.
    pub fn open(&self, sealed: &[u8]) -> Result<Box<Message>, OpenError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(OpenError)?;
        let text = self.cipher.decrypt(&XNonce::from(*nonce), sealed).map_err(|_| OpenError)?;
        let text = String::from_utf8(text).map_err(|_| OpenError)?;
        let (head, body) = text.split_once('\n').ok_or(OpenError)?;
        let Head { id, at, message_type } = serde_json::from_str(head).map_err(|_| OpenError)?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000).map_err(|_| OpenError)?;
        let content = Content::read(body).map_err(|_| OpenError)?;
        let message_type = MessageType::from_name(message_type);
        Ok(Box::new(Message { id, at, message_type, content, body: ByteString::from(body) }))
    }
}

fn derive(key: &[u8], purpose: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.chain_update(purpose).finalize().into_bytes().into()
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message() -> Box<Message> {
        let body =
            json!({ "inferred": { "type": "stream.online", "version": "1", "channel_id": "7" }, "event": "a\nline" });
        Message::own(MessageType::Inferred, "an id".to_owned(), OffsetDateTime::UNIX_EPOCH, &body).unwrap()
    }

    #[test]
    fn opened_message_is_the_sealed_one() {
        let seal = Seal::new(&EncryptionKey::generate());
        let (message, sealed) = (message(), seal.seal(&message()).unwrap());
        assert_ne!(sealed, seal.seal(&message).unwrap());
        assert!(!sealed.windows(5).any(|window| window == b"an id"));
        assert_eq!(format!("{:?}", seal.open(&sealed).unwrap()), format!("{message:?}"));
    }

    #[test]
    fn changed_or_foreign_message_is_refused() {
        let (seal, other) = (Seal::new(&EncryptionKey::generate()), Seal::new(&EncryptionKey::generate()));
        let sealed = seal.seal(&message()).unwrap();
        assert_eq!(other.open(&sealed).err(), Some(OpenError));
        assert_ne!(seal.fingerprint(), other.fingerprint());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(seal.open(&changed).err(), Some(OpenError), "{place}");
            assert_eq!(seal.open(&sealed[..place]).err(), Some(OpenError), "{place}");
        }
    }
}
