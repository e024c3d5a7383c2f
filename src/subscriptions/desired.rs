//! The subscriptions that a channel should have: the default types, those that a setting adds, those that rules need, and while
//! its chat is to be read, messages of the chat.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::message::irc::CHAT_MESSAGE;
use crate::store::chat::{self, ChatMode};
use crate::store::desired_subscriptions;
use crate::store::tokens;
use crate::twitch::catalogue::{self, SubscriptionType, selection};
use crate::twitch::helix::{Condition, HeldSubscription};
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

/// How the types begin that a channel should have only while its chat is to be read, unless a setting adds them.
const CHAT: &str = "channel.chat.";

/// Types of a channel, each once.
type Types = Vec<&'static SubscriptionType>;

/// The types that each served channel should have, `extra` ones included, each once.
pub fn types(extra: &[&'static SubscriptionType]) -> Types {
    let default = DEFAULT.iter().filter_map(|name| catalogue::find(name, None)).collect();
    with(default, extra.iter().copied())
}

fn with(mut types: Types, others: impl IntoIterator<Item = &'static SubscriptionType>) -> Types {
    for kind in others {
        if !types.iter().any(|known| known.name == kind.name) {
            types.push(kind);
        }
    }
    types
}

/// The types that a channel's consent should cover: those of all channels, those that rules need, and if its chat is to be read
/// at any time, its messages.
///
/// # Errors
/// If the database fails.
pub async fn types_to_ask(
    db: &mut PgConnection,
    of_all: &[&'static SubscriptionType],
    channel: &ChannelId,
) -> sqlx::Result<Types> {
    let reads_chat = chat::get(&mut *db, channel).await?.is_some_and(|setting| setting.mode != ChatMode::Off);
    let needed = chat::needed_types(db).await?.into_iter().filter(|(of, _)| of == channel);
    let names: Vec<_> = needed.map(|(_, kind)| kind).chain(reads_chat.then(|| CHAT_MESSAGE.to_owned())).collect();
    Ok(with(of_all.to_vec(), names.iter().flat_map(|name| subscribable(name))))
}

/// The type of this name, if a channel can subscribe to it.
fn subscribable(name: &str) -> Types {
    selection::select(name).unwrap_or_default()
}

/// The subscriptions that these channels should have at this time over these transports. Messages of a chat are among them if
/// the broadcaster has consented; without that they are read over IRC.
///
/// # Errors
/// If the database fails.
pub async fn of_channels(
    db: &mut PgConnection,
    of_all: &[&'static SubscriptionType],
    channels: impl IntoIterator<Item = (&ChannelId, TransportKind)>,
    client_id: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Vec<DesiredSubscription>> {
    let open: HashSet<_> = chat::open(&mut *db, now).await?.into_iter().map(|chat| chat.channel.id).collect();
    let mut needed = HashMap::<_, Vec<_>>::new();
    for (channel, kind) in chat::needed_types(&mut *db).await? {
        needed.entry(channel).or_default().push(kind);
    }
    let granted = tokens::granted(db).await?;
    let messages = subscribable(CHAT_MESSAGE);
    let mut desired = Vec::new();
    for (channel, transport) in channels {
        let is_open = open.contains(channel);
        let is_needed = |name: &&String| name.as_str() != CHAT_MESSAGE && (is_open || !name.starts_with(CHAT));
        let needed = needed.get(channel).into_iter().flatten().filter(is_needed);
        let mut types = with(of_all.to_vec(), needed.flat_map(|name| subscribable(name)));
        let granted = granted.get(channel.as_str()).map(Vec::as_slice).unwrap_or_default();
        if is_open && missing_scopes(&messages, granted, transport).is_empty() {
            types = with(types, messages.iter().copied());
        }
        desired.extend(DesiredSubscription::all(&types, [channel], client_id));
    }
    Ok(desired)
}

/// Whether Twitch holds it for the chat of one of these channels, as this program subscribes to it. If it is not desired, it is
/// deleted: the chat is not to be read now.
#[must_use]
pub fn is_of_chat(held: &HeldSubscription, channels: &HashSet<&str>) -> bool {
    let (broadcaster, reader) = (held.condition.get("broadcaster_user_id"), held.condition.get("user_id"));
    held.kind.as_str().starts_with(CHAT)
        && broadcaster == reader
        && broadcaster.is_some_and(|id| channels.contains(id.as_str()))
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
    /// These types for each of these channels, channel by channel.
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

/// Makes the table of desired subscriptions say that channels should have these over this transport, and no others.
pub(super) async fn write(
    db: &mut PgConnection,
    transport: TransportKind,
    desired: &[DesiredSubscription],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let channels: Vec<_> = desired.iter().map(|it| it.channel_id.as_str()).collect();
    let (kinds, versions): (Vec<_>, Vec<_>) =
        desired.iter().map(|it| (it.kind.name.as_str(), it.kind.version.as_str())).unzip();
    desired_subscriptions::set(db, transport, (&channels, &kinds, &versions), now).await
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
