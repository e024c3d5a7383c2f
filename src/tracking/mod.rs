//! Tracking for bots of Discord: which bots there are, where each wants to know of which channels of Twitch. The service
//! behind the API; what is posted is made by `outputs::announcements`.

pub mod authority;
pub mod bots;
pub mod error;
pub mod jwt;
mod keys;
pub mod secret;
pub mod tracker;
pub mod webhooks;

use std::sync::Arc;

use self::authority::Authority;
use self::keys::Keys;
use self::tracker::Tracker;
use crate::credentials::application::Application;
use crate::services::Services;

/// What the API needs of tracking.
#[derive(Debug)]
pub struct Tracking {
    /// Issues the tokens of bots, and checks them.
    pub authority: Authority,
    /// What bots track.
    pub tracker: Tracker,
}

impl Tracking {
    /// Tracking on the database of the services. Without an application only channels are known that the log has.
    #[must_use]
    pub fn new(services: &Services, application: Option<&Application>) -> Self {
        let keys = Arc::new(Keys::new(Arc::clone(&services.config)));
        let authority = Authority::new(services, Arc::clone(&keys));
        Self { authority, tracker: Tracker::new(services, application, keys) }
    }
}
