//! The verdict of `/status`: the worst of the checks that components register. Knows no component.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::WriteError;
use crate::store::read::health::{Answer, Records};

/// The verdict on a component or the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Healthy.
    Pass,
    /// It works, but needs attention.
    Warn,
    /// It does not work.
    Fail,
}

/// The state of one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// `database`, `migrations`, `twitch`, `webhook_secret`, `messages`, `payloads`, `tokens`, `subscriptions`, `websocket`,
    /// `chat`, `switches`, `spool`, `backfill`, `polling`, `gaps`, `events`, `retention`, `sinks`, `actions`, `consents`, `rules`,
    /// `reactions`, `posts`, `announcements`, `emotes` or `grpc`.
    pub name: &'static str,
    /// The verdict.
    pub status: Verdict,
    /// The status in words.
    pub message: String,
}

impl Check {
    /// A component that works, or that is off.
    #[must_use]
    pub fn pass(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Verdict::Pass, message: message.into() }
    }

    /// A component that works but needs attention; the message says what to do.
    #[must_use]
    pub fn warn(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Verdict::Warn, message: message.into() }
    }

    /// A component without which the server can't take traffic; the message says what to do.
    #[must_use]
    pub fn fail(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Verdict::Fail, message: message.into() }
    }
}

/// Makes a check from what its component keeps in memory, or from what the database answered. It does no I/O, so that
/// none can delay the others: the database is asked once, before all of them.
enum Source {
    Memory(Box<dyn Fn() -> Check + Send + Sync>),
    Records(Box<dyn Fn(&Records) -> Check + Send + Sync>),
}

/// The registry of checks. Clones share one list, which is shown in the order of registration.
///
/// A closure must not hold `Services`: these hold the registry, so neither would ever be dropped.
#[derive(Clone, Default)]
pub struct Checks(Arc<RwLock<Vec<Source>>>);

impl Checks {
    /// Adds a check that is always shown.
    pub fn add(&self, check: impl Fn() -> Check + Send + Sync + 'static) {
        self.push(Source::Memory(Box::new(check)));
    }

    /// Adds a check of what the database holds; not shown while the database is away or lacks migrations.
    pub fn add_on_records(&self, check: impl Fn(&Records) -> Check + Send + Sync + 'static) {
        self.push(Source::Records(Box::new(check)));
    }

    fn push(&self, source: Source) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// Makes all checks. An `answer` of `None` stands for a database that did not answer, `write_error` for one that can't be
    /// written to.
    #[must_use]
    pub fn report(&self, answer: Option<&Answer>, write_error: Option<WriteError>) -> Report {
        let records = answer.and_then(|answer| answer.records.as_ref());
        let mut checks = vec![database(answer, write_error)];
        checks.extend(answer.map(|answer| migrations(&answer.missing_migrations)));
        let sources = self.0.read().unwrap_or_else(PoisonError::into_inner);
        checks.extend(sources.iter().filter_map(|source| match source {
            Source::Memory(check) => Some(check()),
            Source::Records(check) => records.map(check),
        }));
        Report::new(checks, records.is_some() && write_error.is_none())
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks").finish_non_exhaustive()
    }
}

/// All checks, and their sum.
#[derive(Debug)]
pub struct Report {
    /// The worst of the checks.
    pub verdict: Verdict,
    /// Whether the server may take traffic: the database answers, has all migrations and can be written to.
    pub is_ready: bool,
    /// What to do, if anything: the messages of the worst checks.
    pub message: String,
    /// In the order of registration, after those of the database itself.
    pub checks: Vec<Check>,
}

impl Report {
    /// Sums these checks up.
    #[must_use]
    pub fn new(checks: Vec<Check>, is_ready: bool) -> Self {
        let verdict = checks.iter().map(|check| check.status).max().unwrap_or(Verdict::Pass);
        let message = match verdict {
            Verdict::Pass => ALL_IS_WELL.to_owned(),
            _ => {
                let worst = checks.iter().filter(|check| check.status == verdict);
                worst.map(|check| check.message.as_str()).collect::<Vec<_>>().join("; ")
            }
        };
        Self { verdict, is_ready, message, checks }
    }

