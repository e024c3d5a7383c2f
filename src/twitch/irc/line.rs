//! Lines of IRC with tags (<https://ircv3.net/specs/extensions/message-tags>).

use std::borrow::Cow;

/// The longest line that is read, in bytes. IRC allows 8,191 of tags and 512 of the rest.
const MAX_LINE: usize = 16 << 10;

/// Why a line is not read.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LineError {
    /// No genuine line is so long.
    #[error("the line is longer than {MAX_LINE} bytes")]
    TooLong,
    /// It has a character that IRC forbids.
    #[error("the line has a control character that no line may have")]
    Forbidden,
    /// The tags have no end, or one has no name.
    #[error("the tags can't be read")]
    Tags,
    /// There is no command, or it is no word.
    #[error("the line has no command")]
    Command,
    /// A command lacks a parameter, or a parameter can't be read.
    #[error("the parameter {0} is missing or odd")]
    Parameter(&'static str),
    /// A chat message lacks what decides its identity, time or amount.
    #[error("the tag {0} is missing or odd")]
    Tag(&'static str),
}

impl LineError {
    /// A name for counting.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Forbidden => "forbidden_character",
            Self::Tags => "tags",
            Self::Command => "command",
            Self::Parameter(_) => "parameter",
            Self::Tag(name) => name,
        }
    }
}

/// A line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    tags: Vec<(&'a str, Cow<'a, str>)>,
    /// The login of the user who sent it; `None` if the server did.
    pub nick: Option<&'a str>,
    /// For example `PRIVMSG` or `353`.
    pub command: &'a str,
    /// The last one may hold spaces.
    pub parameters: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// Takes a line apart, which comes without its end.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(line: &'a str) -> Result<Self, LineError> {
        if line.len() > MAX_LINE {
            return Err(LineError::TooLong);
        }
        if line.contains(['\0', '\r', '\n']) {
            return Err(LineError::Forbidden);
        }
        let (tags, rest) = match line.strip_prefix('@') {
            Some(tagged) => {
                let (tags, rest) = tagged.split_once(' ').ok_or(LineError::Tags)?;
                (tags.split(';').map(tag).collect::<Result<_, _>>()?, rest)
            }
            None => (Vec::new(), line),
        };
        let rest = rest.trim_start_matches(' ');
        let (nick, rest) = match rest.strip_prefix(':') {
            Some(sourced) => {
                let (source, rest) = sourced.split_once(' ').ok_or(LineError::Command)?;
                (source.split_once('!').map(|(nick, _)| nick), rest.trim_start_matches(' '))
            }
            None => (None, rest),
        };
        let (command, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if command.is_empty() || !command.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(LineError::Command);
        }
        Ok(Self { tags, nick, command, parameters: parameters(rest) })
    }

    /// The value of a tag. `None` if it is absent or empty.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        let (_, value) = self.tags.iter().rev().find(|(known, _)| *known == name)?;
        Some(value.as_ref()).filter(|value| !value.is_empty())
    }

    /// A parameter, counted from 0.
    pub(super) fn parameter(&self, place: usize, name: &'static str) -> Result<&'a str, LineError> {
        self.parameters.get(place).copied().ok_or(LineError::Parameter(name))
    }

    /// A parameter that names a channel, without its `#`.
    pub(super) fn channel(&self, place: usize) -> Result<&'a str, LineError> {
        let name = self.parameter(place, "channel")?.strip_prefix('#');
        name.filter(|name| is_login(name)).ok_or(LineError::Parameter("channel"))
    }
}

/// Whether this can be a login: 1 to 25 characters, in lower case.
pub(super) fn is_login(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=25).contains(&text.len()) && text.bytes().all(is_allowed)
}

fn parameters(mut rest: &str) -> Vec<&str> {
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        if let Some(last) = rest.strip_prefix(':') {
            parameters.push(last);
            return parameters;
        }
        if rest.is_empty() {
            return parameters;
        }
        let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        parameters.push(word);
        rest = behind;
    }
}

fn tag(tag: &str) -> Result<(&str, Cow<'_, str>), LineError> {
    let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(LineError::Tags);
    }
    Ok((name, unescape(value)))
}

