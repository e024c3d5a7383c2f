//! What the lines of the server mean (<https://dev.twitch.tv/docs/chat/irc/#supported-irc-messages>).

use super::chat::ChatLine;
use super::line::{Line, LineError, is_login};

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerMessage {
    /// The login has succeeded.
    Welcome,
    /// The server asks whether the client is there: the text to answer with.
    Ping(String),
    /// The answer to a ping.
    Pong,
    /// The server will close the connection soon.
    Reconnect,
    /// A user came into a chat.
    Join {
        /// The chat's channel, by login.
        channel: String,
        /// The user's login.
        login: String,
    },
    /// A user left a chat.
    Part {
        /// The chat's channel, by login.
        channel: String,
        /// The user's login.
        login: String,
    },
    /// A part of the list of who is in a chat.
    Names {
        /// The chat's channel, by login.
        channel: String,
        /// Logins.
        logins: Vec<String>,
    },
    /// That list is complete.
    EndOfNames {
        /// The chat's channel, by login.
        channel: String,
    },
    /// A user wrote in a chat.
    Chat(Box<ChatLine>),
    /// A notice to this client.
    Notice {
        /// The chat's channel, by login; `None` before the login.
        channel: Option<String>,
        /// Twitch's id of the notice.
        id: Option<String>,
        /// In words.
        text: String,
    },
    /// A command of Twitch's that says nothing here.
    Ignored,
    /// A command that Twitch does not document.
    Unknown(String),
}

/// Commands that say nothing here.
const IGNORED: [&str; 17] = [
    "002",
    "003",
    "004",
    "372",
    "375",
    "376",
    "CAP",
    "CLEARCHAT",
    "CLEARMSG",
    "GLOBALUSERSTATE",
    "HOSTTARGET",
    "MODE",
    "ROOMSTATE",
    "USERNOTICE",
    "USERSTATE",
    "WHISPER",
    "421",
];

impl ServerMessage {
    /// Reads a line without its end.
    ///
    /// # Errors
    /// If it is no line, or lacks what its command requires.
    pub fn parse(line: &str) -> Result<Self, LineError> {
        let line = Line::parse(line)?;
        let last = || line.parameters.last().copied().unwrap_or_default().to_owned();
        Ok(match line.command {
            "001" => Self::Welcome,
            "PING" => Self::Ping(last()),
            "PONG" => Self::Pong,
            "RECONNECT" => Self::Reconnect,
            "JOIN" => Self::Join { channel: line.channel(0)?.to_owned(), login: nick(&line)? },
            "PART" => Self::Part { channel: line.channel(0)?.to_owned(), login: nick(&line)? },
            "353" => {
                let names = line.parameter(3, "names")?.split(' ').filter(|name| is_login(name));
                Self::Names { channel: line.channel(2)?.to_owned(), logins: names.map(str::to_owned).collect() }
            }
            "366" => Self::EndOfNames { channel: line.channel(1)?.to_owned() },
            "PRIVMSG" => Self::Chat(Box::new(ChatLine::read(&line)?)),
            "NOTICE" => Self::Notice {
                channel: line.channel(0).ok().map(str::to_owned),
                id: line.tag("msg-id").map(str::to_owned),
                text: last(),
            },
            command if IGNORED.contains(&command) => Self::Ignored,
            command => Self::Unknown(command.to_owned()),
        })
    }
}

fn nick(line: &Line<'_>) -> Result<String, LineError> {
    line.nick.filter(|nick| is_login(nick)).map(str::to_owned).ok_or(LineError::Parameter("nick"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let (channel, login) = ("maple".to_owned(), "otter".to_owned());
        for (line, message) in [
            (":tmi.twitch.tv 001 bot :Welcome, GLHF!", ServerMessage::Welcome),
            ("PING :tmi.twitch.tv", ServerMessage::Ping("tmi.twitch.tv".to_owned())),
            (":tmi.twitch.tv PONG tmi.twitch.tv :x", ServerMessage::Pong),
            (":tmi.twitch.tv RECONNECT", ServerMessage::Reconnect),
            (
                ":otter!otter@otter.tmi.twitch.tv JOIN #maple",
                ServerMessage::Join { channel: channel.clone(), login: login.clone() },
            ),
            (":otter!otter@otter.tmi.twitch.tv PART #maple", ServerMessage::Part { channel: channel.clone(), login }),
            (
                ":bot.tmi.twitch.tv 353 bot = #maple :bot otter",
                ServerMessage::Names { channel: channel.clone(), logins: vec!["bot".to_owned(), "otter".to_owned()] },
            ),
            (
                ":bot.tmi.twitch.tv 366 bot #maple :End of /NAMES list",
                ServerMessage::EndOfNames { channel: channel.clone() },
            ),
            (
                "@msg-id=msg_channel_suspended :tmi.twitch.tv NOTICE #maple :This channel does not exist.",
                ServerMessage::Notice {
                    channel: Some(channel),
                    id: Some("msg_channel_suspended".to_owned()),
                    text: "This channel does not exist.".to_owned(),
                },
            ),
            (
                ":tmi.twitch.tv NOTICE * :Login authentication failed",
                ServerMessage::Notice { channel: None, id: None, text: "Login authentication failed".to_owned() },
            ),
            ("@room-id=1 :tmi.twitch.tv ROOMSTATE #maple", ServerMessage::Ignored),
            (":tmi.twitch.tv SOMETHING new", ServerMessage::Unknown("SOMETHING".to_owned())),
        ] {
            assert_eq!(ServerMessage::parse(line), Ok(message), "{line}");
        }
    }

    #[test]
    fn command_without_its_parameters_is_refused() {
        for line in
            ["JOIN #maple", ":otter!o@o JOIN", ":otter!o@o PART #Maple Arcade", ":x 353 bot = #maple", ":x 366 bot"]
        {
            assert!(matches!(ServerMessage::parse(line), Err(LineError::Parameter(_))), "{line}");
        }
    }
}
