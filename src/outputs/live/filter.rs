//! What a reader of a feed selects.

use std::sync::Arc;

use sqlx::PgPool;

use super::entry::Entry;
use super::feed::Feed;
use crate::store::read::scan::LogFilter;
use crate::store::read::{channels, events};
use crate::twitch::id::ChannelId;

/// A feed, and what of it is selected.
#[derive(Clone, Debug)]
pub struct FeedFilter {
    /// The feed.
    pub feed: Feed,
    /// Only these channels; `None` for all.
    channels: Option<Vec<SelectedChannel>>,
    /// Only these types: kinds of alerts, or patterns of subscription types; `None` for all.
    types: Option<Vec<String>>,
    /// What the patterns match of the types in the log; `None` if there are no patterns but names.
    matched: Option<Vec<String>>,
    /// Whether it also selects repeats.
    repeats: bool,
}

/// A channel by the name that the reader gave, an id or a login. Once the channel is known, the reader follows its id, since
/// its login may change.
#[derive(Clone, Debug)]
struct SelectedChannel {
    name: String,
    id: Option<ChannelId>,
}

impl SelectedChannel {
    /// Whether the entry is of this channel. As in [`channels::resolve`], an id goes before a login.
    fn includes(&self, entry: &Entry) -> bool {
        let Some(id) = &entry.logged.channel_id else { return false };
        let has_login =
            || entry.logged.channel_login.as_ref().is_some_and(|login| login.eq_ignore_ascii_case(&self.name));
        id.as_str() == self.name || self.id.as_ref().map_or_else(has_login, |known| known == id)
    }
}

impl FeedFilter {
    /// Selects these channels, by id or login, and these types of a feed.
    #[must_use]
    pub fn new(feed: Feed, channels: Option<Vec<String>>, types: Option<Vec<String>>) -> Self {
        let select = |name| SelectedChannel { name, id: None };
        let channels = channels.map(|names| names.into_iter().map(select).collect());
        Self { feed, channels, types, matched: None, repeats: [Feed::Events, Feed::State].contains(&feed) }
    }

    /// Selects also what repeats another selected event, or not. The feeds of events and state always do.
    #[must_use]
    pub fn with_repeats(self, repeats: bool) -> Self {
        Self { repeats, ..self }
    }

    /// Looks up the ids of the channels that were not known yet, and the types in the log that the patterns match.
    pub(super) async fn resolve(&mut self, pool: &PgPool) -> sqlx::Result<()> {
        if let (Feed::Events, Some(patterns)) = (self.feed, &self.types) {
            self.matched = events::matching(pool, patterns).await?;
        }
        let mut unknown: Vec<_> = self.channels.iter_mut().flatten().filter(|channel| channel.id.is_none()).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = unknown.iter().map(|channel| channel.name.as_str()).collect();
        let ids = channels::resolve(pool, &names).await?;
        for (channel, id) in unknown.iter_mut().zip(ids) {
            channel.id = id;
        }
        Ok(())
    }

    /// Takes the id of a channel from its first entry, if it was not known yet.
    pub(super) fn learn(self: &mut Arc<Self>, entry: &Entry) {
        let is_new = |channel: &SelectedChannel| channel.id != entry.logged.channel_id && channel.includes(entry);
        if self.channels.iter().flatten().any(is_new) {
            for channel in Arc::make_mut(self).channels.iter_mut().flatten().filter(|channel| is_new(channel)) {
                channel.id.clone_from(&entry.logged.channel_id);
            }
        }
    }

    /// Whether it selects this entry. No feed has echoes.
    #[must_use]
    pub fn includes(&self, entry: &Entry) -> bool {
        let is_selected = |channels: &Vec<SelectedChannel>| channels.iter().any(|channel| channel.includes(entry));
        self.channels.as_ref().is_none_or(is_selected)
            && (!entry.logged.is_echo || entry.is_replay)
            && (self.repeats || entry.is_replay || !self.includes_earlier(entry))
            && self.feed.includes(entry, self.types.as_deref())
    }

    /// Whether it also selects an earlier event that told the same or took this one back. A reader of only one of the
    /// channels that share a chat gets that channel's copies.
    fn includes_earlier(&self, entry: &Entry) -> bool {
        let is_selected =
            |id: &ChannelId, channel: &SelectedChannel| id.as_str() == channel.name || channel.id.as_ref() == Some(id);
        entry.logged.repeated_on.iter().flatten().any(|id| {
            self.channels.as_ref().is_none_or(|channels| channels.iter().any(|channel| is_selected(id, channel)))
        })
    }

    /// Only these types: kinds of alerts, or patterns of subscription types; `None` for all.
    #[must_use]
    pub fn types(&self) -> Option<&[String]> {
        self.types.as_deref()
    }

    /// The ids of the channels, as far as they are known; `None` for all channels.
    #[must_use]
    pub fn channel_ids(&self) -> Option<Vec<ChannelId>> {
        let channels = self.channels.as_ref()?.iter();
        Some(channels.filter_map(|channel| channel.id.clone().or_else(|| channel.name.parse().ok())).collect())
    }

    /// The filter of the log that finds all of this, and for some feeds more.
    pub(super) fn log_filter(&self) -> LogFilter {
        let types = self.matched.as_ref().or(self.types.as_ref());
        LogFilter { channel_ids: self.channel_ids(), types: self.feed.sources(types.map(Vec::as_slice)) }
    }
}
