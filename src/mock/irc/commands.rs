//! What clients say: login, channels, messages.

use super::client::{Next, Session};
use super::connections::User;
use super::events::{Tags, flag, mask, room_state};
use super::line::{Capabilities, Line, Need, Received};
use crate::mock::state::State;
use crate::mock::world::World;

/// Channels that a user may be in at once.
const MAX_CHANNELS: usize = 100;

/// What a client can ask for.
const CAPABILITIES: &str = "twitch.tv/membership twitch.tv/tags twitch.tv/commands";

/// What Twitch greets with.
const GREETING: [(&str, &str); 7] = [
    ("001", "Welcome, GLHF!"),
    ("002", "Your host is tmi.twitch.tv"),
    ("003", "This server is rather new"),
    ("004", "-"),
    ("375", "-"),
    ("372", "You are in a maze of twisty passages, all alike."),
    ("376", ">"),
];

impl Session {
    /// Does what a line says, and adds to the answer.
    pub(super) fn handle(&mut self, line: &Received<'_>, answer: &mut String) -> Next {
        match line.command.as_str() {
            "CAP" => self.negotiate(line, answer),
            "PASS" => self.password = Some(line.first().to_owned()),
            "NICK" => return self.log_in(&line.first().to_lowercase(), answer),
            "PING" => reply(answer, &format!(":tmi.twitch.tv PONG tmi.twitch.tv :{}", line.first())),
            "PONG" => self.is_answered = true,
            "JOIN" => line.first().split(',').for_each(|name| self.join(name, answer)),
            "PART" => line.first().split(',').for_each(|name| self.leave(name)),
            "PRIVMSG" => self.write(line, answer),
            "QUIT" => return Next::Close,
            _ => {}
        }
        Next::Continue
    }

    /// `CAP LS`: what there is. `CAP REQ`: all that are asked for, or none.
    fn negotiate(&self, line: &Received<'_>, answer: &mut String) {
        match line.first() {
            "LS" => return reply(answer, &format!(":tmi.twitch.tv CAP * LS :{CAPABILITIES}")),
            "REQ" => {}
            _ => return,
        }
        let asked = line.last();
        let mut state = self.world.state();
        let Some(client) = state.irc.get_mut(self.number) else { return };
        let (mut capabilities, mut is_known) = (client.capabilities, true);
        for name in asked.split_whitespace() {
            match name {
                "twitch.tv/tags" => capabilities.tags = true,
                "twitch.tv/commands" => capabilities.commands = true,
                "twitch.tv/membership" => capabilities.membership = true,
                _ => is_known = false,
            }
        }
        if is_known {
            client.capabilities = capabilities;
        }
        let verdict = if is_known { "ACK" } else { "NAK" };
        reply(answer, &format!(":tmi.twitch.tv CAP * {verdict} :{asked}"));
    }

    fn log_in(&self, login: &str, answer: &mut String) -> Next {
        let mut state = self.world.state();
        let user = match self.user(&state, login) {
            Ok(user) => user,
            Err(reason) => {
                reply(answer, &format!(":tmi.twitch.tv NOTICE * :{reason}"));
                return Next::Close;
            }
        };
        for (number, text) in GREETING {
            reply(answer, &format!(":tmi.twitch.tv {number} {login} :{text}"));
        }
        if let Some(id) = &user.id {
            let mut tags = user_tags(&state, "", id);
            tags.push(("user-id", id.clone()));
            let line = Line::needing(Need::Commands, ":tmi.twitch.tv GLOBALUSERSTATE").with_tags(tags);
            self.say(&mut state, &line, answer);
        }
        if let Some(client) = state.irc.get_mut(self.number) {
            client.user = Some(user);
        }
        Next::Continue
    }

