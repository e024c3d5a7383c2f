//! Reading what Twitch sent, field by field: what is missing, `null` or of another type is `None`.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::store::read::live::Logged;
use crate::twitch::eventsub::parse_timestamp;

/// Somebody on Twitch.
#[derive(Clone, Debug, Serialize, ToSchema, PartialEq, Eq)]
pub struct Person {
    /// Twitch's user id.
    pub id: String,
    /// The name in addresses: lower-case ASCII.
    pub login: String,
    /// The name as shown; may differ from the login in more than case.
    pub display_name: String,
}

/// An object of a payload.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a Value);

/// The `event` of a notification; `None` for other messages.
pub(super) fn event_of(logged: &Logged) -> Option<Value> {
    #[derive(serde::Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        event: &'a RawValue,
    }
    if logged.message_type != "notification" {
        return None;
    }
    let body: Body<'_> = serde_json::from_str(logged.payload.get()).ok()?;
    serde_json::from_str(body.event.get()).ok()
}

impl<'a> Fields<'a> {
    pub(super) fn new(event: &'a Value) -> Self {
        Self(event)
    }

    pub(super) fn str(self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    pub(super) fn text(self, name: &str) -> Option<String> {
        self.str(name).map(str::to_owned)
    }

    /// A text that says something: Twitch leaves free text empty rather than `null`.
    pub(super) fn words(self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty())
    }

    pub(super) fn number(self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    pub(super) fn flag(self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub(super) fn time(self, name: &str) -> Option<OffsetDateTime> {
        self.str(name).and_then(parse_timestamp)
    }

    pub(super) fn object(self, name: &str) -> Option<Self> {
        self.0.get(name).filter(|value| value.is_object()).map(Self)
    }

    /// The items of a list; none, if it isn't there.
    pub(super) fn list(self, name: &str) -> impl Iterator<Item = Self> + use<'a> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().map(Self)
    }

    /// Whom the three fields with this prefix name.
    pub(super) fn person(self, prefix: &str) -> Option<Person> {
        Some(Person {
            id: self.text(&format!("{prefix}id"))?,
            login: self.text(&format!("{prefix}login"))?,
            display_name: self.text(&format!("{prefix}name"))?,
        })
    }

    /// The strings of a list.
    pub(super) fn texts(self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The channel that an event is about: the receiving one, if it is about two.
    pub(super) fn channel(self) -> Option<Person> {
        ["broadcaster_user_", "broadcaster_", "to_broadcaster_user_"].into_iter().find_map(|it| self.person(it))
    }
}
