//! What is wrong with the sinks.

use super::settings::SinkSettings;
use crate::outputs::amqp::settings::AmqpSettings;
use crate::status::Check;
use crate::store::sinks::{SinkState, SinkStatus};

/// A sink that is so many seconds behind is shown.
const MAX_SECONDS_BEHIND: f64 = 60.0;

/// The check of all sinks.
pub(super) fn check(sinks: &[SinkState]) -> Check {
    let problems: Vec<_> = sinks.iter().filter_map(|sink| Some(format!("{}: {}", sink.name, problem(sink)?))).collect();
    match (sinks.len(), problems.as_slice()) {
        (0, _) => Check::pass("sinks", "no sink is configured"),
        (count, []) if sinks.iter().any(is_paused) => {
            Check::pass("sinks", format!("{count} sinks; those that are paused keep their places in the log"))
        }
        (1, []) => Check::pass("sinks", "the sink gets every event"),
        (count, []) => Check::pass("sinks", format!("all {count} sinks get every event")),
        (_, problems) => Check::warn("sinks", problems.join("; ")),
    }
}

/// Whether it was paused or has switched itself off.
#[must_use]
pub(super) fn is_paused(sink: &SinkState) -> bool {
    sink.status == SinkStatus::Off
}

/// How a sink does, seen from outside: one that no server runs is off.
#[must_use]
pub(super) fn status(sink: &SinkState) -> SinkStatus {
    if sink.is_leased { sink.status } else { SinkStatus::Off }
}

/// What is wrong with a sink, and what to do; `None` if it was paused or is well.
#[must_use]
pub(super) fn problem(sink: &SinkState) -> Option<String> {
    let SinkState { cursor, events_behind, seconds_behind, .. } = sink;
    if is_paused(sink) {
        // Why it was switched off; nothing if that was asked for.
        return sink.problem.clone();
    }
    if !sink.is_reachable {
        let text = format!(
            "the log has no event {cursor} to go on after: it was emptied or restored; `sinks rewind` chooses another place"
        );
        return Some(text);
    }
    if !sink.is_leased {
        return Some(match SinkSettings::of(sink.kind, &sink.settings) {
            SinkSettings::Amqp(AmqpSettings { url_env: Some(variable), .. }) => {
                format!("it runs on no server: set {variable}, or remove the sink")
            }
            _ => "it runs on no server: start one with the key that encrypted its URL, or set the URL again".to_owned(),
        });
    }
    sink.problem.clone().or_else(|| {
        let text = || format!("it is {seconds_behind:.0} s behind the log, {events_behind} events");
        (*seconds_behind > MAX_SECONDS_BEHIND).then(text)
    })
}
