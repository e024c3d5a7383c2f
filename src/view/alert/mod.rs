//! Alerts: events of many subscription types in the form that overlays and announcements show.

mod campaigns;
mod sources;
mod stream;
mod support;

use serde::Serialize;
use strum::{EnumDiscriminants, IntoStaticStr, VariantNames};
use time::OffsetDateTime;
use utoipa::ToSchema;

pub use self::campaigns::*;
pub use self::sources::{kinds_by_source, sources, sources_of};
pub use self::stream::*;
pub use self::support::*;
use super::{Person, event_json, text};
use crate::store::LogId;
use crate::store::read::events::LoggedEvent;

/// Something to show on a stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Alert {
    /// The event's id in the log.
    #[schema(value_type = i64)]
    pub id: LogId,
    /// The channel it happened on.
    pub channel: Person,
    /// When Twitch sent it, or when it was inferred.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// Whether it is a test event.
    pub is_test: bool,
    /// Whether it is a replay of an earlier event.
    pub is_replay: bool,
    /// The id of the earlier event that reported the same; `null` if it is the first.
    #[schema(value_type = Option<i64>)]
    pub repeats: Option<LogId>,
    /// One sentence for people, in English: that of the event.
    pub text: String,
    /// What happened.
    #[serde(flatten)]
    pub kind: AlertKind,
}

/// What happened. The field `type` names the kind.
#[derive(Clone, Debug, EnumDiscriminants, IntoStaticStr, Serialize, ToSchema, VariantNames)]
#[strum_discriminants(name(Kind), vis(), derive(IntoStaticStr), strum(serialize_all = "snake_case"))]
#[schema(as = What)]
#[serde(tag = "type", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AlertKind {
    /// A stream began.
    Online(Online),
    /// A stream ended. The broadcast may go on: a stream that is resumed within 15 minutes belongs to the same one.
    Offline(Offline),
    /// A user follows.
    Follow(Follow),
    /// Another channel sent its viewers.
    Raid(Raid),
    /// A user cheered with bits.
    Cheer(Cheer),
    /// A user used a power-up, which costs bits.
    PowerUp(PowerUp),
    /// A user subscribed for the first time, or after a pause. A received gift is no alert of its own: one `gift` stands
    /// for all that a user gives at once. What a new subscriber writes, if it arrives later, is a second alert.
    Subscribe(Subscribe),
    /// A subscriber announced another month.
    Resubscribe(Resubscribe),
    /// A user gave subscriptions away.
    Gift(Gift),
    /// A hype train began.
    HypeTrainBegin(HypeTrain),
    /// A hype train got a contribution.
    HypeTrainProgress(HypeTrain),
    /// A hype train ended.
    HypeTrainEnd(HypeTrain),
    /// A user redeemed a reward for channel points.
    Redemption(Redemption),
    /// The broadcaster set a goal.
    GoalBegin(Goal),
    /// The count of a goal changed.
    GoalProgress(Goal),
    /// A goal was achieved, or given up.
    GoalEnd(Goal),
    /// A user donated to a charity.
    CharityDonation(CharityDonation),
    /// The broadcaster began to collect for a charity.
    CharityCampaignBegin(CharityCampaign),
    /// A charity campaign got a donation.
    CharityCampaignProgress(CharityCampaign),
    /// A charity campaign ended.
    CharityCampaignEnd(CharityCampaign),
    /// A poll began.
    PollBegin(Poll),
    /// A user voted.
    PollProgress(Poll),
    /// A poll ended.
    PollEnd(Poll),
    /// A prediction began.
    PredictionBegin(Prediction),
    /// A user predicted an outcome.
    PredictionProgress(Prediction),
    /// A prediction is locked; its outcome is open.
    PredictionLock(Prediction),
    /// A prediction was resolved or cancelled.
    PredictionEnd(Prediction),
    /// An ad break began.
    AdBreakBegin(AdBreak),
    /// Another channel recommended this one.
    ShoutoutReceived(Shoutout),
}

impl Alert {
    /// Reads an event as an alert. Returns `None` for other types, and for payloads that can't be read.
    #[must_use]
    pub fn new(logged: &LoggedEvent, is_replay: bool) -> Option<Self> {
        let (channel, mut kind) = sources::read(logged.kind.as_deref()?, event_json(logged)?)?;
        let channel = Person::from(channel);
        // A raid also reaches us through the channel that it starts from.
        if logged.channel_id.as_ref().is_some_and(|id| id.as_str() != channel.id) {
            return None;
        }
        let LoggedEvent { id, occurred_at, is_test, repeats, .. } = *logged;
        if let AlertKind::Online(online) = &mut kind {
            // As in the state: Twitch sends no stream before it begins.
            online.started_at = online.started_at.min(occurred_at);
        }
        Some(Self { id, channel, occurred_at, is_test, is_replay, repeats, text: text::sentence(logged), kind })
    }

    /// The name of its kind: the `type` in JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        (&self.kind).into()
    }

    /// The names of all kinds.
    #[must_use]
    pub fn kinds() -> &'static [&'static str] {
        AlertKind::VARIANTS
    }
}
