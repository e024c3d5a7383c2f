//! `mock-twitch ws`: looks at the WebSocket sessions of a running mock-twitch, and disturbs them.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use showtime::cli::{self, AsJson};

use crate::serve::ServeArgs;
use showtime::mock::ControlClient;

/// What `--reason` takes, with the words for each (<https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#close-message>).
const REASONS: [(&str, &str); 10] = [
    ("1000", "normal"),
    ("4000", "internal server error"),
    ("4001", "client sent inbound traffic"),
    ("4002", "client failed ping-pong"),
    ("4003", "connection unused"),
    ("4004", "reconnect grace time expired"),
    ("4005", "network timeout"),
    ("4006", "network error"),
    ("4007", "invalid reconnect"),
    ("abort", "the connection is reset"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum WsCommand {
    /// Run mock-twitch, as without a command.
    #[command(name = "start-server", alias = "start")]
    Start(Box<ServeArgs>),
    /// Show the sessions.
    List(AsJson),
    /// Ask sessions to reconnect: all of them, or the one that is named.
    Reconnect(OneSession),
    /// End a session.
    Close {
        #[command(flatten)]
        session: OneSession,
        /// The close code, 1000 or 4000 to 4007, or `abort` for a connection that is reset.
        #[arg(long, value_name = "CODE")]
        reason: String,
    },
    /// Switch the keepalives of a session on or off.
    Keepalive {
        #[command(flatten)]
        session: OneSession,
        /// Whether they are sent.
        #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
        enabled: bool,
    },
}

/// The session that a command is for.
#[derive(Args, Debug)]
pub(crate) struct OneSession {
    /// The session's id, or as many of its first characters as no other session has. Not necessary if there is only one.
    #[arg(short, long, value_name = "ID")]
    session: Option<String>,
}

pub(crate) async fn run(control: &ControlClient, command: WsCommand) -> anyhow::Result<()> {
    match command {
        WsCommand::Start(_) => bail!("`start-server` takes no --url"),
        WsCommand::List(AsJson { json: true }) => cli::print_json(&sessions(control).await?)?,
        WsCommand::List(_) => list(&sessions(control).await?),
        WsCommand::Reconnect(OneSession { session }) => {
            let mut body = json!({});
            if let Some(session) = session {
                body["session"] = resolve(control, Some(&session)).await?.into();
            }
            let answer = control.post("/mock/websocket/reconnect", &body).await?;
            cli::print(format_args!("asked to reconnect: {}", answer["sessions"]));
        }
        WsCommand::Close { session, reason } => {
            let code = close_code(&reason)?;
            let id = resolve(control, session.session.as_deref()).await?;
            control.post(&format!("/mock/websocket/{id}/close"), &json!({ "code": code })).await?;
            cli::print(format_args!("ended {id}"));
        }
        WsCommand::Keepalive { session, enabled } => {
            let id = resolve(control, session.session.as_deref()).await?;
            control.put(&format!("/mock/websocket/{id}"), &json!({ "keepalive": enabled })).await?;
            cli::print(format_args!("{id} gets {} keepalives", if enabled { "its" } else { "no" }));
        }
    }
    Ok(())
}

/// The value of `code` for a reason.
fn close_code(reason: &str) -> anyhow::Result<Value> {
    if !REASONS.iter().any(|(known, _)| *known == reason) {
        let known: Vec<_> = REASONS.iter().map(|(code, words)| format!("  {code}  {words}")).collect();
        bail!("there is no reason {reason}; there are:\n{}", known.join("\n"));
    }
    Ok(reason.parse::<u16>().map_or_else(|_| reason.into(), Value::from))
}

/// The living sessions.
async fn sessions(control: &ControlClient) -> anyhow::Result<Vec<Value>> {
    let mut answer = control.get("/mock/websocket").await?;
    match answer["sessions"].take() {
        Value::Array(sessions) => Ok(sessions),
        _ => bail!("the answer of /mock/websocket has no sessions"),
    }
}

/// The full id of a session that is named by its id, its first characters, or not at all.
pub(crate) async fn resolve(control: &ControlClient, named: Option<&str>) -> anyhow::Result<String> {
    let sessions = sessions(control).await?;
    let ids: Vec<_> = sessions.iter().filter_map(|session| session["id"].as_str()).collect();
    choose(&ids, named).map(str::to_owned)
}

fn choose<'a>(ids: &[&'a str], named: Option<&str>) -> anyhow::Result<&'a str> {
    let known = || ids.iter().map(|id| format!("  {id}")).collect::<Vec<_>>().join("\n");
    let prefix = named.unwrap_or_default();
    let matching: Vec<_> = ids.iter().copied().filter(|id| id.starts_with(prefix)).collect();
    match (matching[..].as_ref(), named) {
        _ if ids.is_empty() => bail!("there is no session"),
        (_, Some(named)) if let Some(exact) = ids.iter().find(|id| **id == named) => Ok(exact),
        ([id], _) => Ok(id),
        (_, None) => bail!("there are {} sessions; choose one with --session:\n{}", ids.len(), known()),
        ([], Some(named)) => bail!("there is no session {named}; there are:\n{}", known()),
        (_, Some(named)) => bail!("{named} begins the ids of several sessions; there are:\n{}", known()),
    }
}

fn list(sessions: &[Value]) {
    if sessions.is_empty() {
        cli::print("there is no session");
    }
    for session in sessions {
        let text = |field: &str| session[field].as_str().unwrap_or("none").to_owned();
        let subscriptions = &session["subscriptions"];
        let state = if session["is_reconnecting"] == true { ", reconnecting" } else { "" };
        let (id, since, user) = (text("id"), text("connected_at"), text("user_id"));
        cli::print(format_args!("{id}  since {since}  user {user}  {subscriptions} subscriptions{state}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_is_named_by_what_only_it_begins_with() {
        let ids = ["AgoQabc", "AgoQabcd", "AgoQx"];
        let chosen = |named| choose(&ids, named).map_err(|error| error.to_string());
        assert_eq!(chosen(Some("AgoQabc")).unwrap(), "AgoQabc", "the whole id of one");
        assert_eq!(chosen(Some("AgoQx")).unwrap(), "AgoQx");
        let all = "  AgoQabc\n  AgoQabcd\n  AgoQx";
        assert_eq!(
            chosen(Some("Ago")).unwrap_err(),
            format!("Ago begins the ids of several sessions; there are:\n{all}")
        );
        assert_eq!(chosen(Some("no")).unwrap_err(), format!("there is no session no; there are:\n{all}"));
        assert_eq!(chosen(None).unwrap_err(), format!("there are 3 sessions; choose one with --session:\n{all}"));
        assert_eq!(choose(&["AgoQx"], None).unwrap(), "AgoQx");
        assert_eq!(choose(&[], Some("AgoQx")).unwrap_err().to_string(), "there is no session");
    }

    #[test]
    fn unknown_reason_lists_those_there_are() {
        assert_eq!(close_code("4003").unwrap(), 4003);
        assert_eq!(close_code("abort").unwrap(), "abort");
        let error = close_code("4008").unwrap_err().to_string();
        assert!(error.starts_with("there is no reason 4008; there are:\n  1000  normal\n"), "{error}");
    }
}
