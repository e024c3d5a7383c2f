//! Creates subscriptions, and deletes what is in their way.

use std::collections::BTreeMap;

use super::desired::DesiredSubscription;
use super::progress::Match;
use crate::twitch::helix::{HeldSubscription, Helix, HelixError, NewSubscription, RefusalKind, Transport};

/// How many subscriptions are created at the same time.
pub(super) const CONCURRENCY: usize = 8;

/// Deletes the remains, or what was created with another secret, and creates the subscription.
pub(super) async fn create(
    helix: &Helix,
    transport: &Transport,
    found: &Match<'_>,
) -> Result<HeldSubscription, HelixError> {
    for old in found.dead.iter().chain(&found.alive) {
        delete(helix, old).await?;
    }
    let DesiredSubscription { kind, condition, .. } = found.desired;
    let (kind, version) = (kind.name.as_str(), kind.version.as_str());
    helix.create_subscription(&NewSubscription { kind, version, condition, transport }).await
}

/// Deletes a subscription, unless it is gone already.
pub(super) async fn delete(helix: &Helix, held: &HeldSubscription) -> Result<(), HelixError> {
    delete_by_id(helix, &held.id).await
}

/// Deletes the subscription with this id, unless it is gone already.
pub(super) async fn delete_by_id(helix: &Helix, id: &str) -> Result<(), HelixError> {
    match helix.delete_subscription(id).await {
        Err(error) if error.refusal() != Some(RefusalKind::NotFound) => Err(error),
        _ => Ok(()),
    }
}

/// Logs what was created, and, when this is dropped, the types that were not: by channel and reason, once each.
#[derive(Default)]
pub(super) struct Log(BTreeMap<(String, String), Vec<String>>);

impl Log {
    pub(super) fn add(&mut self, login: &str, found: &Match<'_>, outcome: &Result<HeldSubscription, HelixError>) {
        let kind = &found.desired.kind.name;
        match outcome {
            Ok(HeldSubscription { id, .. }) => {
                tracing::info!(subscription.r#type = kind, channel.login = login, id, "subscribed");
            }
            Err(error) => self.0.entry((login.to_owned(), error.to_string())).or_default().push(kind.clone()),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        for ((login, error), kinds) in &self.0 {
            let types = kinds.join(", ");
            tracing::warn!(channel.login = login, subscription.types = types, error, "could not subscribe");
        }
    }
}
