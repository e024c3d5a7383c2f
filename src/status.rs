//! The verdict of `/status`: what was found, judged, in words that a person can act on. Pure; the
//! handler does the asking.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use crate::config::Config;
use crate::program::Program;
use crate::store::read::health::{LastEvent, Subscription, Token, Wanted, WantedCount};
use crate::subscriptions::attempt::waits_for_consent;
use crate::subscriptions::plan::{ENABLED, explain};

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
#[derive(Debug, Default)]
pub struct Found {
    /// How long it took to answer.
    pub took: Duration,
    /// The versions of the migrations that are missing.
    pub missing_migrations: Vec<i64>,
    /// Some of the subscriptions, dead ones first.
    pub subscriptions: Vec<Subscription>,
    /// How many there are.
    pub subscriptions_total: i64,
    /// Some of the wanted subscriptions, those first that are not enabled.
    pub wanted: Vec<Wanted>,
    /// How many there are.
    pub wanted_count: WantedCount,
    /// Some of the tokens, those first that need somebody.
    pub tokens: Vec<Token>,
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

/// How the server is. All but the summary is there only for those who may read.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// The worst of the checks.
    pub verdict: Verdict,
    /// Whether the server may take traffic: the same as what `/readyz` says.
    pub is_ready: bool,
    /// What to do, if anything.
    pub message: String,
    /// What was looked at.
    #[schema(required = false)]
    pub checks: Vec<Check>,
    /// The EventSub subscriptions through which messages came, dead ones first; at most 1000.
    #[schema(required = false)]
    pub subscriptions: Vec<SubscriptionStatus>,
    /// The subscriptions that the served channels should have, those first that are not enabled;
    /// at most 1000.
    #[schema(required = false)]
    pub wanted: Vec<WantedStatus>,
    /// What is kept to act for the application and for users, those first that need somebody; at
    /// most 1000.
    #[schema(required = false)]
    pub tokens: Vec<TokenStatus>,
    /// The newest event.
    #[schema(required = false)]
    pub last_event: Option<LastEventStatus>,
}

/// What anybody may know.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    verdict: Verdict,
    is_ready: bool,
    message: &'a str,
}

impl<'a> From<&'a Status> for Summary<'a> {
    fn from(status: &'a Status) -> Self {
        Self { verdict: status.verdict, is_ready: status.is_ready, message: &status.message }
    }
}

/// A subscription that a served channel should have.
#[derive(Debug, Serialize, ToSchema)]
pub struct WantedStatus {
    /// Whose: Twitch's id.
    channel_id: String,
    /// Whose.
    channel_login: String,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    kind: String,
    /// For example `2`.
    version: String,
    /// Twitch's id for the subscription, once there was one.
    subscription_id: Option<String>,
    /// Twitch's status, or `missing`, or `needs_consent` if Twitch refused to create it.
    status: String,
    /// Since when it has been so.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// That in words, with what to do.
    message: String,
    /// What to run, if somebody has to.
    #[schema(value_type = Option<String>)]
    command: Option<Program>,
    /// When the server tries again, unless it waits for something else.
    #[serde(with = "time::serde::rfc3339::option")]
    next_attempt_at: Option<OffsetDateTime>,
}

impl From<Wanted> for WantedStatus {
    fn from(row: Wanted) -> Self {
        Self {
            message: message_of(&row),
            command: waits_for_consent(&row.status).then_some(Program::Init),
            channel_id: row.channel_id,
            channel_login: row.channel_login,
            kind: row.kind,
            version: row.version,
            subscription_id: row.subscription_id,
            status: row.status,
            since: row.since,
            next_attempt_at: row.next_attempt_at,
        }
    }
}

fn message_of(wanted: &Wanted) -> String {
    match (&wanted.problem, waits_for_consent(&wanted.status)) {
        (Some(problem), true) => format!("{problem}: consent with `{}`", Program::Init),
        (Some(problem), false) if wanted.status == "missing" => problem.clone(),
        (Some(problem), false) => format!("{}; {problem}", explain(&wanted.status)),
        (None, _) if wanted.status == "missing" => "it does not exist yet: the server is about to create it".to_owned(),
        (None, _) => explain(&wanted.status).to_owned(),
    }
}

/// A token that is kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenStatus {
    /// A user id, or `app` for the application itself.
    holder: String,
    /// The user's login.
    login: Option<String>,
    /// `good`, or `needs_consent`.
    status: &'static str,
    /// When the access token expires by itself; it is renewed before it is used again.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// When Twitch last confirmed it.
    #[serde(with = "time::serde::rfc3339::option")]
    validated_at: Option<OffsetDateTime>,
    /// The status in words.
    message: String,
    /// What to run, if somebody has to.
    #[schema(value_type = Option<String>)]
    command: Option<Program>,
}

impl From<Token> for TokenStatus {
    fn from(row: Token) -> Self {
        let (status, message, command) = match row.needs_consent {
            Some(reason) => ("needs_consent", reason, Some(Program::Init)),
            None => ("good", "Twitch accepts it, as far as we know".to_owned(), None),
        };
        let Token { holder, login, expires_at, validated_at, .. } = row;
        Self { holder, login, status, expires_at, validated_at, message, command }
    }
}

