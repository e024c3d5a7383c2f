//! Answers as text for snapshots.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use serde_json::Value;

/// Longer values have several lines.
const MAX_LENGTH: usize = 90;

static VARYING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[id]"),
        (r"\b\d+ ms\b", "[duration]"),
    ];
    patterns.map(|(pattern, name)| (Regex::new(pattern).unwrap(), name)).into()
});

/// The JSON of an answer, with its times, durations and random ids replaced.
pub(crate) fn masked(answer: &impl Serialize) -> Value {
    let text = serde_json::to_string(answer).unwrap();
    let text = VARYING.iter().fold(text, |text, (pattern, name)| pattern.replace_all(&text, *name).into_owned());
    serde_json::from_str(&text).unwrap()
}

/// The JSON as text for a snapshot: a value that is short enough has one line, others have a line for each part.
pub(crate) fn lines(value: &Value) -> String {
    indented(value, "")
}

fn indented(value: &Value, indent: &str) -> String {
    let line = value.to_string();
    let inner = format!("{indent}  ");
    let (open, close, parts): (_, _, Vec<_>) = match value {
        Value::Object(fields) if line.len() > MAX_LENGTH => {
            let part = |(name, value): (&String, _)| format!("{inner}\"{name}\": {}", indented(value, &inner));
            ("{", "}", fields.iter().map(part).collect())
        }
        Value::Array(items) if line.len() > MAX_LENGTH => {
            ("[", "]", items.iter().map(|item| format!("{inner}{}", indented(item, &inner))).collect())
        }
        _ => return line,
    };
    format!("{open}\n{}\n{indent}{close}", parts.join(",\n"))
}
