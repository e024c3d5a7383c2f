//! The subscription types that alerts come from.

use super::{AlertKind, Kind};
use crate::twitch::payload::{self, User};

/// Reads the JSON of an event: the channel and the alert. `None` if it can't be read or is no alert.
type Read = fn(&str) -> Option<(User, AlertKind)>;

/// A line of [`SOURCES`]: a subscription type, its payload with the field that holds the channel, and the kind of alert.
macro_rules! source {
    ($kind:literal: $payload:ident.$channel:ident => $alert:ident) => {
        ($kind, Kind::$alert, |json| {
            let payload: payload::$payload = serde_json::from_str(json).ok()?;
            let channel = payload.$channel.clone();
            Some((channel, AlertKind::$alert(payload.try_into().ok()?)))
        })
    };
}

const SOURCES: [(&str, Kind, Read); 32] = [
    source!("stream.online": StreamOnline.broadcaster => Online),
    source!("stream.offline": StreamOffline.broadcaster => Offline),
    source!("channel.follow": Follow.broadcaster => Follow),
    source!("channel.raid": Raid.to => Raid),
    source!("channel.cheer": Cheer.broadcaster => Cheer),
    source!("channel.bits.use": BitsUse.broadcaster => PowerUp),
    source!("channel.custom_power_up_redemption.add": CustomPowerUpRedemption.broadcaster => PowerUp),
    source!("channel.subscribe": Subscribe.broadcaster => Subscribe),
    source!("channel.subscription.message": SubscriptionMessage.broadcaster => Subscribe),
    source!("channel.subscription.message": SubscriptionMessage.broadcaster => Resubscribe),
    source!("channel.subscription.gift": SubscriptionGift.broadcaster => Gift),
    source!("channel.hype_train.begin": HypeTrain.broadcaster => HypeTrainBegin),
    source!("channel.hype_train.progress": HypeTrain.broadcaster => HypeTrainProgress),
    source!("channel.hype_train.end": HypeTrain.broadcaster => HypeTrainEnd),
    source!("channel.channel_points_custom_reward_redemption.add": CustomRewardRedemption.broadcaster => Redemption),
    source!("channel.channel_points_automatic_reward_redemption.add": AutomaticRewardRedemption.broadcaster => Redemption),
    source!("channel.goal.begin": Goal.broadcaster => GoalBegin),
    source!("channel.goal.progress": Goal.broadcaster => GoalProgress),
    source!("channel.goal.end": Goal.broadcaster => GoalEnd),
    source!("channel.charity_campaign.donate": CharityDonation.broadcaster => CharityDonation),
    source!("channel.charity_campaign.start": CharityCampaign.broadcaster => CharityCampaignBegin),
    source!("channel.charity_campaign.progress": CharityCampaign.broadcaster => CharityCampaignProgress),
    source!("channel.charity_campaign.stop": CharityCampaign.broadcaster => CharityCampaignEnd),
    source!("channel.poll.begin": Poll.broadcaster => PollBegin),
    source!("channel.poll.progress": Poll.broadcaster => PollProgress),
    source!("channel.poll.end": Poll.broadcaster => PollEnd),
    source!("channel.prediction.begin": Prediction.broadcaster => PredictionBegin),
    source!("channel.prediction.progress": Prediction.broadcaster => PredictionProgress),
    source!("channel.prediction.lock": Prediction.broadcaster => PredictionLock),
    source!("channel.prediction.end": Prediction.broadcaster => PredictionEnd),
    source!("channel.ad_break.begin": AdBreakBegin.broadcaster => AdBreakBegin),
    source!("channel.shoutout.receive": ShoutoutReceive.broadcaster => ShoutoutReceived),
];

/// The subscription types that alerts come from, some of them twice.
pub fn sources() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(source, ..)| *source)
}

/// The subscription types that alerts of these kinds come from.
pub fn sources_of(kinds: &[String]) -> impl Iterator<Item = &'static str> {
    let is_one = |kind: Kind| kinds.iter().any(|name| name == <&str>::from(kind));
    SOURCES.iter().filter(move |(_, kind, _)| is_one(*kind)).map(|(source, ..)| *source)
}

/// Each subscription type with the kind of alerts that comes from it; both occur several times.
pub fn kinds_by_source() -> impl Iterator<Item = (&'static str, &'static str)> {
    SOURCES.iter().map(|(source, kind, _)| (*source, (*kind).into()))
}

/// The channel and the alert of an event of this type.
pub(super) fn read(kind: &str, json: &str) -> Option<(User, AlertKind)> {
    SOURCES.iter().filter(|(source, ..)| *source == kind).find_map(|(.., read)| read(json))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::twitch::catalogue::selection::select;
    use crate::view::chat;

    #[test]
    fn presets_are_what_alerts_and_chat_come_from() {
        let preset = |name| select(name).unwrap().into_iter().map(|kind| kind.name.as_str()).collect::<BTreeSet<_>>();
        assert_eq!(preset("alerts"), sources().collect());
        assert_eq!(preset("chat"), chat::sources().collect());
    }
}
