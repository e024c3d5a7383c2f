//! Discord's ids.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An id of Discord: 17 to 20 digits, in JSON a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Snowflake(pub i64);

/// What an id must be.
const EXPECTED: &str = "must be an id of Discord, which has 17 to 20 digits";

impl fmt::Display for Snowflake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Snowflake {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id = (17..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| is_id).map(Self).ok_or(EXPECTED)
    }
}

impl Serialize for Snowflake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Also takes a number: programs in JavaScript can't, others may write one.
impl<'de> Deserialize<'de> for Snowflake {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;

        impl Visitor<'_> for Id {
            type Value = Snowflake;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id of Discord")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Snowflake, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Snowflake, E> {
                self.visit_str(&number.to_string())
            }
        }

        deserializer.deserialize_any(Id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_has_17_to_20_digits() {
        assert_eq!("146404426746167296".parse(), Ok(Snowflake(146_404_426_746_167_296)));
        for wrong in ["", "1234567890123456", "14640442674616729x", "-14640442674616729", "99999999999999999999"] {
            assert_eq!(wrong.parse::<Snowflake>(), Err(EXPECTED), "{wrong}");
        }
        let read = |json: &str| serde_json::from_str::<Snowflake>(json).ok().map(|id| id.to_string());
        assert_eq!(read(r#""146404426746167296""#).as_deref(), Some("146404426746167296"));
        assert_eq!(read("146404426746167296").as_deref(), Some("146404426746167296"));
        assert_eq!((read("5"), read("null")), (None, None));
        assert_eq!(serde_json::to_string(&Snowflake(7)).unwrap(), r#""7""#);
    }
}
