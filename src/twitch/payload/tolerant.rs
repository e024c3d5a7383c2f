//! Deserializers for fields that Twitch may leave out, set to `null` or change: such a field must not cost the event.

use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;

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

/// Reads a field that is not required. Returns the default if it has another type.
pub(super) fn optional<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Field::deserialize(deserializer).map(|field| field.read().unwrap_or_default())
}

/// Reads a list without the items that can't be read. Returns an empty one if it is no list.
pub(super) fn items<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let items: Vec<Field<T>> = optional(deserializer)?;
    Ok(items.into_iter().filter_map(Field::read).collect())
}

/// Reads a free text. Twitch sends an empty one where there is none.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = optional(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// Reads a time that is not required.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
    #[derive(Deserialize)]
    struct Time(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);
    let time: Option<Time> = optional(deserializer)?;
    Ok(time.map(|Time(time)| time))
}

/// Reads an integer that Twitch's examples print as a string.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
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

/// Reads a boolean that is not required and that Twitch's examples print as a string.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Bool(bool),
        Text(String),
    }
    let flag: Option<Flag> = optional(deserializer)?;
    Ok(flag.is_some_and(|flag| match flag {
        Flag::Bool(flag) => flag,
        Flag::Text(text) => text == "true",
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
    }

    fn read(fields: Value) -> Fields {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn missing_null_and_unreadable_fields_are_absent() {
        for value in [Value::Null, json!({ "x": [1] }), json!(1.5)] {
            let fields = json!({ "count": value, "list": value, "text": value, "at": value, "flag": value });
            assert_eq!(read(fields), Fields::default(), "{value}");
        }
        assert_eq!(read(json!({ "text": "", "at": "yesterday" })), Fields::default());
    }

    #[test]
    fn unreadable_item_fails_alone() {
        assert_eq!(read(json!({ "list": [1, "2", null, 3] })).list, [1, 3]);
    }

    #[test]
    fn numbers_and_flags_may_be_text() {
        let text = read(json!({ "number": "60", "flag": "true" }));
        assert_eq!((text.number, text.flag), (60, true));
        let plain = read(json!({ "number": -60, "flag": true }));
        assert_eq!((plain.number, plain.flag), (-60, true));
        assert!(serde_json::from_value::<Fields>(json!({ "number": "soon" })).is_err());
    }
}
