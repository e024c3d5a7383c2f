//! Mentions: which of them a message may make, and which it makes
//! (<https://docs.discord.com/developers/resources/message#allowed-mentions-object>).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::form::{FormErrors, Object};
use super::guild::{DiscordRole, Member};
use super::snowflake::Snowflake;

const MAX_IDS: usize = 100;

/// The kinds of mentions that `parse` may name.
const KINDS: [&str; 3] = ["roles", "users", "everyone"];

/// `allowed_mentions` of a body.
#[derive(Debug)]
pub(super) struct AllowedMentions {
    parse: BTreeSet<&'static str>,
    roles: Vec<Snowflake>,
    users: Vec<Snowflake>,
}

/// The mentions that a message makes. When it is created they are pings, unless it suppresses notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mentions {
    /// `@everyone`.
    pub everyone: bool,
    /// `@here`.
    pub here: bool,
    /// Roles by id.
    pub roles: BTreeSet<Snowflake>,
    /// Users by id.
    pub users: BTreeSet<Snowflake>,
}

impl Mentions {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The roles and users that a webhook can mention.
pub(super) struct Mentionable<'a> {
    pub(super) roles: &'a BTreeMap<Snowflake, DiscordRole>,
    pub(super) members: &'a BTreeMap<Snowflake, Member>,
    /// Its permission.
    pub(super) may_mention_everyone: bool,
}

/// What webhooks may mention by default.
impl Default for AllowedMentions {
    fn default() -> Self {
        Self { parse: ["users"].into(), roles: Vec::new(), users: Vec::new() }
    }
}

impl AllowedMentions {
    pub(super) fn read(body: &Object, errors: &mut FormErrors) -> Self {
        const PATH: &str = "allowed_mentions";
        let Some(object) = errors.object(body, "", PATH) else { return Self::default() };
        let named = errors.list(object, PATH, "parse", KINDS.len()).map(Vec::as_slice).unwrap_or_default();
        let mut parse = BTreeSet::new();
        for (number, name) in named.iter().enumerate() {
            match KINDS.into_iter().find(|kind| name == kind) {
                Some(kind) => drop(parse.insert(kind)),
                None => {
                    let path = format!("{PATH}.parse.{number}");
                    errors.add(&path, "BASE_TYPE_CHOICES", "Value must be one of {'roles', 'users', 'everyone'}.");
                }
            }
        }
        let [roles, users] = ["roles", "users"].map(|kind| errors.ids(object, PATH, kind, MAX_IDS));
        for (kind, ids) in [("roles", &roles), ("users", &users)] {
            if parse.contains(kind) && !ids.is_empty() {
                let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
                let message = format!("parse:[\"{kind}\"] and {kind}: [{}] are mutually exclusive.", ids.join(", "));
                errors.add(PATH, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message);
            }
        }
        errors.boolean(object, PATH, "replied_user");
        Self { parse, roles, users }
    }

    fn allows(&self, kind: &str, id: Snowflake) -> bool {
        let listed = if kind == "roles" { &self.roles } else { &self.users };
        self.parse.contains(kind) || listed.contains(&id)
    }

    /// The mentions of a text that are allowed, exist, and are within the permissions of the sender. Also returns whether
    /// roles could not be mentioned.
    pub(super) fn of_text(&self, text: &str, known: &Mentionable<'_>) -> (Mentions, bool) {
        let mut mentions = Mentions::default();
        let mut is_role_missing = false;
        for (mark, id) in marks(text) {
            if mark == Mark::Role && self.allows("roles", id) {
                let role = known.roles.get(&id);
                if role.is_some_and(|role| role.mentionable || known.may_mention_everyone) {
                    mentions.roles.insert(id);
                } else {
                    is_role_missing = true;
                }
            } else if mark == Mark::User && self.allows("users", id) && known.members.contains_key(&id) {
                mentions.users.insert(id);
            }
        }
        if known.may_mention_everyone && self.parse.contains("everyone") {
            mentions.everyone = text.contains("@everyone");
            mentions.here = text.contains("@here");
        }
        (mentions, is_role_missing)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    User,
    Role,
}

/// The marks `<@1>`, `<@!1>` and `<@&1>` in a text.
fn marks(text: &str) -> impl Iterator<Item = (Mark, Snowflake)> {
    text.split("<@").skip(1).filter_map(|rest| {
        let (inner, _) = rest.split_once('>')?;
        let (mark, digits) = match inner.strip_prefix('&') {
            Some(digits) => (Mark::Role, digits),
            None => (Mark::User, inner.strip_prefix('!').unwrap_or(inner)),
        };
        Some((mark, digits.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_in_a_text() {
        let found: Vec<_> = marks("a <@1> <@!2><@&3> <@x> <@4 <@&>").collect();
        assert_eq!(
            found,
            [(Mark::User, Snowflake(1)), (Mark::User, Snowflake(2)), (Mark::Role, Snowflake(3))],
            "no others"
        );
    }
}
