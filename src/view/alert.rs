//! What an overlay shows: events of many subscription types as one kind of value.

use serde::Serialize;
use strum::{IntoStaticStr, VariantNames};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::fields::{Fields, Person, event_of};
use crate::store::read::live::Logged;

mod read;
mod types;

pub use self::read::SOURCES;
pub use self::types::*;

/// Something to show on a stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alert {
    /// The event's id in the log.
    pub id: i64,
    /// The channel it happened on.
    pub channel: Person,
    /// When Twitch told it.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// Whether it is made up, to try an overlay.
    pub is_test: bool,
    /// Whether it has been shown before, and is to be shown again.
    pub is_replay: bool,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened; `type` says which of these it is.
#[derive(Clone, Debug, IntoStaticStr, Serialize, ToSchema, VariantNames)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum What {
    /// Somebody follows.
    Follow(Follow),
    /// Another channel sent its viewers.
    Raid(Raid),
    /// Somebody cheered with bits.
    Cheer(Cheer),
    /// Somebody used a power-up, which costs bits.
    PowerUp(PowerUp),
    /// Somebody subscribed for the first time, or after a pause. Who was given the subscription is
    /// no alert of its own: `gift` tells of all that somebody gave.
    Subscribe(Subscribe),
    /// A subscriber announced another month.
    Resubscribe(Resubscribe),
    /// Somebody gave subscriptions away.
    Gift(Gift),
    /// A hype train began.
    HypeTrainBegin(HypeTrain),
    /// A hype train went on.
    HypeTrainProgress(HypeTrain),
    /// A hype train ended.
    HypeTrainEnd(HypeTrain),
    /// Somebody redeemed a reward for channel points.
    Redemption(Redemption),
    /// The broadcaster set a goal.
    GoalBegin(Goal),
    /// A goal came nearer, or went further off.
    GoalProgress(Goal),
    /// A goal was achieved, or given up.
    GoalEnd(Goal),
    /// Somebody gave to a charity.
    CharityDonation(CharityDonation),
    /// The broadcaster began to collect for a charity.
    CharityCampaignBegin(CharityCampaign),
    /// More was collected.
    CharityCampaignProgress(CharityCampaign),
    /// The collection ended.
    CharityCampaignEnd(CharityCampaign),
    /// A poll began.
    PollBegin(Poll),
    /// Somebody voted.
    PollProgress(Poll),
    /// A poll ended.
    PollEnd(Poll),
    /// A prediction began.
    PredictionBegin(Prediction),
    /// Somebody predicted.
    PredictionProgress(Prediction),
    /// Nobody can predict any more; the outcome is open.
    PredictionLock(Prediction),
    /// The outcome is known, or the prediction was cancelled.
    PredictionEnd(Prediction),
    /// Ads are shown.
    AdBreakBegin(AdBreak),
    /// Another channel recommended this one.
    ShoutoutReceived(Shoutout),
}

impl Alert {
    /// Its type, as on the wire.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        (&self.what).into()
    }

    /// All types that there are.
    #[must_use]
    pub fn kinds() -> &'static [&'static str] {
        What::VARIANTS
    }
}

/// The alert that an event is; `None` for those that are none, and for payloads that are not as
/// Twitch documents them.
#[must_use]
pub fn of(logged: &Logged, is_replay: bool) -> Option<Alert> {
    let kind = logged.kind.as_deref().filter(|kind| SOURCES.contains(kind))?;
    let event = event_of(logged)?;
    let fields = Fields::new(&event);
    let channel = fields.channel()?;
    // A raid that sets out from this channel is told to it as well.
    if logged.channel_id.as_ref().is_some_and(|id| *id != channel.id) {
        return None;
    }
    let what = read::what(kind, fields)?;
    let occurred_at = logged.occurred_at;
    Some(Alert { id: logged.id, channel, occurred_at, is_test: logged.is_test, is_replay, what })
}
