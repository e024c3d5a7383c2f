//! Twitch's protocols: EventSub messages and their payloads, signatures, the catalogue of subscription types, Helix and
//! OAuth. Knows nothing of showtime.

pub mod catalogue;
pub mod eventsub;
pub mod helix;
pub mod id;
pub mod irc;
pub mod oauth;
pub mod payload;
pub mod samples;
pub mod signature;
pub mod subscription_status;
pub mod token_source;
pub(crate) mod tolerant;
pub mod transport;
pub mod websocket;

/// The URL of `path` (with no leading slash) under a base that may or may not end in a slash.
fn endpoint(base: &url::Url, path: &str) -> url::Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.split('/'));
    }
    url
}
