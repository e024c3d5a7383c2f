//! The verdict of `/status`: what was found, judged, in words that a person can act on. Pure; the
//! handler does the asking.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::config::Config;
use crate::store::read::health::{LastEvent, Subscription};

/// An event that took longer to arrive than this, or came from that far in the future, tells of a
/// slow network or a wrong clock.
const MAX_DELAY: time::Duration = time::Duration::minutes(1);

/// What the configuration says that matters here.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Whether there is a Twitch application to act for.
    pub has_client: bool,
    /// Whether Twitch was told where to reach us.
    pub has_callback_url: bool,
    /// Whether the webhook secret was configured, rather than made by the server.
    pub has_own_secret: bool,
}

impl Setup {
    /// Nothing configured.
    const NONE: Self = Self { has_client: false, has_callback_url: false, has_own_secret: false };
}

impl From<&Config> for Setup {
    fn from(config: &Config) -> Self {
        Self {
            has_client: config.twitch.client.is_some(),
            has_callback_url: config.twitch.callback_url.is_some(),
            has_own_secret: config.twitch.webhook_secret.is_some(),
        }
    }
}

/// What the database answered.
#[derive(Debug)]
pub struct Found {
    /// How long it took to answer.
    pub took: Duration,
    /// The versions of the migrations that are missing.
    pub missing_migrations: Vec<i64>,
    /// Some of the subscriptions, dead ones first.
    pub subscriptions: Vec<Subscription>,
    /// How many there are.
    pub subscriptions_total: i64,
    /// The newest event.
    pub last_event: Option<LastEvent>,
}

/// How good things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Pass,
    /// It works, but something wants attention.
    Warn,
    /// It does not work.
    Fail,
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// The worst of the checks.
    pub verdict: Verdict,
    /// Whether the server may take traffic: the same as what `/readyz` says.
    pub is_ready: bool,
    /// What to do, if anything.
    pub message: String,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// The EventSub subscriptions through which messages came, dead ones first; at most 1000.
    pub subscriptions: Vec<SubscriptionStatus>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    /// `database`, `migrations`, `twitch`, `webhook_secret`, `subscriptions` or `events`.
    pub name: &'static str,
    /// How it is.
    pub status: Verdict,
    /// That in words.
    pub message: String,
}

/// An EventSub subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionStatus {
    /// Twitch's id.
    id: String,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    kind: String,
    /// For example `2`.
    version: String,
    /// Whom it is about.
    #[schema(value_type = Object)]
    condition: Box<RawValue>,
    /// `enabled`, or the reason why Twitch ended it.
    status: String,
    /// Since when it has been so.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// The status in words.
    message: &'static str,
}

impl From<Subscription> for SubscriptionStatus {
    fn from(row: Subscription) -> Self {
        Self {
            message: explain(&row.status),
            id: row.id,
            kind: row.kind,
            version: row.version,
            condition: row.condition.0,
            status: row.status,
            since: row.since,
        }
    }
}

impl Status {
    /// Judges what was found; `None` if the database did not answer.
    #[must_use]
    pub fn new(setup: Setup, found: Option<Found>) -> Self {
        let mut checks = vec![database(found.as_ref())];
        if let Some(found) = &found {
            checks.push(migrations(&found.missing_migrations));
        }
        checks.push(twitch(setup));
        checks.push(webhook_secret(setup));
        if let Some(found) = found.as_ref().filter(|it| it.missing_migrations.is_empty()) {
            checks.push(subscriptions(found));
            checks.push(events(found.last_event));
        }
        let verdict = checks.iter().map(|check| check.status).max().unwrap_or(Verdict::Pass);
        Self {
            verdict,
            is_ready: found.as_ref().is_some_and(|it| it.missing_migrations.is_empty()),
            message: message(verdict, &checks),
            checks,
            subscriptions: found.map(|it| it.subscriptions.into_iter().map(Into::into).collect()).unwrap_or_default(),
        }
    }

    /// A server just set up, for the documentation.
    pub(crate) fn example() -> Self {
        let found = Found {
            took: Duration::from_millis(2),
            missing_migrations: Vec::new(),
            subscriptions: Vec::new(),
            subscriptions_total: 0,
            last_event: None,
        };
        Self::new(Setup::NONE, Some(found))
    }

    /// A server that has lost its database, for the documentation.
    pub(crate) fn failing_example() -> Self {
        Self::new(Setup::NONE, None)
    }
}