/// The newest event.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastEventStatus {
    /// By Twitch's clock.
    #[serde(with = "time::serde::rfc3339")]
    occurred_at: OffsetDateTime,
    /// By ours.
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
    /// From the one to the other.
    delay_seconds: f64,
}

impl From<LastEvent> for LastEventStatus {
    fn from(LastEvent { occurred_at, received_at }: LastEvent) -> Self {
        Self { occurred_at, received_at, delay_seconds: (received_at - occurred_at).as_seconds_f64() }
    }
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub struct Check {
    /// `database`, `migrations`, `twitch`, `webhook_secret`, `tokens`, `subscriptions` or `events`.
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
    /// Judges what was found (`None` if the database did not answer), and what keeps the reconciler
    /// from its work.
    #[must_use]
    pub fn new(setup: Setup, trouble: Option<&str>, found: Option<Found>) -> Self {
        let mut checks = vec![database(found.as_ref())];
        if let Some(found) = &found {
            checks.push(migrations(&found.missing_migrations));
        }
        checks.push(twitch(setup, trouble));
        checks.push(webhook_secret(setup));
        if let Some(found) = found.as_ref().filter(|it| it.missing_migrations.is_empty()) {
            checks.push(tokens(&found.tokens));
            checks.push(subscriptions(setup, found));
            checks.push(events(found.last_event));
        }
        let verdict = checks.iter().map(|check| check.status).max().unwrap_or(Verdict::Pass);
        let is_ready = found.as_ref().is_some_and(|it| it.missing_migrations.is_empty());
        let message = message(verdict, &checks);
        let found = found.unwrap_or_default();
        Self {
            verdict,
            is_ready,
            message,
            checks,
            subscriptions: found.subscriptions.into_iter().map(Into::into).collect(),
            wanted: found.wanted.into_iter().map(Into::into).collect(),
            tokens: found.tokens.into_iter().map(Into::into).collect(),
            last_event: found.last_event.map(Into::into),
        }
    }

    /// A server just set up, for the documentation.
    pub(crate) fn example() -> Self {
        let found = Found { took: Duration::from_millis(2), ..Found::default() };
        Self::new(Setup::NONE, None, Some(found))
    }

    /// A server that has lost its database, for the documentation.
    pub(crate) fn failing_example() -> Self {
        Self::new(Setup::NONE, None, None)
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

fn twitch(setup: Setup, trouble: Option<&str>) -> Check {
    let (status, message) = match (setup.has_client, setup.has_callback_url) {
        (true, true) => trouble.map_or((Verdict::Pass, "Twitch is configured"), |trouble| (Verdict::Warn, trouble)),
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

fn tokens(tokens: &[Token]) -> Check {
    let needing = tokens.iter().filter_map(|token| Some((token, token.needs_consent.as_ref()?)));
    let needing: Vec<_> = needing
        .map(|(token, reason)| format!("{}: {reason}", token.login.as_deref().unwrap_or(&token.holder)))
        .collect();
    let (status, message) = match needing.as_slice() {
        [] => (Verdict::Pass, "no token needs anybody's consent".to_owned()),
        needing => {
            (Verdict::Warn, format!("consent is needed again ({}): run `{}`", needing.join("; "), Program::Init))
        }
    };
    Check { name: "tokens", status, message }
}

/// The wanted ones, or else those through which messages came.
fn subscriptions(setup: Setup, found: &Found) -> Check {
    let (status, message) = if found.wanted_count.total > 0 {
        wanted(found)
    } else if setup.has_client && setup.has_callback_url {
        (Verdict::Warn, format!("no channel is served yet: set TWITCH_CHANNEL_NAME, or run `{}`", Program::Init))
    } else {
        seen(found)
    };
    Check { name: "subscriptions", status, message }
}

fn wanted(found: &Found) -> (Verdict, String) {
    let WantedCount { total, enabled } = found.wanted_count;
    match found.wanted.iter().find(|it| it.status != ENABLED) {
        None => (Verdict::Pass, format!("all {total} wanted subscriptions are enabled")),
        Some(first) => {
            let (login, reason) = (&first.channel_login, message_of(first));
            let first = format!("{} of {login} ({}): {reason}", first.kind, first.status);
            (Verdict::Warn, format!("{enabled} of {total} wanted subscriptions are enabled; {first}"))
        }
    }
}

fn seen(found: &Found) -> (Verdict, String) {
    let dead: Vec<_> = found.subscriptions.iter().filter(|it| it.status != ENABLED).collect();
    match dead.as_slice() {
        [] if found.subscriptions_total == 0 => {
            (Verdict::Warn, "no message came through any subscription yet".to_owned())
        }
        [] => (Verdict::Pass, format!("{} subscriptions are enabled", found.subscriptions_total)),
        [first, others @ ..] => {
            let rest = if others.is_empty() { String::new() } else { format!(", and {} more ended", others.len()) };
            (Verdict::Warn, format!("the subscription to {} ended: {}{rest}", first.kind, explain(&first.status)))
        }
    }
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
