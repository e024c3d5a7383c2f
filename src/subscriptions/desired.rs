//! Which subscriptions a channel should have: one table, plus what a setting adds.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::twitch::catalogue::{self, SubscriptionType};

/// What every served channel has. Versions, conditions and scopes are in the catalogue.
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

/// The condition of this type for this channel. Users that a condition names (a moderator, a
/// reader of the chat) are the broadcaster; of raids the incoming side is told.
#[must_use]
pub fn condition(kind: &SubscriptionType, channel_id: &str, client_id: &str) -> Map<String, Value> {
    let value = |field: &str| match field {
        "client_id" => client_id,
        _ => channel_id,
    };
    kind.condition
        .iter()
        .filter(|condition| condition.required || kind.entity.as_ref() == Some(&condition.field))
        .map(|condition| (condition.field.clone(), value(&condition.field).into()))
        .collect()
}

/// The scopes that these types need, one of each group of alternatives: the first, unless another
/// of the group is granted already.
#[must_use]
pub fn scopes<'a>(types: &[&'a SubscriptionType], granted: &[String]) -> BTreeSet<&'a str> {
    let group = |group: &'a Vec<String>| group.iter().find(|scope| granted.contains(scope)).or_else(|| group.first());
    types.iter().flat_map(|kind| &kind.scopes).filter_map(group).map(String::as_str).collect()
}

/// The scopes that this type still lacks.
#[must_use]
pub fn missing_scopes<'a>(kind: &'a SubscriptionType, granted: &[String]) -> Vec<&'a str> {
    scopes(&[kind], granted).into_iter().filter(|scope| !granted.iter().any(|granted| granted == scope)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn find(name: &str) -> &'static SubscriptionType {
        catalogue::find(name, None).unwrap()
    }

    #[test]
    fn ten_types_are_wanted_and_a_setting_adds_more() {
        assert_eq!(types(&[]).len(), 10);
        assert_eq!(types(&[find("channel.poll.begin"), find("channel.follow")]).len(), 11);
    }

    #[test]
    fn conditions_name_the_channel() {
        let of = |name| Value::from(condition(find(name), "7", "client"));
        assert_eq!(of("channel.follow"), json!({ "broadcaster_user_id": "7", "moderator_user_id": "7" }));
        assert_eq!(of("channel.raid"), json!({ "to_broadcaster_user_id": "7" }));
        assert_eq!(of("channel.chat.message"), json!({ "broadcaster_user_id": "7", "user_id": "7" }));
        assert_eq!(of("channel.channel_points_custom_reward.update"), json!({ "broadcaster_user_id": "7" }));
        assert_eq!(of("user.authorization.revoke"), json!({ "client_id": "client" }));
    }

    #[test]
    fn of_alternative_scopes_the_one_that_is_granted_will_do() {
        let polls = [find("channel.poll.begin")];
        let manage = ["channel:manage:polls".to_owned()];
        assert_eq!(scopes(&polls, &[]), ["channel:read:polls"].into());
        assert_eq!(scopes(&polls, &manage), ["channel:manage:polls"].into());
        assert_eq!(missing_scopes(polls[0], &manage), Vec::<&str>::new());
        assert_eq!(missing_scopes(find("channel.follow"), &manage), ["moderator:read:followers"]);
        assert_eq!(
            scopes(&types(&[]), &[]),
            ["bits:read", "channel:read:subscriptions", "moderator:read:followers"].into()
        );
    }
}
