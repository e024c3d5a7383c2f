//! Shows subscriptions: those at Twitch, and the progress of the server that creates them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, bail};
use showtime::program::Program;
use showtime::store::desired_subscriptions::{self as rows, DesiredRow, DesiredStatus};
use showtime::store::reconciler;
use showtime::store::served_channels::ServedChannel;
use showtime::subscriptions::desired::DesiredSubscription;
use showtime::subscriptions::explain::{describe, explain};
use showtime::subscriptions::plan::{self, Plan};
use showtime::twitch::catalogue;
use showtime::twitch::helix::{HeldSubscription, RefusalKind, Transport};
use showtime::twitch::id::ChannelId;
use showtime::twitch::subscription_status::SubscriptionStatus;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::session::Session;

/// Time limit for the server to create all subscriptions and for Twitch to verify them.
const SETUP_TIMEOUT: time::Duration = time::Duration::seconds(60);

/// Time limit for the first heartbeat of a server that is starting.
const HEARTBEAT_TIMEOUT: time::Duration = time::Duration::seconds(5);

/// Interval of reading the database.
const POLL: Duration = Duration::from_millis(200);

/// What the requested channels should have at Twitch.
pub(crate) struct Desired {
    /// For the requested channels, then for the other served ones, which are not shown, but not unwanted either.
    subscriptions: Vec<DesiredSubscription>,
    /// Logins of the requested channels, by id.
    logins: BTreeMap<ChannelId, String>,
    transport: Transport,
}

impl Desired {
    pub(crate) fn new(session: &Session, channels: &[ServedChannel], served: &[ServedChannel]) -> Self {
        let logins: BTreeMap<_, _> =
            channels.iter().map(|channel| (channel.id.clone(), channel.login.clone())).collect();
        let others = served.iter().map(|channel| &channel.id).filter(|id| !logins.contains_key(*id));
        let ids = logins.keys().chain(others);
        let subscriptions = DesiredSubscription::all(&session.types, ids, session.oauth.client_id());
        Self { subscriptions, logins, transport: session.transport() }
    }

    pub(crate) fn plan<'a>(&'a self, held: &'a [HeldSubscription]) -> Plan<'a> {
        let mut plan = plan::plan(held, &self.subscriptions, &self.transport);
        let is_requested = |desired: &DesiredSubscription| self.logins.contains_key(&desired.channel_id);
        plan.keep.retain(|(desired, _)| is_requested(desired));
        plan.create.retain(|desired| is_requested(desired));
        plan.dead.retain(|(desired, _)| is_requested(desired));
        plan
    }

    /// Shows everything that exists, is missing, or must go, and returns whether everything is enabled.
    pub(crate) fn show(&self, held: &[HeldSubscription]) -> bool {
        let plan = self.plan(held);
        let line = |desired: &DesiredSubscription| {
            let login = self.logins.get(&desired.channel_id).map_or("", String::as_str);
            format!("{login}  {} v{}", desired.kind.name, desired.kind.version)
        };
        let is_enabled = |held: &HeldSubscription| held.status == SubscriptionStatus::Enabled;
        for (desired, held) in &plan.keep {
            println!("  {:<9}{}", if is_enabled(held) { "enabled" } else { "pending" }, line(desired));
        }
        for desired in &plan.create {
            println!("  {:<9}{}", "missing", line(desired));
        }
        for (desired, dead) in &plan.dead {
            println!("  {:<9}{}: {}", "dead", line(desired), explain(&dead.status));
        }
        show_others(&plan);
        plan.create.is_empty() && plan.keep.iter().all(|(_, held)| is_enabled(held))
    }
}

/// Shows what is at Twitch but not desired.
pub(crate) fn show_others(plan: &Plan<'_>) {
    for held in &plan.unwanted {
        println!("  {:<9}{} v{} ({}): no served channel needs it", "must go", held.kind, held.version, held.id);
    }
    if !plan.foreign.is_empty() {
        println!("  {} subscriptions of other callbacks are left alone", plan.foreign.len());
    }
}

/// Deletes these, and returns the number of failures. One that no longer exists is no failure.
pub(crate) async fn delete(session: &Session, subscriptions: &[&HeldSubscription]) -> usize {
    let mut failures = 0;
    for held in subscriptions {
        match session.helix.delete_subscription(&held.id).await {
            Err(error) if error.refusal() != Some(RefusalKind::NotFound) => {
                println!("  {} v{} ({}): {error}", held.kind, held.version, held.id);
                failures += 1;
            }
            _ => println!("  deleted  {} v{} ({})", held.kind, held.version, held.id),
        }
    }
    failures
}

