//! Finds a subscription type by a name that a person typed, with suggestions for misspelt ones.

use super::{self as catalogue, Availability, SubscriptionType};

/// The similarity, from 0 to 1, from which a name is suggested.
const MIN_SIMILARITY: f64 = 0.85;

/// The most names that are suggested.
const MAX_SUGGESTIONS: usize = 5;

/// Why there is no such type.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KindError {
    /// Twitch never had the type.
    #[error("Twitch has no type `{name}`{}", did_you_mean(.suggestions))]
    Unknown {
        /// The name that was typed.
        name: String,
        /// Similar names.
        suggestions: Vec<&'static str>,
    },
    /// Twitch no longer has the type, or not in this version.
    #[error("{why} version {version} of {name}; it offers {offered}")]
    NotOffered {
        /// `Twitch has withdrawn` or `Twitch has no`.
        why: &'static str,
        /// The type.
        name: String,
        /// The version that was typed.
        version: String,
        /// The versions that Twitch offers.
        offered: String,
    },
}

/// The type of this name that Twitch offers, in this version or else the newest.
///
/// # Errors
/// [`KindError`], with what Twitch offers instead.
pub fn find(name: &str, version: Option<&str>) -> Result<&'static SubscriptionType, KindError> {
    let versions: Vec<_> = catalogue::all().iter().filter(|kind| kind.name == name).collect();
    if versions.is_empty() {
        return Err(KindError::Unknown { name: name.to_owned(), suggestions: suggestions(name) });
    }
    match catalogue::find(name, version) {
        Some(kind) if kind.status != Availability::Deprecated => Ok(kind),
        found => {
            let offered = versions.iter().filter(|kind| kind.status != Availability::Deprecated);
            let offered: Vec<_> = offered.map(|kind| kind.version.as_str()).collect();
            Err(KindError::NotOffered {
                why: if found.is_some() { "Twitch has withdrawn" } else { "Twitch has no" },
                name: name.to_owned(),
                version: version.unwrap_or_default().to_owned(),
                offered: offered.join(", "),
            })
        }
    }
}

/// The names of all types, in alphabetical order.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = catalogue::all().iter().map(|kind| kind.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The names that are similar to this one, or contain it.
fn suggestions(name: &str) -> Vec<&'static str> {
    let similarity = |known: &str| match known.contains(name) {
        true => 1.0,
        false => strsim::normalized_damerau_levenshtein(known, name),
    };
    let mut names = names();
    names.retain(|known| !name.is_empty() && similarity(known) >= MIN_SIMILARITY);
    names.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
    names.truncate(MAX_SUGGESTIONS);
    names
}

fn did_you_mean(suggestions: &[&str]) -> String {
    if suggestions.is_empty() { String::new() } else { format!(" (did you mean {}?)", suggestions.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, version: Option<&str>) -> String {
        find(name, version).unwrap_err().to_string()
    }

    #[test]
    fn offered_type_is_found() {
        assert_eq!(find("channel.follow", None).unwrap().version, "2");
        assert_eq!(find("automod.message.hold", Some("1")).unwrap().version, "1");
    }

    #[test]
    fn type_that_is_not_offered_is_explained() {
        assert!(error("channel.fellow", None).contains("(did you mean channel.follow?)"));
        assert!(error("streamonline", None).contains("stream.online"));
        assert!(error("chat.message", None).contains("channel.chat.message"));
        assert_eq!(error("xyz", None), "Twitch has no type `xyz`");
        assert_eq!(error("channel.follow", Some("1")), "Twitch has withdrawn version 1 of channel.follow; it offers 2");
        assert_eq!(error("channel.moderate", Some("9")), "Twitch has no version 9 of channel.moderate; it offers 1, 2");
    }
}
