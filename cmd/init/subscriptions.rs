//! Shows subscriptions: those at Twitch, and the progress of the server that creates them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, bail};
use showtime::cli::{print, printable};
use showtime::program::Program;
use showtime::store::desired_subscriptions::{self as rows, DesiredRow, DesiredStatus};
use showtime::store::served_channels::ServedChannel;
use showtime::store::{reconciler, servers};
use showtime::subscriptions::check::different_secrets;
use showtime::subscriptions::desired::DesiredSubscription;
use showtime::subscriptions::explain::{describe, explain};
use showtime::subscriptions::plan::{self, Place, Plan};
use showtime::twitch::catalogue;
use showtime::twitch::helix::{HeldSubscription, RefusalKind};
use showtime::twitch::id::ChannelId;
use showtime::twitch::subscription_status::SubscriptionStatus;
use time::OffsetDateTime;

use crate::session::Session;

/// Time limit for the server to create all subscriptions and for Twitch to verify them.
const SETUP_TIMEOUT: time::Duration = time::Duration::seconds(60);

/// Time limit for servers with different webhook secrets to be one too many: one that has just ended counts for 15 s.
const SECRETS_TIMEOUT: time::Duration = time::Duration::seconds(20);

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
    place: Place,
    /// Twitch's ids of the subscriptions that were created with the webhook secret of `init`.
    with_secret: BTreeSet<String>,
}

impl Desired {
    /// What these channels should have, beside the other served ones.
    pub(crate) async fn new(session: &Session, channels: &[ServedChannel]) -> Result<Self> {
        let served = session.served().await?;
        let logins: BTreeMap<_, _> =
            channels.iter().map(|channel| (channel.id.clone(), channel.login.clone())).collect();
        let others = served.iter().map(|channel| &channel.id).filter(|id| !logins.contains_key(*id));
        let ids = logins.keys().chain(others);
        let subscriptions = DesiredSubscription::all(&session.types, ids, session.oauth.client_id());
        let fingerprint = Some(session.secret.fingerprint());
        let rows = rows::list(&mut *session.pool.acquire().await?, None, None).await?;
        let with_secret = rows.into_iter().filter(|row| row.secret_fingerprint == fingerprint);
        let with_secret = with_secret.filter_map(|row| row.subscription_id).collect();
        Ok(Self { subscriptions, logins, place: Place::Webhook(session.callback.clone()), with_secret })
    }

    pub(crate) fn plan<'a>(&'a self, held: &'a [HeldSubscription]) -> Plan<'a> {
        let mut plan = plan::plan(held, &self.subscriptions, &self.place);
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
            format!("{}  {} v{}", printable(login), desired.kind.name, desired.kind.version)
        };
        let is_enabled = |held: &HeldSubscription| held.status == SubscriptionStatus::Enabled;
        let has_secret = |held: &HeldSubscription| self.with_secret.contains(&held.id);
        for (desired, held) in &plan.keep {
            match is_enabled(held) {
                true if !has_secret(held) => {
                    print(format_args!("  {:<9}{}: not known to have this webhook secret", "refused", line(desired)));
                }
                true => print(format_args!("  {:<9}{}", "enabled", line(desired))),
                false => print(format_args!("  {:<9}{}", "pending", line(desired))),
            }
        }
        for desired in &plan.create {
            print(format_args!("  {:<9}{}", "missing", line(desired)));
        }
        for (desired, dead) in &plan.dead {
            print(format_args!("  {:<9}{}: {}", "dead", line(desired), explain(&dead.status)));
        }
        show_others(&plan);
        plan.create.is_empty() && plan.keep.iter().all(|(_, held)| is_enabled(held) && has_secret(held))
    }
}

/// Shows what is at Twitch but not desired.
pub(crate) fn show_others(plan: &Plan<'_>) {
    for held in &plan.unwanted {
        print(format_args!("  {:<9}{}: no served channel needs it", "must go", name(held)));
    }
    if !plan.foreign.is_empty() {
        print(format_args!("  {} subscriptions of other callbacks are left alone", plan.foreign.len()));
    }
}

/// A subscription at Twitch, as a person can find it there.
pub(crate) fn name(held: &HeldSubscription) -> String {
    printable(&format!("{} v{} ({})", held.kind, held.version, held.id))
}

/// Deletes these, and returns the number of failures. One that no longer exists is no failure.
pub(crate) async fn delete(session: &Session, subscriptions: &[&HeldSubscription]) -> usize {
    let mut failures = 0;
    for held in subscriptions {
        match session.helix.delete_subscription(&held.id).await {
            Err(error) if error.refusal() != Some(RefusalKind::NotFound) => {
                print(format_args!("  {}: {}", name(held), printable(&error.to_string())));
                failures += 1;
            }
            _ => print(format_args!("  deleted  {}", name(held))),
        }
    }
    failures
}

