//! Writes rules as TOML, as a person would: one table for each rule, and one line for each step.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::read::to_json;
use super::rule::Rules;

/// The rules as a file, from which the same rules are read.
#[must_use]
pub fn to_toml(rules: &Rules) -> String {
    let mut text = String::new();
    let Value::Object(mut tree) = to_json(rules) else { return text };
    let items = match tree.remove("rule") {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    fields(&mut text, &tree);
    for item in items {
        let _ = writeln!(text, "{}[[rule]]", if text.is_empty() { "" } else { "\n" });
        let Value::Object(mut rule) = item else { continue };
        let steps = rule.remove("do");
        let named = rule.remove("name");
        if let Some(name) = named {
            let _ = writeln!(text, "name = {}", value(&name));
        }
        fields(&mut text, &rule);
        if let Some(Value::Array(steps)) = steps {
            write_steps(&mut text, &steps);
        }
    }
    text
}

fn fields(text: &mut String, fields: &Map<String, Value>) {
    for (name, field) in fields {
        let _ = writeln!(text, "{} = {}", key(name), value(field));
    }
}

fn write_steps(text: &mut String, steps: &[Value]) {
    match steps {
        [step] => {
            let _ = writeln!(text, "do = [{}]", value(step));
        }
        steps => {
            text.push_str("do = [\n");
            for step in steps {
                let _ = writeln!(text, "    {},", value(step));
            }
            text.push_str("]\n");
        }
    }
}

fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { name.to_owned() } else { string(name) }
}

fn value(it: &Value) -> String {
    match it {
        Value::String(text) => string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| format!("{} = {}", key(name), value(field)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        // TOML has no null; the rules have none.
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => it.to_string(),
    }
}

/// A text, between apostrophes if it has what would else have to be escaped.
fn string(text: &str) -> String {
    let is_plain = !text.contains(|it: char| it == '\'' || it.is_control());
    if is_plain && text.contains(['"', '\\']) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
