//! Follows the log: settles messages by their echo and judges events by the rules, in this order: so the rules know which
//! messages are our own.

use sqlx::PgConnection;

use super::echo;
use super::rules::compiled::Compiled;
use super::rules::reactor::Reactor;
use crate::metrics::Metrics;
use crate::outputs::follow::{Batch, Concern, Handler, HandlerError, Next, Types};
use crate::services::Services;
use crate::store::actions::settle::Author;

/// What follows from events.
#[derive(Debug)]
pub(super) struct Reactions {
    metrics: Metrics,
    reactor: Reactor,
    /// Whose messages may be echoes.
    authors: Vec<Author>,
}

impl Reactions {
    pub(super) fn new(services: &Services, has_application: bool) -> Self {
        let (metrics, reactor) = (services.metrics.clone(), Reactor::new(services, has_application));
        Self { metrics, reactor, authors: Vec::new() }
    }
}

impl Handler for Reactions {
    async fn concern(&mut self, db: &mut PgConnection, next: &Next) -> Result<Concern, HandlerError> {
        self.authors = match next.received_since {
            Some(received_since) => echo::authors(&mut *db, received_since).await?,
            None => Vec::new(),
        };
        let rules = self.reactor.rules(db).await?;
        let types = match rules {
            Some(_) => Types::All,
            None if self.authors.is_empty() => Types::None,
            None => Types::Only(&[echo::MESSAGE]),
        };
        Ok(Concern { types, is_timed: rules.is_some_and(Compiled::is_timed) })
    }

    async fn handle(&mut self, db: &mut PgConnection, batch: &Batch) -> Result<(), HandlerError> {
        echo::settle(&mut *db, &self.metrics, &self.authors, &batch.events).await?;
        self.reactor.react(db, &batch.events).await
    }
}
