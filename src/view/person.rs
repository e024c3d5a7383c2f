use serde::Serialize;
use utoipa::ToSchema;

use crate::twitch::payload::User;

/// A Twitch user.
#[derive(Clone, Debug, Serialize, ToSchema, PartialEq, Eq)]
pub struct Person {
    /// Twitch's user id.
    pub id: String,
    /// The name in addresses: lower-case ASCII; empty if Twitch did not send it.
    pub login: String,
    /// The name as shown; may differ from the login in more than case. The login if Twitch did not send it.
    pub display_name: String,
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        let login = user.login.map(String::from).unwrap_or_default();
        let display_name = user.display_name.map_or_else(|| login.clone(), String::from);
        Self { id: user.id.into(), login, display_name }
    }
}
