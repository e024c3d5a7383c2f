//! The progress of the server that creates the subscriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, bail};
use showtime::cli::colour::{GOOD, styled};
use showtime::cli::{print, printable};
use showtime::program::Program;
use showtime::store::desired_subscriptions::{self as rows, DesiredRow, DesiredStatus};
use showtime::store::served_channels::ServedChannel;
use showtime::store::switches::{self, SwitchState};
use showtime::store::{reconciler, servers};
use showtime::subscriptions::check::different_secrets;
use showtime::subscriptions::problems::{Cause, Failure, problems};
use showtime::subscriptions::switch;
use showtime::twitch::id::ChannelId;
use showtime::twitch::transport::TransportKind;
use time::OffsetDateTime;

use crate::session::Session;

/// Time limit for the next subscription to be created and verified by Twitch.
const PROGRESS_TIMEOUT: time::Duration = time::Duration::seconds(60);

/// Time limit for servers with different webhook secrets to be one too many: one that has just ended counts for 15 s.
const SECRETS_TIMEOUT: time::Duration = time::Duration::seconds(20);

/// Time limit for the first heartbeat of a server that is starting.
const HEARTBEAT_TIMEOUT: time::Duration = time::Duration::seconds(5);

/// Interval of reading the database.
const POLL: Duration = Duration::from_millis(200);

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
    let mut requests = BTreeMap::new();
    for channel in channels {
        let transport = session.transport(channel);
        let has_consented = !session.granted(channel).await?.is_empty();
        let request = Request { transport, requested_at: channel.requested_at, has_consented };
        requests.insert(channel.id.clone(), request);
    }
    let ids: Vec<_> = requests.keys().cloned().collect();
    let mut connection = session.pool.acquire().await?;
    let began = session.clock.now();
    let mut progress = Progress { requests, ..Progress::default() };
    let (mut known, mut advanced_at) = (0, began);
    loop {
        // Before the rows, which then have the outcome of the comparison.
        let is_compared = match reconciler::compared_at(&mut connection).await? {
            Some(at) => at > asked_at && switches::were_compared_at(&mut connection, at).await?,
            None => false,
        };
        let mut rows = rows::list(&mut connection, Some(&ids), None).await?;
        rows.retain(|row| progress.requests[&row.channel_id].transport == row.transport);
        if progress.observe(&rows, is_compared) {
            return Ok(progress.conclude(&rows));
        }
        if progress.known() > known {
            (known, advanced_at) = (progress.known(), session.clock.now());
        }
        let secrets = servers::count_secrets(&mut connection).await?;
        let differ = secrets > 1 && session.uses(TransportKind::Webhook, channels);
        if is_compared && differ && session.clock.now() > began + SECRETS_TIMEOUT {
            progress.conclude(&rows);
            bail!(different_secrets(secrets));
        }
        if session.clock.now() > advanced_at + PROGRESS_TIMEOUT {
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

/// Shows the switches of these channels from one transport to another, which the server goes on with, and returns whether
/// none has failed.
pub(crate) async fn show_switches(session: &Session, channels: &[ServedChannel]) -> Result<bool> {
    let mut switches = switches::open_or_failed(&mut *session.pool.acquire().await?, i64::MAX).await?;
    switches.retain(|switch| channels.iter().any(|channel| channel.id == switch.channel_id));
    for switch in &switches {
        print(printable(&switch::explain(switch)));
    }
    let have_failed = switches.iter().any(|switch| switch.state == SwitchState::Aborted);
    if !switches.is_empty() && !have_failed {
        print("the server finishes this within half a minute, and no event is lost or counted twice: /status shows it");
    }
    Ok(!have_failed)
}

/// How and when a channel was requested.
struct Request {
    transport: TransportKind,
    requested_at: OffsetDateTime,
    /// Whether its user has consented to anything.
    has_consented: bool,
}

impl Request {
    /// Whether an attempt since the request has failed. The server keeps trying, but often only a person can help. A
    /// comparison of all webhooks is an attempt; a WebSocket that is not open yet may be so in a moment.
    fn has_failed(&self, row: &DesiredRow, is_compared: bool) -> bool {
        match self.transport {
            _ if row.status.is_alive() => false,
            TransportKind::Webhook => is_compared,
            TransportKind::Websocket if !self.has_consented => row.status == DesiredStatus::NeedsConsent,
            TransportKind::Websocket => {
                row.problem.is_some() && row.attempted_at.is_some_and(|at| at >= self.requested_at)
            }
        }
    }
}

/// The subscriptions with a known outcome, by channel and type.
#[derive(Default)]
struct Progress {
    requests: BTreeMap<ChannelId, Request>,
    enabled: BTreeSet<(ChannelId, String)>,
    /// With the reason. The server tries again soon, so that the row may already have another status.
    failed: BTreeMap<(ChannelId, String), Cause>,
    /// Whether it was shown that some have another webhook secret.
    has_shown_secrets: bool,
}

impl Progress {
    /// How many outcomes are known.
    fn known(&self) -> usize {
        self.enabled.len() + self.failed.len()
    }

    /// Prints which are newly enabled, and returns whether the outcome of all is known.
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
                    let count = format!("({} of {})", self.enabled.len(), rows.len());
                    print(format_args!("  {}  {} {count}", styled(GOOD, "enabled"), line(row)));
                }
            } else if self.requests[&row.channel_id].has_failed(row, is_compared) {
                self.failed.insert(key, Cause::of(row));
            }
        }
        let is_known = |row: &DesiredRow| self.enabled.contains(&key(row)) || self.failed.contains_key(&key(row));
        let has_rows = |id: &ChannelId| rows.iter().any(|row| row.channel_id == *id);
        let is_compared = is_compared || self.requests.values().all(|it| it.transport == TransportKind::Websocket);
        is_compared && self.requests.keys().all(has_rows) && rows.iter().all(is_known)
    }

    /// Prints how many are enabled, and why the others are not; returns whether all are.
    fn conclude(&self, rows: &[DesiredRow]) -> bool {
        let enabled = rows.iter().filter(|row| row.delivers()).count();
        print(format_args!("{enabled} of {} subscriptions are enabled", rows.len()));
        let failures = rows.iter().filter(|row| !row.delivers()).map(|row| {
            let failure = self.failed.get(&key(row)).filter(|_| row.status.is_alive());
            Failure::new(row, failure.cloned().unwrap_or_else(|| Cause::of(row)))
        });
        for problem in problems(failures) {
            print(format_args!("  {}", printable(&problem.in_full())));
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
