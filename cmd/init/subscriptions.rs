//! Shows, creates, deletes and awaits subscriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use showtime::store::served_channels::ServedChannel;
use showtime::subscriptions::plan::{self, ENABLED, Plan, Wanted};
use showtime::twitch::helix::{HelixError, NewSubscription, RefusalKind, Subscription};
use url::Url;

use crate::session::Session;

/// How long the challenges may take.
const PATIENCE: time::Duration = time::Duration::seconds(60);

/// Between two looks at Twitch's list.
const PAUSE: Duration = Duration::from_millis(500);

/// A channel's id, and a type.
type Place = (String, &'static str);

/// Why something could not be created.
pub(crate) type Failures = BTreeMap<Place, String>;

/// What is wanted, for whom and where.
pub(crate) struct Wishes {
    /// For the channels that are asked for, then for those that are served besides: theirs is
    /// nothing to care for now, but not unwanted either.
    wanted: Vec<Wanted>,
    /// Logins of the channels that are asked for, by id.
    names: BTreeMap<String, String>,
    /// How many are wanted for them.
    count: usize,
    callback: Url,
}

fn place(want: &Wanted) -> Place {
    (want.channel_id.clone(), want.kind.name.as_str())
}

impl Wishes {
    pub(crate) fn new(session: &Session, channels: &[ServedChannel], served: &[ServedChannel]) -> Self {
        let names: BTreeMap<_, _> =
            channels.iter().map(|channel| (channel.id.clone(), channel.login.clone())).collect();
        let others = served.iter().map(|channel| channel.id.as_str()).filter(|id| !names.contains_key(*id));
        let ids = names.keys().map(String::as_str).chain(others);
        Self {
            wanted: Wanted::all(&session.types, ids, session.oauth.client_id()),
            count: names.len() * session.types.len(),
            callback: session.callback.clone(),
            names,
        }
    }

    pub(crate) fn plan<'a>(&'a self, held: &'a [Subscription]) -> Plan<'a> {
        let mut plan = plan::plan(held, &self.wanted, &self.callback);
        let is_asked_for = |want: &Wanted| self.names.contains_key(&want.channel_id);
        plan.keep.retain(|(want, _)| is_asked_for(want));
        plan.create.retain(|want| is_asked_for(want));
        plan.dead.retain(|(want, _)| is_asked_for(want));
        plan
    }

    fn line(&self, want: &Wanted) -> String {
        let login = self.names.get(&want.channel_id).map_or("", String::as_str);
        format!("{login}  {} v{}", want.kind.name, want.kind.version)
    }

    /// Everything that exists, is missing, or must go.
    pub(crate) fn show(&self, held: &[Subscription]) {
        let plan = self.plan(held);
        for (want, held) in &plan.keep {
            println!("  {:<9}{}", if held.status == ENABLED { "enabled" } else { "pending" }, self.line(want));
        }
        for want in &plan.create {
            println!("  {:<9}{}", "missing", self.line(want));
        }
        for (want, dead) in &plan.dead {
            println!("  {:<9}{}: {}", "dead", self.line(want), plan::explain(&dead.status));
        }
        for held in &plan.unwanted {
            println!("  {:<9}{} v{} ({}): nobody wants it", "must go", held.kind, held.version, held.id);
        }
        if !plan.foreign.is_empty() {
            println!("  {} subscriptions of other callbacks are left alone", plan.foreign.len());
        }
    }

    pub(crate) fn are_enabled(&self, held: &[Subscription]) -> bool {
        let plan = self.plan(held);
        plan.create.is_empty() && plan.keep.iter().all(|(_, held)| held.status == ENABLED)
    }

    /// Creates one after the other. What fails is explained at the end, and stops none of the rest.
    pub(crate) async fn create(&self, session: &Session, missing: &[&Wanted]) -> Result<Failures> {
        let mut failures = Failures::new();
        for want in missing {
            let new = NewSubscription {
                kind: &want.kind.name,
                version: &want.kind.version,
                condition: &want.condition,
                callback: &self.callback,
                secret: &session.secret,
            };
            match session.helix.create_subscription(&new).await {
                Ok(_) => println!("  created  {}", self.line(want)),
                Err(error) if error.refusal() == Some(RefusalKind::AlreadyExists) => {
                    println!("  adopted  {}: it exists already", self.line(want));
                }
                Err(error) => drop(failures.insert(place(want), explain(want, &error))),
            }
        }
        Ok(failures)
    }

    /// Waits until nothing is pending, and returns whether everything is enabled.
    pub(crate) async fn wait(&self, session: &Session, failures: Failures) -> Result<bool> {
        let until = session.clock.now() + PATIENCE;
        let mut enabled = BTreeSet::new();
        loop {
            let held = session.helix.subscriptions().await?.subscriptions;
            let plan = self.plan(&held);
            for (want, _) in plan.keep.iter().filter(|(_, held)| held.status == ENABLED) {
                if enabled.insert(place(want)) {
                    println!("  enabled  {} ({} of {})", self.line(want), enabled.len(), self.count);
                }
            }
            let is_pending = plan.keep.iter().any(|(_, held)| held.status != ENABLED);
            if is_pending && session.clock.now() < until {
                session.clock.sleep(PAUSE).await;
                continue;
            }
            let count = plan.keep.iter().filter(|(_, held)| held.status == ENABLED).count();
            println!("{count} of {} subscriptions are enabled", self.count);
            self.complain(&plan, &failures);
            return Ok(count == self.count);
        }
    }

    /// Why each that isn't enabled isn't.
    fn complain(&self, plan: &Plan<'_>, failures: &Failures) {
        for (want, held) in plan.keep.iter().filter(|(_, held)| held.status != ENABLED) {
            println!("  {}: {}", self.line(want), plan::explain(&held.status));
        }
        for want in &plan.create {
            let newest = plan.dead.iter().filter(|(dead, _)| place(dead) == place(want));
            let newest = newest.max_by_key(|(_, dead)| dead.created_at).map(|(_, dead)| dead.status.as_str());
            let status = plan::explain(newest.unwrap_or("missing"));
            let why = failures.get(&place(want)).map_or(status, String::as_str);
            println!("  {}: {why}", self.line(want));
        }
    }
}

fn explain(want: &Wanted, error: &HelixError) -> String {
    match error.refusal() {
        Some(RefusalKind::NoConsent) => {
            let scopes: Vec<_> = want.kind.scopes.iter().map(|group| group.join(" or ")).collect();
            format!("{error}; it needs {}: run init again and consent", scopes.join(", "))
        }
        _ => error.to_string(),
    }
}

/// Deletes these, and returns how many could not be. One that is gone already is no failure.
pub(crate) async fn delete(session: &Session, doomed: &[&Subscription]) -> usize {
    let mut failures = 0;
    for held in doomed {
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
