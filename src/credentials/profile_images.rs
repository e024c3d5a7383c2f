//! Profile images of users, and the pictures of their channels while they are offline, for what goes out. Nothing waits for one:
//! it is looked up in the background, and what is not known yet is empty.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::application::Application;
use crate::clock::Clock;
use crate::services::{Services, Tasks};
use crate::twitch::helix::Helix;

/// Users that are remembered, at most: twice as many.
const GENERATION: usize = 5_000;

/// Users that wait to be looked up, at most; more are left out, and are wanted again by their next event.
const MAX_WAITING: usize = 1_000;

/// [Users per call](https://dev.twitch.tv/docs/api/reference/#get-users).
const PAGE: usize = 100;

/// How long an image is shown before it is looked up again.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an image that is not known is not looked up again.
const UNKNOWN: Duration = Duration::from_secs(60);

/// The images that are known. Clones share them; the default knows none.
#[derive(Clone, Debug, Default)]
pub struct ProfileImages(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    known: Mutex<Generations>,
    wanted: Sender<String>,
}

/// The younger half takes what is new and what is used; when it is full it becomes the older half, and that is forgotten.
#[derive(Debug, Default)]
struct Generations {
    younger: HashMap<String, Image>,
    older: HashMap<String, Image>,
}

#[derive(Clone, Debug, Default)]
struct Urls {
    profile: String,
    offline: String,
}

#[derive(Clone, Debug)]
struct Image {
    urls: Urls,
    /// When it is to be looked up again.
    until: Instant,
}

impl Generations {
    fn get(&mut self, id: &str) -> Option<Image> {
        if let Some(image) = self.younger.get(id) {
            return Some(image.clone());
        }
        let (id, image) = self.older.remove_entry(id)?;
        self.insert(id, image.clone());
        Some(image)
    }

    fn insert(&mut self, id: String, image: Image) {
        if self.younger.len() >= GENERATION {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(id, image);
    }
}

impl ProfileImages {
    /// Starts looking images up with Twitch's API; without an application none is known.
    #[must_use]
    pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) -> Self {
        let Some(application) = application else { return Self::default() };
        let (wanted, waiting) = channel(MAX_WAITING);
        let shared = Arc::new(Shared { clock: services.clock.clone(), known: Mutex::default(), wanted });
        tasks.spawn("profile images", look_up(shared.clone(), application.helix.clone(), waiting));
        Self(Some(shared))
    }

    /// The URL of a user's image; empty if it is not known. Asks for it if it is not known or old.
    #[must_use]
    pub fn get(&self, id: &str) -> String {
        self.find(id).profile
    }

    /// The URL of the picture that a channel has while it is offline; empty if it has none, or it is not known.
    #[must_use]
    pub fn offline(&self, id: &str) -> String {
        self.find(id).offline
    }

    fn find(&self, id: &str) -> Urls {
        // One id that is none would cost all that are looked up with it.
        let is_id = id.bytes().all(|byte| byte.is_ascii_digit());
        let Some(shared) = self.0.as_ref().filter(|_| is_id) else { return Urls::default() };
        let now = shared.clock.instant();
        let mut known = shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        let image = known.get(id);
        let urls = image.as_ref().map(|image| image.urls.clone()).unwrap_or_default();
        if image.is_none_or(|image| image.until <= now) && shared.wanted.try_send(id.to_owned()).is_ok() {
            known.insert(id.to_owned(), Image { urls: urls.clone(), until: now + UNKNOWN });
        }
        urls
    }
}

async fn look_up(shared: Arc<Shared>, helix: Helix, mut waiting: Receiver<String>) -> Infallible {
    loop {
        let mut ids = Vec::with_capacity(PAGE);
        waiting.recv_many(&mut ids, PAGE).await;
        match helix.users_by_id(&ids).await {
            Ok(users) => {
                let until = shared.clock.instant() + FRESH;
                let mut known = shared.known.lock().unwrap_or_else(PoisonError::into_inner);
                for user in users {
                    let urls = Urls { profile: user.profile_image_url, offline: user.offline_image_url };
                    known.insert(user.id.into(), Image { urls, until });
                }
            }
            Err(error) => tracing::debug!(%error, "profile images can't be looked up"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> (ProfileImages, Receiver<String>) {
        let (wanted, waiting) = channel(MAX_WAITING);
        let shared = Shared { clock: Clock::default(), known: Mutex::default(), wanted };
        (ProfileImages(Some(Arc::new(shared))), waiting)
    }

    #[test]
    fn unknown_image_is_empty_and_wanted_once() {
        let (images, mut waiting) = images();
        assert_eq!((images.get("7"), images.get("7")), (String::new(), String::new()));
        assert_eq!((waiting.try_recv().ok(), waiting.try_recv().ok()), (Some("7".to_owned()), None));
        let shared = images.0.as_ref().unwrap();
        shared.clock.advance(time::Duration::MINUTE);
        assert_eq!(images.get("7"), "");
        assert_eq!(waiting.try_recv().unwrap(), "7", "it is wanted again after a while");
        let until = shared.clock.instant() + FRESH;
        let urls = Urls { profile: "https://x".to_owned(), offline: "https://y".to_owned() };
        shared.known.lock().unwrap().insert("7".to_owned(), Image { urls, until });
        assert_eq!((images.get("7").as_str(), images.offline("7").as_str()), ("https://x", "https://y"));
        assert!(waiting.try_recv().is_err());
        assert_eq!((images.get("x&id=8"), ProfileImages::default().get("7")), (String::new(), String::new()));
        assert!(waiting.try_recv().is_err());
    }

    #[test]
    fn images_are_bounded() {
        let (images, mut waiting) = images();
        for id in 0..3 * GENERATION {
            let _ = images.get("900000000");
            let _ = images.get(&id.to_string());
            while waiting.try_recv().is_ok() {}
        }
        let mut known = images.0.as_ref().unwrap().known.lock().unwrap();
        assert!(known.younger.len() + known.older.len() <= 2 * GENERATION);
        assert!(known.get("900000000").is_some(), "what is used stays");
    }
}
