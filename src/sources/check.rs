//! What `/status` shows of the sources: the checks `webhook_secret`, `messages`, `payloads`, `backfill`, `polling` and `events`, and the
//! newest event.

use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::refusals::{MIN_CLAIMS, Refusals};
use crate::config::Config;
use crate::incidents::{Incident, Incidents, Kind};
use crate::program::Program;
use crate::services::Services;
use crate::status::Check;
use crate::store::read::health::{LastEvent, Records};

/// An event with a longer delay, or from as far in the future, is a sign of a slow network or a wrong clock.
const MAX_DELAY: time::Duration = time::Duration::minutes(1);

/// The newest event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastEventStatus)]
pub struct LastEventReport {
    /// By Twitch's clock.
    #[serde(with = "time::serde::rfc3339")]
    occurred_at: OffsetDateTime,
    /// By ours.
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
    /// From the one to the other.
    delay_seconds: f64,
}

impl From<LastEvent> for LastEventReport {
    fn from(LastEvent { occurred_at, received_at }: LastEvent) -> Self {
        Self { occurred_at, received_at, delay_seconds: (received_at - occurred_at).as_seconds_f64() }
    }
}

/// Registers the checks of messages from Twitch: `webhook_secret`, `messages` and `payloads`.
pub(super) fn register(services: &Services, refusals: &Arc<Refusals>) {
    let (config, shared) = (services.config.clone(), refusals.clone());
    services.checks.add(move || webhook_secret(&config, shared.claims()));
    let (incidents, clock, http, refusals) =
        (services.incidents.clone(), services.clock.clone(), services.http.clone(), refusals.clone());
    services.checks.add_on_records(move |records| {
        let clocks = Clocks { ours: clock.now(), database: records.now, twitch: http.server_time() };
        messages(refusals.stale(), &clocks, &incidents)
    });
    let incidents = services.incidents.clone();
    services.checks.add(move || payloads(&incidents));
}

/// The check `webhook_secret`: which secret is in use, and whether Twitch seems to use another one.
fn webhook_secret(config: &Config, claims: u64) -> Check {
    if claims >= MIN_CLAIMS {
        let init = Program::Init;
        let message = format!(
            "{claims} messages for subscriptions of this server are refused, because they are signed with another secret. If \
             Twitch sent them, set TWITCH_WEBHOOK_SECRET to the secret with which the subscriptions were created, or create \
             them again: `{init} delete-all`, then `{init}`"
        );
        return Check::warn("webhook_secret", message);
    }
    let message = match config.twitch.webhook_secret {
        Some(_) => "the webhook secret is the configured one",
        None => "the webhook secret is one that this server made in its data directory",
    };
    Check::pass("webhook_secret", message)
}

/// The time by three clocks.
struct Clocks {
    ours: OffsetDateTime,
    database: Option<OffsetDateTime>,
    twitch: Option<OffsetDateTime>,
}

impl Clocks {
    /// Whose clock is wrong, if the others show that.
    fn explain(&self) -> String {
        let others = [("Twitch's", self.twitch), ("the database's", self.database)];
        let ahead = others.map(|(name, time)| Some((name, self.ours - time?)));
        match ahead.into_iter().flatten().find(|(_, ahead)| ahead.abs() > MAX_DELAY) {
            Some((name, ahead)) => {
                let direction = if ahead.is_negative() { "slow" } else { "fast" };
                format!(": by {name} clock, this machine's is {} s {direction}", ahead.whole_seconds().abs())
            }
            None if self.twitch.is_some() => {
                " if it is wrong: by Twitch's clock, this machine's is right, so they came late, or were sent again"
                    .to_owned()
            }
            None => String::new(),
        }
    }
}

/// The check `messages`: which messages were refused that Twitch did sign.
fn messages((stale, age): (u64, i64), clocks: &Clocks, incidents: &Incidents) -> Check {
    let mut warnings = Vec::new();
    if stale > 0 {
        warnings.push(format!(
            "messages that are signed rightly are refused because they are dated {} s away ({stale} since the last accepted \
             one); set the clock{}",
            age.abs(),
            clocks.explain()
        ));
    }
    for Incident { recent, detail, .. } in incidents.recent(Kind::Malformed) {
        warnings.push(format!(
            "{recent} messages that are signed rightly were refused, because they could not be read; update showtime (the \
             last: {detail})"
        ));
    }
    for Incident { subject, recent, detail, .. } in incidents.recent(Kind::Unstorable) {
        warnings.push(format!("the database can't store {recent} messages of {subject} (the last: {detail})"));
    }
    summarize("messages", warnings, "no message that Twitch signed was refused")
}

/// The check `payloads`: what of Twitch's events and answers was not understood.
fn payloads(incidents: &Incidents) -> Check {
    let payloads = incidents.recent(Kind::UnreadPayload).into_iter().map(|Incident { subject, recent, detail, .. }| {
        format!(
            "{recent} payloads of {subject} could not be read (the last: {detail}): they are stored, but change no state; \
             update showtime, then run `server rebuild`"
        )
    });
    let items = incidents.recent(Kind::UnreadItem).into_iter().map(|Incident { subject, recent, detail, .. }| {
        format!("{recent} items that Twitch's API showed ({subject}) could not be read (the last: {detail}); update showtime")
    });
    summarize("payloads", payloads.chain(items).collect(), "all payloads were understood")
}

/// The check `backfill`: why missed events can't be looked up.
pub(super) fn backfill(last_error: Option<&str>) -> Check {
    match last_error {
        None => Check::pass("backfill", "missed events are looked up"),
        Some(error) => Check::warn("backfill", format!("missed events can't be looked up: {error}")),
    }
}

/// The check `polling`: how many channels only look-ups tell of, with the first of them, or why they can't be looked up.
pub(super) fn polling(channels: usize, named: &[String], error: Option<&str>) -> Check {
    match error {
        Some(error) => Check::warn("polling", format!("the channels that bots track can't be looked up: {error}")),
        None => {
            let more = if channels > named.len() { ", …" } else { "" };
            let named = if named.is_empty() { String::new() } else { format!(": {}{more}", named.join(", ")) };
            let message = format!("{channels} channels are looked up because Twitch sends nothing about them{named}");
            Check::pass("polling", message)
        }
    }
}

fn summarize(name: &'static str, warnings: Vec<String>, otherwise: &str) -> Check {
    if warnings.is_empty() { Check::pass(name, otherwise) } else { Check::warn(name, warnings.join("; ")) }
}

/// The check `events`: how long the newest event took to arrive.
pub(super) fn events(records: &Records) -> Check {
    let Some(LastEvent { occurred_at, received_at }) = records.last_event else {
        return Check::pass("events", "no event was received yet");
    };
    let delay = received_at - occurred_at;
    let at = occurred_at.format(&Rfc3339).unwrap_or_default();
    let message = format!("the last event, of {at}, took {:.1} s to arrive", delay.as_seconds_f64());
    if delay.abs() > MAX_DELAY {
        Check::warn("events", format!("{message}: check this machine's clock and network"))
    } else {
        Check::pass("events", message)
    }
}
