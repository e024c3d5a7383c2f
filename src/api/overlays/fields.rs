//! The types of single settings of overlays. What they accept is what the pages accept in an address.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::view::Alert;

/// The longest address.
const MAX_ADDRESS: usize = 2_000;

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64")]
pub(super) struct Within<const MIN: u32, const MAX: u32>(f64);

impl<const MIN: u32, const MAX: u32> TryFrom<f64> for Within<MIN, MAX> {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, String> {
        let is_within = (f64::from(MIN)..=f64::from(MAX)).contains(&number);
        is_within.then_some(Self(number)).ok_or_else(|| format!("{number} must be a number from {MIN} to {MAX}"))
    }
}

/// Declares a text that is checked.
macro_rules! text {
    ($name:ident, $doc:literal, $check:expr, $reason:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
        #[serde(try_from = "String")]
        pub(super) struct $name(String);

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(format!("`{}` {}", text.escape_debug(), $reason)) }
            }
        }
    };
}

text!(
    Address,
    "The address of an image.",
    is_address,
    "must begin with https://, or with one / for a file of this server"
);
text!(
    Sound,
    "A sound: a built-in one, or the address of one.",
    |text| ["none", "chime"].contains(&text) || is_address(text),
    "must be none, chime, or begin with https:// or one /"
);
text!(
    Color,
    "A colour.",
    |text| text
        .strip_prefix('#')
        .is_some_and(|digits| { digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) }),
    "must be a colour such as #8b5cf6"
);
text!(
    Font,
    "The name of a font that is installed where the overlay is shown.",
    |text| (1..=64).contains(&text.len())
        && text.chars().all(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(&letter)),
    "must be the name of a font: letters, digits, spaces and hyphens"
);
text!(
    Language,
    "A language, as BCP 47 names it.",
    |text| text.len() <= 35
        && text.split('-').enumerate().all(|(place, part)| {
            let is_length = if place == 0 { (2..=3).contains(&part.len()) } else { (2..=8).contains(&part.len()) };
            is_length
                && part
                    .bytes()
                    .all(|letter| letter.is_ascii_alphanumeric() && (place > 0 || letter.is_ascii_alphabetic()))
        }),
    "must be a language such as en or pt-BR"
);
text!(
    BlockedWord,
    "A word, or several, that is not shown.",
    |text| (1..=50).contains(&text.chars().count())
        && text.trim() == text
        && text.chars().any(char::is_alphanumeric)
        && !text.contains(|letter: char| letter == ',' || letter.is_control()),
    "must be 1 to 50 characters without commas, a letter or digit among them"
);
text!(
    Login,
    "The login of a user.",
    |text| (1..=25).contains(&text.len())
        && text.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_'),
    "must be a login: 1 to 25 letters, digits and underscores"
);
text!(AlertType, "A type of alerts.", |text| Alert::kinds().contains(&text), "is no type of alerts: /docs has them");

/// A path on this server, or an https address, as the policy of the pages allows.
fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix('/'));
    rest.is_some_and(|rest| !rest.starts_with('/') && (text.starts_with('/') || !rest.is_empty()))
        && text.len() <= MAX_ADDRESS
        && !text.contains(char::is_control)
}

/// A list of at most `MAX` items.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "Vec<T>", bound(deserialize = "T: Deserialize<'de>"))]
pub(super) struct AtMost<const MAX: usize, T>(Vec<T>);

impl<const MAX: usize, T> AtMost<MAX, T> {
    /// The items.
    pub(super) fn into_items(self) -> Vec<T> {
        self.0
    }
}

impl<const MAX: usize, T> Default for AtMost<MAX, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<const MAX: usize, T> TryFrom<Vec<T>> for AtMost<MAX, T> {
    type Error = String;

    fn try_from(items: Vec<T>) -> Result<Self, String> {
        let count = items.len();
        if count <= MAX { Ok(Self(items)) } else { Err(format!("there are {count}, but must be at most {MAX}")) }
    }
}

/// Where it stands in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Place {
    TopLeft,
    Top,
    TopRight,
    Left,
    Center,
    Right,
    BottomLeft,
    Bottom,
    BottomRight,
}

/// How an alert comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Animation {
    /// From a little below.
    Rise,
    /// From above.
    Drop,
    /// From the left.
    Left,
    /// From the right.
    Right,
    /// Growing.
    Zoom,
    /// Without movement.
    Fade,
}

/// Which way the chat grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Direction {
    /// New messages stand below the others, which move up.
    Up,
    /// New messages stand above the others, which move down.
    Down,
}

/// Whether messages of a kind are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Visibility {
    /// They are.
    Show,
    /// They are not.
    Hide,
}

/// The tier of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub(super) enum Tier {
    #[serde(rename = "1000")]
    One,
    #[serde(rename = "2000")]
    Two,
    #[serde(rename = "3000")]
    Three,
}

/// Colours and panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Theme {
    /// Light text on dark panels.
    Dark,
    /// Dark text on light panels.
    Light,
    /// Text without panels.
    Plain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_https_or_paths_of_this_server() {
        for good in ["https://example.org/a.png", "https://x", "/media/a.ogg", "/"] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "//example.org",
            "https://",
            "https:///x",
            "http://example.org",
            "javascript:alert(1)",
            "a.png",
            "/a\nb",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
        assert!(Sound::try_from("chime".to_owned()).is_ok() && Address::try_from("chime".to_owned()).is_err());
    }

    #[test]
    fn colours_fonts_and_numbers_are_checked_in_words() {
        assert!(Color::try_from("#8B5cf6".to_owned()).is_ok());
        for bad in ["red", "#fff", "#12345g", "#1234567", "8b5cf6"] {
            assert_eq!(
                Color::try_from(bad.to_owned()).unwrap_err(),
                format!("`{bad}` must be a colour such as #8b5cf6")
            );
        }
        for good in ["darn", "two words", "Straße", "n00b", "c++"] {
            assert!(BlockedWord::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", " darn", "a,b", "a\nb", "***", &"x".repeat(51)] {
            assert!(BlockedWord::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert!(Login::try_from("quiet_otter".to_owned()).is_ok() && Login::try_from("@otter".to_owned()).is_err());
        assert!(Font::try_from("Noto Sans".to_owned()).is_ok());
        for bad in ["", "a\"; x", "a, b", "url(x)"] {
            assert!(Font::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        assert_eq!(Within::<1, 60>::try_from(0.5).unwrap_err(), "0.5 must be a number from 1 to 60");
        assert!(Within::<1, 60>::try_from(f64::NAN).is_err() && Within::<1, 60>::try_from(60.0).is_ok());
    }
}
