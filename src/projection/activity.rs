//! What happened on a channel, counted by the minute: what the totals of a broadcast and all curves are sums of. Which minutes
//! belong to which broadcast is not known when a message arrives, and may change.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{Fact, State};
use crate::message::Event;
use crate::message::irc::CHAT_MESSAGE;
use crate::twitch::id::ChannelId;
use crate::twitch::payload::{self, Ids};

/// Counts of one minute on one channel, or of several. Followers are not among them: their first follows are
/// stored with the viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Activity {
    /// Subscriptions that began, without those that were given away.
    pub subscriptions: i64,
    /// Renewals that subscribers announced.
    pub resubscriptions: i64,
    /// Subscriptions given away.
    pub gifts: i64,
    /// Bits cheered.
    pub bits: i64,
    /// Raids into the channel.
    pub raids: i64,
    /// Viewers brought along by them.
    pub raid_viewers: i64,
    /// Rewards redeemed for channel points.
    pub redemptions: i64,
    /// Chat messages that were written in this channel.
    pub messages: i64,
    /// The sum of the numbers of viewers of all samples.
    pub viewers: i64,
    /// Samples of the number of viewers.
    pub viewer_samples: i64,
    /// The most viewers of a sample.
    pub viewers_peak: i64,
}

/// The minute that a time is in.
#[must_use]
pub fn minute(at: OffsetDateTime) -> OffsetDateTime {
    at - Duration::nanoseconds_i128(at.unix_timestamp_nanos().rem_euclid(60_000_000_000))
}

impl State {
    /// Counts a message, if it is one of those that are counted.
    pub(super) fn count(&mut self, fact: &Fact<'_>) {
        let Some(channel_id) = &fact.content.channel_id else { return };
        if let Some(counted) = Activity::of(fact, channel_id) {
            let minute = (channel_id.clone(), minute(fact.stamp.at));
            self.activity.entry(minute).or_default().add(&counted);
        }
    }
}

impl Activity {
    fn of(fact: &Fact<'_>, channel_id: &ChannelId) -> Option<Self> {
        use payload::Event as E;
        let none = Self::default();
        let content = &*fact.content;
        Some(match (&content.event, &content.ids) {
            (Some(Event::Twitch(event)), _) => match event {
                E::Subscribe(it) if !it.is_gift => Self { subscriptions: 1, ..none },
                E::SubscriptionMessage(it) if !it.is_first_month() => Self { resubscriptions: 1, ..none },
                E::SubscriptionGift(it) => Self { gifts: it.total.into(), ..none },
                E::Cheer(it) => Self { bits: it.bits.into(), ..none },
                // It is sent to both channels if both are subscribed to.
                E::Raid(it) if it.to.id.as_str() == channel_id.as_str() => {
                    Self { raids: 1, raid_viewers: it.viewers.into(), ..none }
                }
                _ => return None,
            },
            (Some(Event::StreamViewers(it)), _) => {
                let viewers = it.viewers.into();
                Self { viewers, viewer_samples: 1, viewers_peak: viewers, ..none }
            }
            (None, Some(Ids::ChatMessage(ids))) if content.kind() == Some(CHAT_MESSAGE) => {
                let is_copy = ids.source_broadcaster_user_id.as_ref().is_some_and(|source| source != channel_id);
                return (!is_copy).then_some(Self { messages: 1, ..none });
            }
            (None, _) if content.kind() == Some("channel.channel_points_custom_reward_redemption.add") => {
                Self { redemptions: 1, ..none }
            }
            _ => return None,
        })
    }

    fn add(&mut self, other: &Self) {
        self.subscriptions += other.subscriptions;
        self.resubscriptions += other.resubscriptions;
        self.gifts += other.gifts;
        self.bits += other.bits;
        self.raids += other.raids;
        self.raid_viewers += other.raid_viewers;
        self.redemptions += other.redemptions;
        self.messages += other.messages;
        self.viewers += other.viewers;
        self.viewer_samples += other.viewer_samples;
        self.viewers_peak = self.viewers_peak.max(other.viewers_peak);
    }
}
