//! The line that is printed for an event.

use std::fmt;

use serde_json::{Value, json};
use showtime::cli::colour::{FAINT, KIND, styled};
use showtime::cli::{escaped, printable};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::sse::FeedEvent;

/// The isolates that the server puts around names that are written from right to left. They end with the line.
const ISOLATES: [char; 2] = ['\u{2068}', '\u{2069}'];

/// A line of the feed, for a terminal.
pub(super) struct Line {
    at: String,
    channel: String,
    kind: String,
    text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, channel, kind, text } = self;
        write!(f, "{}  {channel}  {}  {text}", styled(FAINT, at), styled(KIND, kind))
    }
}

/// The event as one JSON object, as over a WebSocket. What could change a terminal is escaped.
pub(super) fn json(event: &FeedEvent) -> String {
    let mut line = String::from("{");
    if let Some(id) = event.id.as_ref().and_then(|id| id.parse::<i64>().ok()) {
        line.push_str(&format!("\"id\":{id},"));
    }
    line.push_str(&format!("\"event\":{},\"data\":", json!(event.name)));
    // White space stands between the parts of a document only.
    line + &escaped(&event.data.replace(['\t', '\n', '\r'], " ")) + "}"
}

/// The event for people: time, channel, type, text. A snapshot has a line for each channel.
pub(super) fn text(event: &FeedEvent, now: OffsetDateTime) -> Vec<Line> {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    match event.name.as_str() {
        "event" => vec![line(&data, now, &channel_of(&data), kind(&data), data["text"].as_str().unwrap_or_default())],
        "alert" => {
            vec![line(&data, now, name(&data["channel"]), kind(&data), data["text"].as_str().unwrap_or_default())]
        }
        "snapshot" => {
            let channels = data["channels"].as_array().into_iter().flatten();
            channels.map(|channel| line(channel, now, name(channel), "snapshot", &state(channel))).collect()
        }
        "channel" => vec![line(&data, now, name(&data), "channel", &state(&data))],
        name_of_chat => vec![line(&data, now, name(&data["channel"]), name_of_chat, &chat(&data, name_of_chat))],
    }
}

fn line(data: &Value, now: OffsetDateTime, channel: &str, kind: &str, text: &str) -> Line {
    let at = data["occurred_at"].as_str().and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok()).unwrap_or(now);
    let at = at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z")).unwrap_or_default();
    let marks = [("is_test", "test"), ("is_replay", "replay")];
    let marks: String =
        marks.iter().filter(|(flag, _)| data[*flag] == true).map(|(_, mark)| format!(" [{mark}]")).collect();
    let repeat = if data["repeats"].is_number() { " [repeat]" } else { "" };
    let text = format!("{}{marks}{repeat}", shown(text));
    Line { at, channel: printable(channel), kind: printable(kind), text }
}

/// A text of the server: the isolates in it stay.
fn shown(text: &str) -> String {
    text.split_inclusive(ISOLATES)
        .map(|part| match part.strip_suffix(ISOLATES) {
            Some(text) => printable(text) + &part[text.len()..],
            None => printable(part),
        })
        .collect()
}

fn kind(data: &Value) -> &str {
    data["type"].as_str().or_else(|| data["message_type"].as_str()).unwrap_or_default()
}

fn name(user: &Value) -> &str {
    let login = user["login"].as_str().filter(|login| !login.is_empty());
    login.or_else(|| user["id"].as_str()).unwrap_or("-")
}

/// The login of an event's channel, which stands in the payload beside its id.
fn channel_of(data: &Value) -> String {
    let Some(id) = data["channel_id"].as_str() else { return "-".to_owned() };
    let event = &data["payload"]["event"];
    let fields = event.as_object().into_iter().flatten();
    let prefixes =
        fields.filter(|(_, value)| value.as_str() == Some(id)).filter_map(|(field, _)| field.strip_suffix("_id"));
    let logins = prefixes.filter_map(|prefix| event[format!("{prefix}_login")].as_str());
    logins.into_iter().find(|login| !login.is_empty()).unwrap_or(id).to_owned()
}

fn state(channel: &Value) -> String {
    let state = if channel["is_live"] == true { "live" } else { "offline" };
    match channel["title"].as_str() {
        Some(title) if !title.is_empty() => format!("{state}: {title}"),
        _ => state.to_owned(),
    }
}

