//! What `build.rs` makes of `proto/`.

use std::fmt;

/// The descriptions of all messages and services, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The package `showtime.tracking.v1`.
#[expect(clippy::allow_attributes, clippy::doc_markdown, reason = "generated")]
pub mod tracking {
    tonic::include_proto!("showtime.tracking.v1");
}

/// The package `twitch`.
#[expect(clippy::allow_attributes, clippy::doc_markdown, reason = "generated")]
pub mod twitch {
    tonic::include_proto!("twitch");
}

/// Debug output of messages that carry a secret: their name alone.
macro_rules! secret {
    ($($name:path),+ $(,)?) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })+
    };
}

secret!(tracking::IssueTokenRequest, tracking::IssueTokenResponse, tracking::Webhook, twitch::NewWebhookRequest);
