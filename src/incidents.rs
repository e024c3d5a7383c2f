//! Incidents: what was refused, not stored or not understood. Counted by kind and subject, logged once per cause and span of
//! time, and shown in `/status`.

pub mod outages;

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use strum::IntoStaticStr;
use time::OffsetDateTime;

use self::outages::Outages;
use crate::clock::Clock;

/// The shortest time between two log lines about incidents of one kind and subject.
const LOG_INTERVAL: Duration = Duration::from_secs(600);

/// How long an incident is shown after the last of its kind and subject.
const SHOWN_FOR: Duration = Duration::from_secs(86_400);

/// Subjects that are told apart; all others count as one.
const MAX_SUBJECTS: usize = 200;

/// The name of all other subjects.
const OTHER: &str = "other";

/// A kind of incident; in snake case, a label of the metrics.
#[derive(Clone, Copy, Debug, Hash, IntoStaticStr, PartialEq, Eq)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A signed message was dated too far from this server's clock.
    Stale,
    /// A signed message could not be read.
    Malformed,
    /// Refused messages named a known subscription.
    OtherSecret,
    /// The database refused a message; the subject is its type.
    Unstorable,
    /// The payload of a stored message could not be read; the subject is its type.
    UnreadPayload,
    /// An item of an answer of Twitch's API could not be read; the subject is the call.
    UnreadItem,
    /// An emote of a service could not be read; the subject is the service.
    UnreadEmote,
    /// A frame of a WebSocket was not accepted; the subject is why.
    RefusedFrame,
    /// A line of IRC was not accepted; the subject is why.
    RefusedLine,
    /// A look-up of missed events failed.
    Backfill,
    /// The channels that bots track could not be looked up.
    Polling,
    /// The numbers of viewers could not be looked up.
    Samples,
    /// Nothing could be written to the log; the subject is the cause.
    NotWritable,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Self::Stale => "a message that is signed rightly was refused for its date",
            Self::Malformed => "a message that is signed rightly was refused because it can't be read",
            Self::OtherSecret => {
                "messages for a subscription of this server are refused: they are signed with another secret"
            }
            Self::Unstorable => "a message was refused because the database can't store it",
            Self::UnreadPayload => "an event is stored, but its payload is not as expected and changes no state",
            Self::UnreadItem => "an item of an answer of Twitch's is not as expected and was left out",
            Self::UnreadEmote => "an emote of another service is not as expected and stays a word",
            Self::RefusedFrame => "a frame of a WebSocket was not accepted",
            Self::RefusedLine => "a line of a chat was not accepted",
            Self::Backfill => "missed events could not be looked up; trying again soon",
            Self::Polling => "the channels that bots track could not be looked up; trying again soon",
            Self::Samples => "the numbers of viewers could not be looked up; trying again in a minute",
            Self::NotWritable => "messages can't be stored; trying again",
        }
    }
}

/// The incidents of one kind and subject.
#[derive(Clone, Debug)]
pub struct Incident {
    /// What it concerns; empty if the kind says all.
    pub subject: String,
    /// How many there were since the server started.
    pub total: u64,
    /// How many of those are shown: none was a day or more after the one before it.
    pub recent: u64,
    /// When the first of these was.
    pub since: OffsetDateTime,
    /// What was wrong with the last one.
    pub detail: String,
    last_at: Instant,
    /// When it was last logged, and how many there were then.
    logged: (Instant, u64),
}

/// The incidents since the server started. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    clock: Clock,
    /// When parts of the server did not work.
    pub outages: Outages,
    seen: Arc<Mutex<HashMap<(Kind, String), Incident>>>,
}

