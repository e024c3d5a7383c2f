//! Tracking for Discord bots: which bots there are, where each wants to know of which Twitch channels. The service
//! behind the API; what is posted is made by `outputs::announcements`.

pub mod appearance;
pub mod authority;
pub mod batch;
pub mod bots;
pub mod broadcast;
pub mod budget;
pub mod card;
pub mod channels;
pub mod current;
mod deliveries;
pub mod error;
pub mod feed;
pub mod filter;
pub mod following;
pub mod forum;
pub mod jwt;
mod keys;
pub mod language;
mod levels;
pub mod mentions;
pub mod preview;
pub mod secret;
pub mod settings;
pub mod shared_budget;
mod syntax;
pub mod template;
pub mod tracker;
mod verification;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use self::authority::Authority;
use self::feed::Feed;
use self::keys::Keys;
use self::tracker::Tracker;
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::credentials::profile_images::ProfileImages;
use crate::services::{Services, Tasks};

/// Time limit of a bot's request, over HTTP and gRPC. For a stream, until it begins.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the API needs of tracking.
#[derive(Debug)]
pub struct Tracking {
    /// Issues the tokens of bots, and checks them.
    pub authority: Authority,
    /// What bots track.
    pub tracker: Tracker,
    /// What they are told.
    pub feed: Feed,
    clock: Clock,
}

impl Tracking {
    /// Starts tracking on the database of the services. Without an application only channels are known that the log has.
    #[must_use]
    pub fn spawn(
        services: &Services,
        application: Option<&Application>,
        images: ProfileImages,
        tasks: &mut Tasks,
    ) -> Self {
        let keys = Arc::new(Keys::new(Arc::clone(&services.config)));
        let authority = Authority::new(services, Arc::clone(&keys));
        let feed = Feed::spawn(services, tasks);
        let tracker = Tracker::new(services, application, images, keys);
        Self { authority, tracker, feed, clock: services.clock.clone() }
    }
}
