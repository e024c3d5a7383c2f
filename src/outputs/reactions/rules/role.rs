//! Who may use a rule: roles and users. Roles are a set, not a ladder: a moderator is no VIP.

use std::fmt;
use std::str::FromStr;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::problem::proposal;

/// The highest tier of a subscription.
const MAX_TIER: u8 = 3;

/// The names of all roles.
pub const ROLES: [&str; 8] =
    ["broadcaster", "lead_moderator", "moderator", "vip", "subscriber", "founder", "follower", "everyone"];

/// A role of a user on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Role {
    /// Whose channel it is.
    Broadcaster,
    /// A lead moderator, who is a moderator too.
    LeadModerator,
    /// A moderator.
    Moderator,
    /// A VIP.
    Vip,
    /// A subscriber of this tier or a higher one.
    Subscriber(u8),
    /// One of the first subscribers, who is a subscriber too.
    Founder,
    /// A follower, as far as follows are known.
    Follower,
    /// All users.
    Everyone,
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, tier) = text.split_once(">=").map_or((text, None), |(name, tier)| (name.trim(), Some(tier.trim())));
        Ok(match (name, tier) {
            ("broadcaster", None) => Self::Broadcaster,
            ("lead_moderator", None) => Self::LeadModerator,
            ("moderator", None) => Self::Moderator,
            ("vip", None) => Self::Vip,
            ("subscriber", None) => Self::Subscriber(1),
            ("subscriber", Some(tier)) => match tier.parse() {
                Ok(tier @ 1..=MAX_TIER) => Self::Subscriber(tier),
                _ => return Err(format!("`{text}` is no role; tiers are 1, 2 and 3, as in `subscriber>=2`")),
            },
            ("founder", None) => Self::Founder,
            ("follower", None) => Self::Follower,
            ("everyone", None) => Self::Everyone,
            _ => return Err(format!("`{text}` is no role; {}", proposal(name, &ROLES).unwrap_or_default())),
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broadcaster => "broadcaster",
            Self::LeadModerator => "lead_moderator",
            Self::Moderator => "moderator",
            Self::Vip => "vip",
            Self::Subscriber(1) => "subscriber",
            Self::Subscriber(tier) => return write!(f, "subscriber>={tier}"),
            Self::Founder => "founder",
            Self::Follower => "follower",
            Self::Everyone => "everyone",
        })
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        role.to_string()
    }
}

/// The roles that a user has on a channel, from the badges of the message or from what is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the role of that name")]
pub struct Roles {
    pub is_broadcaster: bool,
    pub is_lead_moderator: bool,
    pub is_moderator: bool,
    pub is_vip: bool,
    /// The tier of the subscription; 0 without one.
    pub tier: u8,
    pub is_founder: bool,
    pub is_follower: bool,
}

impl Roles {
    /// Adds what a badge says, by its set and its id. A badge of a subscriber has the id `2012` for the second tier and a
    /// year.
    pub fn add_badge(&mut self, set: &str, id: &str) {
        match set {
            "broadcaster" => self.is_broadcaster = true,
            "lead_moderator" => (self.is_lead_moderator, self.is_moderator) = (true, true),
            "moderator" => self.is_moderator = true,
            "vip" => self.is_vip = true,
            "subscriber" => {
                let tier = id.parse().map_or(1, |id: u32| if (2_000..4_000).contains(&id) { id / 1_000 } else { 1 });
                self.tier = self.tier.max(u8::try_from(tier).unwrap_or(1));
            }
            "founder" => (self.is_founder, self.tier) = (true, self.tier.max(1)),
            _ => {}
        }
    }

    /// Whether this role is among them.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        match role {
            Role::Broadcaster => self.is_broadcaster,
            Role::LeadModerator => self.is_lead_moderator,
            Role::Moderator => self.is_moderator,
            Role::Vip => self.is_vip,
            Role::Subscriber(tier) => self.tier >= tier,
            Role::Founder => self.is_founder,
            Role::Follower => self.is_follower,
            Role::Everyone => true,
        }
    }
}

/// Roles and users: a list of roles, or a table of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Who {
    /// Any of these roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Any of these logins or ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
}

impl Who {
    /// What of it includes a user with these roles, id and login.
    #[must_use]
    pub fn find(&self, roles: &Roles, id: Option<&str>, login: Option<&str>) -> Option<String> {
        if let Some(role) = self.roles.iter().find(|role| roles.has(**role)) {
            return Some(role.to_string());
        }
        let names = |user: &&String| is_user(user, id, login);
        self.users.iter().find(names).cloned()
    }
}

/// Whether a name in a list is the id or the login of a user.
#[must_use]
pub fn is_user(name: &str, id: Option<&str>, login: Option<&str>) -> bool {
    let name = name.trim_start_matches('@');
    id == Some(name) || login.is_some_and(|login| login.eq_ignore_ascii_case(name))
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles = self.roles.iter().map(Role::to_string);
        let names: Vec<_> = roles.chain(self.users.iter().cloned()).collect();
        f.write_str(&names.join(", "))
    }
}

impl<'de> Deserialize<'de> for Who {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            #[serde(default)]
            roles: Vec<Role>,
            #[serde(default)]
            users: Vec<String>,
        }
        struct ListOrTable;
        impl<'de> Visitor<'de> for ListOrTable {
            type Value = Who;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of roles, or { roles = [], users = [] }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Who, A::Error> {
                let roles = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(Who { roles, users: Vec::new() })
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Who, A::Error> {
                let Table { roles, users } = Table::deserialize(MapAccessDeserializer::new(table))?;
                Ok(Who { roles, users })
            }
        }
        deserializer.deserialize_any(ListOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(badges: &[(&str, &str)]) -> Roles {
        let mut roles = Roles::default();
        badges.iter().for_each(|(set, id)| roles.add_badge(set, id));
        roles
    }

    fn has(badges: &[(&str, &str)], role: &str) -> bool {
        roles(badges).has(role.parse().unwrap())
    }

    #[test]
    fn roles_are_a_set() {
        assert!(!has(&[("moderator", "1")], "vip") && !has(&[("vip", "1")], "subscriber"));
        assert!(!has(&[("broadcaster", "1")], "moderator"));
        assert!(has(&[("lead_moderator", "1")], "moderator") && has(&[], "everyone"));
    }

    #[test]
    fn tier_of_a_subscription_comes_from_its_badge() {
        assert!(has(&[("subscriber", "6")], "subscriber") && !has(&[("subscriber", "6")], "subscriber>=2"));
        assert!(has(&[("subscriber", "2012")], "subscriber>=2") && !has(&[("subscriber", "2012")], "subscriber>=3"));
        assert!(has(&[("subscriber", "3000")], "subscriber>=2") && has(&[("founder", "0")], "subscriber"));
    }

    #[test]
    fn unknown_role_has_a_proposal() {
        let error = |text: &str| text.parse::<Role>().unwrap_err();
        assert!(error("moderater").contains("did you mean `moderator`?"));
        assert!(error("subscriber>=4").contains("tiers are 1, 2 and 3"));
        assert!(error("q").contains("known are broadcaster, "));
    }

    #[test]
    fn users_are_named_by_login_or_id() {
        let who = Who { roles: Vec::new(), users: vec!["@Trusted_Friend".to_owned(), "55120873".to_owned()] };
        let find = |id, login| who.find(&Roles::default(), id, login).is_some();
        assert!(find(None, Some("trusted_friend")) && find(Some("55120873"), None));
        assert!(!find(Some("1"), Some("friend")) && !find(None, None));
    }
}
