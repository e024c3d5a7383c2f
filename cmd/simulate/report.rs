//! Output of `simulate`: messages, answers and totals.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use showtime::cli::colour::{BAD, styled};
use showtime::cli::printable;
use showtime::simulate::answer::{CallbackAnswer, ExpectedAnswer};
use showtime::twitch::eventsub::outgoing::Outgoing;

/// How much of an answer's text is shown, in characters.
const MAX_SHOWN: usize = 400;

/// Counts of messages, and their latencies.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) sent: u32,
    pub(crate) wrong: u32,
    pub(crate) slowest: Duration,
    pub(crate) total: Duration,
}

impl Tally {
    pub(crate) fn count(&mut self, answer: &CallbackAnswer, is_wrong: bool) {
        self.sent += 1;
        self.wrong += u32::from(is_wrong);
        self.slowest = self.slowest.max(answer.latency);
        self.total += answer.latency;
    }

    /// Formats a line about all messages.
    pub(crate) fn summary(&self) -> String {
        let Self { sent, wrong, .. } = self;
        let (mean, slowest) = (milliseconds(self.total / (*sent).max(1)), milliseconds(self.slowest));
        format!("{sent} sent, {} answered as expected, {wrong} not; mean {mean}, slowest {slowest}", sent - wrong)
    }
}

/// Prints to standard output, with colours if they are shown. A closed pipe is no error (`simulate list | head`).
pub(crate) fn print(text: &str) -> io::Result<()> {
    match anstream::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Formats a message before it is sent.
pub(crate) fn sending(message: &Outgoing, event: Option<&Value>) -> String {
    let mut text = match &message.subscription {
        Some((kind, version)) => format!("{} {kind} v{version}\n", message.message_type),
        None => format!("{} of a conduit shard\n", message.message_type),
    };
    if let Some(about) = event.map(about).filter(|about| !about.is_empty()) {
        let _ = writeln!(text, "  about    {about}");
    }
    let stamp = &message.stamp;
    let _ = writeln!(text, "  message  {} of {}, {} bytes", stamp.message_id, stamp.timestamp, message.body.len());
    text
}

/// Formats the people that an event names, and its id.
fn about(event: &Value) -> String {
    let event = event.get(0).and_then(|first| first.get("data")).unwrap_or(event);
    let Some(fields) = event.as_object() else { return String::new() };
    let mut parts: Vec<_> = fields
        .iter()
        .filter_map(|(field, name)| {
            let prefix = field.strip_suffix("_name")?;
            let (name, id) = (name.as_str()?, fields.get(&format!("{prefix}_id"))?.as_str()?);
            fields.get(&format!("{prefix}_login"))?;
            let part = prefix.strip_suffix("_user").unwrap_or(prefix).replace('_', " ");
            Some(format!("{part} {} ({})", visible(name), visible(id)))
        })
        .collect();
    parts.extend(fields.get("id").and_then(Value::as_str).map(|id| format!("id {}", visible(id))));
    parts.join(", ")
}

/// Formats an answer, and what is wrong with it.
pub(crate) fn answer(answer: &CallbackAnswer, expected: &ExpectedAnswer) -> String {
    let mut text = format!("{} in {}", answer.status, milliseconds(answer.latency));
    if let Some(body) = body_text(answer) {
        let _ = write!(text, ": {body}");
    }
    text.push('\n');
    if let Some(objection) = expected.objection(answer) {
        let _ = writeln!(text, "{} ({expected}): {objection}", styled(BAD, "NOT as expected"));
    }
    text
}

/// The text of a problem document, or else the whole body.
fn body_text(answer: &CallbackAnswer) -> Option<String> {
    /// RFC 9457.
    #[derive(Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
    }
    let body = String::from_utf8_lossy(&answer.body);
    let text = match serde_json::from_str(&body) {
        Ok(Problem { title: Some(title), detail: Some(detail) }) => format!("{title}: {detail}"),
        Ok(Problem { title: Some(text), .. } | Problem { detail: Some(text), .. }) => text,
        _ => body.trim().to_owned(),
    };
    Some(visible(&text)).filter(|text| !text.is_empty())
}

/// Shortens a text of the server, for the terminal.
fn visible(text: &str) -> String {
    let mut shown = printable(&text.chars().take(MAX_SHOWN).collect::<String>());
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
