//! What is held at Twitch against what is wanted, and what a status means: shared by `init` and
//! the server. Pure; whoever asks does the calls.

use std::collections::BTreeMap;

use url::Url;

use super::desired as wanted;
use crate::twitch::catalogue::SubscriptionType;
use crate::twitch::helix::{Condition, Subscription};

/// Delivers.
pub const ENABLED: &str = "enabled";

/// The challenge is under way.
pub const PENDING: &str = "webhook_callback_verification_pending";

/// A subscription that a served channel should have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Type, version and scopes.
    pub kind: &'static SubscriptionType,
    /// Twitch's id of the channel.
    pub channel_id: String,
    /// As Twitch is to be told.
    pub condition: Condition,
}

impl Wanted {
    /// All that these channels should have, channel by channel.
    pub fn all<'a>(
        types: &[&'static SubscriptionType],
        channel_ids: impl IntoIterator<Item = &'a str>,
        client_id: &str,
    ) -> Vec<Self> {
        let of_channel = |channel_id: &'a str| {
            types.iter().map(move |kind| Self {
                kind,
                channel_id: channel_id.to_owned(),
                condition: condition(kind, channel_id, client_id),
            })
        };
        channel_ids.into_iter().flat_map(of_channel).collect()
    }
}

fn condition(kind: &SubscriptionType, channel_id: &str, client_id: &str) -> Condition {
    let fields = wanted::condition(kind, channel_id, client_id).into_iter();
    fields.filter_map(|(field, value)| Some((field, value.as_str()?.to_owned()))).collect()
}

/// What to do about the difference.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Wanted and alive: enabled, or being verified.
    pub keep: Vec<(&'a Wanted, &'a Subscription)>,
    /// Wanted, and nothing alive is there.
    pub create: Vec<&'a Wanted>,
    /// Remains of wanted ones that died: they deliver nothing, and say why.
    pub dead: Vec<(&'a Wanted, &'a Subscription)>,
    /// At our callback, but nobody wants it (any more).
    pub unwanted: Vec<&'a Subscription>,
    /// Of another callback or transport: not ours to judge.
    pub foreign: Vec<&'a Subscription>,
}

