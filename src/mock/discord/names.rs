//! Names of webhooks and of their messages (<https://docs.discord.com/developers/resources/user#usernames-and-nicknames>).

use super::form::{FormErrors, Object};

const MAX_NAME: usize = 80;

/// What a name may not contain, and what it may not be.
const CONTAINED: [&str; 2] = ["clyde", "discord"];
const WHOLE: [&str; 2] = ["everyone", "here"];

/// A name, which is trimmed. `None` if it is absent or null.
pub(super) fn name(body: &Object, field: &str, errors: &mut FormErrors) -> Option<String> {
    let text = errors.text(body, "", field, usize::MAX)?;
    let visible = text.chars().filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')).count();
    if visible == 0 || text.chars().count() > MAX_NAME {
        errors.add(field, "BASE_TYPE_BAD_LENGTH", format!("Must be between 1 and {MAX_NAME} in length."));
    }
    let lower = text.to_lowercase();
    if let Some(word) = CONTAINED.iter().find(|word| lower.contains(*word)) {
        errors.add(field, "USERNAME_INVALID_CONTAINS", format!("Username cannot contain \"{word}\""));
    }
    if WHOLE.contains(&lower.as_str()) {
        errors.add(field, "USERNAME_INVALID", format!("Username cannot be \"{lower}\""));
    }
    Some(text)
}
