//! Connects to Twitch's chat server over a WebSocket, and logs in.

use std::collections::VecDeque;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;
use url::Url;

use super::ANONYMOUS;
use super::message::ServerMessage;
use crate::twitch::websocket::{self, ConnectError, End, EndpointError, Frames, Received};

/// Time limit of the login, once the connection is open.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked for: tags, the commands that need it, and who comes and leaves. It must be asked for before the first `JOIN`.
const CAPABILITIES: &str = "twitch.tv/membership twitch.tv/tags twitch.tv/commands";

/// The account that reads.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its login.
    pub login: String,
    /// A token of its user, with the scope `chat:read`.
    pub token: SecretString,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The connection can't be opened.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Twitch refused the login, with these words.
    #[error("Twitch refuses the login: {0}")]
    Refused(String),
    /// The connection ended before the login was answered.
    #[error("the connection ended before the login was answered: {0}")]
    Ended(#[from] End),
    /// No answer came in time.
    #[error("the login was not answered within {} s", LOGIN_TIMEOUT.as_secs())]
    Silent,
}

/// Proof that lines come from Twitch: the connection was opened over TLS to the configured host (or to this machine), and the
/// login was accepted. Only [`Endpoint::connect`] makes one.
#[derive(Clone, Debug)]
pub struct Login(String);

impl Login {
    /// The login of the account that reads.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.0
    }
}

/// The address of Twitch's chat server, and a client that connects to it.
#[derive(Clone, Debug)]
pub struct Endpoint(websocket::Endpoint);

impl Endpoint {
    /// The server at this address.
    ///
    /// # Errors
    /// [`EndpointError`]
    pub fn new(url: Url) -> Result<Self, EndpointError> {
        websocket::Endpoint::new(url).map(Self)
    }

    /// Opens a connection and logs in: as this account, or anonymously.
    ///
    /// # Errors
    /// [`LoginError`]
    pub async fn connect(&self, account: Option<&Credentials>) -> Result<(Login, Connection), LoginError> {
        let mut connection = Connection { frames: self.0.open_plain().await?, pending: VecDeque::new() };
        let login = match account {
            Some(account) => account.login.to_lowercase(),
            None => format!("{ANONYMOUS}{}", rand::random_range(10_000..100_000)),
        };
        let password = account.map(|account| format!("PASS oauth:{}\r\n", account.token.expose_secret()));
        let password = password.unwrap_or_default();
        connection.send(&format!("CAP REQ :{CAPABILITIES}\r\n{password}NICK {login}")).await?;
        timeout(LOGIN_TIMEOUT, connection.welcome()).await.unwrap_or(Err(LoginError::Silent))?;
        Ok((Login(login), connection))
    }
}

/// What a connection brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A line without its end.
    Line(String),
    /// A frame that Twitch never sends, and why.
    Bad(&'static str),
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    frames: Frames,
    /// Lines of a frame that has come.
    pending: VecDeque<String>,
}

impl Connection {
    /// Waits for a line. Cancel safe.
    ///
    /// # Errors
    /// [`End`] once the connection has ended. Nothing comes after it.
    pub async fn next(&mut self) -> Result<Input, End> {
        loop {
            if let Some(line) = self.pending.pop_front() {
                return Ok(Input::Line(line));
            }
            match self.frames.next().await? {
                Received::Text(text) => {
                    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
                    let lines = lines.filter(|line| !line.is_empty());
                    self.pending.extend(lines.map(str::to_owned));
                }
                Received::Bad(reason) => return Ok(Input::Bad(reason)),
            }
        }
    }

    /// Sends lines; the end of the last one is added.
    ///
    /// # Errors
    /// If the connection has ended.
    pub async fn send(&mut self, lines: &str) -> Result<(), End> {
        self.frames.send(format!("{lines}\r\n")).await
    }

    /// Sends a close frame.
    pub async fn close(&mut self) {
        self.frames.close().await;
    }

    /// Waits until the login is accepted.
    async fn welcome(&mut self) -> Result<(), LoginError> {
        loop {
            let Input::Line(line) = self.next().await? else { continue };
            match ServerMessage::parse(&line) {
                Ok(ServerMessage::Welcome) => return Ok(()),
                Ok(ServerMessage::Notice { channel: None, text, .. }) => return Err(LoginError::Refused(text)),
                Ok(ServerMessage::Ping(text)) => self.send(&format!("PONG :{text}")).await?,
                _ => {}
            }
        }
    }
}