    /// What those may know who have no token: why the server is not ready, but nothing of channels, users or subscriptions.
    #[must_use]
    pub fn public_message(&self) -> String {
        let failed = |check: &&Check| READINESS.contains(&check.name) && check.status == Verdict::Fail;
        let reasons: Vec<_> = self.checks.iter().filter(failed).map(|check| check.message.as_str()).collect();
        match self.verdict {
            _ if !reasons.is_empty() => reasons.join("; "),
            Verdict::Pass => ALL_IS_WELL.to_owned(),
            Verdict::Warn | Verdict::Fail => "some part needs attention: with a token, /status says which".to_owned(),
        }
    }
}

/// The checks of what makes the server ready.
const READINESS: [&str; 2] = ["database", "migrations"];

/// The message of a server that needs nothing.
const ALL_IS_WELL: &str = "all is well";

fn database(answer: Option<&Answer>, write_error: Option<WriteError>) -> Check {
    match (answer, write_error) {
        (Some(answer), None) => {
            Check::pass("database", format!("the database answered in {} ms", answer.took.as_millis()))
        }
        (Some(_), Some(error)) => Check::fail("database", error.to_string()),
        (None, _) => Check::fail("database", WriteError::Unreachable.to_string()),
    }
}

fn migrations(missing: &[i64]) -> Check {
    match missing {
        [] => Check::pass("migrations", "all migrations are applied"),
        missing => Check::fail("migrations", missing_migrations(missing)),
    }
}

/// Says what to do about missing migrations, given their versions.
#[must_use]
pub fn missing_migrations(missing: &[i64]) -> String {
    let versions: Vec<_> = missing.iter().map(|version| format!("{version:04}")).collect();
    format!("the database lacks migrations ({}): run `server migrate up`", versions.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn registry() -> Checks {
        let checks = Checks::default();
        checks.add(|| Check::warn("sender", "the sender is slow"));
        checks.add_on_records(|records| Check::pass("tokens", format!("{} tokens", records.tokens.len())));
        checks
    }

    fn names(report: &Report) -> Vec<&str> {
        report.checks.iter().map(|check| check.name).collect()
    }

    #[test]
    fn checks_are_shown_in_the_order_of_registration() {
        let answer = Answer { took: Duration::ZERO, missing_migrations: Vec::new(), records: Some(Records::default()) };
        let report = registry().report(Some(&answer), None);
        assert_eq!(names(&report), ["database", "migrations", "sender", "tokens"]);
        assert_eq!((report.verdict, report.is_ready), (Verdict::Warn, true));
        assert_eq!(report.message, "the sender is slow");
    }

    #[test]
    fn checks_of_records_need_the_database_and_all_migrations() {
        let report = registry().report(None, None);
        assert_eq!(names(&report), ["database", "sender"]);
        assert_eq!((report.verdict, report.is_ready), (Verdict::Fail, false));
        let answer = Answer { took: Duration::ZERO, missing_migrations: vec![2], records: None };
        let report = registry().report(Some(&answer), None);
        assert_eq!(names(&report), ["database", "migrations", "sender"]);
        assert!(!report.is_ready && report.message.contains("0002"), "{}", report.message);
    }

    #[test]
    fn server_that_cannot_write_is_not_ready() {
        let answer = Answer { took: Duration::ZERO, missing_migrations: Vec::new(), records: Some(Records::default()) };
        let report = registry().report(Some(&answer), Some(WriteError::ReadOnly));
        assert_eq!((report.verdict, report.is_ready), (Verdict::Fail, false));
        assert!(report.message.contains("standby"), "{}", report.message);
        assert_eq!(report.public_message(), report.message);
    }

    #[test]
    fn public_message_names_no_channel() {
        let report = Report::new(vec![Check::warn("subscriptions", "channel.follow of maplearcade ended")], true);
        assert!(report.message.contains("maplearcade") && !report.public_message().contains("maplearcade"));
    }
}
