//! What `/status` shows of the sessions: the check `websocket`.

use crate::clock::to_text;
use crate::incidents::{Incident, Incidents, Kind};
use crate::program::Program;
use crate::services::Services;
use crate::status::Check;
use crate::store::sessions::SessionState;
use crate::twitch::transport::TransportKind;

/// Channels that are named; the rest is counted.
const MAX_NAMED: usize = 5;

/// Registers the check.
pub(super) fn register(services: &Services) {
    let is_default = services.config.twitch.transport() == TransportKind::Websocket;
    let incidents = services.incidents.clone();
    services.checks.add_on_records(move |records| websocket(is_default, &records.sessions, &incidents));
}

fn websocket(is_default: bool, states: &[SessionState], incidents: &Incidents) -> Check {
    let states: Vec<_> = states.iter().filter(|state| state.is_chosen || is_default).collect();
    let mut problems: Vec<_> = states.iter().filter_map(|state| problem(state)).collect();
    problems.extend(incidents.recent(Kind::RefusedFrame).into_iter().map(
        |Incident { subject, recent, detail, .. }| {
            format!("{recent} frames were not accepted ({subject}; the last: {detail})")
        },
    ));
    if !problems.is_empty() {
        return Check::warn("websocket", shortened(problems));
    }
    if states.is_empty() {
        return Check::pass("websocket", "no channel is served over WebSocket");
    }
    Check::pass("websocket", shortened(states.into_iter().map(describe).collect()))
}

/// Why a channel gets no messages, or not all.
fn problem(state: &SessionState) -> Option<String> {
    let SessionState { login, enabled, total, .. } = state;
    match (state.has_token, &state.needs_consent, state.has_session, &state.problem) {
        (false, ..) => Some(format!("{login} has no session, since it has not consented: run `{}`", Program::Init)),
        (true, Some(_), ..) => {
            Some(format!("{login} has no session, since it has to consent again: run `{}`", Program::Init))
        }
        (true, None, false, _) => Some(match (&state.ended_at, &state.ended_reason) {
            (Some(at), Some(reason)) => format!("{login} has had no session since {}: {reason}", to_text(*at)),
            (None, Some(reason)) => format!("{login} has no session yet: {reason}"),
            _ => format!("{login} has no session yet"),
        }),
        (true, None, true, Some(problem)) => {
            Some(format!("{enabled} of {total} subscriptions of {login} are enabled: {problem}"))
        }
        (true, None, true, None) => None,
    }
}

fn describe(state: &SessionState) -> String {
    let SessionState { login, enabled, total, reconnects, .. } = state;
    let since = state.connected_at.map(|at| format!(" since {}", to_text(at))).unwrap_or_default();
    let silence = state.silence.map(|age| format!(", last message {age:.0} s ago")).unwrap_or_default();
    let end = match (&state.ended_reason, state.ended_at) {
        (Some(reason), Some(at)) => format!(", last end {} ({reason})", to_text(at)),
        _ => String::new(),
    };
    format!("{login} is connected{since}: {enabled} of {total} enabled{silence}, reconnects: {reconnects}{end}")
}

fn shortened(mut texts: Vec<String>) -> String {
    let more = texts.len().saturating_sub(MAX_NAMED);
    texts.truncate(MAX_NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    texts.join("; ") + &more
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::status::Verdict;

    fn state() -> SessionState {
        SessionState {
            login: "maplearcade".to_owned(),
            is_chosen: false,
            has_token: true,
            needs_consent: None,
            has_session: true,
            connected_at: Some(datetime!(2026-03-14 18:02:11.5 UTC)),
            silence: Some(3.6),
            ended_at: Some(datetime!(2026-03-14 18:02:10 UTC)),
            ended_reason: Some("4000 internal server error".to_owned()),
            reconnects: 2,
            problem: None,
            enabled: 10,
            total: 10,
        }
    }

    fn check(is_default: bool, states: &[SessionState]) -> (Verdict, String) {
        let check = websocket(is_default, states, &Incidents::default());
        (check.status, check.message)
    }

    #[test]
    fn session_that_works_is_described() {
        let text = "maplearcade is connected since 2026-03-14T18:02:11Z: 10 of 10 enabled, last message 4 s ago, reconnects: 2, \
                    last end 2026-03-14T18:02:10Z (4000 internal server error)";
        assert_eq!(check(true, &[state()]), (Verdict::Pass, text.to_owned()));
        assert_eq!(check(false, &[state()]).1, "no channel is served over WebSocket");
    }

    #[test]
    fn channel_without_a_session_says_why() {
        let has = |state: SessionState, expected: &str| {
            let (verdict, message) = check(true, &[state]);
            assert!(verdict == Verdict::Warn && message.contains(expected), "{message}");
        };
        has(SessionState { has_token: false, ..state() }, "no session, since it has not consented");
        has(
            SessionState { needs_consent: Some("revoked".to_owned()), ..state() },
            "no session, since it has to consent again",
        );
        has(SessionState { has_session: false, ..state() }, "no session since 2026-03-14T18:02:10Z: 4000 internal");
        let never = SessionState { ended_at: None, ended_reason: None, ..state() };
        has(SessionState { has_session: false, ..never }, "maplearcade has no session yet");
        let refused = SessionState { problem: Some("Twitch refused".to_owned()), enabled: 3, ..state() };
        has(refused, "3 of 10 subscriptions of maplearcade are enabled: Twitch refused");
    }

    #[test]
    fn frames_that_were_not_accepted_are_shown() {
        let incidents = Incidents::default();
        incidents.record(Kind::RefusedFrame, Some("stale"), "it is old");
        let check = websocket(true, &[state()], &incidents);
        assert_eq!(check.status, Verdict::Warn);
        assert_eq!(check.message, "1 frames were not accepted (stale; the last: it is old)");
    }
}
