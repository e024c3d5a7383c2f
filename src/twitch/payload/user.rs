//! Users, which events name by three fields with a prefix, and `user.update`.

use serde::{Deserialize, Deserializer};

use super::Ident;
use super::tolerant::{flag, optional};
use crate::twitch::id::UserId;

/// A Twitch user. Channels are users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Twitch's id.
    pub id: UserId,
    /// Lower-case ASCII.
    pub login: Ident,
    /// As shown; may differ from the login in more than case.
    pub display_name: Ident,
}

/// Declares how a [`User`] is read from fields with a prefix: `#[serde(flatten, with = "…")]`.
macro_rules! prefix {
    ($visibility:vis $name:ident, $id:literal, $login:literal, $display_name:literal) => {
        #[doc = concat!("Reads a [`User`] from `", $id, "` and its siblings.")]
        #[derive(Debug, Deserialize)]
        #[serde(remote = "User")]
        $visibility struct $name {
            #[serde(rename = $id)]
            id: UserId,
            #[serde(rename = $login)]
            login: Ident,
            #[serde(rename = $display_name)]
            display_name: Ident,
        }
    };
}

prefix!(pub(super) UserFields, "user_id", "user_login", "user_name");
prefix!(pub Broadcaster, "broadcaster_user_id", "broadcaster_user_login", "broadcaster_user_name");
prefix!(pub(super) FromBroadcaster, "from_broadcaster_user_id", "from_broadcaster_user_login", "from_broadcaster_user_name");
prefix!(pub(super) ToBroadcaster, "to_broadcaster_user_id", "to_broadcaster_user_login", "to_broadcaster_user_name");
prefix!(pub(super) CampaignBroadcaster, "broadcaster_id", "broadcaster_login", "broadcaster_name");
prefix!(pub(super) Chatter, "chatter_user_id", "chatter_user_login", "chatter_user_name");
prefix!(pub(super) Target, "target_user_id", "target_user_login", "target_user_name");
prefix!(pub(super) Parent, "parent_user_id", "parent_user_login", "parent_user_name");
prefix!(pub(super) Source, "source_broadcaster_user_id", "source_broadcaster_user_login", "source_broadcaster_user_name");

/// Reads the user of an event that may be anonymous. Returns `None` if it is, or if a field is missing.
pub(super) fn unless_anonymous<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<User>, D::Error> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(default, deserialize_with = "flag")]
        is_anonymous: bool,
        #[serde(default, deserialize_with = "optional")]
        user_id: Option<UserId>,
        #[serde(default, deserialize_with = "optional")]
        user_login: Option<Ident>,
        #[serde(default, deserialize_with = "optional")]
        user_name: Option<Ident>,
    }
    Ok(match Fields::deserialize(deserializer)? {
        Fields { is_anonymous: false, user_id: Some(id), user_login: Some(login), user_name: Some(display_name) } => {
            Some(User { id, login, display_name })
        }
        _ => None,
    })
}

/// `user.update` v1: a user changed the account. The e-mail address is left unread.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct UserUpdate {
    /// The account, as it is now.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
}
