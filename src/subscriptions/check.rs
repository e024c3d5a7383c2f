//! What `/status` shows of subscriptions: the checks `twitch` and `subscriptions`, and both lists.

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::explain::{describe, explain};
use super::problems::{Cause, Failure, Problem, problems};
use crate::config::Twitch;
use crate::program::Program;
use crate::services::Services;
use crate::status::Check;
use crate::store::desired_subscriptions::{DesiredRow, DesiredStatus};
use crate::store::read::health::{DesiredCount, Records, SubscriptionRow};
use crate::twitch::subscription_status::SubscriptionStatus;
use crate::twitch::transport::TransportKind;

/// Causes that the check names; the rest is counted.
const MAX_PROBLEMS: usize = 5;

/// An EventSub subscription.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SubscriptionStatus)]
pub struct SubscriptionReport {
    /// Twitch's id.
    id: String,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    kind: String,
    /// For example `2`.
    version: String,
    /// The channel or user that it is about, as Twitch sent it.
    #[schema(value_type = Object)]
    condition: Box<RawValue>,
    /// `enabled`, or the reason why Twitch ended it.
    #[schema(value_type = String)]
    status: SubscriptionStatus,
    /// Since when it has had this status.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// The status in words.
    message: &'static str,
}

impl From<SubscriptionRow> for SubscriptionReport {
    fn from(row: SubscriptionRow) -> Self {
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

/// A subscription that a served channel should have.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WantedStatus)]
pub struct DesiredReport {
    /// Twitch's id of the channel.
    channel_id: String,
    /// The channel's login.
    channel_login: String,
    /// For example `channel.follow`.
    #[serde(rename = "type")]
    kind: String,
    /// For example `2`.
    version: String,
    /// `webhook` or `websocket`.
    transport: &'static str,
    /// Twitch's id for the subscription, once there was one.
    subscription_id: Option<String>,
    /// Twitch's status, or `missing`, or `needs_consent` if Twitch refused to create it, or `no_session` if there is no
    /// WebSocket session to create it on.
    #[schema(value_type = String)]
    status: DesiredStatus,
    /// Since when it has had this status.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// The status in words, with what to do.
    message: String,
    /// The command to run, if a person has to act.
    #[schema(value_type = Option<String>)]
    command: Option<Program>,
    /// When the server tries again, unless it waits for something else.
    #[serde(with = "time::serde::rfc3339::option")]
    next_attempt_at: Option<OffsetDateTime>,
}

impl From<DesiredRow> for DesiredReport {
    fn from(row: DesiredRow) -> Self {
        Self {
            message: describe(&row),
            command: row.status.needs_consent().then_some(Program::Init),
            channel_id: row.channel_id.into(),
            channel_login: row.channel_login,
            kind: row.kind,
            version: row.version,
            transport: row.transport.as_str(),
            subscription_id: row.subscription_id,
            status: row.status,
            since: row.since,
            next_attempt_at: row.next_attempt_at,
        }
    }
}

/// The check `twitch`: the settings, and why the reconciler's last cycle failed, if it did.
pub(super) fn twitch(config: &Twitch, last_error: Option<&str>) -> Check {
    match (&config.client, can_be_reached(config), last_error) {
        (Some(_), true, None) => Check::pass("twitch", "Twitch is configured"),
        (Some(_), true, Some(error)) => Check::warn("twitch", error),
        (Some(_), false, _) => Check::warn(
            "twitch",
            "Twitch does not know this server: set TWITCH_WEBHOOK_CALLBACK_URL, or TWITCH_EVENTSUB_TRANSPORT to \
             websocket, which needs no address",
        ),
        (None, ..) => Check::warn(
            "twitch",
            "Twitch is not configured: set TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET, or try things out with `simulate`",
        ),
    }
}

/// Whether Twitch can deliver to this server over the transport of the settings.
pub(super) fn can_be_reached(config: &Twitch) -> bool {
    config.transport() == TransportKind::Websocket || config.callback_url.is_some()
}

/// Registers the check `subscriptions`.
pub fn register(services: &Services) {
    let config = services.config.clone();
    let can_subscribe = config.twitch.client.is_some() && can_be_reached(&config.twitch);
    services.checks.add_on_records(move |records| subscriptions(can_subscribe, records));
}

/// Judges the desired subscriptions; if there are none, those through which messages came.
fn subscriptions(can_subscribe: bool, records: &Records) -> Check {
    if records.secrets > 1 {
        Check::warn("subscriptions", different_secrets(records.secrets))
    } else if records.desired_count.total > 0 {
        desired(records)
    } else if can_subscribe {
        Check::warn(
            "subscriptions",
            format!("no channel is served yet: set TWITCH_CHANNEL_NAME, or run `{}`", Program::Init),
        )
    } else {
        seen(records)
    }
}

/// What it means that the servers on a database have so many different webhook secrets.
#[must_use]
pub fn different_secrets(count: i64) -> String {
    format!(
        "the servers on this database have {count} different webhook secrets: each refuses what is signed for another, and no \
         subscription is created again with another secret; set the same TWITCH_WEBHOOK_SECRET for all of them (one that \
         has ended counts for 15 s)"
    )
}

fn desired(records: &Records) -> Check {
    let DesiredCount { total, enabled } = records.desired_count;
    let mut failed: Vec<_> = records.desired.iter().filter(|row| !row.delivers()).collect();
    // There may be more than are listed, channel by channel: of the last one that is listed not all is known. It is named if
    // it is the only one.
    let is_cut = i64::try_from(failed.len()).is_ok_and(|listed| listed < total - enabled);
    let last = failed.last().copied().map(|row| &row.channel_id);
    if is_cut && failed.iter().any(|row| Some(&row.channel_id) != last) {
        failed.retain(|row| Some(&row.channel_id) != last);
    }
    let mut problems = problems(failed.into_iter().map(|row| Failure::new(row, Cause::of(row))));
    if problems.is_empty() && !is_cut {
        return Check::pass("subscriptions", format!("all {total} wanted subscriptions are enabled"));
    }
    let more = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    let mut texts: Vec<_> = problems.iter().map(Problem::with_command).collect();
    match more {
        _ if is_cut => texts.push("and others".to_owned()),
        0 => {}
        1 => texts.push("and 1 more cause, which `wanted` shows".to_owned()),
        _ => texts.push(format!("and {more} more causes, which `wanted` shows")),
    }
    let problems = texts.join("; ");
    Check::warn("subscriptions", format!("{enabled} of {total} wanted subscriptions deliver; {problems}"))
}

fn seen(records: &Records) -> Check {
    let dead: Vec<_> = records.subscriptions.iter().filter(|row| row.status != SubscriptionStatus::Enabled).collect();
    match dead.as_slice() {
        [] if records.subscriptions_total == 0 => {
            Check::warn("subscriptions", "no message came through any subscription yet")
        }
        [] => Check::pass("subscriptions", format!("{} subscriptions are enabled", records.subscriptions_total)),
        [first, others @ ..] => {
            let rest = if others.is_empty() { String::new() } else { format!(", and {} more ended", others.len()) };
            let reason = explain(&first.status);
            Check::warn("subscriptions", format!("the subscription to {} ended: {reason}{rest}", first.kind))
        }
    }
}
