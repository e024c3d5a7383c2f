//! Compares the subscriptions at Twitch with what the channels should have, and shows both.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Serialize;
use showtime::cli::colour::{BAD, GOOD, WARNING, styled};
use showtime::cli::{print, printable};
use showtime::program::Program;
use showtime::store::desired_subscriptions::{self as rows, DesiredStatus};
use showtime::store::served_channels::ServedChannel;
use showtime::store::sessions::{self, SessionRow};
use showtime::subscriptions::desired::{DesiredSubscription, missing_scopes};
use showtime::subscriptions::explain::explain;
use showtime::subscriptions::plan::{self, Place, Plan};
use showtime::subscriptions::problems::{Cause, Failure, problems};
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

    /// Adds what there is of each, and why it delivers nothing; `granted` has the scopes of each channel.
    fn find(&self, held: &[HeldSubscription], granted: &BTreeMap<&ChannelId, Vec<String>>, found: &mut Found) {
        let (plan, transport) = (self.plan(held), self.transport());
        let has_secret = |held: &HeldSubscription| self.with_secret.as_ref().is_none_or(|ids| ids.contains(&held.id));
        let mut add = |desired: &DesiredSubscription, held: Option<&HeldSubscription>, status, delivers, message| {
            let login = self.logins.get(&desired.channel_id).cloned().unwrap_or_default();
            let id = held.map(|held| held.id.clone());
            found.subscriptions.push(Finding::new(desired, login, transport, (id, status), delivers, message));
        };
        for &(desired, held) in &plan.keep {
            let is_refused = held.status == SubscriptionStatus::Enabled && !has_secret(held);
            let message = if is_refused { "not known to have this webhook secret" } else { explain(&held.status) };
            let delivers = held.status == SubscriptionStatus::Enabled && !is_refused;
            add(desired, Some(held), DesiredStatus::Held(held.status.clone()), delivers, message.to_owned());
        }
        for &desired in &plan.create {
            let is_same = |(dead, _): &&(&DesiredSubscription, &HeldSubscription)| std::ptr::eq(*dead, desired);
            let granted = granted.get(&desired.channel_id).map(Vec::as_slice).unwrap_or_default();
            match plan.dead.iter().find(is_same) {
                Some(&(_, dead)) => {
                    let message = explain(&dead.status).to_owned();
                    add(desired, Some(dead), DesiredStatus::Held(dead.status.clone()), false, message);
                }
                None if missing_scopes(&[desired.kind], granted, transport).is_empty() => {
                    add(desired, None, DesiredStatus::Missing, false, "Twitch has none".to_owned());
                }
                None => add(desired, None, DesiredStatus::NeedsConsent, false, NEEDS_CONSENT.to_owned()),
            }
        }
        found.others.extend(self.others(&plan));
        found.unwanted.extend(plan.unwanted.into_iter().map(Unwanted::from));
    }

    fn transport(&self) -> TransportKind {
        match self.place {
            Place::Webhook(_) => TransportKind::Webhook,
            Place::Session { .. } => TransportKind::Websocket,
        }
    }

    /// Lines about what is at Twitch but not desired.
    pub(crate) fn others(&self, plan: &Plan<'_>) -> Vec<String> {
        let must_go = plan.unwanted.iter().map(|held| format!("  must go  {}: no served channel needs it", name(held)));
        let mut lines: Vec<_> = must_go.collect();
        if !plan.earlier.is_empty() {
            let count = plan.earlier.len();
            lines.push(format!(
                "  {count} subscriptions of the server's earlier WebSockets are about to be deleted by it"
            ));
        }
        let others = match self.place {
            Place::Webhook(_) => "callbacks",
            Place::Session { .. } => "WebSockets",
        };
        if !plan.foreign.is_empty() {
            lines.push(format!("  {} subscriptions of other {others} are left alone", plan.foreign.len()));
        }
        lines
    }
}

const NEEDS_CONSENT: &str = "the user has to consent";

/// A subscription that a channel should have, with the fields that `/status` shows of it.
#[derive(Serialize)]
pub(crate) struct Finding {
    channel_id: String,
    channel_login: String,
    r#type: &'static str,
    version: &'static str,
    transport: &'static str,
    /// Twitch's id, if Twitch has one, or what is left of it.
    subscription_id: Option<String>,
    status: DesiredStatus,
    /// Whether its messages arrive and are accepted.
    pub(crate) delivers: bool,
    /// The status in words.
    message: String,
}

impl Finding {
    fn new(
        desired: &DesiredSubscription,
        channel_login: String,
        transport: TransportKind,
        (subscription_id, status): (Option<String>, DesiredStatus),
        delivers: bool,
        message: String,
    ) -> Self {
        Self {
            channel_id: desired.channel_id.to_string(),
            channel_login,
            r#type: &desired.kind.name,
            version: &desired.kind.version,
            transport: transport.as_str(),
            subscription_id,
            status,
            delivers,
            message,
        }
    }

