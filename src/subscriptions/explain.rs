//! Statuses in words, with what to do.

use super::plan::Plan;
use crate::program::Program;
use crate::store::desired_subscriptions::{DesiredRow, DesiredStatus};
use crate::twitch::subscription_status::SubscriptionStatus;

/// The status of a subscription at Twitch
/// ([revocations](https://dev.twitch.tv/docs/eventsub/handling-webhook-events/#revoking-your-subscription)).
#[must_use]
pub fn explain(status: &SubscriptionStatus) -> &'static str {
    use SubscriptionStatus as S;
    match status {
        S::Enabled => "messages arrive",
        S::WebhookCallbackVerificationPending => "Twitch is checking that the callback answers",
        S::WebhookCallbackVerificationFailed => {
            "the callback did not answer Twitch's challenge as it should: `init check` finds out why"
        }
        S::NotificationFailuresExceeded => {
            "too many messages could not be delivered to the callback: `init check` finds out why"
        }
        S::AuthorizationRevoked => "the user withdrew consent or changed their password: consent again with `init`",
        S::ModeratorRemoved => {
            "the moderator who consented is no moderator of the channel any more: make them one again"
        }
        S::UserRemoved => "the user does not exist any more",
        S::ChatUserBanned => "the user is banned from that chat: the broadcaster has to unban them",
        S::VersionRemoved => "Twitch has withdrawn this version of the type: update showtime",
        S::BetaMaintenance => "Twitch took this beta type down for maintenance: it can be created again later",
        S::ConduitDeleted => "the conduit was deleted",
        S::WebsocketDisconnected
        | S::WebsocketFailedPingPong
        | S::WebsocketReceivedInboundTraffic
        | S::WebsocketConnectionUnused
        | S::WebsocketInternalError
        | S::WebsocketNetworkTimeout
        | S::WebsocketNetworkError
        | S::WebsocketFailedToReconnect => "the WebSocket connection ended",
        S::Other(_) => "a status that this version of showtime does not know",
    }
}

/// The state of a desired subscription.
#[must_use]
pub fn describe(row: &DesiredRow) -> String {
    match (&row.problem, &row.status) {
        (None, _) if row.has_other_secret => match row.secret_fingerprint {
            Some(_) => {
                "it was created with another webhook secret, so its messages are refused: the server is about to \
                create it again"
                    .to_owned()
            }
            None => "it is not known with which webhook secret it was created: the server is about to create it again"
                .to_owned(),
        },
        (Some(problem), status) if status.needs_consent() => format!("{problem}: consent with `{}`", Program::Init),
        (Some(problem), DesiredStatus::Held(status)) => format!("{}; {problem}", explain(status)),
        (Some(problem), _) => problem.clone(),
        (None, DesiredStatus::Held(status)) => explain(status).to_owned(),
        (None, DesiredStatus::Missing) => "it does not exist yet: the server is about to create it".to_owned(),
        (None, DesiredStatus::NoSession) => {
            "there is no WebSocket session with Twitch to create it on: the check `websocket` shows why".to_owned()
        }
        (None, DesiredStatus::NeedsConsent) => format!("the user has to consent: run `{}`", Program::Init),
    }
}

/// What else counts towards the limits of a user's WebSocket sessions, to be appended to Twitch's refusal.
#[must_use]
pub(super) fn limit_hint(plan: &Plan<'_>) -> String {
    let alive = plan.foreign.iter().filter(|held| held.transport.method == "websocket" && held.status.is_alive());
    let others = match alive.count() {
        0 => String::new(),
        count => format!("; {count} subscriptions are on sessions of other programs with this client id"),
    };
    format!(
        "{others}; over WebSocket, a subscription about a channel whose broadcaster has not consented costs 1 of 10: use a \
         webhook for such a channel"
    )
}
