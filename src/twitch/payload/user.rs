//! Users, which events name by three fields with a prefix, and `user.update`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Ident;
use crate::twitch::id::UserId;
use crate::twitch::tolerant::{optional, optional_flag};

/// A Twitch user. Channels are users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Twitch's id.
    pub id: UserId,
    /// Lower-case ASCII; `None` if Twitch did not send it.
    pub login: Option<Ident>,
    /// As shown; may differ from the login in more than case. `None` if Twitch did not send it.
    pub display_name: Option<Ident>,
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
            #[serde(rename = $login, default, deserialize_with = "optional")]
            login: Option<Ident>,
            #[serde(rename = $display_name, default, deserialize_with = "optional")]
            display_name: Option<Ident>,
        }
    };
}

prefix!(pub(super) UserFields, "user_id", "user_login", "user_name");
prefix!(pub Broadcaster, "broadcaster_user_id", "broadcaster_user_login", "broadcaster_user_name");
prefix!(pub(super) FromBroadcaster, "from_broadcaster_user_id", "from_broadcaster_user_login", "from_broadcaster_user_name");
prefix!(pub(super) ToBroadcaster, "to_broadcaster_user_id", "to_broadcaster_user_login", "to_broadcaster_user_name");
prefix!(pub(super) CampaignBroadcaster, "broadcaster_id", "broadcaster_login", "broadcaster_name");
prefix!(pub(super) Target, "target_user_id", "target_user_login", "target_user_name");
prefix!(pub(super) Parent, "parent_user_id", "parent_user_login", "parent_user_name");
prefix!(pub(super) Source, "source_broadcaster_user_id", "source_broadcaster_user_login", "source_broadcaster_user_name");

/// The accounts `ananonymousgifter` and `ananonymouscheerer`, which Twitch puts in place of anonymous users.
const PLACEHOLDERS: [&str; 2] = ["274598607", "407665396"];

/// Whether this account stands for an anonymous user.
#[must_use]
pub fn is_placeholder(id: &str) -> bool {
    PLACEHOLDERS.contains(&id)
}

/// Declares how the user of an event that may be anonymous is read. Only the flag says that a user is anonymous, but Twitch
/// may name a placeholder, or leave out flag and user.
macro_rules! unless_anonymous {
    ($name:ident, $is_anonymous:literal, $id:literal, $login:literal, $display_name:literal) => {
        #[doc = concat!("Reads a [`User`] from `", $id, "` and its siblings; `None` if anonymous.")]
        pub(super) fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<User>, D::Error> {
            #[derive(Deserialize)]
            struct Fields {
                #[serde(rename = $is_anonymous, default, deserialize_with = "optional_flag")]
                is_anonymous: Option<bool>,
                #[serde(rename = $id, default, deserialize_with = "optional")]
                id: Option<UserId>,
                #[serde(rename = $login, default, deserialize_with = "optional")]
                login: Option<Ident>,
                #[serde(rename = $display_name, default, deserialize_with = "optional")]
                display_name: Option<Ident>,
            }
            let Fields { is_anonymous, id, login, display_name } = Fields::deserialize(deserializer)?;
            match (is_anonymous, id) {
                (Some(true), _) | (None, None) => Ok(None),
                (Some(false), None) => Err(D::Error::missing_field($id)),
                (_, Some(id)) if is_placeholder(id.as_str()) => Ok(None),
                (_, Some(id)) => Ok(Some(User { id, login, display_name })),
            }
        }
    };
}

unless_anonymous!(user_unless_anonymous, "is_anonymous", "user_id", "user_login", "user_name");
unless_anonymous!(
    chatter_unless_anonymous,
    "chatter_is_anonymous",
    "chatter_user_id",
    "chatter_user_login",
    "chatter_user_name"
);

/// `user.update` v1: a user changed the account. The e-mail address is neither read nor stored.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct UserUpdate {
    /// The account, as it is now.
    #[serde(flatten, with = "UserFields")]
    pub user: User,
}