impl Incidents {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { outages: Outages::new(clock.clone()), clock, seen: Arc::default() }
    }

    /// Counts an incident, and logs it unless one of its kind and subject was logged lately.
    pub fn record(&self, kind: Kind, subject: Option<&str>, detail: &(impl Display + ?Sized)) {
        self.record_many(kind, subject, 1, detail);
    }

    /// Counts so many incidents at once, which [`Incidents::record`] does for one.
    pub fn record_many(&self, kind: Kind, subject: Option<&str>, count: usize, detail: &(impl Display + ?Sized)) {
        if count == 0 {
            return;
        }
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let (now, at) = (self.clock.instant(), self.clock.now());
        let mut seen = self.lock();
        let mut key = (kind, subject.unwrap_or_default().to_owned());
        if seen.len() >= MAX_SUBJECTS && !seen.contains_key(&key) {
            OTHER.clone_into(&mut key.1);
        }
        let incident = seen.entry(key.clone()).or_insert_with(|| Incident::new(key.1, now, at));
        let unlogged = incident.add(now, at, count, detail.to_string());
        drop(seen);
        if let Some(count) = unlogged {
            tracing::warn!(incident.subject = subject, incident.count = count, error = %detail, "{}", kind.text());
        }
    }

    /// Counts items of an answer of this endpoint of Twitch's API that could not be read.
    pub fn record_items(&self, endpoint: &str, count: usize) {
        let detail = "what decides identity or time is missing or odd";
        self.record_many(Kind::UnreadItem, Some(endpoint), count, detail);
    }

    /// The incidents of this kind that are shown, by subject.
    #[must_use]
    pub fn recent(&self, kind: Kind) -> Vec<Incident> {
        let now = self.clock.instant();
        let is_recent = |incident: &Incident| now.saturating_duration_since(incident.last_at) < SHOWN_FOR;
        let seen = self.lock();
        let recent = seen.iter().filter(|((of, _), incident)| *of == kind && is_recent(incident));
        let mut recent: Vec<_> = recent.map(|(_, incident)| incident.clone()).collect();
        recent.sort_by(|a, b| a.subject.cmp(&b.subject));
        recent
    }

    /// How many there were of each kind and subject.
    #[must_use]
    pub fn totals(&self) -> Vec<(&'static str, String, u64)> {
        self.lock().iter().map(|((kind, subject), it)| ((*kind).into(), subject.clone(), it.total)).collect()
    }

    /// No critical section can panic halfway.
    fn lock(&self) -> MutexGuard<'_, HashMap<(Kind, String), Incident>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Incident {
    fn new(subject: String, now: Instant, at: OffsetDateTime) -> Self {
        Self { subject, total: 0, recent: 0, since: at, detail: String::new(), last_at: now, logged: (now, 0) }
    }

    /// Returns the number of incidents that are not logged yet, if it is time to log them.
    fn add(&mut self, now: Instant, at: OffsetDateTime, count: u64, detail: String) -> Option<u64> {
        if now.saturating_duration_since(self.last_at) >= SHOWN_FOR {
            (self.recent, self.since) = (0, at);
        }
        self.total += count;
        self.recent += count;
        (self.last_at, self.detail) = (now, detail);
        let (logged_at, logged) = self.logged;
        if logged > 0 && now.saturating_duration_since(logged_at) < LOG_INTERVAL {
            return None;
        }
        self.logged = (now, self.total);
        Some(self.total - logged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incident_is_shown_for_a_day_and_counted_for_ever() {
        let clock = Clock::default();
        let incidents = Incidents::new(clock.clone());
        let shown = || incidents.recent(Kind::UnreadPayload).iter().map(|it| it.recent).collect::<Vec<_>>();
        for _ in 0..3 {
            incidents.record(Kind::UnreadPayload, Some("channel.follow"), "missing field `user_id`");
        }
        incidents.record(Kind::UnreadPayload, Some("channel.cheer"), "missing field `bits`");
        assert_eq!((shown(), incidents.recent(Kind::Stale).len()), (vec![1, 3], 0));
        clock.advance(time::Duration::hours(25));
        assert_eq!(shown(), [0; 0]);
        incidents.record(Kind::UnreadPayload, Some("channel.follow"), "missing field `user_id`");
        assert_eq!(shown(), [1]);
        assert!(incidents.totals().contains(&("unread_payload", "channel.follow".to_owned(), 4)));
    }

    #[test]
    fn incident_is_logged_once_per_span() {
        let (clock, incident) =
            (Clock::default(), &mut Incident::new(String::new(), Instant::now(), OffsetDateTime::UNIX_EPOCH));
        let mut add = |count| incident.add(clock.instant(), clock.now(), count, String::new());
        assert_eq!([add(1), add(1), add(1)], [Some(1), None, None]);
        clock.advance(time::Duration::minutes(10));
        assert_eq!([add(5), add(1)], [Some(7), None]);
    }

    #[test]
    fn many_count_as_so_many_and_none_as_no_incident() {
        let incidents = Incidents::default();
        incidents.record_items("Get Streams", 0);
        assert!(incidents.totals().is_empty());
        incidents.record_items("Get Streams", 1_000_000);
        incidents.record_items("Get Streams", 1);
        assert_eq!(incidents.totals(), [("unread_item", "Get Streams".to_owned(), 1_000_001)]);
    }

    #[test]
    fn memory_is_bounded_for_any_number_of_subjects() {
        let incidents = Incidents::default();
        for number in 0..1_000 {
            incidents.record(Kind::UnreadPayload, Some(&format!("channel.invented{number}")), "it is odd");
        }
        assert_eq!(incidents.totals().len(), MAX_SUBJECTS + 1);
    }
}
