//! Reads the objects of a JSON document. serde takes an array for a struct, too, field by field: a client that sends one is
//! told that it is wrong. So is one that sends a text that can't be stored.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads an object.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|object| object.0)
}

/// Reads an object or null.
pub(crate) fn optional_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let object: Option<Object<T>> = Option::deserialize(deserializer)?;
    Ok(object.map(|object| object.0))
}

/// Reads an object whose values are objects.
pub(crate) fn objects<'de, D, K, T>(deserializer: D) -> Result<BTreeMap<K, T>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
    T: Deserialize<'de>,
{
    let objects: BTreeMap<K, Object<T>> = BTreeMap::deserialize(deserializer)?;
    Ok(objects.into_iter().map(|(key, object)| (key, object.0)).collect())
}

struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyObject<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyObject<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(OnlyObject(PhantomData)).map(Self)
    }
}

/// Whether a text in it has the one character that Postgres can't store.
pub(crate) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, field)| name.contains('\0') || has_nul(field)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        a: Option<u32>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        #[serde(deserialize_with = "object")]
        one: Inner,
        #[serde(deserialize_with = "optional_object")]
        maybe: Option<Inner>,
        #[serde(deserialize_with = "objects")]
        many: BTreeMap<String, Inner>,
    }

    fn read(text: &str) -> Result<Outer, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn object_is_read_and_array_is_refused() {
        let inner = || Inner { a: Some(1) };
        let all = Outer { one: inner(), maybe: Some(inner()), many: [("x".to_owned(), inner())].into() };
        assert_eq!(read(r#"{"one":{"a":1},"maybe":{"a":1},"many":{"x":{"a":1}}}"#), Ok(all));
        assert_eq!(read(r#"{"maybe":null}"#), Ok(Outer::default()));
        for wrong in
            [r#"{"one":[]}"#, r#"{"one":null}"#, r#"{"maybe":[1]}"#, r#"{"many":{"x":[null]}}"#, r#"{"one":1}"#]
        {
            assert!(read(wrong).unwrap_err().contains("expected an object"), "{wrong}");
        }
    }
}
