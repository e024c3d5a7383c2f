//! Subscription types that can be simulated: lookup by name, and the table of all.

use std::fmt::Write as _;

use anyhow::{Result, anyhow, bail};
use serde::Serialize;
use showtime::twitch::catalogue::lookup::{self, KindError};
use showtime::twitch::catalogue::{self, Availability, SubscriptionType};
use showtime::twitch::samples;

/// Finds a type by name and version.
pub(crate) fn find(name: &str, version: Option<&str>) -> Result<&'static SubscriptionType> {
    lookup::find(name, version).map_err(|error| match error {
        KindError::Unknown { .. } => anyhow!("{error}; `simulate list` shows all"),
        KindError::NotOffered { .. } => error.into(),
    })
}

/// A type that can be simulated.
#[derive(Serialize)]
pub(crate) struct KindReport {
    r#type: &'static str,
    version: &'static str,
    /// `current`, `beta` or `deprecated`.
    status: &'static str,
    summary: &'static str,
    /// Further samples of it.
    variants: Vec<&'static str>,
}

impl From<&'static SubscriptionType> for KindReport {
    fn from(kind: &'static SubscriptionType) -> Self {
        let status = match kind.status {
            Availability::Current => "current",
            Availability::Beta => "beta",
            Availability::Deprecated => "deprecated",
        };
        let variants = samples::variants(&kind.name, &kind.version).flatten().collect();
        Self { r#type: &kind.name, version: &kind.version, status, summary: &kind.summary, variants }
    }
}

/// The types whose name or summary contains the filter.
pub(crate) fn reports(filter: Option<&str>) -> Result<Vec<KindReport>> {
    let filter = filter.unwrap_or_default().to_lowercase();
    let fits = |kind: &&SubscriptionType| kind.name.contains(&filter) || kind.summary.to_lowercase().contains(&filter);
    let reports: Vec<_> = catalogue::all().iter().filter(fits).map(KindReport::from).collect();
    if reports.is_empty() {
        bail!("no type matches `{filter}`; `simulate list` shows all");
    }
    Ok(reports)
}

/// Formats a table of them.
pub(crate) fn table(filter: Option<&str>) -> Result<String> {
    let reports = reports(filter)?;
    let width = reports.iter().map(|kind| kind.r#type.len()).max().unwrap_or_default();
    let mut text = format!("{:width$}  VERSION  STATUS      SUMMARY\n", "TYPE");
    for KindReport { r#type, version, status, summary, variants } in reports {
        let _ = writeln!(text, "{:width$}  {version:7}  {status:10}  {summary}", r#type);
        if !variants.is_empty() {
            let _ = writeln!(text, "{:width$}  variants: {}", "", variants.join(", "));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_type_is_an_error_that_names_the_list() {
        let error = find("xyz", None).unwrap_err().to_string();
        assert_eq!(error, "Twitch has no type `xyz`; `simulate list` shows all");
    }

    #[test]
    fn table_has_every_type_and_can_be_filtered() {
        let lines = |text: String| text.lines().filter(|line| !line.starts_with(' ')).count() - 1;
        assert_eq!(lines(table(None).unwrap()), catalogue::all().len());
        let cheer = table(Some("channel.cheer")).unwrap();
        assert!(lines(cheer.clone()) == 1 && cheer.contains("variants: anonymous"), "{cheer}");
        assert!(table(Some("nothing like it")).is_err());
    }
}
