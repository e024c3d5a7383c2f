//! The parts of sentences: texts of strangers made harmless, numbers with their units, times, money.

use crate::twitch::payload::Money;

/// The longest text of a stranger in a sentence, in characters.
const MAX_LENGTH: usize = 500;

/// A text of a stranger in one line, without characters that control a terminal or turn the direction of writing; one that is
/// written from right to left is isolated, so that it reorders nothing beside it. `None` if nothing is left of it.
pub(super) fn quoted(text: &str) -> Option<String> {
    let mut shown: String = text.chars().filter_map(harmless).take(MAX_LENGTH + 1).collect();
    if let Some((end, _)) = shown.char_indices().nth(MAX_LENGTH) {
        shown.truncate(end);
        shown.push('…');
    }
    let shown = shown.trim();
    if shown.is_empty() {
        None
    } else if shown.chars().any(is_right_to_left) {
        Some(format!("\u{2068}{shown}\u{2069}"))
    } else {
        Some(shown.to_owned())
    }
}

fn harmless(c: char) -> Option<char> {
    match c {
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        c => (!c.is_control()).then_some(c),
    }
}

/// Whether it lies in a block of [scripts that are written from right to left](https://www.unicode.org/reports/tr9/).
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// A name that Twitch gave to a thing, such as `send_highlighted_message`, in words.
pub(super) fn plain(name: &str) -> String {
    name.replace('_', " ").to_lowercase()
}

/// `1,234`
pub(super) fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut shown = if value < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 bit`, `250 bits`; without a number `bits`. The unit is given in the singular.
pub(super) fn count(value: Option<i64>, unit: &str) -> String {
    match value {
        Some(1) => format!("1 {unit}"),
        Some(value) => format!("{} {unit}s", number(value)),
        None => format!("{unit}s"),
    }
}

/// `90 seconds`, `5 minutes`: in the largest unit that leaves no rest.
pub(super) fn span(seconds: i64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let unit = units.into_iter().find(|(length, _)| seconds != 0 && seconds % length == 0);
    let (length, unit) = unit.unwrap_or((1, "second"));
    count(Some(seconds / length), unit)
}

/// `15.00 USD`
pub(super) fn money(money: &Money) -> String {
    let Money { value, decimal_places, currency } = money;
    let places = usize::try_from(*decimal_places).unwrap_or_default().min(18);
    let scale = 10_u64.pow(u32::try_from(places).unwrap_or_default());
    let (whole, rest) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    let sign = if *value < 0 { "-" } else { "" };
    let whole = number(i64::try_from(whole).unwrap_or(i64::MAX));
    let amount = if places == 0 { whole } else { format!("{whole}.{rest:0places$}") };
    [Some(format!("{sign}{amount}")), quoted(currency)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The sentence with what a user wrote.
pub(super) fn said(sentence: String, text: Option<String>) -> String {
    match text {
        Some(text) => format!("{sentence}: {text}"),
        None => sentence,
    }
}

/// The sentence with something in parentheses.
pub(super) fn noted(sentence: String, note: Option<String>) -> String {
    match note {
        Some(note) => format!("{sentence} ({note})"),
        None => sentence,
    }
}

/// `the reward “Hydrate!”`; `a reward` without a title.
pub(super) fn titled(noun: &str, title: Option<String>) -> String {
    match title {
        Some(title) => format!("the {noun} “{title}”"),
        None => format!("a {noun}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_stranger_stays_in_its_place() {
        assert_eq!(quoted("a\u{1b}[2J\u{202e}b\r\nc\u{7f}\u{9b}").unwrap(), "a[2Jb  c");
        assert_eq!(quoted("\u{2069}שלום").unwrap(), "\u{2068}שלום\u{2069}");
        assert_eq!(quoted("\u{61c}\u{61c}19").unwrap(), "19");
        assert_eq!(quoted("日本 Ünï 🎉").unwrap(), "日本 Ünï 🎉");
        assert_eq!((quoted(""), quoted(" \n\u{202e}")), (None, None));
        assert_eq!(quoted(&"é".repeat(501)).unwrap(), format!("{}…", "é".repeat(500)));
    }

    #[test]
    fn numbers_have_units() {
        assert_eq!([0, 999, 1_000, -1_234_567].map(number), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!(number(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(
            [None, Some(1), Some(0), Some(1_500)].map(|it| count(it, "bit")),
            ["bits", "1 bit", "0 bits", "1,500 bits"]
        );
        let spans = [0, 1, 90, 300, 7_200, 86_400].map(span);
        assert_eq!(spans, ["0 seconds", "1 second", "90 seconds", "5 minutes", "2 hours", "1 day"]);
    }

    #[test]
    fn money_has_its_decimals() {
        let shown = |value, decimal_places| money(&Money { value, decimal_places, currency: "USD".to_owned() });
        assert_eq!([shown(1_500, 2), shown(-5, 2), shown(123_456, 0)], ["15.00 USD", "-0.05 USD", "123,456 USD"]);
        assert_eq!(shown(i64::MIN, i64::MAX), "-9.223372036854775808 USD");
    }
}
