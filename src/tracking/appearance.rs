//! What a bot may set of the look of a message.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;
use utoipa::ToSchema;

/// The longest label of a button, in characters.
pub const MAX_LABEL: usize = 80;

/// The longest address, in characters.
const MAX_URL: usize = 2_048;

/// A color, as `#9146ff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub u32);

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06x}", self.0)
    }
}

impl FromStr for Color {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits =
            text.strip_prefix('#').filter(|it| it.len() == 6 && it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let color = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        color.map(Self).ok_or("must be a color, such as `#9146ff`")
    }
}

impl Serialize for Color {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A field of the card. It is left out as long as its value is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CardField {
    /// The category.
    Category,
    /// How many watched in the last minutes.
    Viewers,
    /// The language.
    Language,
    /// The tags.
    Tags,
}

/// The picture of the card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// None.
    #[default]
    Off,
    /// What is live, as of the last edit; once the stream has ended, that of its video or of the channel.
    Preview,
    /// The category's.
    Boxart,
}

/// Whose name and picture a message has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Poster {
    /// Those of the webhook.
    #[default]
    Webhook,
    /// Those of the streamer, as far as they are known and Discord takes the name.
    Streamer,
}

/// Checks the address of a picture.
///
/// # Errors
/// What it must be.
pub(super) fn check_url(text: &str) -> Result<(), String> {
    let is_url = text.chars().count() <= MAX_URL
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    is_url.then_some(()).ok_or_else(|| format!("must be an address of http or https, of at most {MAX_URL} characters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_is_six_digits() {
        assert_eq!("#9146Ff".parse::<Color>().map(|color| color.to_string()), Ok("#9146ff".to_owned()));
        for wrong in ["9146ff", "#9146f", "#9146fg", "#+146ff", "#9146ff ", "#é146f", ""] {
            assert!(wrong.parse::<Color>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn address_of_a_picture_is_one_of_the_web() {
        assert_eq!(check_url("https://example.com/a.png"), Ok(()));
        let long = format!("https://example.com/{}", "a".repeat(2_048));
        for wrong in ["", "a.png", "data:image/png;base64,aa", "attachment://a.png", &long] {
            assert!(check_url(wrong).is_err(), "{wrong}");
        }
    }
}
