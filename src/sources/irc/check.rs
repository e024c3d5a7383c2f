//! What `/status` shows of the chats that are read over IRC: the check `chat`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::connection::ChatConnection;
use crate::incidents::{Incident, Incidents, Kind};
use crate::services::Services;
use crate::status::Check;

/// Channels that are named; the rest is counted.
const MAX_NAMED: usize = 5;

/// How the chats are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Overview {
    is_leading: bool,
    /// Chats to read.
    chats: usize,
    /// The account of each connection; `None` for one that is not connected.
    logins: Vec<Option<String>>,
    /// Channels that are not joined, though their connection is there.
    missing: BTreeSet<String>,
    problems: BTreeSet<String>,
}

impl Overview {
    pub(super) fn new(is_leading: bool, chats: usize, connections: &[ChatConnection]) -> Self {
        let mut overview = Self { is_leading, chats, ..Self::default() };
        for connection in connections {
            let (channels, report) = (connection.channels(), connection.report());
            overview.logins.push(report.login.as_ref().map(|login| login.login().to_owned()));
            overview.problems.extend(report.problem.clone());
            if report.login.is_some() {
                overview.missing.extend(channels.difference(&report.joined).cloned());
            }
        }
        overview
    }
}

/// Registers the check: this one if no chat is read by this server.
pub(super) fn register(services: &Services, off: Option<Check>) -> Arc<Mutex<Overview>> {
    let overview: Arc<Mutex<Overview>> = Arc::default();
    let (shown, incidents) = (overview.clone(), services.incidents.clone());
    services.checks.add(move || {
        let overview = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        off.clone().unwrap_or_else(|| check(&overview, &incidents))
    });
    overview
}

fn check(overview: &Overview, incidents: &Incidents) -> Check {
    let Overview { is_leading, chats, logins, missing, problems } = overview;
    let refused = incidents.recent(Kind::RefusedLine).into_iter();
    let mut texts: Vec<_> = refused
        .map(|Incident { subject, recent, detail, .. }| {
            format!("{recent} lines were not accepted ({subject}; the last: {detail})")
        })
        .collect();
    let away = logins.iter().filter(|login| login.is_none()).count();
    if away > 0 {
        texts.push(format!("{away} of {} connections to the chat are not there", logins.len()));
    }
    texts.extend(problems.iter().cloned());
    if !missing.is_empty() {
        let named: Vec<_> = missing.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = if missing.len() > MAX_NAMED { " and others" } else { "" };
        texts.push(format!("not joined yet: {}{more}", named.join(", ")));
    }
    match () {
        () if !texts.is_empty() => Check::warn("chat", texts.join("; ")),
        () if !is_leading => Check::pass("chat", "another server reads the chats"),
        () if *chats == 0 => Check::pass("chat", "no chat is read over IRC"),
        () => {
            let logins: BTreeSet<_> = logins.iter().flatten().map(String::as_str).collect();
            let logins: Vec<_> = logins.into_iter().collect();
            Check::pass("chat", format!("{chats} chats are read over IRC, as {}", logins.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Verdict;

    fn check_of(overview: &Overview) -> (Verdict, String) {
        let check = check(overview, &Incidents::default());
        (check.status, check.message)
    }

    #[test]
    fn check_says_how_chats_are_read_and_what_is_wrong() {
        let overview = Overview { is_leading: true, ..Overview::default() };
        assert_eq!(check_of(&Overview::default()), (Verdict::Pass, "another server reads the chats".to_owned()));
        assert_eq!(check_of(&overview), (Verdict::Pass, "no chat is read over IRC".to_owned()));
        let reading = Overview { chats: 2, logins: vec![Some("showbot".to_owned())], ..overview };
        assert_eq!(check_of(&reading), (Verdict::Pass, "2 chats are read over IRC, as showbot".to_owned()));
        let missing = Overview { missing: ["gone".to_owned()].into(), ..reading.clone() };
        assert_eq!(check_of(&missing), (Verdict::Warn, "not joined yet: gone".to_owned()));
        let problems = ["Twitch refuses the login: Login authentication failed".to_owned()].into();
        let (verdict, message) = check_of(&Overview { logins: vec![None], problems, ..reading });
        assert_eq!(verdict, Verdict::Warn);
        assert!(message.contains("1 of 1 connections") && message.contains("Login authentication failed"), "{message}");
        let incidents = Incidents::default();
        incidents.record(Kind::RefusedLine, Some("tags"), "the tags can't be read");
        assert!(check(&Overview::default(), &incidents).message.starts_with("1 lines were not accepted (tags;"));
    }
}
