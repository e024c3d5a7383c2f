//! The feeds: what each of them selects and sends.

use std::sync::Arc;

use sqlx::PgPool;
use strum::{EnumIter, IntoStaticStr};

use super::entry::Entry;
use super::frame::Frame;
use crate::message::segment::{SEGMENT_BEGIN, SEGMENT_CHANGE, SEGMENT_END, SEGMENT_REMOVE};
use crate::store::answered;
use crate::twitch::catalogue::pattern;
use crate::view::{alert, chat};

/// The subscription types that can change how a channel looks.
const STATE_SOURCES: [&str; 10] = [
    "stream.online",
    "stream.offline",
    "channel.update",
    "channel.cheer",
    "channel.subscription.gift",
    "user.update",
    SEGMENT_BEGIN,
    SEGMENT_END,
    SEGMENT_CHANGE,
    SEGMENT_REMOVE,
];

/// A live feed. Its name in the path, in metrics and in `AsyncAPI` is that of the variant in lower case.
#[derive(Clone, Copy, Debug, EnumIter, IntoStaticStr, PartialEq, Eq)]
#[strum(serialize_all = "snake_case")]
pub enum Feed {
    /// All events of the log.
    Events,
    /// Alerts, in the form that overlays show.
    Alerts,
    /// The channels and their changes.
    State,
    /// The chat.
    Chat,
}

impl Feed {
    /// For example `events`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it sends, for its description.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Events => "Every event of the log",
            Self::Alerts => {
                "Alerts for overlays; repeats=true adds what repeats an earlier one, overlay=true what to do with them"
            }
            Self::State => "The state of the channels, and each change",
            Self::Chat => "Messages in chat, and their deletion; repeats=true adds what repeats an earlier one",
        }
    }

    /// The names of its messages, beside `resync`.
    #[must_use]
    pub fn messages(self) -> &'static [&'static str] {
        match self {
            Self::Events => &["event"],
            Self::Alerts => &["alert", "control", "settings"],
            Self::State => &["snapshot", "channel"],
            Self::Chat => &["message", "message_deleted", "messages_cleared", "settings"],
        }
    }

    /// The subscription types that it includes, if only these types are selected, none of them a pattern; `None` for all, and an
    /// empty one for events without a type.
    pub(super) fn sources(self, types: Option<&[String]>) -> Option<Vec<String>> {
        match self {
            Self::Events => types.map(<[String]>::to_vec),
            Self::Alerts => Some(match types {
                Some(kinds) => alert::sources_of(kinds).map(str::to_owned).collect(),
                None => alert::sources().map(str::to_owned).collect(),
            }),
            Self::State => Some(STATE_SOURCES.map(str::to_owned).into()),
            Self::Chat => Some(chat::sources().map(str::to_owned).collect()),
        }
    }

    /// Whether it sends this entry, if only these types are selected: kinds of alerts, or patterns of subscription types.
    pub(super) fn includes(self, entry: &Entry, types: Option<&[String]>) -> bool {
        let is_selected = |kind: &str| types.is_none_or(|types| types.iter().any(|it| it == kind));
        let kind = entry.logged.kind.as_deref();
        match self {
            Self::Events => types.is_none_or(|types| pattern::selects(types, kind.unwrap_or_default())),
            Self::Alerts => entry.alert().is_some_and(|(kind, _)| is_selected(kind)),
            Self::State if entry.is_replay || entry.logged.is_test => false,
            Self::State => kind.is_some_and(|kind| STATE_SOURCES.contains(&kind)),
            Self::Chat => entry.chat().is_some(),
        }
    }

    /// The frame for this entry. `State` reads the channel; the first reader does so for all.
    ///
    /// # Errors
    /// If the channel can't be read. The next reader tries again.
    pub async fn frame(self, entry: &Entry, pool: &PgPool) -> sqlx::Result<Option<Arc<Frame>>> {
        Ok(match self {
            Self::Events => Some(entry.event().clone()),
            Self::Alerts => entry.alert().map(|(_, frame)| frame.clone()),
            Self::Chat => entry.chat().cloned(),
            // Boxed, so that a reader that waits does not hold room for a query.
            Self::State => Box::pin(answered(entry.channel(pool))).await?,
        })
    }
}
