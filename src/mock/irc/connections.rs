//! The connections, and the users in each chat.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokio::sync::mpsc;

use super::line::{Capabilities, Line};

/// Commands that may wait for a connection that does not write. With one more it ends.
const MAX_WAITING: usize = 1_024;

/// Limit of connections.
const MAX_CLIENTS: usize = 10_000;

/// The connections of IRC, and the viewers who came into a chat.
#[derive(Debug, Default)]
pub(in crate::mock) struct Clients {
    by_number: BTreeMap<u64, Client>,
    next: u64,
    /// Logins by the channel's id, beside those of the connections.
    pub(super) viewers: BTreeMap<String, BTreeSet<String>>,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    commands: mpsc::Sender<Command>,
    pub(super) capabilities: Capabilities,
    /// Present once it has logged in.
    pub(super) user: Option<User>,
    /// Ids of the channels that it has joined.
    pub(super) channels: BTreeSet<String>,
}

/// The user of a connection.
#[derive(Clone, Debug)]
pub(super) struct User {
    /// `None` for an anonymous one.
    pub(super) id: Option<String>,
    pub(super) login: String,
    pub(super) may_write: bool,
}

/// What a connection is to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Lines to send in one frame.
    Send(String),
    /// Close the connection.
    Close,
    /// Reset the TCP connection.
    Reset,
    /// Neither read nor write any more, as if the network were gone.
    Silence,
}

/// How connections of IRC end.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum IrcEnd {
    /// With a close frame.
    #[default]
    Close,
    /// With a reset of the TCP connection.
    Reset,
    /// Not at all, but nothing is read or written any more.
    Silence,
}

impl Clients {
    /// Returns its number and its commands; `None` if there are too many.
    pub(super) fn add(&mut self) -> Option<(u64, mpsc::Receiver<Command>)> {
        if self.by_number.len() >= MAX_CLIENTS {
            return None;
        }
        let (commands, receiver) = mpsc::channel(MAX_WAITING);
        self.next += 1;
        let (capabilities, channels) = (Capabilities::default(), BTreeSet::new());
        self.by_number.insert(self.next, Client { commands, capabilities, user: None, channels });
        Some((self.next, receiver))
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.by_number.remove(&number);
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Client> {
        self.by_number.get_mut(&number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Client)> {
        self.by_number.iter().map(|(number, client)| (*number, client))
    }

    /// Sends a line to one connection.
    pub(super) fn send(&mut self, number: u64, line: &Line) {
        let Some(client) = self.by_number.get(&number) else { return };
        let Some(text) = line.for_client(client.capabilities) else { return };
        if client.commands.try_send(Command::Send(text)).is_err() {
            self.by_number.remove(&number);
        }
    }

    /// Sends lines to those in a channel, all in one frame.
    pub(super) fn broadcast_together(&mut self, channel_id: &str, lines: &[Line]) {
        self.command(|client| {
            let text: String = lines.iter().filter_map(|line| line.for_client(client.capabilities)).collect();
            (client.channels.contains(channel_id) && !text.is_empty()).then_some(Command::Send(text))
        });
    }

    /// Sends a line to those in a channel that it is for.
    pub(super) fn broadcast(&mut self, channel_id: &str, line: &Line, is_for: impl Fn(&Client) -> bool) {
        self.command(|client| {
            let text = line.for_client(client.capabilities)?;
            (client.channels.contains(channel_id) && is_for(client)).then_some(Command::Send(text))
        });
    }

    /// Gives each connection the command that is for it. One that takes no more ends.
    pub(super) fn command(&mut self, command: impl Fn(&Client) -> Option<Command>) {
        self.by_number.retain(|_, client| command(client).is_none_or(|it| client.commands.try_send(it).is_ok()));
    }
}
