//! The badges and cheermotes of chats, looked up when an overlay asks for them and kept for a while.

use super::application::Application;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::twitch::helix::pictures::{BadgeSet, Cheermote};
use crate::twitch::helix::{Helix, HelixError};
use crate::twitch::id::ChannelId;

/// Channels whose pictures are kept, at most.
const MAX_CHANNELS: usize = 100;

/// What is looked up, as the log names it.
const WHAT: &str = "badges and cheermotes";

/// The pictures of chats. Without an application there are none.
#[derive(Debug, Default)]
pub struct ChatPictures(Option<Source>);

#[derive(Debug)]
struct Source {
    helix: Helix,
    global: Cache<(), Vec<BadgeSet>>,
    channels: Cache<ChannelId, Own>,
}

/// What a channel has beside the badges that all have.
#[derive(Debug)]
struct Own {
    badges: Vec<BadgeSet>,
    cheermotes: Vec<Cheermote>,
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
            global: Cache::new(clock.clone(), 1),
            channels: Cache::new(clock, MAX_CHANNELS),
        };
        Self(application.map(source))
    }

    /// The pictures of a channel: none without an application; `None` if Twitch has not told them.
    pub async fn of(&self, channel: &ChannelId) -> Option<Pictures> {
        let Some(Source { helix, global, channels }) = &self.0 else { return Some(Pictures::default()) };
        let global = global.get(&(), WHAT, helix.global_badges()).await.value?;
        // Twitch refuses an id that is none, such as that of a demo.
        if !channel.as_str().bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Pictures { badges: global.to_vec(), cheermotes: Vec::new() });
        }
        let own = channels.get(channel, WHAT, look_up(helix, channel)).await.value?;
        let badges = global.iter().chain(&own.badges).cloned().collect();
        Some(Pictures { badges, cheermotes: own.cheermotes.clone() })
    }
}

async fn look_up(helix: &Helix, channel: &ChannelId) -> Result<Own, HelixError> {
    let badges = helix.channel_badges(channel).await?;
    Ok(Own { badges, cheermotes: helix.cheermotes(channel).await? })
}
