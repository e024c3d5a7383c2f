//! Deserializers for fields that Twitch may leave out, set to `null` or change, in payloads, envelopes and answers of Helix:
//! such a field must not cost what it stands in.

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use time::macros::datetime;
use time::{OffsetDateTime, UtcOffset};

use super::payload::Ident;

/// No time from this one on is read. Time zones and databases have no limits of that kind in common.
const END_OF_TIME: OffsetDateTime = datetime!(2200-01-01 0:00 UTC);

/// A value of the expected type, or any other.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field<T> {
    Read(T),
    Unreadable(IgnoredAny),
}

impl<T> Field<T> {
    fn read(self) -> Option<T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Unreadable(_) => None,
        }
    }
}

/// The items of a list that can be read, and the number of those that can't.
#[derive(Debug)]
pub(crate) struct Items<T> {
    pub(crate) read: Vec<T>,
    pub(crate) unreadable: usize,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { read: Vec::new(), unreadable: 0 }
    }
}

/// `null` is an empty list.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items: Vec<Field<T>> = Option::deserialize(deserializer)?.unwrap_or_default();
        let count = items.len();
        let read: Vec<_> = items.into_iter().filter_map(Field::read).collect();
        Ok(Self { unreadable: count - read.len(), read })
    }
}

/// Reads a field that is not required. Returns the default if it has another type.
pub(crate) fn optional<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Field::deserialize(deserializer).map(|field| field.read().unwrap_or_default())
}

/// Reads a list without the items that can't be read. Returns an empty one if it is no list.
pub(crate) fn items<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let items: Vec<Field<T>> = optional(deserializer)?;
    Ok(items.into_iter().filter_map(Field::read).collect())
}

/// Reads a free text. Twitch sends an empty one where there is none.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = optional(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// Reads a text that is stored. Postgres can't keep the character U+0000 in text.
pub(crate) fn stored_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut text: String = optional(deserializer)?;
    text.retain(|character| character != '\0');
    Ok(text)
}

/// Reads a list of texts that are stored.
pub(crate) fn stored_texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let mut texts: Vec<String> = items(deserializer)?;
    texts.iter_mut().for_each(|text| text.retain(|character| character != '\0'));
    Ok(texts)
}

/// Reads a time that is not required.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
    #[derive(Deserialize)]
    struct Time(#[serde(deserialize_with = "required_time")] OffsetDateTime);
    let time: Option<Time> = optional(deserializer)?;
    Ok(time.map(|Time(time)| time))
}

/// Reads a time, in UTC. One outside of the years 1970 to 2199 is no time of Twitch's, and may be none that can be stored.
pub(crate) fn required_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    let time = time::serde::rfc3339::deserialize(deserializer)?;
    if (0..END_OF_TIME.unix_timestamp()).contains(&time.unix_timestamp()) {
        Ok(time.to_offset(UtcOffset::UTC))
    } else {
        Err(D::Error::custom("expected a time from 1970 to 2199"))
    }
}

/// Reads a version, a text that may also be a number.
pub(crate) fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ident>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Version {
        Text(Ident),
        Number(u32),
    }
    let version: Option<Version> = optional(deserializer)?;
    Ok(version.and_then(|version| match version {
        Version::Text(text) => Some(text),
        Version::Number(number) => number.to_string().try_into().ok(),
    }))
}

/// Reads an integer that Twitch's examples print as a string.
pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Integer {
        Number(i64),
        Text(String),
    }
    match Integer::deserialize(deserializer)? {
        Integer::Number(number) => Ok(number),
        Integer::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

/// Reads a boolean that is not required. Returns `false` if it is absent.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    optional_flag(deserializer).map(Option::unwrap_or_default)
}

/// Reads a boolean that is not required and that Twitch's examples print as a string.
pub(crate) fn optional_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Bool(bool),
        Text(String),
    }
    let flag: Option<Flag> = optional(deserializer)?;
    Ok(flag.and_then(|flag| match flag {
        Flag::Bool(flag) => Some(flag),
        Flag::Text(text) => text.parse().ok(),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Fields {
        #[serde(deserialize_with = "optional")]
        count: Option<u32>,
        #[serde(deserialize_with = "items")]
        list: Vec<u32>,
        #[serde(deserialize_with = "text")]
        text: Option<String>,
        #[serde(deserialize_with = "time")]
        at: Option<OffsetDateTime>,
        #[serde(deserialize_with = "integer")]
        number: i64,
        #[serde(deserialize_with = "flag")]
        flag: bool,
        #[serde(deserialize_with = "version")]
        version: Option<Ident>,
        #[serde(deserialize_with = "stored_text")]
        title: String,
        #[serde(deserialize_with = "stored_texts")]
        labels: Vec<String>,
    }

    fn read(fields: Value) -> Fields {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn missing_null_and_unreadable_fields_are_absent() {
        for value in [Value::Null, json!({ "x": [1] }), json!(1.5)] {
            let names = ["count", "list", "text", "at", "flag", "version", "title", "labels"];
            let fields = names.map(|name| (name.to_owned(), value.clone())).into_iter().collect::<Value>();
            assert_eq!(read(fields), Fields::default(), "{value}");
        }
        assert_eq!(read(json!({ "text": "", "at": "yesterday" })), Fields::default());
    }

    #[test]
    fn unreadable_item_fails_alone_and_is_counted() {
        assert_eq!(read(json!({ "list": [1, "2", null, 3] })).list, [1, 3]);
        let items: Items<u32> = serde_json::from_value(json!([1, "2", null, 3])).unwrap();
        assert_eq!((items.read, items.unreadable), (vec![1, 3], 2));
        assert!(serde_json::from_value::<Items<u32>>(Value::Null).unwrap().read.is_empty());
        assert!(serde_json::from_value::<Items<u32>>(json!("1")).is_err());
    }

    #[test]
    fn time_outside_of_its_bounds_is_absent() {
        for at in
            ["9999-12-31T23:59:59-23:59", "2200-01-01T00:00:00Z", "0000-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z"]
        {
            assert_eq!(read(json!({ "at": at })).at, None, "{at}");
        }
        let at = read(json!({ "at": "2026-07-01T02:00:00+02:00" })).at;
        assert_eq!(at.map(|at| (at, at.offset())), Some((datetime!(2026-07-01 0:00 UTC), UtcOffset::UTC)));
    }

    #[test]
    fn stored_text_has_no_nul() {
        let fields = read(json!({ "title": "a\0b", "labels": ["c\0", 5] }));
        assert_eq!((fields.title.as_str(), fields.labels), ("ab", vec!["c".to_owned()]));
    }

    #[test]
    fn numbers_and_flags_may_be_text() {
        let text = read(json!({ "number": "60", "flag": "true" }));
        assert_eq!((text.number, text.flag), (60, true));
        let version = |version: Value| read(json!({ "version": version })).version.map(String::from);
        assert_eq!([version(2.into()), version("beta".into())], [Some("2".to_owned()), Some("beta".to_owned())]);
        let plain = read(json!({ "number": -60, "flag": true }));
        assert_eq!((plain.number, plain.flag), (-60, true));
        assert!(serde_json::from_value::<Fields>(json!({ "number": "soon" })).is_err());
    }
}
