use serde::Serialize;
use utoipa::ToSchema;

use crate::twitch::payload::User;

/// A user of Twitch.
#[derive(Clone, Debug, Serialize, ToSchema, PartialEq, Eq)]
pub struct Person {
    /// Twitch's user id.
    pub id: String,
    /// The name in addresses: lower-case ASCII.
    pub login: String,
    /// The name as shown; may differ from the login in more than case.
    pub display_name: String,
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        Self { id: user.id.into(), login: user.login.into(), display_name: user.display_name.into() }
    }
}
