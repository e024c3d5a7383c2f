//! Announcements: messages over Discord's webhooks about the broadcasts that bots track.
//!
//! A follower keeps one row for each broadcast: what is to be said of it. A second task spreads it over the tracks: each channel
//! of Discord gets one post. Executors, one on each server, claim channels whose posts are due, and send what is to be said
//! now: so edits coalesce, and their order does not matter. That Discord is about to be called is committed before; if the answer
//! to a new message is lost, it is posted again without mentions and without a sound.

mod attempt;
mod check;
mod executor;
mod follower;
mod look_ups;
mod news;
mod plan;
mod spreader;
mod thread;

use std::sync::Arc;
use std::time::Duration;

use self::attempt::Sender;
use self::executor::Executor;
use self::follower::Broadcasts;
use self::look_ups::LookUps;
use self::spreader::Spreader;
use crate::credentials::application::Application;
use crate::credentials::profile_images::ProfileImages;
use crate::outputs::follow::{Follower, Start};
use crate::services::{Services, Stopper, Tasks};

/// Time limit for the requests under way to end and be recorded when the server stops; more than [the limit of one](attempt::CALL_TIMEOUT).
const STOP_TIMEOUT: Duration = Duration::from_secs(12);

/// Starts the follower, the spreader and the executor, and registers the checks `announcements` and `posts`. With an application
/// Twitch's API is asked about what events do not tell.
pub fn spawn(
    services: &Services,
    application: Option<&Application>,
    images: &ProfileImages,
    tasks: &mut Tasks,
) -> Stopper {
    let stopper = Stopper::new(STOP_TIMEOUT);
    services.checks.add_on_records(|records| check::check(&records.posts));
    let sender = Arc::new(Sender::new(services, stopper.stopping.clone()));
    tasks.spawn("posts", Executor::new(services, images.clone(), sender, stopper.clone()).run());
    tasks.spawn("announcements", Spreader::new(services).run());
    if let Some(application) = application {
        tasks.spawn("look-ups of broadcasts", LookUps::new(services, application).run());
    }
    let broadcasts = Broadcasts { clock: services.clock.clone() };
    tasks.spawn("followed broadcasts", Follower::new(services, "announcements", Start::Now).run(broadcasts));
    stopper
}