fn chat(data: &Value, name: &str) -> String {
    let user = data["user"]["display_name"].as_str();
    match name {
        "message" => {
            let notice = data["notice"]["text"].as_str().filter(|notice| !notice.is_empty());
            let text = data["text"].as_str().unwrap_or_default();
            match (notice, user.unwrap_or("An anonymous user"), data["is_action"] == true) {
                (Some(notice), _, _) if text.is_empty() => notice.to_owned(),
                (Some(notice), _, _) => format!("{notice} “{text}”"),
                (None, user, true) => format!("{user} {text}"),
                (None, user, false) => format!("{user}: {text}"),
            }
        }
        "message_deleted" => format!("A message of {} was deleted", user.unwrap_or("a user")),
        "messages_cleared" => match user {
            Some(user) => format!("All messages of {user} were deleted"),
            None => "All messages were deleted".to_owned(),
        },
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn event(name: &str, data: &Value) -> FeedEvent {
        FeedEvent { id: Some("7".to_owned()), name: name.to_owned(), data: data.to_string(), ..FeedEvent::default() }
    }

    fn lines(name: &str, data: &Value) -> Vec<String> {
        let lines = text(&event(name, data), datetime!(2026-07-01 18:00 UTC));
        lines.into_iter().map(|Line { at, channel, kind, text }| [at, channel, kind, text].join("  ")).collect()
    }

    #[test]
    fn each_event_has_a_line() {
        let channel = json!({ "id": "90210441", "login": "maplearcade", "display_name": "MapleArcade" });
        let payload = json!({ "event": { "user_id": "7", "user_login": "x", "to_broadcaster_user_id": "90210441", "to_broadcaster_user_login": "maplearcade" } });
        let raid = json!({ "type": "channel.raid", "channel_id": "90210441", "occurred_at": "2026-07-01T18:16:11.46Z", "text": "CopperKite raided", "is_test": true, "repeats": 5, "payload": payload });
        assert_eq!(
            lines("event", &raid),
            ["2026-07-01 18:16:11Z  maplearcade  channel.raid  CopperKite raided [test] [repeat]"]
        );
        let bare = json!({ "type": null, "message_type": "new", "channel_id": null });
        assert_eq!(lines("event", &bare), ["2026-07-01 18:00:00Z  -  new  "]);
        let alert = json!({ "type": "follow", "channel": channel, "text": "QuietOtter followed", "is_replay": true });
        assert_eq!(lines("alert", &alert), ["2026-07-01 18:00:00Z  maplearcade  follow  QuietOtter followed [replay]"]);
        let message = json!({ "channel": channel, "user": { "display_name": "QuietOtter" }, "text": "hi" });
        assert_eq!(lines("message", &message), ["2026-07-01 18:00:00Z  maplearcade  message  QuietOtter: hi"]);
        let cleared = json!({ "channel": channel, "user": null });
        assert_eq!(
            lines("messages_cleared", &cleared),
            ["2026-07-01 18:00:00Z  maplearcade  messages_cleared  All messages were deleted"]
        );
        let live = json!({ "login": "maplearcade", "is_live": true, "title": "Speedrun" });
        let snapshot = json!({ "channels": [live, { "login": "palmgrove", "is_live": false, "title": null }] });
        let shown = [
            "2026-07-01 18:00:00Z  maplearcade  snapshot  live: Speedrun",
            "2026-07-01 18:00:00Z  palmgrove  snapshot  offline",
        ];
        assert_eq!(lines("snapshot", &snapshot), shown);
    }

    #[test]
    fn text_of_strangers_changes_no_terminal() {
        let hostile = "\u{1b}[2J\u{9b}31m\u{202e}a\nb\u{2068}שלום\u{2069}";
        let channel = json!({ "login": hostile });
        let data = json!({ "channel": channel, "type": hostile, "text": hostile });
        let [line] = &lines("alert", &data)[..] else { panic!("one line") };
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
        assert!(line.ends_with("\\u{1b}[2J\\u{9b}31m\\u{202e}a\\nb\u{2068}שלום\u{2069}"), "{line:?}");
    }

    #[test]
    fn json_stays_the_same_document_in_one_line() {
        let data = json!({ "text": "\u{1b}[2J\u{9b}31m\u{202e}a\nb \u{7f} é🎉 שלום", "n": 1.5 });
        let pretty = serde_json::to_string_pretty(&data).unwrap();
        let line = json(&FeedEvent { data: pretty, ..event("alert", &data) });
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), json!({ "id": 7, "event": "alert", "data": data }));
        assert!(line.contains("é🎉 שלום"), "{line}");
    }
}