/// The messages of the worst checks.
fn message(verdict: Verdict, checks: &[Check]) -> String {
    if verdict == Verdict::Pass {
        return "all is well".to_owned();
    }
    let worst: Vec<_> = checks.iter().filter(|it| it.status == verdict).map(|it| it.message.as_str()).collect();
    worst.join("; ")
}

fn database(found: Option<&Found>) -> Check {
    let (status, message) = match found {
        Some(found) => (Verdict::Pass, format!("the database answered in {} ms", found.took.as_millis())),
        None => (Verdict::Fail, "the database can't be reached: check that it runs and what the log says".to_owned()),
    };
    Check { name: "database", status, message }
}

fn migrations(missing: &[i64]) -> Check {
    let (status, message) = match missing {
        [] => (Verdict::Pass, "all migrations are applied".to_owned()),
        missing => (Verdict::Fail, waiting_migrations(missing)),
    };
    Check { name: "migrations", status, message }
}

/// Says what to do about missing migrations.
#[must_use]
pub fn waiting_migrations(missing: &[i64]) -> String {
    let versions: Vec<_> = missing.iter().map(|version| format!("{version:04}")).collect();
    format!("the database lacks migrations ({}): run ./db-migrate.sh up", versions.join(", "))
}

fn twitch(setup: Setup) -> Check {
    let (status, message) = match (setup.has_client, setup.has_callback_url) {
        (true, true) => (Verdict::Pass, "Twitch is configured"),
        (true, false) => (Verdict::Warn, "Twitch does not know this server: set TWITCH_WEBHOOK_CALLBACK_URL"),
        (false, _) => (
            Verdict::Warn,
            "Twitch is not configured: set TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET, or try things out with `simulate`",
        ),
    };
    Check { name: "twitch", status, message: message.to_owned() }
}

fn webhook_secret(setup: Setup) -> Check {
    let message = if setup.has_own_secret {
        "the webhook secret is the configured one"
    } else {
        "the webhook secret is one that this server made in its data directory"
    };
    Check { name: "webhook_secret", status: Verdict::Pass, message: message.to_owned() }
}

fn subscriptions(found: &Found) -> Check {
    let dead: Vec<_> = found.subscriptions.iter().filter(|it| it.status != "enabled").collect();
    let (status, message) = match dead.as_slice() {
        [] if found.subscriptions_total == 0 => {
            (Verdict::Warn, "no message came through any subscription yet".to_owned())
        }
        [] => (Verdict::Pass, format!("{} subscriptions are enabled", found.subscriptions_total)),
        [first, others @ ..] => {
            let rest = if others.is_empty() { String::new() } else { format!(", and {} more ended", others.len()) };
            (Verdict::Warn, format!("the subscription to {} ended: {}{rest}", first.kind, explain(&first.status)))
        }
    };
    Check { name: "subscriptions", status, message }
}

fn events(last: Option<LastEvent>) -> Check {
    let Some(LastEvent { occurred_at, received_at }) = last else {
        return Check { name: "events", status: Verdict::Pass, message: "no event was received yet".to_owned() };
    };
    let delay = received_at - occurred_at;
    let (status, advice) = if delay.abs() > MAX_DELAY {
        (Verdict::Warn, ": check this machine's clock and network")
    } else {
        (Verdict::Pass, "")
    };
    let at = occurred_at.format(&Rfc3339).unwrap_or_default();
    let message = format!("the last event, of {at}, took {:.1} s to arrive{advice}", delay.as_seconds_f64());
    Check { name: "events", status, message }
}

/// A subscription's status in words (webhook.md §7).
fn explain(status: &str) -> &'static str {
    match status {
        "enabled" => "messages arrive",
        "webhook_callback_verification_pending" => "Twitch is checking that the callback answers",
        "webhook_callback_verification_failed" => "the callback did not answer Twitch's challenge as it should",
        "notification_failures_exceeded" => "too many messages could not be delivered to the callback",
        "authorization_revoked" => "the user withdrew consent or changed their password, and has to consent again",
        "moderator_removed" => "the moderator who consented is no moderator of the channel any more",
        "user_removed" => "the user does not exist any more",
        "chat_user_banned" => "the user is banned from that chat",
        "version_removed" => "Twitch has withdrawn this version of the type",
        "beta_maintenance" => "Twitch took this beta type down for maintenance",
        "conduit_deleted" => "the conduit was deleted",
        status if status.starts_with("websocket_") => "the WebSocket connection ended",
        _ => "a status that this version of showtime does not know",
    }
}