/// A backslash that escapes nothing is left out.
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let (mut text, mut chars) = (String::with_capacity(value.len()), value.chars());
    while let Some(char) = chars.next() {
        let escaped = if char == '\\' { chars.next() } else { Some(char) };
        text.extend(match (char, escaped) {
            ('\\', Some(':')) => Some(';'),
            ('\\', Some('s')) => Some(' '),
            ('\\', Some('r')) => Some('\r'),
            ('\\', Some('n')) => Some('\n'),
            (_, other) => other,
        });
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escape(value: &str) -> String {
        let pairs = [('\\', "\\\\"), (';', "\\:"), (' ', "\\s"), ('\r', "\\r"), ('\n', "\\n")];
        pairs.iter().fold(value.to_owned(), |text, (char, escaped)| text.replace(*char, escaped))
    }

    #[test]
    fn line_is_taken_apart() {
        let line =
            Line::parse("@id=1;display-name=;a=b\\sc :otter!otter@otter.tmi.twitch.tv PRIVMSG #maple :hi : there")
                .unwrap();
        assert_eq!(
            (line.nick, line.command, line.parameters.as_slice()),
            (Some("otter"), "PRIVMSG", &["#maple", "hi : there"][..])
        );
        assert_eq!(
            (line.tag("id"), line.tag("display-name"), line.tag("a"), line.tag("x")),
            (Some("1"), None, Some("b c"), None)
        );
        let numeric = Line::parse(":otter.tmi.twitch.tv 353 otter = #maple :a b").unwrap();
        assert_eq!((numeric.nick, numeric.parameters), (None, vec!["otter", "=", "#maple", "a b"]));
        assert_eq!(Line::parse("PING").unwrap().parameters, Vec::<&str>::new());
        assert_eq!(Line::parse("X a  b :").unwrap().parameters, ["a", "b", ""]);
    }

    #[test]
    fn broken_line_is_refused() {
        let long = format!("PRIVMSG #maple :{}", "x".repeat(MAX_LINE));
        for (line, error) in [
            (long.as_str(), LineError::TooLong),
            ("PRIVMSG #maple :a\0b", LineError::Forbidden),
            ("@id=1", LineError::Tags),
            ("@=1 PING", LineError::Tags),
            ("@a=1;;b=2 PING", LineError::Tags),
            (":only.a.source", LineError::Command),
            (":a  ", LineError::Command),
            ("", LineError::Command),
            ("#maple", LineError::Command),
            ("@a=1 ", LineError::Command),
        ] {
            assert_eq!(Line::parse(line), Err(error), "{:.40}", line);
        }
        assert_eq!(Line::parse("PART maple").unwrap().channel(0), Err(LineError::Parameter("channel")));
    }

    proptest! {
        #[test]
        fn written_line_is_read_as_it_was_meant(
            tags in prop::collection::btree_map("[a-z][a-z-]{0,8}", "[^\0]{1,20}", 0..5),
            nick in prop::option::of("[a-z0-9_]{1,25}"),
            command in "[A-Z]{1,12}",
            words in prop::collection::vec("[^\0\r\n :][^\0\r\n ]{0,10}", 0..4),
            text in prop::option::of("[^\0\r\n]{0,40}"),
        ) {
            let written: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
            let mut line = if tags.is_empty() { String::new() } else { format!("@{} ", written.join(";")) };
            line += &nick.as_ref().map(|nick| format!(":{nick}!{nick}@{nick}.tmi.twitch.tv ")).unwrap_or_default();
            line += &command;
            words.iter().for_each(|word| line += &format!(" {word}"));
            line += &text.as_ref().map(|text| format!(" :{text}")).unwrap_or_default();
            let read = Line::parse(&line).unwrap();
            prop_assert_eq!((read.nick, read.command), (nick.as_deref(), command.as_str()));
            prop_assert_eq!(read.parameters.clone(), words.iter().chain(&text).map(String::as_str).collect::<Vec<_>>());
            for (name, value) in &tags {
                prop_assert_eq!(read.tag(name), Some(value.as_str()));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = Line::parse(&text);
        }
    }
}
