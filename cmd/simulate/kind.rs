//! The types that can be simulated: finding one by name, and showing them all.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use showtime::twitch::catalogue::{self, Availability, SubscriptionType};
use showtime::twitch::samples;

/// How alike a name must be to be suggested, of 1.
const ALIKE: f64 = 0.85;

/// The type of this name that can be simulated.
pub(crate) fn find(name: &str, version: Option<&str>) -> Result<&'static SubscriptionType> {
    let versions: Vec<_> = catalogue::all().iter().filter(|kind| kind.name == name).collect();
    if versions.is_empty() {
        bail!("Twitch has no type `{name}`{}; `simulate list` shows all", suggestion(name));
    }
    match catalogue::find(name, version) {
        Some(kind) if kind.status != Availability::Deprecated => Ok(kind),
        found => {
            let offered = versions.iter().filter(|kind| kind.status != Availability::Deprecated);
            let offered: Vec<_> = offered.map(|kind| kind.version.as_str()).collect();
            let why = if found.is_some() { "Twitch has withdrawn" } else { "Twitch has no" };
            bail!("{why} version {} of {name}; it offers {}", version.unwrap_or_default(), offered.join(", "))
        }
    }
}

/// The types that may have been meant: like the name, or containing it.
fn suggestion(name: &str) -> String {
    let mut names: Vec<_> = catalogue::all().iter().map(|kind| kind.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let likeness = |known: &str| match known.contains(name) {
        true => 1.0,
        false => strsim::normalized_damerau_levenshtein(known, name),
    };
    names.retain(|known| !name.is_empty() && likeness(known) >= ALIKE);
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    names.truncate(5);
    if names.is_empty() { String::new() } else { format!(" (did you mean {}?)", names.join(", ")) }
}

/// A table of the types whose name or summary contains the filter.
pub(crate) fn table(filter: Option<&str>) -> Result<String> {
    let filter = filter.unwrap_or_default().to_lowercase();
    let fits = |kind: &&SubscriptionType| kind.name.contains(&filter) || kind.summary.to_lowercase().contains(&filter);
    let kinds: Vec<_> = catalogue::all().iter().filter(fits).collect();
    if kinds.is_empty() {
        bail!("nothing that Twitch tells matches `{filter}`; `simulate list` shows all");
    }
    let width = kinds.iter().map(|kind| kind.name.len()).max().unwrap_or_default();
    let mut text = format!("{:width$}  VERSION  STATUS      SUMMARY\n", "TYPE");
    for kind in kinds {
        let status = match kind.status {
            Availability::Current => "current",
            Availability::Beta => "beta",
            Availability::Deprecated => "deprecated",
        };
        let _ = writeln!(text, "{:width$}  {:7}  {status:10}  {}", kind.name, kind.version, kind.summary);
        let variants: Vec<_> = samples::variants(&kind.name, &kind.version).flatten().collect();
        if !variants.is_empty() {
            let _ = writeln!(text, "{:width$}  variants: {}", "", variants.join(", "));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(name: &str, version: Option<&str>) -> String {
        find(name, version).unwrap_err().to_string()
    }

    #[test]
    fn what_is_offered_is_found() {
        assert_eq!(find("channel.follow", None).unwrap().version, "2");
        assert_eq!(find("automod.message.hold", Some("1")).unwrap().version, "1");
    }

    #[test]
    fn what_is_not_offered_is_explained() {
        assert!(error("channel.fellow", None).contains("(did you mean channel.follow?)"));
        assert!(error("streamonline", None).contains("stream.online"));
        assert!(error("chat.message", None).contains("channel.chat.message"));
        assert_eq!(error("xyz", None), "Twitch has no type `xyz`; `simulate list` shows all");
        assert_eq!(error("channel.follow", Some("1")), "Twitch has withdrawn version 1 of channel.follow; it offers 2");
        assert_eq!(error("channel.moderate", Some("9")), "Twitch has no version 9 of channel.moderate; it offers 1, 2");
    }

    #[test]
    fn the_table_has_every_type_and_can_be_filtered() {
        let lines = |text: String| text.lines().filter(|line| !line.starts_with(' ')).count() - 1;
        assert_eq!(lines(table(None).unwrap()), catalogue::all().len());
        let cheer = table(Some("channel.cheer")).unwrap();
        assert!(lines(cheer.clone()) == 1 && cheer.contains("variants: anonymous"), "{cheer}");
        assert!(table(Some("nothing like it")).is_err());
    }
}
