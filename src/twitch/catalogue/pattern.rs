//! Patterns of subscription types: `channel.cheer`, `stream.*` for all that begin so, `*` for all, a preset such as `alerts`, and
//! one of these with a hyphen before it, which leaves out what it matches.

use super::selection::PRESETS;

/// Whether a list of patterns selects a type: the last one that matches decides. A list that begins with an exception begins
/// with all. An event without a type has an empty one, which only `*` matches.
#[must_use]
pub fn selects(patterns: &[String], kind: &str) -> bool {
    let last = patterns.iter().rev().find(|pattern| matches(pattern.trim_start_matches('-'), kind));
    match last {
        Some(pattern) => !pattern.starts_with('-'),
        None => patterns.first().is_some_and(|first| first.starts_with('-')),
    }
}

/// Whether a pattern without a hyphen before it matches a type.
#[must_use]
pub fn matches(pattern: &str, kind: &str) -> bool {
    if let Some(patterns) = preset(pattern) {
        return patterns.iter().any(|pattern| matches(pattern, kind));
    }
    match pattern.strip_suffix('*') {
        Some(prefix) if prefix.is_empty() || prefix.ends_with('.') => kind.starts_with(prefix),
        _ => pattern == kind,
    }
}

/// Whether each of these is the name of a type, and nothing that stands for several.
#[must_use]
pub fn are_names(patterns: &[String]) -> bool {
    patterns.iter().all(|pattern| !pattern.starts_with('-') && !pattern.ends_with('*') && preset(pattern).is_none())
}

fn preset(name: &str) -> Option<&'static [&'static str]> {
    PRESETS.iter().find(|(preset, _)| *preset == name).map(|(_, patterns)| *patterns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|pattern| (*pattern).to_owned()).collect()
    }

    #[test]
    fn last_pattern_that_matches_decides() {
        let selected = |patterns: &[&str], kind: &str| selects(&list(patterns), kind);
        assert!(!selected(&[], "channel.cheer"));
        assert!(selected(&["channel.cheer", "stream.*"], "stream.online"));
        assert!(!selected(&["channel.cheer", "stream.*"], "channel.follow"));
        assert!(!selected(&["*", "-channel.chat.*"], "channel.chat.message"));
        assert!(selected(&["-channel.chat.*"], "channel.follow"));
        assert!(selected(&["-channel.*", "channel.cheer"], "channel.cheer"));
        assert!(!selected(&["stream.*"], "streams"));
        assert!(!selected(&["stream*"], "stream.online"), "the beginning ends with a dot");
        assert!(selected(&["*", "-stream.*"], "") && selected(&["-stream.*"], "") && !selected(&["stream.*"], ""));
    }

    #[test]
    fn preset_stands_for_its_types() {
        assert!(matches("alerts", "channel.poll.begin") && matches("chat", "channel.chat.message"));
        assert!(!matches("alerts", "channel.chat.message"));
        assert!(!selects(&list(&["all", "-chat"]), "channel.chat.clear"));
    }

    #[test]
    fn names_are_told_from_patterns() {
        assert!(are_names(&list(&["channel.cheer", "unheard.of"])));
        for pattern in ["stream.*", "*", "-channel.cheer", "chat"] {
            assert!(!are_names(&list(&["channel.cheer", pattern])), "{pattern}");
        }
    }
}