    /// The user of this login, if the password is a token of that user's.
    fn user(&self, state: &State, login: &str) -> Result<User, &'static str> {
        let is_anonymous =
            login.strip_prefix("justinfan").is_some_and(|rest| rest.bytes().all(|it| it.is_ascii_digit()));
        if is_anonymous {
            return Ok(User { id: None, login: login.to_owned(), may_write: false });
        }
        let token = self.password.as_deref().and_then(|password| password.strip_prefix("oauth:"));
        let token = state.access_tokens.get(token.ok_or("Improperly formatted auth")?);
        let token = token.filter(|token| token.is_alive(self.world.config.clock.now()));
        let failed = "Login authentication failed";
        let token = token.filter(|token| token.scopes.contains("chat:read")).ok_or(failed)?;
        let account = state.account(login).filter(|account| token.user_id.as_deref() == Some(&account.id));
        let id = account.ok_or(failed)?.id.clone();
        Ok(User { id: Some(id), login: login.to_owned(), may_write: token.scopes.contains("chat:edit") })
    }

    /// A channel that does not exist, or one too many, is ignored.
    fn join(&self, name: &str, answer: &mut String) {
        let mut state = self.world.state();
        let Some((user, channels)) = self.logged_in(&mut state) else { return };
        let Some((id, channel)) = channel(&state, name) else { return };
        if channels >= MAX_CHANNELS || !self.world.count_join(&mut state, &user.login, user.id.as_deref()) {
            return;
        }
        let room = state.rooms.get(&id);
        if room
            .zip(user.id.as_ref())
            .and_then(|(room, user)| room.bans.get(user))
            .is_some_and(|ban| ban.ends_at.is_none())
        {
            let line = notice(&channel, "msg_banned", "You are permanently banned from talking in the room.");
            return self.say(&mut state, &line, answer);
        }
        let others = logins_in(&state, &id, self.number);
        let joined = format!(":{} JOIN #{channel}", mask(&user.login));
        if user.id.is_some() {
            state.irc.broadcast(&id, &Line::needing(Need::Membership, joined.as_str()), |_| true);
        }
        let Some(client) = state.irc.get_mut(self.number) else { return };
        client.channels.insert(id.clone());
        let shown = if client.capabilities.membership { others } else { Vec::new() };
        let login = &user.login;
        let names: Vec<_> = std::iter::once(login.as_str()).chain(shown.iter().map(String::as_str)).collect();
        let host = format!(":{login}.tmi.twitch.tv");
        for text in [
            joined,
            format!("{host} 353 {login} = #{channel} :{}", names.join(" ")),
            format!("{host} 366 {login} #{channel} :End of /NAMES list"),
        ] {
            self.say(&mut state, &Line::new(text), answer);
        }
        if let Some(id_of_user) = &user.id {
            let line = user_state(&state, &id, &channel, id_of_user, None);
            self.say(&mut state, &line, answer);
        }
        let line = room_state(&state, &id, &channel);
        self.say(&mut state, &line, answer);
    }

    fn leave(&self, name: &str) {
        let mut state = self.world.state();
        if let Some((id, _)) = channel(&state, name) {
            self.world.part(&mut state, self.number, &id);
        }
    }

    /// As Twitch, it says nothing of a message that is too long or one too many. The author gets a `USERSTATE` with its id.
    fn write(&self, line: &Received<'_>, answer: &mut String) {
        let mut state = self.world.state();
        let Some((user, _)) = self.logged_in(&mut state) else { return };
        let (Some(id), Some((channel_id, channel))) = (&user.id, channel(&state, line.first())) else { return };
        let text = line.text.unwrap_or_default();
        if !user.may_write || text.is_empty() {
            return;
        }
        let line = match self.world.write_over_irc(&mut state, &channel_id, id, text, line.reply_to) {
            Ok(message_id) => user_state(&state, &channel_id, &channel, id, Some(message_id)),
            Err(Some((code, reason))) => notice(&channel, &code, reason),
            Err(None) => return,
        };
        self.say(&mut state, &line, answer);
    }

    /// The user, and in how many channels the connection is.
    fn logged_in(&self, state: &mut State) -> Option<(User, usize)> {
        let client = state.irc.get_mut(self.number)?;
        Some((client.user.clone()?, client.channels.len()))
    }

    /// Adds a line to the answer, if the client asked for such lines.
    fn say(&self, state: &mut State, line: &Line, answer: &mut String) {
        let capabilities: Option<Capabilities> = state.irc.get_mut(self.number).map(|client| client.capabilities);
        answer.extend(capabilities.and_then(|capabilities| line.for_client(capabilities)));
    }
}

