//! Text of strangers in Discord's Markdown.

/// Ends a text that was cut.
const ELLIPSIS: char = '…';

/// A text of at most `limit` characters that shows these words as they are: without formatting, mentions and line breaks.
#[must_use]
pub fn escape(text: &str, limit: usize) -> String {
    escape_part(text.trim(), limit)
}

/// The first `limit` characters of a text, with an ellipsis at the end if it was cut.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit.saturating_sub(1)) {
        Some((place, last)) if place + last.len_utf8() < text.len() => {
            format!("{}{ELLIPSIS}", text[..place].trim_end())
        }
        _ => text.to_owned(),
    }
}

/// The same as [`escape`] for a part of a text: space at its ends stays.
#[must_use]
pub fn escape_part(text: &str, limit: usize) -> String {
    let mut escaped = String::with_capacity(text.len());
    let (mut length, mut fitting) = (0, 0);
    for c in text.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        if c.is_control() || is_invisible(c) {
            continue;
        }
        let is_special = c.is_ascii_punctuation() && !matches!(c, '.' | ',' | '/' | '\'' | '"' | '&' | '%' | '?' | ';');
        if is_special {
            escaped.push('\\');
        }
        escaped.push(c);
        length += 1 + usize::from(is_special);
        if length > limit {
            escaped.truncate(fitting);
            escaped.push(ELLIPSIS);
            return escaped;
        }
        if length < limit {
            fitting = escaped.len();
        }
    }
    escaped
}

/// Characters that change the direction or the look of what follows them.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_mentions_are_shown_as_they_are() {
        assert_eq!(escape("**bold** @everyone <@&1> `x`", 100), r"\*\*bold\*\* \@everyone \<\@&1\> \`x\`");
        assert_eq!(escape(" two\nlines\u{202e}\u{61c}\u{7} ", 100), "two lines");
        assert_eq!(escape("Any%, what?", 100), "Any%, what?");
        assert_eq!(escape("[a](https://b)", 100), r"\[a\]\(https\://b\)");
    }

    #[test]
    fn text_is_cut_without_cutting_an_escape() {
        assert_eq!(escape("abcdef", 6), "abcdef");
        assert_eq!(escape("abcdefg", 6), "abcde…");
        for limit in 2..40 {
            let cut = escape(&"*".repeat(50), limit);
            assert!(cut.chars().count() <= limit, "{limit}: {cut}");
            assert!(cut.trim_end_matches('…').chars().count().is_multiple_of(2), "{limit}: {cut}");
        }
        assert_eq!(escape(&"é".repeat(300), 256).chars().count(), 256);
        assert_eq!(["abcdé", "abcdéf", "abc éf", ""].map(|text| shorten(text, 5)), ["abcdé", "abcd…", "abc…", ""]);
    }
}
