//! The subscriptions that a channel should have: the default types, and those that a setting adds.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::store::desired_subscriptions;
use crate::store::served_channels::ServedChannel;
use crate::twitch::catalogue::{self, SubscriptionType};
use crate::twitch::helix::Condition;
use crate::twitch::id::ChannelId;
use crate::twitch::transport::TransportKind;

/// The types of every served channel. Versions, conditions and scopes are in the catalogue.
const DEFAULT: [&str; 10] = [
    "channel.update",
    "stream.online",
    "stream.offline",
    "channel.follow",
    "channel.raid",
    "channel.cheer",
    "channel.subscribe",
    "channel.subscription.end",
    "channel.subscription.gift",
    "channel.subscription.message",
];

/// The types that each served channel should have, `extra` ones included, each once.
pub fn types(extra: &[&'static SubscriptionType]) -> Vec<&'static SubscriptionType> {
    let mut types: Vec<_> = DEFAULT.iter().filter_map(|name| catalogue::find(name, None)).collect();
    for kind in extra {
        if !types.iter().any(|known| known.name == kind.name) {
            types.push(kind);
        }
    }
    types
}

/// A subscription that a served channel should have.
#[derive(Clone, Debug)]
pub struct DesiredSubscription {
    /// Type, version and scopes.
    pub kind: &'static SubscriptionType,
    /// Twitch's id of the channel.
    pub channel_id: ChannelId,
    /// The condition in Twitch's form.
    pub condition: Condition,
}

impl DesiredSubscription {
    /// All that these channels should have, channel by channel.
    pub fn all<'a>(
        types: &[&'static SubscriptionType],
        channel_ids: impl IntoIterator<Item = &'a ChannelId>,
        client_id: &str,
    ) -> Vec<Self> {
        let of_channel = |channel_id: &'a ChannelId| {
            types.iter().map(move |kind| Self {
                kind,
                channel_id: channel_id.clone(),
                condition: condition(kind, channel_id, client_id),
            })
        };
        channel_ids.into_iter().flat_map(of_channel).collect()
    }
}

/// Makes the table of desired subscriptions say that these channels should have these types over this transport, and no others
/// anything.
pub(super) async fn write(
    db: &mut PgConnection,
    transport: TransportKind,
    channels: &[ServedChannel],
    types: &[&'static SubscriptionType],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let ids: Vec<_> = channels.iter().map(|channel| &channel.id).collect();
    let (kinds, versions): (Vec<_>, Vec<_>) =
        types.iter().map(|kind| (kind.name.as_str(), kind.version.as_str())).unzip();
    desired_subscriptions::set_types(db, transport, &ids, &kinds, &versions, now).await
}

/// The condition of this type for this channel. Users that a condition names (a moderator, a
/// reader of the chat) are the broadcaster; of raids those to the channel count.
#[must_use]
pub fn condition(kind: &SubscriptionType, channel_id: &ChannelId, client_id: &str) -> Condition {
    let value = |field: &str| match field {
        "client_id" => client_id.to_owned(),
        _ => channel_id.to_string(),
    };
    kind.condition
        .iter()
        .filter(|condition| condition.required || kind.entity.as_ref() == Some(&condition.field))
        .map(|condition| (condition.field.clone(), value(&condition.field)))
        .collect()
}

/// What only an app token needs that reads a chat, and a WebSocket is subscribed on with the user's
/// ([authorization](https://dev.twitch.tv/docs/eventsub/eventsub-subscription-types/#channelchatmessage)).
const BOT_SCOPES: [&str; 2] = ["user:bot", "channel:bot"];

/// The scopes that these types need over this transport, one of each group of alternatives: the first, unless another
/// of the group is granted already.
#[must_use]
pub fn scopes<'a>(types: &[&'a SubscriptionType], granted: &[String], transport: TransportKind) -> BTreeSet<&'a str> {
    let group = |group: &'a Vec<String>| group.iter().find(|scope| granted.contains(scope)).or_else(|| group.first());
    let is_needed = |scope: &&str| transport == TransportKind::Webhook || !BOT_SCOPES.contains(scope);
    types.iter().flat_map(|kind| &kind.scopes).filter_map(group).map(String::as_str).filter(is_needed).collect()
}

/// Those of the [`scopes`] that are not granted.
#[must_use]
pub fn missing_scopes<'a>(
    types: &[&'a SubscriptionType],
    granted: &[String],
    transport: TransportKind,
) -> Vec<&'a str> {
    let mut missing = scopes(types, granted, transport);
    missing.retain(|scope| !granted.iter().any(|granted| granted == scope));
    missing.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::TransportKind::{Webhook, Websocket};
    use super::*;

    fn find(name: &str) -> &'static SubscriptionType {
        catalogue::find(name, None).unwrap()
    }

    #[test]
    fn setting_adds_to_the_ten_default_types() {
        assert_eq!(types(&[]).len(), 10);
        assert_eq!(types(&[find("channel.poll.begin"), find("channel.follow")]).len(), 11);
    }

    #[test]
    fn every_channel_should_have_every_type() {
        let channels: [ChannelId; 2] = ["7", "8"].map(|id| id.parse().unwrap());
        let desired = DesiredSubscription::all(&[find("stream.online"), find("channel.raid")], &channels, "client");
        let shown: Vec<_> = desired.iter().map(|it| (it.channel_id.as_str(), it.kind.name.as_str())).collect();
        let expected = [("7", "stream.online"), ("7", "channel.raid"), ("8", "stream.online"), ("8", "channel.raid")];
        assert_eq!(shown, expected);
        assert_eq!(desired[1].condition["to_broadcaster_user_id"], "7");
    }

    #[test]
    fn conditions_name_the_channel() {
        let shown = |name| serde_json::to_value(condition(find(name), &"7".parse().unwrap(), "client")).unwrap();
        assert_eq!(shown("channel.follow"), json!({ "broadcaster_user_id": "7", "moderator_user_id": "7" }));
        assert_eq!(shown("channel.raid"), json!({ "to_broadcaster_user_id": "7" }));
        assert_eq!(shown("channel.chat.message"), json!({ "broadcaster_user_id": "7", "user_id": "7" }));
        assert_eq!(shown("channel.channel_points_custom_reward.update"), json!({ "broadcaster_user_id": "7" }));
        assert_eq!(shown("user.authorization.revoke"), json!({ "client_id": "client" }));
    }

    #[test]
    fn granted_alternative_of_a_scope_is_enough() {
        let polls = [find("channel.poll.begin")];
        let manage = ["channel:manage:polls".to_owned()];
        assert_eq!(scopes(&polls, &[], Webhook), ["channel:read:polls"].into());
        assert_eq!(scopes(&polls, &manage, Webhook), ["channel:manage:polls"].into());
        assert_eq!(missing_scopes(&polls, &manage, Webhook), Vec::<&str>::new());
        assert_eq!(missing_scopes(&[find("channel.follow")], &manage, Webhook), ["moderator:read:followers"]);
        let default = ["bits:read", "channel:read:subscriptions", "moderator:read:followers"];
        for transport in [Webhook, Websocket] {
            assert_eq!(scopes(&types(&[]), &[], transport), default.into());
        }
    }

    #[test]
    fn scopes_of_bots_are_for_app_tokens() {
        let chat = [find("channel.chat.message")];
        assert_eq!(scopes(&chat, &[], Webhook), ["channel:bot", "user:bot", "user:read:chat"].into());
        assert_eq!(scopes(&chat, &[], Websocket), ["user:read:chat"].into());
    }
}
