//! Selects subscription types by name, by how their names begin, or by a preset.

use super::{self as catalogue, Availability, SubscriptionType, lookup};

/// Names that stand for several types.
pub const PRESETS: [(&str, &[&str]); 4] = [
    (
        "alerts",
        &[
            "stream.*",
            "channel.follow",
            "channel.raid",
            "channel.cheer",
            "channel.bits.use",
            "channel.custom_power_up_redemption.add",
            "channel.subscribe",
            "channel.subscription.gift",
            "channel.subscription.message",
            "channel.hype_train.*",
            "channel.channel_points_custom_reward_redemption.add",
            "channel.channel_points_automatic_reward_redemption.add",
            "channel.goal.*",
            "channel.charity_campaign.*",
            "channel.poll.*",
            "channel.prediction.*",
            "channel.ad_break.begin",
            "channel.shoutout.receive",
        ],
    ),
    (
        "chat",
        &[
            "channel.chat.message",
            "channel.chat.notification",
            "channel.chat.message_delete",
            "channel.chat.clear",
            "channel.chat.clear_user_messages",
        ],
    ),
    (
        "moderation",
        &[
            "automod.*",
            "channel.ban",
            "channel.unban",
            "channel.unban_request.*",
            "channel.moderate",
            "channel.moderator.*",
            "channel.vip.*",
            "channel.warning.*",
            "channel.suspicious_user.*",
            "channel.shield_mode.*",
            "channel.chat_settings.update",
        ],
    ),
    ("all", &["*"]),
];

/// Why nothing is selected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SelectionError {
    /// No such type.
    #[error(transparent)]
    Unknown(#[from] lookup::KindError),
    /// Only an extension or an organisation can subscribe to it.
    #[error("no channel can have `{name}`: it requires an {field}")]
    Foreign {
        /// The type.
        name: &'static str,
        /// What its condition requires.
        field: &'static str,
    },
    /// No type begins so.
    #[error("no type of a channel matches `{0}`; one is `stream.*`")]
    Nothing(String),
}

/// The types that a preset, a pattern such as `channel.chat.*` (or `*`), or a type's own name selects, in the newest versions
/// that Twitch offers. What is in beta is selected by its own name only.
///
/// # Errors
/// If it selects nothing that a channel can have.
pub fn select(name: &str) -> Result<Vec<&'static SubscriptionType>, SelectionError> {
    if let Some((_, patterns)) = PRESETS.iter().find(|(preset, _)| *preset == name) {
        return patterns.iter().try_fold(Vec::new(), |mut selected, pattern| {
            selected.extend(matching(pattern)?);
            Ok(selected)
        });
    }
    matching(name)
}

fn matching(pattern: &str) -> Result<Vec<&'static SubscriptionType>, SelectionError> {
    let prefix = match pattern.strip_suffix('*') {
        Some(prefix) if prefix.is_empty() || prefix.ends_with('.') => prefix,
        _ => return named(pattern).map(|kind| vec![kind]),
    };
    let newest = |name: &'static str| catalogue::find(name, None).filter(|kind| kind.status == Availability::Current);
    let selected: Vec<_> = lookup::names()
        .into_iter()
        .filter(|name| name.starts_with(prefix))
        .filter_map(newest)
        .filter(|kind| is_of_a_channel(kind))
        .collect();
    if selected.is_empty() { Err(SelectionError::Nothing(pattern.to_owned())) } else { Ok(selected) }
}

fn named(name: &str) -> Result<&'static SubscriptionType, SelectionError> {
    let kind = lookup::find(name, None)?;
    let is_foreign = |field: &str| matches!(field, "organization_id" | "extension_client_id");
    match kind.condition.iter().find(|condition| condition.required && is_foreign(&condition.field)) {
        Some(condition) => Err(SelectionError::Foreign { name: &kind.name, field: &condition.field }),
        None => Ok(kind),
    }
}

/// Whether its condition names a broadcaster or a user, rather than an application.
fn is_of_a_channel(kind: &SubscriptionType) -> bool {
    kind.condition.iter().any(|condition| condition.field.ends_with("user_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(selection: &str) -> Vec<&'static str> {
        select(selection).unwrap().into_iter().map(|kind| kind.name.as_str()).collect()
    }

    #[test]
    fn pattern_selects_what_begins_so() {
        assert_eq!(names("stream.*"), ["stream.offline", "stream.online"]);
        assert_eq!(names("channel.follow"), ["channel.follow"]);
        assert_eq!(names("channel.chat.*").len(), 7, "not channel.chat_settings.update");
    }

    #[test]
    fn everything_is_what_each_channel_can_have_once() {
        let all = select("all").unwrap();
        let mut names: Vec<_> = all.iter().map(|kind| &kind.name).collect();
        names.dedup();
        assert_eq!(names.len(), all.len());
        for name in ["channel.follow", "user.whisper.message", "automod.message.hold"] {
            assert!(all.iter().any(|kind| kind.name == name), "{name}");
        }
        for name in ["drop.entitlement.grant", "conduit.shard.disabled", "user.authorization.grant"] {
            assert!(!all.iter().any(|kind| kind.name == name), "{name}");
        }
        assert!(all.iter().all(|kind| kind.status == Availability::Current));
    }

    #[test]
    fn presets_name_types_that_twitch_offers() {
        for (preset, _) in PRESETS {
            let (selected, all) = (select(preset).unwrap(), select("all").unwrap());
            assert!(selected.iter().all(|kind| all.iter().any(|known| known.name == kind.name)), "{preset}");
        }
    }

    #[test]
    fn what_selects_nothing_is_explained() {
        let error = |selection| select(selection).unwrap_err().to_string();
        assert!(error("channel.fellow").contains("did you mean channel.follow?"));
        assert_eq!(error("chanel.*"), "no type of a channel matches `chanel.*`; one is `stream.*`");
        assert_eq!(
            error("drop.entitlement.grant"),
            "no channel can have `drop.entitlement.grant`: it requires an organization_id"
        );
        assert!(error("channel.cha*").contains("Twitch has no type `channel.cha*`"));
        assert!(error("drop.*").contains("no type of a channel matches"));
    }
}
