//! What showtime does on Twitch: chat, moderation, titles, clips; and what it sends to webhooks.
//!
//! An action is a row. One server at a time executes them: it commits that it is about to call Twitch, calls outside of any
//! transaction, and commits what came of it. So an action that must not be repeated never is: if the answer is lost, it is
//! uncertain, until its echo in the chat, or a person, settles it. The steps of one subject are done in order, and what has not
//! happened stops those behind it.

pub mod act;
pub mod attempt;
mod check;
pub mod consent;
mod echo;
mod executor;
mod follower;
pub mod limits;
pub mod link_error;
pub mod links;
pub mod receivers;
pub mod row;
pub mod rules;
pub mod service;
pub mod step;
pub mod target;
pub mod validate;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use self::act::Actor;
use self::executor::Executor;
use self::follower::Reactions;
use crate::credentials::application::Application;
use crate::outputs::follow::{Follower, Start};
use crate::services::{Services, Stopper, Tasks};
use crate::status::Check;

/// Time limit for the calls under way to end and be recorded when the server stops; more than [the limit of one](act::CALL_TIMEOUT).
const STOP_TIMEOUT: Duration = Duration::from_secs(12);

/// Time limit of a transaction. The database's own is lost with a connection that has gone silent.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts the reactor, and the executor if an application is configured, and registers the checks `actions`,
/// `consents` and `rules`.
///
/// The reactor also runs without an application, so that it does not hold up pruning.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) -> Stopper {
    let stopper = Stopper::new(STOP_TIMEOUT);
    let has_application = application.is_some();
    services.checks.add_on_records(move |records| check::check(&records.actions, has_application));
    services.checks.add_on_records(|records| check::consents(&records.wanted));
    // Rules are read anew only after a change of them.
    let rules = Mutex::new(None);
    services.checks.add_on_records(move |records| {
        let mut known = rules.lock().unwrap_or_else(PoisonError::into_inner);
        known.take_if(|(revision, _)| *revision != records.rules_revision);
        let (_, check): &(i64, Check) =
            known.get_or_insert_with(|| (records.rules_revision, check::rules(&records.rules)));
        check.clone()
    });
    match application {
        Some(application) => {
            let actor = Actor::new(services, application);
            tasks.spawn("actions", Executor::new(services, actor, stopper.clone()).run());
        }
        None => stopper.stopped.cancel(),
    }
    let reactions = Reactions::new(services, has_application);
    tasks.spawn("reactions", Follower::new(services, "reactions", Start::Now).run(reactions));
    stopper
}
