//! What a reader of a feed selects.

use sqlx::PgPool;

use super::entry::Entry;
use super::feed::Feed;
use crate::store::read::live;
use crate::store::read::scan::LogFilter;
use crate::twitch::id::ChannelId;

/// A feed, and what of it is selected. Channels stay names, because their logins may change while it is read.
#[derive(Clone, Debug)]
pub struct FeedFilter {
    /// The feed.
    pub feed: Feed,
    /// Only these channels, by id or login; `None` for all.
    pub channels: Option<Vec<String>>,
    /// Only these types: kinds of alerts, or subscription types; `None` for all.
    pub types: Option<Vec<String>>,
}

impl FeedFilter {
    /// Whether it selects this entry.
    #[must_use]
    pub fn includes(&self, entry: &Entry) -> bool {
        self.includes_channel(entry) && self.feed.includes(entry, self.types.as_deref())
    }

    fn includes_channel(&self, entry: &Entry) -> bool {
        let (id, login) =
            (entry.logged.channel_id.as_ref().map(ChannelId::as_str), entry.logged.channel_login.as_deref());
        let is_it =
            |name: &String| id == Some(name.as_str()) || login.is_some_and(|login| login.eq_ignore_ascii_case(name));
        self.channels.as_ref().is_none_or(|names| names.iter().any(is_it))
    }

    /// The filter of the log that finds all of this, and for some feeds more.
    pub(super) async fn log_filter(&self, pool: &PgPool) -> sqlx::Result<LogFilter> {
        let channel_ids = match &self.channels {
            Some(names) => Some(live::ids(pool, names).await?),
            None => None,
        };
        let types = if self.feed == Feed::Events { self.types.clone() } else { self.feed.sources() };
        Ok(LogFilter { channel_ids, types })
    }
}