impl World {
    /// Takes a connection out of a channel.
    pub(super) fn part(&self, state: &mut State, number: u64, channel_id: &str) {
        let channel = state.accounts.get(channel_id).map(|account| account.login.clone()).unwrap_or_default();
        let Some(client) = state.irc.get_mut(number) else { return };
        let Some(user) = client.user.clone().filter(|_| client.channels.remove(channel_id)) else { return };
        let text = format!(":{} PART #{channel}", mask(&user.login));
        state.irc.send(number, &Line::new(text.as_str()));
        if user.id.is_some() {
            state.irc.broadcast(channel_id, &Line::needing(Need::Membership, text), |_| true);
        }
    }

    /// A connection ended.
    pub(super) fn forget(&self, number: u64) {
        let mut state = self.state();
        let channels = state.irc.get_mut(number).map(|client| client.channels.clone());
        for channel_id in channels.unwrap_or_default() {
            self.part(&mut state, number, &channel_id);
        }
        state.irc.remove(number);
    }
}

/// Adds a line that all clients get.
fn reply(answer: &mut String, text: &str) {
    answer.push_str(text);
    answer.push_str("\r\n");
}

/// Id and login of the channel of a name such as `#maplearcade`.
fn channel(state: &State, name: &str) -> Option<(String, String)> {
    let login = name.strip_prefix('#')?.to_lowercase();
    let account = state.accounts.values().find(|account| account.login == login)?;
    Some((account.id.clone(), login))
}

/// The logins of those in a channel, beside this connection.
fn logins_in(state: &State, channel_id: &str, number: u64) -> Vec<String> {
    let others = state.irc.iter().filter(|(other, client)| *other != number && client.channels.contains(channel_id));
    let others = others.filter_map(|(_, client)| client.user.as_ref()).filter(|user| user.id.is_some());
    let viewers = state.irc.viewers.get(channel_id).into_iter().flatten().cloned();
    let mut logins: Vec<_> = others.map(|user| user.login.clone()).chain(viewers).collect();
    logins.sort_unstable();
    logins.dedup();
    logins
}

fn notice(channel: &str, code: &str, reason: &str) -> Line {
    let line = Line::needing(Need::Commands, format!(":tmi.twitch.tv NOTICE #{channel} :{reason}"));
    line.with_tags(vec![("msg-id", code.to_owned())])
}

/// What a user is in a channel, with the id of the message that the user has just sent.
fn user_state(state: &State, channel_id: &str, channel: &str, user_id: &str, message_id: Option<String>) -> Line {
    let mut tags = user_tags(state, channel_id, user_id);
    tags.push(("mod", flag(channel_id != user_id && state.rooms.is_moderator(channel_id, user_id))));
    tags.push(("subscriber", flag(false)));
    tags.extend(message_id.map(|id| ("id", id)));
    Line::needing(Need::Commands, format!(":tmi.twitch.tv USERSTATE #{channel}")).with_tags(tags)
}

fn user_tags(state: &State, channel_id: &str, user_id: &str) -> Tags {
    let badge = match state.rooms.get(channel_id) {
        _ if channel_id == user_id => "broadcaster/1",
        Some(room) if room.moderators.contains(user_id) => "moderator/1",
        Some(room) if room.vips.contains(user_id) => "vip/1",
        _ => "",
    };
    let name = state.accounts.get(user_id).map(|account| account.display_name.clone());
    vec![
        ("badge-info", String::new()),
        ("badges", badge.to_owned()),
        ("color", String::new()),
        ("display-name", name.unwrap_or_default()),
        ("emote-sets", flag(false)),
        ("turbo", flag(false)),
        ("user-type", if badge == "moderator/1" { "mod".to_owned() } else { String::new() }),
    ]
}
