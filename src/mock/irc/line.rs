//! Lines of IRC (<https://dev.twitch.tv/docs/chat/irc/#parsing-messages>).

/// What a client asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capabilities {
    pub(super) tags: bool,
    pub(super) commands: bool,
    pub(super) membership: bool,
}

/// A line to send, without its end.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// For clients that asked for tags.
    tags: Vec<(&'static str, String)>,
    text: String,
    /// Only clients that asked for commands, or membership, get it.
    needs: Option<Need>,
}

/// A capability without which a client does not get a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Commands,
    Membership,
}

impl Line {
    /// A line break in a text would end the line, so it becomes a space.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { tags: Vec::new(), text: text.into().replace(['\r', '\n'], " "), needs: None }
    }

    pub(super) fn needing(need: Need, text: impl Into<String>) -> Self {
        Self { needs: Some(need), ..Self::new(text) }
    }

    pub(super) fn with_tags(self, tags: Vec<(&'static str, String)>) -> Self {
        Self { tags, ..self }
    }

    /// What a client with these capabilities gets.
    pub(super) fn for_client(&self, capabilities: Capabilities) -> Option<String> {
        let gets_it = match self.needs {
            None => true,
            Some(Need::Commands) => capabilities.commands,
            Some(Need::Membership) => capabilities.membership,
        };
        if !gets_it {
            return None;
        }
        if !capabilities.tags || self.tags.is_empty() {
            return Some(format!("{}\r\n", self.text));
        }
        let tags: Vec<_> = self.tags.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        Some(format!("@{} {}\r\n", tags.join(";"), self.text))
    }
}

/// Escapes the value of a tag (<https://ircv3.net/specs/extensions/message-tags>).
fn escaped(value: &str) -> String {
    value.chars().fold(String::new(), |mut text, char| {
        match char {
            ';' => text.push_str("\\:"),
            ' ' => text.push_str("\\s"),
            '\\' => text.push_str("\\\\"),
            '\r' => text.push_str("\\r"),
            '\n' => text.push_str("\\n"),
            char => text.push(char),
        }
        text
    })
}

/// A line of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received<'a> {
    /// The id of the message that it replies to.
    pub(super) reply_to: Option<&'a str>,
    /// In upper case.
    pub(super) command: String,
    /// Parameters before the last one.
    pub(super) parameters: Vec<&'a str>,
    /// The last parameter, which may hold spaces.
    pub(super) text: Option<&'a str>,
}

impl<'a> Received<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let (tags, rest) = match line.strip_prefix('@') {
            Some(tagged) => tagged.split_once(' ').unwrap_or((tagged, "")),
            None => ("", line),
        };
        let rest = if rest.starts_with(':') { rest.split_once(' ').map_or("", |(_, rest)| rest) } else { rest };
        let (words, text) = match rest.split_once(" :") {
            Some((words, text)) => (words, Some(text)),
            None => (rest, None),
        };
        let mut words = words.split_whitespace();
        let reply_to = tags.split(';').find_map(|tag| tag.strip_prefix("reply-parent-msg-id="));
        let command = words.next().unwrap_or_default().to_uppercase();
        Self { reply_to: reply_to.filter(|id| !id.is_empty()), command, parameters: words.collect(), text }
    }

    /// The last parameter, with or without a colon before it.
    pub(super) fn last(&self) -> &'a str {
        self.text.or_else(|| self.parameters.last().copied()).unwrap_or_default()
    }

    /// The first parameter, whether it is the last one or not.
    pub(super) fn first(&self) -> &'a str {
        self.parameters.first().copied().or(self.text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_a_client_is_taken_apart() {
        let reply = Received::parse("@reply-parent-msg-id=abc;x=y PRIVMSG #maplearcade :hello : there");
        assert_eq!((reply.reply_to, reply.command.as_str()), (Some("abc"), "PRIVMSG"));
        assert_eq!((reply.first(), reply.text), ("#maplearcade", Some("hello : there")));
        assert_eq!(Received::parse("pass oauth:x").first(), "oauth:x");
        assert_eq!(Received::parse("PING :tmi.twitch.tv").first(), "tmi.twitch.tv");
        assert_eq!(Received::parse("").command, "");
    }

    #[test]
    fn tags_are_escaped_and_left_out_where_not_asked_for() {
        let line = Line::needing(Need::Commands, "NOTICE * :x").with_tags(vec![("a", "1; 2\\".to_owned())]);
        let with = |tags, commands| line.for_client(Capabilities { tags, commands, membership: false });
        assert_eq!(with(true, true).unwrap(), "@a=1\\:\\s2\\\\ NOTICE * :x\r\n");
        assert_eq!(with(false, true).unwrap(), "NOTICE * :x\r\n");
        assert_eq!(with(true, false), None);
    }
}
