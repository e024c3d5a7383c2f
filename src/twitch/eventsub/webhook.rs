//! Proves that a request comes from Twitch: signed with the shared secret, and recently.
//! <https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#verifying-the-event-message>

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::decode::{DecodeError, Decoded, decode};
use crate::clock::to_microseconds;
use crate::twitch::signature::Verifier;

/// The header of the message's id: opaque, the same on every redelivery.
pub const MESSAGE_ID: &str = "Twitch-Eventsub-Message-Id";
/// The header of the number of earlier deliveries.
pub const MESSAGE_RETRY: &str = "Twitch-Eventsub-Message-Retry";
/// The header of the message's type, for example `notification`.
pub const MESSAGE_TYPE: &str = "Twitch-Eventsub-Message-Type";
/// The header of the signature of id, timestamp and body.
pub const MESSAGE_SIGNATURE: &str = "Twitch-Eventsub-Message-Signature";
/// The header of the time of sending: RFC 3339 with 0 to 9 fractional digits.
pub const MESSAGE_TIMESTAMP: &str = "Twitch-Eventsub-Message-Timestamp";
/// The header of the subscription's type.
pub const SUBSCRIPTION_TYPE: &str = "Twitch-Eventsub-Subscription-Type";
/// The header of the version of that type.
pub const SUBSCRIPTION_VERSION: &str = "Twitch-Eventsub-Subscription-Version";

/// A message older than this, or as far in the future, is refused as a replay.
pub const MAX_AGE: Duration = Duration::minutes(10);

/// The headers of a message, each of which was there once.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    /// [`MESSAGE_ID`]
    pub message_id: &'a str,
    /// [`MESSAGE_TYPE`]
    pub message_type: &'a str,
    /// [`MESSAGE_TIMESTAMP`]
    pub timestamp: &'a str,
    /// [`MESSAGE_SIGNATURE`]
    pub signature: &'a str,
    /// [`SUBSCRIPTION_TYPE`]. Only what it is compared with, in the body, is signed, so it may be missing.
    pub subscription_type: Option<&'a str>,
    /// [`SUBSCRIPTION_VERSION`], likewise.
    pub subscription_version: Option<&'a str>,
}

/// Why a request is not accepted as a message of Twitch's.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Refusal {
    /// The sender does not know the secret.
    #[error("the signature does not match: the message was not signed with this server's webhook secret")]
    Forged,
    /// The message is too old, or the sender's clock is far ahead.
    #[error("the message is dated {0} seconds away from this server's clock, and at most 600 are allowed")]
    Stale(i64),
    /// JSON is UTF-8.
    #[error("the body is not UTF-8: the byte at offset {valid_up_to} begins no character")]
    NotUtf8 {
        /// How many bytes before it are valid.
        valid_up_to: usize,
    },
}

/// The largest body without a valid signature of which anything is read, in bytes.
const MAX_CLAIM: usize = 64 * 1024;

/// A request that was refused, and its body if nothing proves whose it is.
pub struct Unproved {
    /// Why it was refused.
    pub refusal: Refusal,
    body: Bytes,
}

impl Unproved {
    /// The id of the subscription that the body names, which may be made up. Nothing else of the body can be read.
    #[must_use]
    pub fn claimed_subscription(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Claim {
            subscription: Subscription,
        }
        #[derive(Deserialize)]
        struct Subscription {
            id: String,
        }
        if self.body.len() > MAX_CLAIM {
            return None;
        }
        let Claim { subscription: Subscription { id } } = serde_json::from_slice(&self.body).ok()?;
        let is_id = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        is_id.then_some(id)
    }
}

/// Without the body.
impl fmt::Debug for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unproved").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}

/// A message that Twitch has signed, and recently. [`Verified::new`] is the only way to get one.
#[derive(Debug)]
pub struct Verified<'a> {
    headers: Headers<'a>,
    sent_at: OffsetDateTime,
    body: ByteString,
}

impl<'a> Verified<'a> {
    /// Checks the signature, then the age. `timestamp` is the parsed `headers.timestamp`.
    ///
    /// # Errors
    /// [`Unproved`] if exactly this was not signed with one of the verifier's secrets, or not within [`MAX_AGE`].
    pub fn new(
        headers: Headers<'a>,
        timestamp: OffsetDateTime,
        body: Bytes,
        verifier: &Verifier,
        now: OffsetDateTime,
    ) -> Result<Self, Unproved> {
        if !verifier.is_genuine(headers.signature, headers.message_id, headers.timestamp, &body) {
            return Err(Unproved { refusal: Refusal::Forged, body });
        }
        let age = now - timestamp;
        if age.abs() > MAX_AGE {
            return Err(Unproved { refusal: Refusal::Stale(age.whole_seconds()), body });
        }
        let body = ByteString::try_from(body).map_err(|error| {
            let refusal = Refusal::NotUtf8 { valid_up_to: error.valid_up_to() };
            Unproved { refusal, body: Bytes::new() }
        })?;
        Ok(Self { headers, sent_at: to_microseconds(timestamp), body })
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers<'a> {
        &self.headers
    }

    /// The time in the headers, to the microsecond.
    #[must_use]
    pub fn sent_at(&self) -> OffsetDateTime {
        self.sent_at
    }

    /// The body. Clones share its memory.
    #[must_use]
    pub fn body(&self) -> &ByteString {
        &self.body
    }

    /// Reads the body.
    ///
    /// # Errors
    /// [`DecodeError`] if it isn't what the message type promises, or contradicts a header.
    pub fn decode(&self) -> Result<Decoded<'_>, DecodeError> {
        let decoded = decode(self.headers.message_type, &self.body)?;
        if let Some(subscription) = decoded.subscription() {
            must_agree(SUBSCRIPTION_TYPE, self.headers.subscription_type, subscription.kind.as_str())?;
            if let Some(version) = &subscription.version {
                must_agree(SUBSCRIPTION_VERSION, self.headers.subscription_version, version.as_str())?;
            }
        }
        Ok(decoded)
    }
}

/// Only the body is signed, so a header that differs from it was changed on the way.
fn must_agree(header: &'static str, unsigned: Option<&str>, signed: &str) -> Result<(), DecodeError> {
    match unsigned {
        Some(unsigned) if unsigned != signed => {
            Err(DecodeError::Contradiction { header, unsigned: unsigned.to_owned(), signed: signed.to_owned() })
        }
        _ => Ok(()),
    }
}
