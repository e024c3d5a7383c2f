//! The badges and cheermotes of chats, looked up when an overlay asks for them and kept for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use super::application::Application;
use crate::clock::Clock;
use crate::twitch::helix::pictures::{BadgeSet, Cheermote};
use crate::twitch::helix::{Helix, HelixError};
use crate::twitch::id::ChannelId;

/// How long pictures are kept before they are looked up again.
pub const FRESH: Duration = Duration::from_secs(60 * 60);

/// How long nothing is looked up after a failure.
pub const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Time limit for the answers of Twitch.
const LIMIT: Duration = Duration::from_secs(10);

/// Channels whose pictures are kept, at most. Beyond, the one that was not asked for longest is forgotten.
const MAX_CHANNELS: usize = 100;

/// The pictures of chats. Without an application there are none.
#[derive(Debug, Default)]
pub struct ChatPictures(Option<Source>);

#[derive(Debug)]
struct Source {
    helix: Helix,
    clock: Clock,
    global: Slot<Vec<BadgeSet>>,
    channels: Mutex<HashMap<ChannelId, Channel>>,
}

/// The pictures of one channel, and when they were last asked for.
#[derive(Debug)]
struct Channel {
    asked_at: Instant,
    pictures: Arc<Slot<Own>>,
}

/// What a channel has beside the badges that all have.
#[derive(Debug)]
struct Own {
    badges: Vec<BadgeSet>,
    cheermotes: Vec<Cheermote>,
}

/// What was looked up, and until when it counts; the value is `None` after a failure. Those who ask at the same time wait for
/// one look-up.
type Slot<T> = AsyncMutex<Option<Kept<T>>>;

#[derive(Debug)]
struct Kept<T> {
    value: Option<Arc<T>>,
    until: Instant,
}

/// The pictures of a chat.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    /// The badges; of two with the same name, the later one counts.
    pub badges: Vec<BadgeSet>,
    /// The cheermotes.
    pub cheermotes: Vec<Cheermote>,
}

impl ChatPictures {
    /// Looks up with this application.
    #[must_use]
    pub fn new(clock: Clock, application: Option<&Application>) -> Self {
        let source = |it: &Application| Source {
            helix: it.helix.clone(),
            clock,
            global: Slot::default(),
            channels: Mutex::default(),
        };
        Self(application.map(source))
    }

    /// The pictures of a channel: none without an application; `None` if Twitch has not told them.
    pub async fn of(&self, channel: &ChannelId) -> Option<Pictures> {
        let Some(source) = &self.0 else { return Some(Pictures::default()) };
        let global = source.keep(&source.global, source.helix.global_badges()).await?;
        // Twitch refuses an id that is none, such as that of a demo.
        if !channel.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Pictures { badges: global.to_vec(), cheermotes: Vec::new() });
        }
        let slot = source.slot(channel);
        let own = source.keep(&slot, source.look_up(channel)).await?;
        let badges = global.iter().chain(&own.badges).cloned().collect();
        Some(Pictures { badges, cheermotes: own.cheermotes.clone() })
    }
}

impl Source {
    async fn look_up(&self, channel: &ChannelId) -> Result<Own, HelixError> {
        let badges = self.helix.channel_badges(channel).await?;
        Ok(Own { badges, cheermotes: self.helix.cheermotes(channel).await? })
    }

    /// The place of a channel's pictures.
    fn slot(&self, channel: &ChannelId) -> Arc<Slot<Own>> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if channels.len() >= MAX_CHANNELS && !channels.contains_key(channel) {
            let oldest = channels.iter().min_by_key(|(_, it)| it.asked_at).map(|(id, _)| id.clone());
            oldest.and_then(|id| channels.remove(&id));
        }
        let asked_at = self.clock.instant();
        let new = || Channel { asked_at, pictures: Arc::default() };
        let kept = channels.entry(channel.clone()).or_insert_with(new);
        kept.asked_at = asked_at;
        Arc::clone(&kept.pictures)
    }

    /// What is in the place, looked up first if it is missing or old. After a failure, what was there before counts longer.
    async fn keep<T>(&self, slot: &Slot<T>, look_up: impl Future<Output = Result<T, HelixError>>) -> Option<Arc<T>> {
        let mut slot = slot.lock().await;
        if let Some(kept) = slot.as_ref().filter(|kept| kept.until > self.clock.instant()) {
            return kept.value.clone();
        }
        let found = timeout(LIMIT, look_up).await;
        let problem = match found {
            Ok(Ok(value)) => {
                let value = Some(Arc::new(value));
                *slot = Some(Kept { value: value.clone(), until: self.clock.instant() + FRESH });
                return value;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(error = problem, "badges and cheermotes can't be looked up");
        let value = slot.take().and_then(|kept| kept.value);
        *slot = Some(Kept { value: value.clone(), until: self.clock.instant() + AFTER_FAILURE });
        value
    }
}
