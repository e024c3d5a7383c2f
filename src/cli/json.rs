//! Lists as JSON.

use serde::Serialize;

use super::{print, printable};

/// The option of every command that lists something.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct AsJson {
    /// Print JSON, with the fields that the API has
    #[arg(long)]
    pub json: bool,
}

/// Prints a list, or what else the API would answer, as one JSON document on stdout.
///
/// # Errors
/// If it can't be written as JSON.
pub fn print_json(value: &impl Serialize) -> serde_json::Result<()> {
    print(escaped(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// The same JSON document, in which everything is escaped that could change a terminal, but for line breaks: these stand between
/// its parts only.
#[must_use]
pub fn escaped(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for c in document.chars() {
        if c != '\n' && printable(c.encode_utf8(&mut [0; 4])).len() > c.len_utf8() {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_stays_the_same_document_and_changes_no_terminal() {
        let data = json!([{ "text": "\u{1b}[2J\u{9b}31m\u{202e}a\nb \u{7f} é🎉 שלום" }, 1.5]);
        let text = escaped(&serde_json::to_string_pretty(&data).unwrap());
        assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), data);
        assert!(text.contains("é🎉 שלום") && text.contains("\\u001b[2J\\u009b31m\\u202ea"), "{text}");
    }
}
