//! Compares the subscriptions at Twitch with what the channels should have, and shows both.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use showtime::cli::{print, printable};
use showtime::program::Program;
use showtime::store::desired_subscriptions as rows;
use showtime::store::served_channels::ServedChannel;
use showtime::store::sessions;
use showtime::subscriptions::desired::DesiredSubscription;
use showtime::subscriptions::explain::explain;
use showtime::subscriptions::plan::{self, Place, Plan};
use showtime::twitch::helix::HeldSubscription;
use showtime::twitch::id::ChannelId;
use showtime::twitch::subscription_status::SubscriptionStatus;
use showtime::twitch::transport::TransportKind;

use crate::session::{Session, Webhook};

/// What the requested channels should have at one place.
pub(crate) struct Desired {
    /// For the requested channels, then for the other served ones, which are not shown, but not unwanted either.
    subscriptions: Vec<DesiredSubscription>,
    /// Logins of the requested channels that have that place, by id.
    logins: BTreeMap<ChannelId, String>,
    place: Place,
    /// Twitch's ids of the subscriptions that were created with the webhook secret of `init`; `None` without webhooks.
    with_secret: Option<BTreeSet<String>>,
}

impl Desired {
    /// What those of these channels should have that have webhooks, beside the other served ones.
    pub(crate) async fn over_webhooks(
        session: &Session,
        channels: &[ServedChannel],
        webhook: &Webhook<'_>,
    ) -> Result<Self> {
        let served = session.served().await?;
        let all: BTreeMap<_, _> =
            served.iter().chain(channels).map(|channel| (&channel.id, session.transport(channel))).collect();
        let subscriptions = session.desired(all).await?;
        let over_webhooks = channels.iter().filter(|channel| session.transport(channel) == TransportKind::Webhook);
        let fingerprint = Some(webhook.secret.fingerprint());
        let rows = rows::list(&mut *session.pool.acquire().await?, None, None).await?;
        let with_secret = rows.into_iter().filter(|row| row.secret_fingerprint == fingerprint);
        Ok(Self {
            subscriptions,
            logins: over_webhooks.map(|channel| (channel.id.clone(), channel.login.clone())).collect(),
            place: Place::Webhook(webhook.callback.clone()),
            with_secret: Some(with_secret.filter_map(|row| row.subscription_id).collect()),
        })
    }

    /// What a channel should have on this session of its user.
    async fn on_session(session: &Session, channel: &ServedChannel, id: String) -> Result<Self> {
        let earlier = sessions::earlier_ids(&mut *session.pool.acquire().await?, &channel.id.user()).await?;
        Ok(Self {
            subscriptions: session.desired([(&channel.id, TransportKind::Websocket)]).await?,
            logins: BTreeMap::from([(channel.id.clone(), channel.login.clone())]),
            place: Place::Session { id, earlier },
            with_secret: None,
        })
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
    fn show(&self, held: &[HeldSubscription]) -> bool {
        let plan = self.plan(held);
        let line = |desired: &DesiredSubscription| {
            let login = self.logins.get(&desired.channel_id).map_or("", String::as_str);
            format!("{}  {} v{}", printable(login), desired.kind.name, desired.kind.version)
        };
        let is_enabled = |held: &HeldSubscription| held.status == SubscriptionStatus::Enabled;
        let has_secret = |held: &HeldSubscription| self.with_secret.as_ref().is_none_or(|ids| ids.contains(&held.id));
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
        self.show_others(&plan);
        plan.create.is_empty() && plan.keep.iter().all(|(_, held)| is_enabled(held) && has_secret(held))
    }

    /// Shows what is at Twitch but not desired.
    pub(crate) fn show_others(&self, plan: &Plan<'_>) {
        for held in &plan.unwanted {
            print(format_args!("  {:<9}{}: no served channel needs it", "must go", name(held)));
        }
        if !plan.earlier.is_empty() {
            let count = plan.earlier.len();
            print(format_args!(
                "  {count} subscriptions of the server's earlier WebSockets are about to be deleted by it"
            ));
        }
        let others = match self.place {
            Place::Webhook(_) => "callbacks",
            Place::Session { .. } => "WebSockets",
        };
        if !plan.foreign.is_empty() {
            print(format_args!("  {} subscriptions of other {others} are left alone", plan.foreign.len()));
        }
    }
}

/// Shows what Twitch holds for these channels and what is missing, and returns whether everything is enabled.
pub(crate) async fn show(session: &Session, channels: &[ServedChannel]) -> Result<bool> {
    let mut is_complete = true;
    if session.uses(TransportKind::Webhook, channels) {
        let desired = Desired::over_webhooks(session, channels, &session.webhook()?).await?;
        is_complete &= desired.show(&session.helix.subscriptions().await?.subscriptions);
    }
    let sessions = sessions::all(&mut *session.pool.acquire().await?).await?;
    for channel in channels.iter().filter(|channel| session.transport(channel) == TransportKind::Websocket) {
        let row = sessions.iter().find(|row| row.user_id.channel() == channel.id);
        let leased = row.filter(|row| row.is_leased);
        let has_consented = !session.granted(channel).await?.is_empty();
        is_complete &= match leased.and_then(|row| row.session_id.clone()) {
            Some(id) if has_consented => {
                let held = session.as_user(channel.id.as_str()).subscriptions().await?.subscriptions;
                Desired::on_session(session, channel, id).await?.show(&held)
            }
            _ => {
                let reason = match leased {
                    _ if !has_consented => "consent comes first".to_owned(),
                    Some(row) => {
                        row.ended_reason.clone().unwrap_or_else(|| "the server is about to open it".to_owned())
                    }
                    None => format!("no server keeps one: start it with `{}`", Program::Server),
                };
                let login = printable(&channel.login);
                print(format_args!("  {:<9}{login}: no WebSocket is open: {}", "missing", printable(&reason)));
                false
            }
        };
    }
    Ok(is_complete)
}

/// A subscription at Twitch, as a person can find it there.
pub(crate) fn name(held: &HeldSubscription) -> String {
    printable(&format!("{} v{} ({})", held.kind, held.version, held.id))
}
