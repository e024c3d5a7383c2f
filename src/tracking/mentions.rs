//! Who is notified by the messages of a track.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::discord::snowflake::Snowflake;

/// The most roles, and the most users, that a message mentions.
pub const MAX_MENTIONS: usize = 20;

/// Who is notified by a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackMentions {
    /// Ids of roles, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub roles: Vec<Snowflake>,
    /// Ids of users, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub users: Vec<Snowflake>,
    /// All members of the server.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub everyone: bool,
    /// The members that are online.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub here: bool,
}

impl TrackMentions {
    /// Checks the length of the lists.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        for (field, ids) in [("mentions.roles", &self.roles), ("mentions.users", &self.users)] {
            if ids.len() > MAX_MENTIONS {
                return Err((field, format!("must be at most {MAX_MENTIONS} ids")));
            }
        }
        Ok(())
    }

    /// The words of a message that mention all of them.
    pub(super) fn words(&self) -> Vec<String> {
        let Self { roles, users, everyone, here } = self;
        let all = [(everyone, "@everyone"), (here, "@here")].into_iter().filter(|(is_listed, _)| **is_listed);
        let roles = roles.iter().map(|id| format!("<@&{id}>"));
        all.map(|(_, word)| word.to_owned()).chain(roles).chain(users.iter().map(|id| format!("<@{id}>"))).collect()
    }
}
