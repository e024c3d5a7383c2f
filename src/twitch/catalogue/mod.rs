//! Every [EventSub subscription type](https://dev.twitch.tv/docs/eventsub/eventsub-subscription-types/) and version: its
//! condition, the scopes it needs, and the broadcaster or user it belongs to.

pub mod lookup;
pub mod pattern;
pub mod selection;

use std::sync::LazyLock;

use serde::Deserialize;

static CATALOGUE: LazyLock<Vec<SubscriptionType>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "compiled in, and parsed by a test")]
    serde_json::from_str(include_str!("eventsub-types.json")).expect("the catalogue is valid")
});

/// One type and version of subscription.
#[derive(Debug, Deserialize)]
pub struct SubscriptionType {
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    pub name: String,
    /// For example `2`; `beta` exists.
    pub version: String,
    /// Whether new subscriptions of it can be made.
    pub status: Availability,
    /// The fields of its condition.
    pub condition: Vec<ConditionField>,
    /// Every group must be met; any one scope of a group is enough. Empty: no consent needed.
    pub scopes: Vec<Vec<String>>,
    /// The condition field that names the user who must have consented.
    pub scope_granted_by: Option<String>,
    /// What its events say, in a few words.
    pub summary: String,
    /// The field of the event that names the broadcaster (or user) it belongs to.
    pub entity: Option<String>,
    /// How it can be delivered: `webhook`, `websocket`, `conduit`.
    pub transports: Vec<String>,
}

/// A field of a subscription's condition.
#[derive(Debug, Deserialize)]
pub struct ConditionField {
    /// For example `broadcaster_user_id`.
    pub field: String,
    /// `channel.raid` needs exactly one of its two fields, neither of which is required.
    pub required: bool,
}

/// Whether Twitch still offers a type and version.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Availability {
    /// Offered.
    Current,
    /// Offered for now; its version reads `beta`.
    Beta,
    /// Withdrawn or superseded: not to be created any more.
    Deprecated,
}

impl SubscriptionType {
    /// Whether its notifications carry several `events` instead of one `event`.
    #[must_use]
    pub fn is_batched(&self) -> bool {
        self.name == "drop.entitlement.grant"
    }
}

/// All types and versions, the deprecated ones last.
#[must_use]
pub fn all() -> &'static [SubscriptionType] {
    &CATALOGUE
}

/// The type of this name in the given version, or in the newest that is offered.
#[must_use]
pub fn find(name: &str, version: Option<&str>) -> Option<&'static SubscriptionType> {
    let named = || all().iter().filter(|kind| kind.name == name);
    match version {
        Some(version) => named().find(|kind| kind.version == version),
        None => named().filter(|kind| kind.status != Availability::Deprecated).max_by_key(|kind| &kind.version),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twitch::samples;

    #[test]
    fn every_offered_type_has_a_sample() {
        assert_eq!(all().len(), 88);
        for kind in all().iter().filter(|kind| kind.status != Availability::Deprecated) {
            let text = samples::sample(&kind.name, &kind.version, None);
            let text = text.unwrap_or_else(|| panic!("no sample of {} v{}", kind.name, kind.version));
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(value.is_array(), kind.is_batched(), "{}", kind.name);
        }
    }

    #[test]
    fn newest_version_is_the_default() {
        assert_eq!(find("channel.follow", None).unwrap().version, "2");
        assert_eq!(find("channel.hype_train.begin", None).unwrap().version, "2");
        assert_eq!(find("channel.follow", Some("1")).unwrap().status, Availability::Deprecated);
        assert!(find("channel.fellow", None).is_none());
    }
}
