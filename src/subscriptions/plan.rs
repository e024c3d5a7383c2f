//! Compares the subscriptions that Twitch holds with the desired ones. Pure.

use std::collections::BTreeMap;

use url::Url;

use super::desired::DesiredSubscription;
use crate::twitch::helix::{Condition, HeldSubscription, HeldTransport};
use crate::twitch::subscription_status::SubscriptionStatus;

/// Where subscriptions are to deliver to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Our callback.
    Webhook(Url),
    /// A user's WebSocket session.
    Session {
        /// Twitch's id.
        id: String,
        /// The ids of sessions of ours that have ended. Twitch may not have noticed yet.
        earlier: Vec<String>,
    },
}

/// What a subscription's transport is to a place.
enum Location {
    Here,
    Earlier,
    Elsewhere,
}

impl Place {
    /// Twitch keeps a callback in the notation it was given, which other software may have given it.
    fn locate(&self, held: &HeldTransport) -> Location {
        let is_websocket = held.method == "websocket";
        match (self, &held.callback, &held.session_id) {
            (Self::Webhook(url), Some(callback), _) if held.method == "webhook" => {
                if Url::parse(callback).as_ref() == Ok(url) { Location::Here } else { Location::Elsewhere }
            }
            (Self::Session { id, .. }, _, Some(held)) if is_websocket && id == held => Location::Here,
            (Self::Session { earlier, .. }, _, Some(held)) if is_websocket && earlier.contains(held) => {
                Location::Earlier
            }
            _ => Location::Elsewhere,
        }
    }
}

/// The difference, and what is the same.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Desired and alive: enabled, or being verified.
    pub keep: Vec<(&'a DesiredSubscription, &'a HeldSubscription)>,
    /// Desired, and none is alive.
    pub create: Vec<&'a DesiredSubscription>,
    /// Remains of desired ones that ended: they deliver nothing, and say why.
    pub dead: Vec<(&'a DesiredSubscription, &'a HeldSubscription)>,
    /// They deliver to us, but are not desired (any more).
    pub unwanted: Vec<&'a HeldSubscription>,
    /// They deliver to an earlier session of ours, where nothing reads, but still count towards Twitch's limits.
    pub earlier: Vec<&'a HeldSubscription>,
    /// They deliver elsewhere: not ours to judge.
    pub foreign: Vec<&'a HeldSubscription>,
}

/// Compares what Twitch holds with what is desired at this place. Twitch sends unused fields of a condition as
/// empty strings, so these don't count.
#[must_use]
pub fn plan<'a>(held: &'a [HeldSubscription], desired: &'a [DesiredSubscription], place: &Place) -> Plan<'a> {
    let mut plan = Plan::default();
    let mut ours: BTreeMap<Key<'_>, Vec<&HeldSubscription>> = BTreeMap::new();
    for subscription in held {
        match place.locate(&subscription.transport) {
            Location::Here => {
                let key = key(subscription.kind.as_str(), &subscription.version, &subscription.condition);
                ours.entry(key).or_default().push(subscription);
            }
            Location::Earlier if subscription.status.is_alive() => plan.earlier.push(subscription),
            // Twitch removes what has ended by itself.
            Location::Earlier => {}
            Location::Elsewhere => plan.foreign.push(subscription),
        }
    }
    for desired in desired {
        let found = ours.remove(&key(&desired.kind.name, &desired.kind.version, &desired.condition));
        let (alive, dead): (Vec<_>, Vec<_>) =
            found.unwrap_or_default().into_iter().partition(|it| it.status.is_alive());
        plan.dead.extend(dead.into_iter().map(|dead| (desired, dead)));
        let enabled = alive.iter().find(|it| it.status == SubscriptionStatus::Enabled);
        match enabled.or(alive.first()) {
            Some(best) => plan.keep.push((desired, best)),
            None => plan.create.push(desired),
        }
    }
    plan.unwanted.extend(ours.into_values().flatten());
    plan
}

type Key<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>);

fn key<'a>(kind: &'a str, version: &'a str, condition: &'a Condition) -> Key<'a> {
    let fields = condition.iter().filter(|(_, value)| !value.is_empty());
    (kind, version, fields.map(|(field, value)| (field.as_str(), value.as_str())).collect())
}

#[cfg(test)]
mod tests {

    use super::super::desired::condition;
    use super::*;
    use crate::twitch::catalogue::{self, SubscriptionType};

    const CALLBACK: &str = "https://hooks.example.org/callback";
    const ENABLED: &str = "enabled";
    const PENDING: &str = "webhook_callback_verification_pending";

    fn webhook() -> Place {
        Place::Webhook(CALLBACK.parse().unwrap())
    }

    fn on_session(id: &str) -> HeldTransport {
        HeldTransport { method: "websocket".to_owned(), session_id: Some(id.to_owned()), ..HeldTransport::default() }
    }

