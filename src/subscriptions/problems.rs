//! Why desired subscriptions deliver nothing: each cause once, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::explain::describe;
use crate::program::Program;
use crate::store::desired_subscriptions::DesiredRow;
use crate::twitch::catalogue;

/// Why a subscription delivers nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The broadcaster has to consent.
    Consent,
    /// All else, in words.
    Other(String),
}

impl Cause {
    /// That of a row that does not deliver.
    #[must_use]
    pub fn of(row: &DesiredRow) -> Self {
        if row.status.needs_consent() { Self::Consent } else { Self::Other(describe(row)) }
    }
}

/// A subscription that delivers nothing.
#[derive(Clone, Debug)]
pub struct Failure<'a> {
    /// The channel's login.
    pub login: &'a str,
    /// For example `channel.follow`.
    pub kind: &'a str,
    /// For example `2`.
    pub version: &'a str,
    /// Why.
    pub cause: Cause,
}

impl<'a> Failure<'a> {
    /// That of a row that does not deliver, for this cause.
    #[must_use]
    pub fn new(row: &'a DesiredRow, cause: Cause) -> Self {
        Self { login: &row.channel_login, kind: &row.kind, version: &row.version, cause }
    }
}

/// The subscriptions of a channel that deliver nothing for the same cause. Its `Display` says so.
#[derive(Debug)]
pub struct Problem<'a> {
    login: &'a str,
    cause: Cause,
    /// Types and versions.
    kinds: Vec<(&'a str, &'a str)>,
}

/// The failures by channel and cause.
#[must_use]
pub fn problems<'a>(failures: impl IntoIterator<Item = Failure<'a>>) -> Vec<Problem<'a>> {
    let mut causes = BTreeMap::<_, Vec<_>>::new();
    for Failure { login, kind, version, cause } in failures {
        causes.entry((login, cause)).or_default().push((kind, version));
    }
    causes.into_iter().map(|((login, cause), kinds)| Problem { login, cause, kinds }).collect()
}

impl Problem<'_> {
    /// What is wrong, and what to run.
    #[must_use]
    pub fn with_command(&self) -> String {
        match self.cause {
            Cause::Consent => format!("{self}: run `{}`", Program::Init),
            Cause::Other(_) => self.to_string(),
        }
    }

    /// What is wrong, and which types it is about.
    #[must_use]
    pub fn with_types(&self) -> String {
        format!("{self}{}", self.types())
    }

    /// All of that, and the scopes that a consent has to grant.
    #[must_use]
    pub fn in_full(&self) -> String {
        match (&self.cause, self.scopes()) {
            (Cause::Consent, scopes) if !scopes.is_empty() => {
                format!("{self} to {}: run `{}`{}", scopes.join(", "), Program::Init, self.types())
            }
            _ => format!("{}{}", self.with_command(), self.types()),
        }
    }

    /// The types in brackets, unless there is one, which is named anyway.
    fn types(&self) -> String {
        match self.kinds.as_slice() {
            [_] => String::new(),
            kinds => format!(" ({})", kinds.iter().map(named).collect::<Vec<_>>().join(", ")),
        }
    }

    fn scopes(&self) -> Vec<String> {
        let kinds = self.kinds.iter().filter_map(|(kind, version)| catalogue::find(kind, Some(version)));
        let scopes: BTreeSet<_> = kinds.flat_map(|kind| &kind.scopes).map(|group| group.join(" or ")).collect();
        scopes.into_iter().collect()
    }
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, need) = match self.kinds.as_slice() {
            [kind] => (named(kind), "needs"),
            kinds => (format!("{} subscriptions", kinds.len()), "need"),
        };
        match &self.cause {
            Cause::Consent => write!(f, "{subject} {need} consent of {}", self.login),
            Cause::Other(reason) => write!(f, "{subject} of {}: {reason}", self.login),
        }
    }
}

fn named((kind, version): &(&str, &str)) -> String {
    format!("{kind} v{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: &'static str, cause: Cause) -> Failure<'static> {
        let version = &catalogue::find(kind, None).unwrap().version;
        Failure { login: "maplearcade", kind, version, cause }
    }

    #[test]
    fn each_cause_is_told_once() {
        let limit = || Cause::Other("a limit".to_owned());
        let failures = [
            failure("channel.cheer", Cause::Consent),
            failure("stream.online", limit()),
            failure("channel.follow", Cause::Consent),
            Failure { login: "copperkite", ..failure("channel.raid", limit()) },
        ];
        let problems = problems(failures);
        let commands: Vec<_> = problems.iter().map(Problem::with_command).collect();
        let expected = [
            "2 subscriptions need consent of maplearcade: run `cargo run --bin init`",
            "stream.online v1 of maplearcade: a limit",
            "channel.raid v1 of copperkite: a limit",
        ];
        assert_eq!(BTreeSet::from_iter(&commands), BTreeSet::from(expected.map(str::to_owned)).iter().collect());
        let consent = problems.iter().find(|problem| problem.cause == Cause::Consent).unwrap();
        assert_eq!(
            consent.in_full(),
            "2 subscriptions need consent of maplearcade to bits:read, moderator:read:followers: run `cargo run --bin init` \
             (channel.cheer v1, channel.follow v2)"
        );
        assert_eq!(
            consent.with_types(),
            "2 subscriptions need consent of maplearcade (channel.cheer v1, channel.follow v2)"
        );
    }
}