/// Compares what Twitch holds with what is wanted at this callback. Twitch tells unused fields of a
/// condition as empty strings, so these don't count.
#[must_use]
pub fn plan<'a>(held: &'a [Subscription], wanted: &'a [Wanted], callback: &Url) -> Plan<'a> {
    let mut plan = Plan::default();
    let mut ours: BTreeMap<Key<'_>, Vec<&Subscription>> = BTreeMap::new();
    for subscription in held {
        if is_at(subscription, callback) {
            let key = key(&subscription.kind, &subscription.version, &subscription.condition);
            ours.entry(key).or_default().push(subscription);
        } else {
            plan.foreign.push(subscription);
        }
    }
    for want in wanted {
        let found = ours.remove(&key(&want.kind.name, &want.kind.version, &want.condition)).unwrap_or_default();
        let (alive, dead): (Vec<_>, Vec<_>) = found.into_iter().partition(|it| is_alive(&it.status));
        plan.dead.extend(dead.into_iter().map(|dead| (want, dead)));
        match alive.iter().position(|it| it.status == ENABLED).or(alive.first().map(|_| 0)) {
            Some(best) => plan.keep.push((want, alive[best])),
            None => plan.create.push(want),
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

/// Twitch keeps the callback as it was given, but other software may have given it.
fn is_at(subscription: &Subscription, callback: &Url) -> bool {
    let held = subscription.transport.callback.as_deref().map(Url::parse);
    subscription.transport.method == "webhook" && held.is_some_and(|held| held.as_ref() == Ok(callback))
}

/// Whether a subscription of this status stands in the way of another like it.
#[must_use]
pub fn is_alive(status: &str) -> bool {
    matches!(status, ENABLED | PENDING)
}

/// What helps a subscription of some status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is well.
    Nothing,
    /// Twitch is at it.
    Wait,
    /// Deleting it and creating it again, once its cause is gone.
    Recreate,
    /// The person has to consent again: `init`.
    Consent,
    /// Nothing that we can do: the user or the version is gone.
    Hopeless,
}

/// What helps (webhook.md §7). An unknown status is worth a new try.
#[must_use]
pub fn remedy(status: &str) -> Remedy {
    match status {
        ENABLED => Remedy::Nothing,
        PENDING => Remedy::Wait,
        "authorization_revoked" => Remedy::Consent,
        "moderator_removed" | "user_removed" | "chat_user_banned" | "version_removed" => Remedy::Hopeless,
        _ => Remedy::Recreate,
    }
}

/// A status in words, with what to do (webhook.md §7).
#[must_use]
pub fn explain(status: &str) -> &'static str {
    match status {
        "enabled" => "messages arrive",
        "webhook_callback_verification_pending" => "Twitch is checking that the callback answers",
        "webhook_callback_verification_failed" => {
            "the callback did not answer Twitch's challenge as it should: `init check` finds out why"
        }
        "notification_failures_exceeded" => {
            "too many messages could not be delivered to the callback: `init check` finds out why"
        }
        "authorization_revoked" => "the user withdrew consent or changed their password: consent again with `init`",
        "moderator_removed" => {
            "the moderator who consented is no moderator of the channel any more: make them one again"
        }
        "user_removed" => "the user does not exist any more",
        "chat_user_banned" => "the user is banned from that chat: the broadcaster has to unban them",
        "version_removed" => "Twitch has withdrawn this version of the type: update showtime",
        "beta_maintenance" => "Twitch took this beta type down for maintenance: it can be created again later",
        "conduit_deleted" => "the conduit was deleted",
        "missing" => "it does not exist at Twitch: `init` creates it",
        status if status.starts_with("websocket_") => "the WebSocket connection ended",
        _ => "a status that this version of showtime does not know",
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::twitch::catalogue;
    use crate::twitch::helix::Transport;

    const CALLBACK: &str = "https://hooks.example.org/callback";

    fn types(names: &[&str]) -> Vec<&'static SubscriptionType> {
        names.iter().map(|name| catalogue::find(name, None).unwrap()).collect()
    }

    fn held(id: &str, kind: &str, status: &str, channel: &str) -> Subscription {
        let kind = catalogue::find(kind, None).unwrap();
        Subscription {
            id: id.to_owned(),
            status: status.to_owned(),
            kind: kind.name.clone(),
            version: kind.version.clone(),
            condition: condition(kind, channel, "client"),
            created_at: OffsetDateTime::UNIX_EPOCH,
            transport: Transport { method: "webhook".to_owned(), callback: Some(CALLBACK.to_owned()) },
            cost: 0,
        }
    }

    fn ids(held: &[&Subscription]) -> Vec<String> {
        held.iter().map(|held| held.id.clone()).collect()
    }

    #[test]
    fn whatever_is_held_falls_into_one_group() {
        let mut raid = held("raid", "channel.raid", ENABLED, "7");
        raid.condition.insert("from_broadcaster_user_id".to_owned(), String::new());
        let mut elsewhere = held("elsewhere", "stream.online", ENABLED, "7");
        elsewhere.transport.callback = Some("https://other.example.org/callback".to_owned());
        let mut conduit = held("conduit", "stream.online", ENABLED, "7");
        conduit.transport = Transport { method: "conduit".to_owned(), callback: None };
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
        let wanted = Wanted::all(
            &types(&["channel.raid", "stream.online", "stream.offline", "channel.follow"]),
            ["7"],
            "client",
        );
        let plan = plan(&held, &wanted, &CALLBACK.parse().unwrap());
        let kept: Vec<_> = plan.keep.iter().map(|(_, held)| *held).collect();
        assert_eq!(ids(&kept), ["raid", "pending"]);
        let created: Vec<_> = plan.create.iter().map(|want| want.kind.name.as_str()).collect();
        assert_eq!(created, ["stream.online", "channel.follow"]);
        assert_eq!(ids(&plan.dead.iter().map(|(_, held)| *held).collect::<Vec<_>>()), ["dead"]);
        assert_eq!(ids(&plan.unwanted), ["old", "stranger"]);
        assert_eq!(ids(&plan.foreign), ["elsewhere", "conduit"]);
    }

    #[test]
    fn of_several_alive_the_enabled_one_is_kept() {
        let held = [held("a", "stream.online", PENDING, "7"), held("b", "stream.online", ENABLED, "7")];
        let wanted = Wanted::all(&types(&["stream.online"]), ["7"], "client");
        let plan = plan(&held, &wanted, &CALLBACK.parse().unwrap());
        assert_eq!(plan.keep[0].1.id, "b");
        assert!(plan.create.is_empty() && plan.unwanted.is_empty());
    }

    #[test]
    fn every_channel_wants_every_type() {
        let wanted = Wanted::all(&types(&["stream.online", "channel.raid"]), ["7", "8"], "client");
        let shown: Vec<_> = wanted.iter().map(|want| (want.channel_id.as_str(), want.kind.name.as_str())).collect();
        let expected = [("7", "stream.online"), ("7", "channel.raid"), ("8", "stream.online"), ("8", "channel.raid")];
        assert_eq!(shown, expected);
        assert_eq!(wanted[1].condition["to_broadcaster_user_id"], "7");
    }

    #[test]
    fn every_status_has_a_text_and_a_remedy() {
        for (status, help) in [
            (ENABLED, Remedy::Nothing),
            (PENDING, Remedy::Wait),
            ("webhook_callback_verification_failed", Remedy::Recreate),
            ("notification_failures_exceeded", Remedy::Recreate),
            ("authorization_revoked", Remedy::Consent),
            ("moderator_removed", Remedy::Hopeless),
            ("user_removed", Remedy::Hopeless),
            ("chat_user_banned", Remedy::Hopeless),
            ("version_removed", Remedy::Hopeless),
            ("beta_maintenance", Remedy::Recreate),
        ] {
            assert_eq!(remedy(status), help, "{status}");
            assert!(!explain(status).contains("does not know"), "{status}");
        }
        assert_eq!(remedy("brand_new"), Remedy::Recreate);
        assert!(explain("brand_new").contains("does not know"));
    }
}
