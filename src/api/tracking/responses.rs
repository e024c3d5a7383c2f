//! The refusals of bots' requests, with their examples, for the specification.

use std::collections::BTreeMap;
use std::time::Duration;

use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response};

use crate::api::error::Error;
use crate::api::responses::described;
use crate::discord::snowflake::Snowflake;
use crate::tracking::error::TrackingError;
use crate::tracking::tracker::MAX_TRACKS;

const CHANNEL: Snowflake = Snowflake(146_404_426_746_167_296);
const WEBHOOK: Snowflake = Snowflake(1_130_882_143_562_211_418);

/// Refusals of a new track.
pub(super) struct TrackRefusals;

impl IntoResponses for TrackRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let tracking = |description: &str, error| described(description, &Error::Tracking(error));
        [
            tracking("Twitch has no such channel.", TrackingError::UnknownStreamer("maplearcadd".to_owned())),
            tracking(
                "The Discord channel has another webhook or as many tracks as it may, or another channel has the webhook.",
                TrackingError::WebhookMismatch { channel: CHANNEL, stored: WEBHOOK },
            ),
            tracking(
                "The webhook does not exist, posts into another channel or can't post; or the channel is not known here and no \
                Twitch application is configured.",
                TrackingError::WebhookGone(WEBHOOK),
            ),
        ]
        .into()
    }
}

/// Refusals of a track where the Discord channel has its webhook.
pub(super) struct PutTrackRefusals;

impl IntoResponses for PutTrackRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let tracking = |description: &str, error| described(description, &Error::Tracking(error));
        [
            tracking(
                "The Discord channel has no webhook, or Twitch has no such channel.",
                TrackingError::UnknownChannel(CHANNEL),
            ),
            tracking(
                "The Discord channel has as many tracks as it may.",
                TrackingError::TooManyTracks { channel: CHANNEL, limit: MAX_TRACKS },
            ),
            tracking(
                "The webhook was deleted or posts into another channel, so that nothing new can be tracked there; or the Twitch \
                channel is not known here, and no Twitch application is configured.",
                TrackingError::WebhookGone(WEBHOOK),
            ),
        ]
        .into()
    }
}

/// Refusals of a webhook.
pub(super) struct WebhookRefusals;

impl IntoResponses for WebhookRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let tracking = |description: &str, error| described(description, &Error::Tracking(error));
        [
            tracking("Another channel of the bot has the webhook.", TrackingError::WebhookInUse(WEBHOOK)),
            tracking(
                "The webhook does not exist, posts into another channel or can't post.",
                TrackingError::WebhookGone(WEBHOOK),
            ),
        ]
        .into()
    }
}

/// Refusals of a test.
pub(super) struct TestRefusals;

impl IntoResponses for TestRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let tracking = |description: &str, error| described(description, &Error::Tracking(error));
        [
            tracking(
                "The webhook was deleted or posts into another channel, or Discord refuses the message.",
                TrackingError::WebhookGone(WEBHOOK),
            ),
            tracking(
                "A test was posted there a moment ago; wait for `Retry-After` seconds.",
                TrackingError::TooManyTests(Duration::from_secs(3)),
            ),
        ]
        .into()
    }
}

/// Refusals to check a webhook.
pub(super) struct CheckRefusals;

impl IntoResponses for CheckRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let tracking = |description: &str, error| described(description, &Error::Tracking(error));
        [
            tracking("Another channel of the bot has the webhook.", TrackingError::WebhookInUse(WEBHOOK)),
            tracking("The webhook can't post.", TrackingError::WebhookUnusable(WEBHOOK)),
        ]
        .into()
    }
}

/// The refusal to resolve a delivery.
pub(super) struct ResolveRefusals;

impl IntoResponses for ResolveRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let error = Error::Tracking(TrackingError::NotUncertain(4711));
        [described("No answer about the delivery was lost.", &error)].into()
    }
}

/// Refusals to end a track.
pub(super) struct UntrackRefusals;

impl IntoResponses for UntrackRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let tracking = |description: &str, error| described(description, &Error::Tracking(error));
        [
            tracking("It is not tracked there.", TrackingError::UnknownChannel(CHANNEL)),
            tracking(
                "The Discord channel has another webhook.",
                TrackingError::WebhookMismatch { channel: CHANNEL, stored: WEBHOOK },
            ),
        ]
        .into()
    }
}
