//! `POST /callback`: receives messages from Twitch.

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::Context;
use super::error::Error;
use super::responses::Callback;
use crate::sources::webhook::Answer;

/// Receive a message from Twitch.
///
/// Answers after the message is committed. A message must be signed with the webhook secret and at
/// most ten minutes old; a duplicate is acknowledged, but not stored again. A request with a wrong
/// signature is refused after a tenth of a second.
#[utoipa::path(
    tag = "callback",
    params(
        ("Twitch-Eventsub-Message-Id" = String, Header, description = "Unique; the same on every redelivery",
            example = "0b1c2d3e-4f50-4617-8899-aabbccddeeff"),
        ("Twitch-Eventsub-Message-Retry" = String, Header, description = "The number of earlier deliveries", example = "0"),
        ("Twitch-Eventsub-Message-Type" = String, Header,
            description = "`notification`, `webhook_callback_verification` or `revocation`", example = "notification"),
        ("Twitch-Eventsub-Message-Signature" = String, Header,
            description = "`sha256=` and the HMAC-SHA256 of message id, timestamp and body, in hexadecimal",
            example = "sha256=c8135a1691c83775658c21acfa9eeedfafd854440554d5ea8b30702fcb98313c"),
        ("Twitch-Eventsub-Message-Timestamp" = String, Header, description = "RFC 3339 with 0 to 9 fractional digits",
            example = "2026-03-14T18:02:11.480213377Z"),
        ("Twitch-Eventsub-Subscription-Type" = Option<String>, Header,
            description = "As in the body; only a conduit shard's challenge has none", example = "stream.offline"),
        ("Twitch-Eventsub-Subscription-Version" = Option<String>, Header,
            description = "As in the body; only a conduit shard's challenge has none", example = "1"),
    ),
    request_body(
        content = Object, content_type = "application/json",
        description = "A message of Twitch: `subscription` and `event`, or `challenge`",
        example = json!({
            "subscription": {
                "id": "5e0c1a2b-3333-4444-8555-666677778888", "status": "enabled", "type": "stream.offline",
                "version": "1", "cost": 1, "condition": {"broadcaster_user_id": "90210441"},
                "transport": {"method": "webhook", "callback": "https://hooks.example.org/twitch"},
                "created_at": "2026-03-01T09:00:00.123456789Z"
            },
            "event": {
                "id": "42170003821", "broadcaster_user_id": "90210441",
                "broadcaster_user_login": "maplearcade", "broadcaster_user_name": "MapleArcade"
            }
        }),
    ),
    responses(
        (status = 200, description = "A challenge, answered", body = String, content_type = "text/plain",
            example = "caf3-4d17-not-a-real-one"),
        (status = 204, description = "The message is in the log"),
        Callback,
    ),
)]
#[post("/callback")]
pub(super) async fn receive_message(
    context: web::Data<Context>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Error> {
    match context.webhook.receive(request.headers(), body).await? {
        // No charset, as in Twitch's sample:
        // https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#responding-to-a-challenge-request
        Answer::Challenge(challenge) => Ok(HttpResponse::Ok().content_type("text/plain").body(challenge)),
        Answer::Stored(_) => Ok(HttpResponse::NoContent().finish()),
    }
}
