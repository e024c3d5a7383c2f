//! Texts for the chat, made of what a template rendered.

/// The longest message that Twitch takes, in characters.
pub const MAX_MESSAGE: usize = 500;

/// The longest answer, before which Twitch puts the name of the user who is answered.
pub const MAX_REPLY: usize = 465;

/// The longest title.
pub const MAX_TITLE: usize = 140;

/// Stands around what came from a value in a rendered text. Both are for private use, so no letter is lost.
pub const VALUE_BEGIN: char = '\u{F0001}';
/// The end of it.
pub const VALUE_END: char = '\u{F0002}';

/// First characters that other bots and Twitch take as the begin of a command.
const COMMAND_SIGNS: [char; 4] = ['/', '.', '!', '~'];

/// Put before them.
const DEFUSED: char = '›';

/// A rendered text as one line of at most `limit` characters, cut at a word. If it begins with the sign of a command that came
/// from a value, it gets a sign before it that makes it none.
#[must_use]
pub fn line(rendered: &str, limit: usize) -> String {
    let begins = begins_with_value(rendered);
    let text: String =
        rendered.chars().filter(|it| !is_mark(*it)).map(|it| if is_space(it) { ' ' } else { it }).collect();
    let text = text.trim_matches(|it: char| it == ' ' || is_invisible(it));
    let is_command = begins && text.starts_with(COMMAND_SIGNS);
    let text = if is_command { format!("{DEFUSED}{text}") } else { text.to_owned() };
    cut(text, limit)
}

/// A rendered text without the marks of values.
#[must_use]
pub fn plain(rendered: &str) -> String {
    rendered.chars().filter(|it| !is_mark(*it)).collect()
}

/// Cuts a text to at most `limit` characters, the last of which says that it was cut: at the end of a word, unless the last
/// word is longer than half of it.
fn cut(text: String, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text;
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    let follows = text[kept.len()..].starts_with(' ');
    let word = if follows { None } else { kept.rfind(' ').filter(|end| *end > kept.len() / 2) };
    format!("{}…", kept[..word.unwrap_or(kept.len())].trim_end())
}

/// Whether the first character that is seen came from a value.
fn begins_with_value(rendered: &str) -> bool {
    let mut depth = 0_u32;
    for character in rendered.chars() {
        match character {
            VALUE_BEGIN => depth += 1,
            VALUE_END => depth = depth.saturating_sub(1),
            other if is_space(other) || other == ' ' || is_invisible(other) => {}
            _ => return depth > 0,
        }
    }
    false
}

fn is_mark(character: char) -> bool {
    matches!(character, VALUE_BEGIN | VALUE_END)
}

fn is_space(character: char) -> bool {
    character.is_control() || character.is_whitespace()
}

/// Characters without width, which people put before a command or between two equal messages.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    matches!(character, '\u{AD}' | '\u{34F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}'
        | '\u{FEFF}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(text: &str) -> String {
        format!("{VALUE_BEGIN}{text}{VALUE_END}")
    }

    #[test]
    fn leading_sign_of_a_command_from_a_value_is_defused() {
        for sign in COMMAND_SIGNS {
            let text = format!("{sign}ban me");
            assert_eq!(line(&value(&text), 500), format!("›{text}"));
            assert_eq!(line(&format!(" {}", value(&format!("\u{200B} \n{text}"))), 500), format!("›{text}"));
            assert_eq!(line(&format!("{}{}", value(""), value(&text)), 500), format!("›{text}"));
            assert_eq!(line(&format!("{sign}so {}", value("a")), 500), format!("{sign}so a"), "the rule's own");
            assert_eq!(line(&format!("hi {}", value(&text)), 500), format!("hi {text}"));
        }
    }

    #[test]
    fn newlines_are_spaces() {
        assert_eq!(line("a\r\nb\tc\u{0}", 500), "a  b c");
    }

    #[test]
    fn long_text_is_cut_at_a_word() {
        assert_eq!(line("one two three", 13), "one two three");
        assert_eq!(line("one two three", 12), "one two…");
        assert_eq!(line("one two three", 8), "one two…");
        assert_eq!(line("abcdefghij", 5), "abcd…");
    }

    proptest! {
        #[test]
        fn line_is_within_its_limit_and_starts_no_command(text in "\\PC{0,600}", lead in "[ \\n\u{200B}]{0,3}[/.!~]") {
            let line = line(&value(&format!("{lead}{text}")), MAX_MESSAGE);
            prop_assert!(line.chars().count() <= MAX_MESSAGE, "{}", line);
            prop_assert!(!line.starts_with(COMMAND_SIGNS), "{}", line);
            prop_assert!(!line.contains(|it: char| it.is_control() || is_mark(it)), "{}", line);
        }
    }
}