    fn types(names: &[&str]) -> Vec<&'static SubscriptionType> {
        names.iter().map(|name| catalogue::find(name, None).unwrap()).collect()
    }

    fn held(id: &str, kind: &str, status: &str, channel: &str) -> HeldSubscription {
        let kind = catalogue::find(kind, None).unwrap();
        HeldSubscription {
            id: id.to_owned(),
            status: status.into(),
            kind: kind.name.parse().unwrap(),
            version: kind.version.clone(),
            condition: condition(kind, &channel.parse().unwrap(), "client"),
            created_at: None,
            transport: HeldTransport {
                method: "webhook".to_owned(),
                callback: Some(CALLBACK.to_owned()),
                ..HeldTransport::default()
            },
            cost: 0,
        }
    }

    fn ids(held: &[&HeldSubscription]) -> Vec<String> {
        held.iter().map(|held| held.id.clone()).collect()
    }

    #[test]
    fn every_held_subscription_is_in_one_group() {
        let mut raid = held("raid", "channel.raid", ENABLED, "7");
        raid.condition.insert("from_broadcaster_user_id".to_owned(), String::new());
        let mut elsewhere = held("elsewhere", "stream.online", ENABLED, "7");
        elsewhere.transport.callback = Some("https://other.example.org/callback".to_owned());
        let mut conduit = held("conduit", "stream.online", ENABLED, "7");
        conduit.transport = HeldTransport { method: "conduit".to_owned(), ..HeldTransport::default() };
        let mut old = held("old", "channel.follow", ENABLED, "7");
        old.version = "1".to_owned();
        let held = [
            raid,
            elsewhere,
            conduit,
            old,
            held("dead", "stream.online", "notification_failures_exceeded", "7"),
            held("pending", "stream.offline", PENDING, "7"),
            held("stranger", "stream.online", ENABLED, "8"),
        ];
        let types = types(&["channel.raid", "stream.online", "stream.offline", "channel.follow"]);
        let desired = DesiredSubscription::all(&types, [&"7".parse().unwrap()], "client");
        let plan = plan(&held, &desired, &webhook());
        let kept: Vec<_> = plan.keep.iter().map(|(_, held)| *held).collect();
        assert_eq!(ids(&kept), ["raid", "pending"]);
        let created: Vec<_> = plan.create.iter().map(|desired| desired.kind.name.as_str()).collect();
        assert_eq!(created, ["stream.online", "channel.follow"]);
        assert_eq!(ids(&plan.dead.iter().map(|(_, held)| *held).collect::<Vec<_>>()), ["dead"]);
        assert_eq!(ids(&plan.unwanted), ["old", "stranger"]);
        assert_eq!(ids(&plan.foreign), ["elsewhere", "conduit"]);
    }

    #[test]
    fn enabled_subscription_is_kept_before_a_pending_one() {
        let held = [held("a", "stream.online", PENDING, "7"), held("b", "stream.online", ENABLED, "7")];
        let desired = DesiredSubscription::all(&types(&["stream.online"]), [&"7".parse().unwrap()], "client");
        let plan = plan(&held, &desired, &webhook());
        assert_eq!(plan.keep[0].1.id, "b");
        assert!(plan.create.is_empty() && plan.unwanted.is_empty());
    }

    #[test]
    fn session_claims_its_own_subscriptions_and_those_of_its_predecessors() {
        let on = |id: &str, kind: &str, status: &str, session: &str| HeldSubscription {
            transport: on_session(session),
            ..held(id, kind, status, "7")
        };
        let held = [
            on("here", "stream.online", ENABLED, "now"),
            on("revoked", "channel.follow", "authorization_revoked", "now"),
            on("unnoticed", "stream.offline", ENABLED, "before"),
            on("noticed", "stream.online", "websocket_network_timeout", "before"),
            on("other program", "stream.offline", ENABLED, "other"),
            held("webhook", "stream.offline", ENABLED, "7"),
        ];
        let types = types(&["stream.online", "stream.offline", "channel.follow"]);
        let desired = DesiredSubscription::all(&types, [&"7".parse().unwrap()], "client");
        let place = Place::Session { id: "now".to_owned(), earlier: vec!["before".to_owned()] };
        let plan = plan(&held, &desired, &place);
        assert_eq!(ids(&plan.keep.iter().map(|(_, held)| *held).collect::<Vec<_>>()), ["here"]);
        assert_eq!(ids(&plan.dead.iter().map(|(_, held)| *held).collect::<Vec<_>>()), ["revoked"]);
        let created: Vec<_> = plan.create.iter().map(|desired| desired.kind.name.as_str()).collect();
        assert_eq!(created, ["stream.offline", "channel.follow"]);
        assert_eq!(ids(&plan.earlier), ["unnoticed"]);
        assert_eq!(ids(&plan.foreign), ["other program", "webhook"]);
        assert!(plan.unwanted.is_empty());
    }
}
