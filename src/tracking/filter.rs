//! Which broadcasts a track is about: by category and title.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most entries of a list, and the longest of them in characters.
const MAX_ENTRIES: usize = 50;
const MAX_LENGTH: usize = 200;

/// The size that a compiled pattern may have, in bytes.
const MAX_PATTERN: usize = 64 * 1024;

/// Which broadcasts are announced. It is checked again whenever category or title change, until the message is posted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrackFilter {
    /// Names or ids of categories, of which one must be that of the stream; all by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Names or ids of categories that are not announced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_categories: Vec<String>,
    /// Regular expressions, of which one must match in the title; all titles by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub titles: Vec<String>,
    /// Regular expressions for titles that are not announced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_titles: Vec<String>,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filtered<'a> {
    /// The id of the category.
    pub category_id: &'a str,
    /// Its name.
    pub category_name: &'a str,
    /// The title.
    pub title: &'a str,
}

impl TrackFilter {
    /// Whether a broadcast is announced. A pattern that does not compile is found nowhere.
    #[must_use]
    pub fn matches(&self, it: Filtered<'_>) -> bool {
        let is_category = |name: &String| {
            *name == it.category_id && !name.is_empty() || name.to_lowercase() == it.category_name.to_lowercase()
        };
        let is_found = |text: &String| pattern(text).is_ok_and(|pattern| pattern.is_match(it.title));
        (self.categories.is_empty() || self.categories.iter().any(is_category))
            && !self.not_categories.iter().any(is_category)
            && (self.titles.is_empty() || self.titles.iter().any(is_found))
            && !self.not_titles.iter().any(is_found)
    }

    /// Checks the length of the lists, and the patterns.
    ///
    /// # Errors
    /// The field that is wrong, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let lists = [
            ("filter.categories", &self.categories),
            ("filter.not_categories", &self.not_categories),
            ("filter.titles", &self.titles),
            ("filter.not_titles", &self.not_titles),
        ];
        for (field, list) in lists {
            if list.len() > MAX_ENTRIES || list.iter().any(|entry| entry.chars().count() > MAX_LENGTH) {
                return Err((
                    field,
                    format!("must be at most {MAX_ENTRIES} entries of at most {MAX_LENGTH} characters"),
                ));
            }
        }
        for (field, list) in &lists[2..] {
            for text in list.iter() {
                pattern(text).map_err(|_| (*field, format!("has `{text}`, which is no pattern")))?;
            }
        }
        Ok(())
    }
}

/// Matches in linear time.
fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).case_insensitive(true).size_limit(MAX_PATTERN).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(change: impl FnOnce(&mut TrackFilter)) -> TrackFilter {
        let mut filter = TrackFilter::default();
        change(&mut filter);
        filter
    }

    #[test]
    fn category_and_title_decide() {
        let it = Filtered { category_id: "743", category_name: "Chess", title: "Blitz until dawn" };
        let list = |text: &str| vec![text.to_owned()];
        assert!(TrackFilter::default().matches(it));
        for (name, is_match) in [("chess", true), ("743", true), ("Go", false), ("", false)] {
            assert_eq!(filter(|filter| filter.categories = list(name)).matches(it), is_match, "{name}");
            assert_eq!(filter(|filter| filter.not_categories = list(name)).matches(it), !is_match, "{name}");
        }
        for (pattern, is_match) in [("blitz", true), ("^until", false), ("(dawn|dusk)$", true), ("(", false)] {
            assert_eq!(filter(|filter| filter.titles = list(pattern)).matches(it), is_match, "{pattern}");
            assert_eq!(filter(|filter| filter.not_titles = list(pattern)).matches(it), !is_match, "{pattern}");
        }
    }

    #[test]
    fn lists_and_patterns_have_limits() {
        let error = |filter: TrackFilter| filter.check().unwrap_err().0;
        assert_eq!(filter(|filter| filter.titles = vec!["a.*b".to_owned()]).check(), Ok(()));
        assert_eq!(error(filter(|filter| filter.not_titles = vec!["(".to_owned()])), "filter.not_titles");
        assert_eq!(error(filter(|filter| filter.titles = vec![r"\w{500}".to_owned()])), "filter.titles");
        assert_eq!(error(filter(|filter| filter.categories = vec![String::new(); 51])), "filter.categories");
    }
}
