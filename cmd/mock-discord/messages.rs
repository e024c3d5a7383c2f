//! `mock-discord messages` and `pings`: what was posted, and what it pinged.

use serde_json::Value;
use showtime::cli::{self, AsJson, printable};
use showtime::mock::ControlClient;

pub(crate) async fn list(control: &ControlClient, channel: &str, format: AsJson) -> anyhow::Result<()> {
    let answer = control.get(&format!("/mock/channels/{channel}/messages")).await?;
    if format.json {
        return Ok(cli::print_json(&answer["data"])?);
    }
    let messages = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    if messages.is_empty() {
        cli::print("there is no message");
    }
    for message in messages {
        cli::print(line(message));
    }
    Ok(())
}

/// A message in one line: id, name, text, titles of its embeds, and what it pinged.
fn line(message: &Value) -> String {
    let text = |value: &Value| printable(value.as_str().unwrap_or_default());
    let mut line =
        format!("{}  {}: {}", text(&message["id"]), text(&message["author"]["username"]), text(&message["content"]));
    for embed in message["embeds"].as_array().into_iter().flatten() {
        line += &format!(" [{}]", text(&embed["title"]));
    }
    if !message["edited_timestamp"].is_null() {
        line += " (edited)";
    }
    if message["is_notifying"] == true {
        line += &format!("  pings {}", names(&message["pings"]));
    }
    line
}

pub(crate) async fn pings(control: &ControlClient, format: AsJson) -> anyhow::Result<()> {
    let answer = control.get("/mock/ledger").await?;
    let changes = answer["changes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let notifying: Vec<_> = changes.iter().filter(|change| change["is_notifying"] == true).collect();
    if format.json {
        return Ok(cli::print_json(&notifying)?);
    }
    if notifying.is_empty() {
        cli::print("there is no ping");
    }
    for change in notifying {
        let text = |name: &str| change[name].as_str().unwrap_or_default();
        let (at, message, channel) = (text("at"), text("message_id"), text("channel_id"));
        cli::print(format_args!("{at}  message {message} in {channel}: {}", names(&change["pings"])));
    }
    Ok(())
}

/// `@everyone, role 1, user 2`.
fn names(pings: &Value) -> String {
    let flags = ["everyone", "here"].into_iter().filter(|name| pings[name] == true).map(|name| format!("@{name}"));
    let ids = |kind: &str, one: &str| -> Vec<String> {
        let ids = pings[kind].as_array().into_iter().flatten();
        ids.map(|id| format!("{one} {}", id.as_str().unwrap_or_default())).collect()
    };
    let names: Vec<_> = flags.chain(ids("roles", "role")).chain(ids("users", "user")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn message_is_one_line() {
        let message = json!({
            "id": "1", "author": { "username": "Alerts" }, "content": "live\n\u{1b}[2J", "embeds": [{ "title": "Run" }],
            "edited_timestamp": "2026-03-14T17:30:05Z", "is_notifying": true,
            "pings": { "everyone": false, "here": true, "roles": ["7"], "users": [] },
        });
        assert_eq!(line(&message), "1  Alerts: live\\n\\u{1b}[2J [Run] (edited)  pings @here, role 7");
    }
}