    /// Its state in one word.
    fn word(&self) -> &'static str {
        match &self.status {
            DesiredStatus::Held(SubscriptionStatus::Enabled) if self.delivers => "enabled",
            DesiredStatus::Held(SubscriptionStatus::Enabled) => "refused",
            DesiredStatus::Held(status) if status.is_alive() => "pending",
            // What ended because a consent was withdrawn waits for the next one, like what was never there.
            status if status.needs_consent() => "missing",
            DesiredStatus::Held(_) => "dead",
            DesiredStatus::Missing | DesiredStatus::NeedsConsent | DesiredStatus::NoSession => "missing",
        }
    }

    fn failure(&self) -> Failure<'_> {
        let needs_consent = self.status.needs_consent();
        let cause = if needs_consent { Cause::Consent } else { Cause::Other(self.message.clone()) };
        Failure { login: &self.channel_login, kind: self.r#type, version: self.version, cause }
    }
}

/// A subscription to this server that no channel needs.
#[derive(Serialize)]
pub(crate) struct Unwanted {
    id: String,
    r#type: String,
    version: String,
    status: SubscriptionStatus,
}

impl From<&HeldSubscription> for Unwanted {
    fn from(held: &HeldSubscription) -> Self {
        let HeldSubscription { id, kind, version, status, .. } = held.clone();
        Self { id, r#type: kind.to_string(), version, status }
    }
}

/// What was found of the subscriptions.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) subscriptions: Vec<Finding>,
    pub(crate) unwanted: Vec<Unwanted>,
    /// Lines about what is at Twitch but not desired.
    others: Vec<String>,
}

impl Found {
    /// Shows those that are enabled or will be, one by one, and of the others each cause once.
    pub(crate) fn show(&self) {
        for (word, style) in [("enabled", GOOD), ("pending", WARNING)] {
            for Finding { channel_login, r#type, version, .. } in self.of(word) {
                let line = printable(&format!("{channel_login}  {} v{version}", r#type));
                print(format_args!("  {}{line}", styled(style, format_args!("{word:<9}"))));
            }
        }
        for word in ["missing", "refused", "dead"] {
            for problem in problems(self.of(word).map(Finding::failure)) {
                let line = printable(&problem.with_types());
                print(format_args!("  {}{line}", styled(BAD, format_args!("{word:<9}"))));
            }
        }
        self.others.iter().for_each(print);
    }

    fn of(&self, word: &'static str) -> impl Iterator<Item = &Finding> {
        self.subscriptions.iter().filter(move |finding| finding.word() == word)
    }
}

/// Compares what Twitch holds for these channels with what they should have.
pub(crate) async fn find(session: &Session, channels: &[ServedChannel]) -> Result<Found> {
    let (mut found, mut granted) = (Found::default(), BTreeMap::new());
    for channel in channels {
        granted.insert(&channel.id, session.granted(channel).await?);
    }
    if session.uses(TransportKind::Webhook, channels) {
        let desired = Desired::over_webhooks(session, channels, &session.webhook()?).await?;
        desired.find(&session.helix.subscriptions().await?.subscriptions, &granted, &mut found);
    }
    let sessions = sessions::all(&mut *session.pool.acquire().await?).await?;
    for channel in channels.iter().filter(|channel| session.transport(channel) == TransportKind::Websocket) {
        let row = sessions.iter().find(|row| row.user_id.channel() == channel.id && row.is_leased);
        let has_consented = granted.get(&channel.id).is_some_and(|scopes| !scopes.is_empty());
        if let (true, Some(id)) = (has_consented, row.and_then(|row| row.session_id.clone())) {
            let held = session.as_user(channel.id.as_str()).subscriptions().await?.subscriptions;
            Desired::on_session(session, channel, id).await?.find(&held, &granted, &mut found);
            continue;
        }
        let (status, message) = match row {
            _ if !has_consented => (DesiredStatus::NeedsConsent, NEEDS_CONSENT.to_owned()),
            row => (DesiredStatus::NoSession, format!("no WebSocket is open: {}", why_closed(row))),
        };
        for desired in session.desired([(&channel.id, TransportKind::Websocket)]).await? {
            let (login, transport) = (channel.login.clone(), TransportKind::Websocket);
            let (status, message) = ((None, status.clone()), message.clone());
            found.subscriptions.push(Finding::new(&desired, login, transport, status, false, message));
        }
    }
    Ok(found)
}

fn why_closed(session: Option<&SessionRow>) -> String {
    match session {
        Some(row) => row.ended_reason.clone().unwrap_or_else(|| "the server is about to open it".to_owned()),
        None => format!("no server keeps one: start it with `{}`", Program::Server),
    }
}

/// A subscription at Twitch, as a person can find it there.
pub(crate) fn name(held: &HeldSubscription) -> String {
    printable(&format!("{} v{} ({})", held.kind, held.version, held.id))
}
