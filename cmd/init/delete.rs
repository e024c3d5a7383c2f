//! Deletes subscriptions: those that no served channel needs, or all.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use showtime::cli::{print, printable};
use showtime::store::locks::Lock;
use showtime::store::served_channels::{self, ServedChannel};
use showtime::store::signals::Channel;
use showtime::twitch::helix::{HeldSubscription, Helix, RefusalKind};
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::session::Session;
use crate::subscriptions::{self, Desired};

/// Time limit for the end of a server's cycle.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// Interval of trying to get a lock.
const POLL: Duration = Duration::from_millis(100);

/// Shows the subscriptions that must go, and deletes them if that is allowed. Returns false if one can't be deleted.
pub(crate) async fn unwanted(session: &Session, channels: &[ServedChannel], force: bool) -> Result<bool> {
    // Those on a WebSocket end with it.
    let Ok(webhook) = session.webhook() else { return Ok(true) };
    let desired = Desired::over_webhooks(session, channels, &webhook).await?;
    let held = session.helix.subscriptions().await?.subscriptions;
    let plan = desired.plan(&held);
    desired.others(&plan).iter().for_each(print);
    if force {
        return Ok(delete(&session.helix, plan.unwanted.iter().copied()).await == 0);
    }
    if !plan.unwanted.is_empty() {
        print(format_args!("{} subscriptions must go: run again with --force to delete them", plan.unwanted.len()));
    }
    Ok(true)
}

/// Deletes every subscription of the application, also those that only the users' tokens show, and ends serving every channel.
/// Returns false if one can't be deleted.
pub(crate) async fn all(session: &Session, force: bool) -> Result<bool> {
    if !force {
        let held = list(session).await?;
        let held: Vec<_> = held.iter().flat_map(|(_, held)| held).collect();
        for subscription in &held {
            let shown = format!("{} v{} ({})", subscription.kind, subscription.version, subscription.status);
            print(format_args!("  {}", printable(&shown)));
        }
        bail!(
            "nothing was deleted: --force deletes these {} subscriptions, and ends serving every channel",
            held.len()
        );
    }
    // From here to the end no server creates subscriptions: a cycle that was under way has ended.
    let mut lock = session.pool.begin().await?;
    let locked = timeout(LOCK_TIMEOUT, Lock::Reconciler.acquire(&mut lock)).await;
    locked.context("a server is still changing the subscriptions: try again in a minute")??;
    let served = session.served().await?;
    let mut connection = session.pool.acquire().await?;
    // Before they are cleared: a second run would wait for none.
    let locked = timeout(LOCK_TIMEOUT, hold_sessions(session, &mut connection, &served)).await;
    locked.context("a server is still subscribing on a WebSocket: try again in a minute")??;
    served_channels::clear(&mut connection).await?;
    Channel::Session.notify(&mut connection, "").await?;
    let held = list(session).await?;
    let (mut failures, mut total) = (0, 0);
    for (helix, held) in &held {
        total += held.len();
        failures += delete(helix, held).await;
    }
    print(format_args!("deleted {} of {total} subscriptions; no channel is served any more", total - failures));
    if let Some(login) = &session.twitch.channel_name {
        print(format_args!("(but a server that runs with TWITCH_CHANNEL_NAME={login} makes those of {login} again)"));
    }
    Ok(failures == 0)
}

/// Waits until no server subscribes on the WebSockets of these channels.
async fn hold_sessions(session: &Session, db: &mut PgConnection, channels: &[ServedChannel]) -> sqlx::Result<()> {
    for channel in channels {
        while !Lock::Session.try_hold_part(db, channel.id.as_str()).await? {
            session.clock.sleep(POLL).await;
        }
    }
    Ok(())
}

/// What the application's token shows, and the tokens of users, who see what is on their WebSockets, each with the client that
/// can delete it.
async fn list(session: &Session) -> Result<Vec<(Helix, Vec<HeldSubscription>)>> {
    let mut all = vec![(session.helix.clone(), session.helix.subscriptions().await?.subscriptions)];
    for helix in session.users().await? {
        match helix.subscriptions().await {
            Ok(listed) => all.push((helix, listed.subscriptions)),
            Err(error) => print(format_args!("  {}", printable(&error.to_string()))),
        }
    }
    Ok(all)
}

/// Deletes these, and returns the number of failures. One that no longer exists is no failure.
async fn delete(helix: &Helix, subscriptions: impl IntoIterator<Item = &HeldSubscription>) -> usize {
    let mut failures = 0;
    for held in subscriptions {
        match helix.delete_subscription(&held.id).await {
            Err(error) if error.refusal() != Some(RefusalKind::NotFound) => {
                print(format_args!("  {}: {}", subscriptions::name(held), printable(&error.to_string())));
                failures += 1;
            }
            _ => print(format_args!("  deleted  {}", subscriptions::name(held))),
        }
    }
    failures
}
