//! Commands: the first word of a message.

use super::text::is_invisible;

/// A message as a command and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// The first word, in lower case.
    pub name: String,
    /// The words after it.
    pub args: Vec<&'a str>,
}

impl<'a> Command<'a> {
    /// Reads a message. A mention before the command of a reply is left out: Twitch puts it there.
    #[must_use]
    pub fn new(text: &'a str, is_reply: bool) -> Option<Self> {
        let is_word = |word: &&str| !word.chars().all(is_invisible);
        let mut words = text.split_whitespace().filter(is_word).peekable();
        words.next_if(|word| is_reply && word.starts_with('@'));
        let name = words.next()?.trim_matches(is_invisible).to_lowercase();
        Some(Self { name, args: words.map(|word| word.trim_matches(is_invisible)).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, is_reply: bool) -> Option<(String, Vec<&str>)> {
        Command::new(text, is_reply).map(|it| (it.name, it.args))
    }

    #[test]
    fn command_is_the_first_word_in_any_case() {
        assert_eq!(parse("!Title  Speed Run", false), Some(("!title".to_owned(), vec!["Speed", "Run"])));
        assert_eq!(parse("  !TITLE", false), Some(("!title".to_owned(), vec![])));
        assert_eq!(parse("say !title", false).unwrap().0, "say");
        assert_eq!(parse("", false), None);
    }

    #[test]
    fn mention_of_a_reply_stands_before_the_command() {
        assert_eq!(parse("@QuietOtter !title x", true), Some(("!title".to_owned(), vec!["x"])));
        assert_eq!(parse("@QuietOtter !title x", false).unwrap().0, "@quietotter");
        assert_eq!(parse("@QuietOtter", true), None);
    }

    #[test]
    fn invisible_character_that_makes_a_repeated_message_differ_is_no_argument() {
        assert_eq!(parse("!title \u{E0000}", false), Some(("!title".to_owned(), vec![])));
        assert_eq!(parse("!title\u{E0000} x", false), Some(("!title".to_owned(), vec!["x"])));
    }
}
