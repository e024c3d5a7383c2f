//! What `/status` shows of the sources: the checks `webhook_secret` and `events`, and the newest event.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::config::Config;
use crate::status::Check;
use crate::store::read::health::{LastEvent, Records};

/// An event with a longer delay, or from as far in the future, is a sign of a slow network or a wrong clock.
const MAX_DELAY: time::Duration = time::Duration::minutes(1);

/// The newest event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastEventStatus)]
pub struct LastEventReport {
    /// By Twitch's clock.
    #[serde(with = "time::serde::rfc3339")]
    occurred_at: OffsetDateTime,
    /// By ours.
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
    /// From the one to the other.
    delay_seconds: f64,
}

impl From<LastEvent> for LastEventReport {
    fn from(LastEvent { occurred_at, received_at }: LastEvent) -> Self {
        Self { occurred_at, received_at, delay_seconds: (received_at - occurred_at).as_seconds_f64() }
    }
}

/// The check `webhook_secret`: which secret is in use.
pub(super) fn webhook_secret(config: &Config) -> Check {
    let message = match config.twitch.webhook_secret {
        Some(_) => "the webhook secret is the configured one",
        None => "the webhook secret is one that this server made in its data directory",
    };
    Check::pass("webhook_secret", message)
}

/// The check `events`: how long the newest event took to arrive.
pub(super) fn events(records: &Records) -> Check {
    let Some(LastEvent { occurred_at, received_at }) = records.last_event else {
        return Check::pass("events", "no event was received yet");
    };
    let delay = received_at - occurred_at;
    let at = occurred_at.format(&Rfc3339).unwrap_or_default();
    let message = format!("the last event, of {at}, took {:.1} s to arrive", delay.as_seconds_f64());
    if delay.abs() > MAX_DELAY {
        Check::warn("events", format!("{message}: check this machine's clock and network"))
    } else {
        Check::pass("events", message)
    }
}
