//! The fields of an event that a sentence needs. Each is read by itself and may be absent.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::words::{plain, quoted};
use crate::twitch::payload::{self, is_placeholder};
use crate::twitch::tolerant;

/// The fields of an object, unread.
#[derive(Default)]
pub(super) struct Fields<'a>(HashMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// The fields of this JSON; none if it is no object.
    pub(super) fn read(json: &'a str) -> Self {
        Self(serde_json::from_str(json).unwrap_or_default())
    }

    /// A field of this type.
    pub(super) fn get<T: Deserialize<'a>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    pub(super) fn object(&self, name: &str) -> Self {
        self.0.get(name).map(|json| Self::read(json.get())).unwrap_or_default()
    }

    /// The objects of a list.
    pub(super) fn objects(&self, name: &str) -> Vec<Self> {
        let items: Vec<&RawValue> = self.get(name).unwrap_or_default();
        items.into_iter().map(|json| Self::read(json.get())).collect()
    }

    /// The texts of a list, with commas between them.
    pub(super) fn list(&self, name: &str) -> Option<String> {
        let items: Vec<&RawValue> = self.get(name)?;
        let texts = items.into_iter().filter_map(|json| quoted(&serde_json::from_str::<String>(json.get()).ok()?));
        Some(texts.collect::<Vec<_>>().join(", ")).filter(|texts| !texts.is_empty())
    }

    /// A text of a stranger, harmless.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        quoted(&self.get::<String>(name)?)
    }

    /// A text that Twitch's programs choose, such as a status, as it is.
    pub(super) fn word(&self, name: &str) -> Option<String> {
        self.get(name)
    }

    /// The same in words.
    pub(super) fn words(&self, name: &str) -> Option<String> {
        quoted(&plain(&self.word(name)?))
    }

    /// A number, which may be in a text.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        tolerant::integer(*self.0.get(name)?).ok()
    }

    /// A flag; `false` if absent.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).unwrap_or_default()
    }

    pub(super) fn time(&self, name: &str) -> Option<OffsetDateTime> {
        tolerant::time(*self.0.get(name)?).ok()?
    }

    /// What a user wrote: the field `message`, a text or an object with one.
    pub(super) fn message(&self) -> Option<String> {
        let text = self.get("message").or_else(|| Some(self.get::<payload::Text>("message")?.text))?;
        quoted(&text)
    }

    /// The tier of a subscription: `Tier 1`.
    pub(super) fn tier(&self) -> Option<String> {
        let tier = self.word("tier")?;
        match tier.as_str() {
            "1000" => Some("Tier 1".to_owned()),
            "2000" => Some("Tier 2".to_owned()),
            "3000" => Some("Tier 3".to_owned()),
            _ => quoted(&tier),
        }
    }

    /// The name of the user whose fields begin like this: as shown, else the login, else the id.
    pub(super) fn name(&self, prefix: &str) -> Option<String> {
        ["name", "login", "id"].into_iter().find_map(|field| self.text(&format!("{prefix}_{field}")))
    }

    pub(super) fn named(&self, prefix: &str, otherwise: &str) -> String {
        self.name(prefix).unwrap_or_else(|| otherwise.to_owned())
    }

    /// The user that the event is about, by the fields that begin with `user`.
    pub(super) fn user(&self) -> String {
        self.person("user", "is_anonymous")
    }

    /// A user that may be anonymous by this flag.
    pub(super) fn person(&self, prefix: &str, is_anonymous: &str) -> String {
        let id: Option<String> = self.get(&format!("{prefix}_id"));
        if self.flag(is_anonymous) || id.is_some_and(|id| is_placeholder(&id)) {
            return "An anonymous user".to_owned();
        }
        self.named(prefix, "A user")
    }

    pub(super) fn moderator(&self) -> String {
        self.named("moderator_user", "A moderator")
    }
}