/// Fails unless a server that creates subscriptions runs.
pub(crate) async fn require_server(session: &Session) -> Result<()> {
    let mut connection = session.pool.acquire().await?;
    let until = session.clock.now() + HEARTBEAT_TIMEOUT;
    while !servers::is_creator_running(&mut connection).await? {
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

/// Shows the progress of these channels' subscriptions, requested at this time of the database's clock, and returns
/// whether all of them are enabled in the end.
pub(crate) async fn follow(session: &Session, channels: &[ServedChannel], asked_at: OffsetDateTime) -> Result<bool> {
    let ids: Vec<_> = channels.iter().map(|channel| channel.id.clone()).collect();
    let mut connection = session.pool.acquire().await?;
    let began = session.clock.now();
    let mut progress = Progress::default();
    loop {
        let rows = rows::list(&mut connection, Some(&ids), None).await?;
        let is_compared = reconciler::compared_at(&mut connection).await?.is_some_and(|at| at > asked_at);
        if progress.observe(&rows, is_compared) {
            return Ok(progress.conclude(&rows));
        }
        let secrets = servers::count_secrets(&mut connection).await?;
        if is_compared && secrets > 1 && session.clock.now() > began + SECRETS_TIMEOUT {
            progress.conclude(&rows);
            bail!(different_secrets(secrets));
        }
        if session.clock.now() > began + SETUP_TIMEOUT {
            progress.conclude(&rows);
            print("the server keeps trying: its /status shows the progress");
            return Ok(false);
        }
        if !servers::is_creator_running(&mut connection).await? {
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
    /// Whether it was shown that some have another webhook secret.
    has_shown_secrets: bool,
}

impl Progress {
    /// Prints which are newly enabled, and returns whether the outcome of all is known. After the server has compared
    /// everything, a subscription that is neither enabled nor being verified has failed. The server keeps trying, but
    /// often only a person can help.
    fn observe(&mut self, rows: &[DesiredRow], is_compared: bool) -> bool {
        let others = rows.iter().filter(|row| row.has_other_secret).count();
        if others > 0 && !self.has_shown_secrets {
            print(format_args!(
                "{others} subscriptions are not known to have the server's webhook secret: it creates them again"
            ));
            self.has_shown_secrets = true;
        }
        for row in rows {
            let key = key(row);
            if row.delivers() {
                if self.enabled.insert(key) {
                    print(format_args!("  enabled  {} ({} of {})", line(row), self.enabled.len(), rows.len()));
                }
            } else if is_compared && !row.status.is_alive() {
                self.failed.insert(key, describe(row));
            }
        }
        is_compared && rows.iter().map(key).all(|key| self.enabled.contains(&key) || self.failed.contains_key(&key))
    }

    /// Prints how many are enabled, and why each of the others is not; returns whether all are.
    fn conclude(&self, rows: &[DesiredRow]) -> bool {
        let enabled = rows.iter().filter(|row| row.delivers()).count();
        print(format_args!("{enabled} of {} subscriptions are enabled", rows.len()));
        // What has one cause is one line.
        let mut causes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in rows.iter().filter(|row| !row.delivers()) {
            let failure = self.failed.get(&key(row)).filter(|_| row.status.is_alive());
            let reason = failure.cloned().unwrap_or_else(|| describe(row));
            causes.entry((&row.channel_login, reason)).or_default().push(row);
        }
        for ((login, reason), rows) in causes {
            let types: Vec<_> = rows.iter().map(|row| format!("{} v{}", row.kind, row.version)).collect();
            print(format_args!(
                "  {}",
                printable(&format!("{login}  {}: {reason}{}", types.join(", "), required_scopes(&rows)))
            ));
        }
        enabled == rows.len() && enabled > 0
    }
}

fn key(row: &DesiredRow) -> (ChannelId, String) {
    (row.channel_id.clone(), row.kind.clone())
}

fn line(row: &DesiredRow) -> String {
    printable(&format!("{}  {} v{}", row.channel_login, row.kind, row.version))
}

/// What a consent has to grant for these rows, if it is that which they need.
fn required_scopes(rows: &[&DesiredRow]) -> String {
    let waiting = rows.iter().filter(|row| row.status == DesiredStatus::NeedsConsent);
    let kinds = waiting.filter_map(|row| catalogue::find(&row.kind, Some(&row.version)));
    let scopes: BTreeSet<_> = kinds.flat_map(|kind| &kind.scopes).map(|group| group.join(" or ")).collect();
    match scopes.len() {
        0 => String::new(),
        _ => {
            let subject = if rows.len() == 1 { "it needs" } else { "they need" };
            format!(" ({subject} {})", scopes.into_iter().collect::<Vec<_>>().join(", "))
        }
    }
}