/// Fails unless a server that creates subscriptions runs.
pub(crate) async fn require_server(session: &Session) -> Result<()> {
    let mut connection = session.pool.acquire().await?;
    let until = session.clock.now() + HEARTBEAT_TIMEOUT;
    while !is_server_there(&mut connection).await? {
        if session.clock.now() > until {
            bail!(
                "no server that creates subscriptions is running: start the server first (`{}`), with the same settings",
                Program::Server
            );
        }
        session.clock.sleep(POLL).await;
    }
    Ok(())
}

async fn is_server_there(connection: &mut PgConnection) -> Result<bool> {
    Ok(reconciler::heartbeat(connection).await?.is_some_and(|heartbeat| heartbeat.is_recent))
}

/// Shows the progress of these channels' subscriptions, requested at this time of the database's clock, and returns
/// whether all of them are enabled in the end.
pub(crate) async fn follow(session: &Session, channels: &[ServedChannel], asked_at: OffsetDateTime) -> Result<bool> {
    let ids: Vec<_> = channels.iter().map(|channel| channel.id.clone()).collect();
    let mut connection = session.pool.acquire().await?;
    let until = session.clock.now() + SETUP_TIMEOUT;
    let mut progress = Progress::default();
    loop {
        let heartbeat = reconciler::heartbeat(&mut connection).await?;
        let rows = rows::list(&mut connection, Some(&ids), None).await?;
        let is_compared = heartbeat.and_then(|it| it.compared_at).is_some_and(|at| at > asked_at);
        if progress.observe(&rows, is_compared) {
            return Ok(progress.conclude(&rows));
        }
        if session.clock.now() > until {
            progress.conclude(&rows);
            println!("the server keeps trying: its /status shows the progress");
            return Ok(false);
        }
        if !heartbeat.is_some_and(|heartbeat| heartbeat.is_recent) {
            bail!("the server stopped before it was done: start it again (`{}`)", Program::Server);
        }
        session.clock.sleep(POLL).await;
    }
}

/// The subscriptions with a known outcome, by channel and type.
#[derive(Default)]
struct Progress {
    enabled: BTreeSet<(ChannelId, String)>,
    /// With the reason. The server tries again soon, so that the row may already have another status.
    failed: BTreeMap<(ChannelId, String), String>,
}

impl Progress {
    /// Prints which are newly enabled, and returns whether the outcome of all is known. After the server has compared
    /// everything, a subscription that is neither enabled nor being verified has failed. The server keeps trying, but
    /// often only a person can help.
    fn observe(&mut self, rows: &[DesiredRow], is_compared: bool) -> bool {
        for row in rows {
            let key = key(row);
            if row.status.is_enabled() {
                if self.enabled.insert(key) {
                    println!("  enabled  {} ({} of {})", line(row), self.enabled.len(), rows.len());
                }
            } else if is_compared && !row.status.is_alive() {
                self.failed.insert(key, describe(row));
            }
        }
        is_compared && rows.iter().map(key).all(|key| self.enabled.contains(&key) || self.failed.contains_key(&key))
    }

    /// Prints how many are enabled, and why each of the others is not; returns whether all are.
    fn conclude(&self, rows: &[DesiredRow]) -> bool {
        let enabled = rows.iter().filter(|row| row.status.is_enabled()).count();
        println!("{enabled} of {} subscriptions are enabled", rows.len());
        for row in rows.iter().filter(|row| !row.status.is_enabled()) {
            let failure = self.failed.get(&key(row)).filter(|_| row.status.is_alive());
            println!("  {}: {}{}", line(row), failure.unwrap_or(&describe(row)), required_scopes(row));
        }
        enabled == rows.len() && enabled > 0
    }
}

fn key(row: &DesiredRow) -> (ChannelId, String) {
    (row.channel_id.clone(), row.kind.clone())
}

fn line(row: &DesiredRow) -> String {
    format!("{}  {} v{}", row.channel_login, row.kind, row.version)
}

fn required_scopes(row: &DesiredRow) -> String {
    match catalogue::find(&row.kind, Some(&row.version)) {
        Some(kind) if row.status == DesiredStatus::NeedsConsent => {
            let scopes: Vec<_> = kind.scopes.iter().map(|group| group.join(" or ")).collect();
            format!(" (it needs {})", scopes.join(", "))
        }
        _ => String::new(),
    }
}
