//! Empties the e-mail address of an account before its message is stored. Twitch sends an empty one, too, if the
//! application may not read it
//! (<https://dev.twitch.tv/docs/eventsub/eventsub-reference/#user-update-event>).

use std::borrow::Cow;
use std::fmt;

use bytestring::ByteString;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// The one type with an e-mail address.
const USER_UPDATE: &str = "user.update";

/// What is stored of a body of this type: an empty `event.email`, and all else as it came.
pub(super) fn without_email(kind: Option<&str>, body: &ByteString) -> ByteString {
    match kind {
        Some(USER_UPDATE) => emptied(body).map_or_else(|_| body.clone(), ByteString::from),
        _ => body.clone(),
    }
}

fn emptied(body: &str) -> Result<String, serde_json::Error> {
    let mut body: Fields<'_> = serde_json::from_str(body)?;
    for event in body.with_name("event") {
        let text = event.get().to_owned();
        let mut fields: Fields<'_> = serde_json::from_str(&text)?;
        for email in fields.with_name("email") {
            *email = Cow::Owned(to_raw_value("")?);
        }
        *event = Cow::Owned(to_raw_value(&fields)?);
    }
    serde_json::to_string(&body)
}

/// The fields of an object, in their order, also those of the same name.
struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'a> Fields<'a> {
    fn with_name(&mut self, name: &str) -> impl Iterator<Item = &mut Cow<'a, RawValue>> {
        self.0.iter_mut().filter(move |(key, _)| key == name).map(|(_, value)| value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                    fields.push((key, Cow::Borrowed(value)));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_changes() {
        let body =
            r#" {"event": {"n":1.50, "email" :"a@b.example", "s":"\ud800 \u0000", "\u0065mail":null}, "x": [ 1 ]}"#;
        let stored = r#"{"event":{"n":1.50,"email":"","s":"\ud800 \u0000","email":""},"x":[ 1 ]}"#;
        assert_eq!(without_email(Some(USER_UPDATE), &body.into()), stored);
        assert_eq!(without_email(Some("channel.follow"), &body.into()), body);
        let odd = r#"{ "event": ["email"] }"#;
        assert_eq!(without_email(Some(USER_UPDATE), &odd.into()), odd);
    }
}
