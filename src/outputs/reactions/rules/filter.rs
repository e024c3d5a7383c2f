//! Filters of messages: links, words, capital letters and length.

use std::fmt::Write as _;

use regex::{Regex, RegexBuilder};

use super::links::{self, AllowedHosts};
use super::occurrence::ChatLine;
use super::rule::{Caps, Filter};

/// The most memory that a compiled regular expression may take, in bytes. Matching takes linear time.
const MAX_REGEX_SIZE: usize = 1 << 20;

/// A filter, compiled.
#[derive(Clone, Debug)]
pub struct CompiledFilter {
    links: Option<AllowedHosts>,
    words: Option<Regex>,
    caps: Option<Caps>,
    length: Option<u32>,
}

/// Why a filter can't be compiled: the field, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The field.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

impl CompiledFilter {
    /// Compiles a filter.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn new(filter: &Filter) -> Result<Self, FilterError> {
        let wrong = |field| move |message| FilterError { field, message };
        let links =
            filter.links.as_ref().map(|links| AllowedHosts::new(&links.allow)).transpose().map_err(wrong("links"))?;
        let words = words(&filter.words).map_err(wrong("words"))?;
        Ok(Self { links, words, caps: filter.caps, length: filter.length })
    }

    /// What a message has that the filter looks for, in words for a person.
    #[must_use]
    pub fn find(&self, line: &ChatLine) -> Option<String> {
        let text = &line.text;
        let link = || {
            let allowed = self.links.as_ref()?;
            Some(format!("a link to {}", line.hosts().iter().find(|host| !allowed.has(host))?))
        };
        let word = || Some(format!("the word `{}`", self.words.as_ref()?.captures(line.folded())?.get(1)?.as_str()));
        let caps = || self.caps.and_then(|caps| many_caps(text, caps));
        let length = || {
            let characters = text.chars().count();
            self.length.filter(|max| characters > *max as usize).map(|_| format!("{characters} characters"))
        };
        link().or_else(word).or_else(caps).or_else(length)
    }
}

/// Compiles a regular expression of a rule.
///
/// # Errors
/// What is wrong with it.
pub fn regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(MAX_REGEX_SIZE).dfa_size_limit(MAX_REGEX_SIZE).build().map_err(|error| {
        match error {
            regex::Error::CompiledTooBig(_) => format!("the regular expression takes more than {MAX_REGEX_SIZE} bytes"),
            // The last line of the message says what is wrong, those before it show where.
            error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        }
    })
}

/// Words of which none is a part of another word.
fn words(words: &[String]) -> Result<Option<Regex>, String> {
    if words.is_empty() {
        return Ok(None);
    }
    let mut pattern = String::from(r"(?:^|[^\p{L}\p{N}])(");
    for (place, word) in words.iter().enumerate() {
        let parts: Vec<_> = word.split_whitespace().map(|part| regex::escape(&links::folded(part))).collect();
        // What is invisible is left out of messages, too, so this would be found in almost all.
        if parts.iter().all(String::is_empty) {
            return Err(format!("the word {} has no character that can be seen", place + 1));
        }
        let _ = write!(pattern, "{}{}", if place > 0 { "|" } else { "" }, parts.join(r"\s+"));
    }
    pattern.push_str(r")(?:$|[^\p{L}\p{N}])");
    regex(&pattern).map(Some)
}

fn many_caps(text: &str, caps: Caps) -> Option<String> {
    let letters = text.chars().filter(|it| it.is_uppercase() || it.is_lowercase()).count();
    let capitals = text.chars().filter(|it| it.is_uppercase()).count();
    let percent = capitals * 100 / letters.max(1);
    let is_many = letters >= caps.min as usize && percent >= usize::from(caps.percent);
    is_many.then(|| format!("{percent} % capital letters"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn find(filter: Filter, text: &str) -> Option<String> {
        CompiledFilter::new(&filter).unwrap().find(&ChatLine::new(String::new(), text.to_owned(), false))
    }

    #[test]
    fn word_is_found_as_a_whole_in_any_case() {
        let filter = || Filter { words: vec!["spam".to_owned(), "Buy  now".to_owned()], ..Filter::default() };
        assert_eq!(find(filter(), "so much SPAM!").as_deref(), Some("the word `spam`"));
        assert_eq!(find(filter(), "buy \t now").as_deref(), Some("the word `buy \t now`"));
        assert!(find(filter(), "ｓｐａｍ").is_some() && find(filter(), "s\u{200B}pam").is_some());
        assert_eq!(find(filter(), "spammer antispam buying now"), None);
    }

    #[test]
    fn word_that_can_not_be_seen_is_refused() {
        let filter = |word: &str| Filter { words: vec!["spam".to_owned(), word.to_owned()], ..Filter::default() };
        assert!(CompiledFilter::new(&filter("\u{200B} \u{200B}")).is_err());
        assert!(CompiledFilter::new(&filter("\u{200B}x")).is_ok());
    }

    #[test]
    fn capital_letters_are_counted_in_texts_that_are_long_enough() {
        let filter = || Filter { caps: Some(Caps { percent: 70, min: 10 }), ..Filter::default() };
        assert_eq!(find(filter(), "THIS IS LOUD ok").as_deref(), Some("83 % capital letters"));
        assert_eq!(find(filter(), "THIS IS half loud"), None);
        assert_eq!(find(filter(), "LOUD"), None);
        assert_eq!(find(filter(), "1234567890123 !!!!!!!"), None);
    }

    #[test]
    fn long_text_is_found() {
        let filter = || Filter { length: Some(3), ..Filter::default() };
        assert_eq!(find(filter(), "äöüß").as_deref(), Some("4 characters"));
        assert_eq!(find(filter(), "äöü"), None);
    }

    #[test]
    fn regex_that_is_too_large_is_refused() {
        assert!(regex(r"(\p{L}{100}){100}").unwrap_err().contains("takes more than"));
        assert_eq!(regex("(a").unwrap_err(), "unclosed group");
    }

    #[test]
    // The limits of an optimized build are in the bench.
    fn regex_takes_linear_time() {
        let hostile = [r"(a|a)*b", r"(a+)+$", r"(.*a){20}x", r"(a?){50}a{50}"];
        let text = "a".repeat(500);
        for pattern in hostile {
            let regex = regex(pattern).unwrap();
            let _ = regex.is_match(&text);
            let began = Instant::now();
            let _ = regex.is_match(&text);
            assert!(began.elapsed() < Duration::from_millis(250), "{pattern}: {:?}", began.elapsed());
        }
    }
}
