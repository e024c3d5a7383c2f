use serde::Serialize;
use sqlx::types::Json;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use crate::simulate::demo::is_demo;
use crate::store::read::activity::Totals;
use crate::store::read::channels;

/// A channel as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Channel {
    /// Twitch's user id.
    pub id: String,
    /// The name in its address.
    pub login: String,
    /// The name as shown.
    pub display_name: String,
    /// The stream's title; `null` if Twitch has sent none yet.
    pub title: Option<String>,
    /// The category; `null` if there is none, or if Twitch has sent none yet.
    pub category: Option<Category>,
    /// ISO 639-1, or `other`; `null` if Twitch has sent none yet.
    pub language: Option<String>,
    /// For example `Gambling`.
    pub content_classification_labels: Vec<String>,
    /// When title, category, language and labels last changed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub updated_at: Option<OffsetDateTime>,
    /// Whether it is the channel of the demo show, on which everything is invented.
    pub is_demo: bool,
    /// Whether it is live.
    pub is_live: bool,
    /// The stream it is live with.
    pub stream: Option<LiveStream>,
    /// The broadcast that the stream belongs to.
    pub broadcast: Option<RunningBroadcast>,
    /// The current segment.
    pub segment: Option<RunningSegment>,
    /// Bits of anonymous viewers.
    pub anonymous_bits: i64,
    /// Gift subscriptions of anonymous viewers.
    pub anonymous_gifts: i64,
}

/// A game or another category.
#[derive(Debug, Serialize, ToSchema)]
pub struct Category {
    /// Twitch's id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A stream that has not ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiveStream {
    /// Twitch's id.
    pub id: String,
    /// `live`, `playlist`, `watch_party`, `premiere` or `rerun`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

/// A broadcast that has not ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunningBroadcast {
    /// The id of its first stream.
    pub id: String,
    /// When that started.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// What has happened during it so far.
    pub totals: Totals,
}

/// A segment that has not ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunningSegment {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The broadcaster's own reference, such as a URL.
    pub reference: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
}

impl RunningSegment {
    fn new(row: &channels::Channel) -> Option<Self> {
        Some(Self {
            id: row.segment_id.clone()?,
            title: row.segment_title.clone()?,
            reference: row.segment_reference.clone(),
            started_at: row.segment_started_at?,
        })
    }
}

impl From<channels::Channel> for Channel {
    fn from(row: channels::Channel) -> Self {
        let segment = RunningSegment::new(&row);
        let category = row.category_id.filter(|id| !id.is_empty()).zip(row.category_name);
        let stream = row.stream_id.zip(row.stream_started_at);
        let totals = row.totals.map_or_else(Totals::default, |Json(totals)| totals);
        let broadcast = row.broadcast_id.zip(row.broadcast_started_at);
        Self {
            is_demo: is_demo(&row.id),
            id: row.id.into(),
            login: row.login,
            display_name: row.display_name,
            title: row.title,
            category: category.map(|(id, name)| Category { id, name }),
            language: row.language,
            content_classification_labels: row.content_classification_labels.unwrap_or_default(),
            updated_at: row.updated_at,
            is_live: row.is_live,
            stream: stream.map(|(id, started_at)| LiveStream { id: id.into(), kind: row.stream_type, started_at }),
            broadcast: broadcast.map(|(id, started_at)| RunningBroadcast { id: id.into(), started_at, totals }),
            segment,
            anonymous_bits: row.anonymous_bits,
            anonymous_gifts: row.anonymous_gifts,
        }
    }
}

impl Channel {
    /// A channel for the documentation.
    #[must_use]
    pub fn example() -> Self {
        Self {
            id: "141981764".into(),
            login: "twitchdev".into(),
            display_name: "TwitchDev".into(),
            title: Some("Building an overlay".into()),
            category: Some(Category { id: "1469308723".into(), name: "Software and Game Development".into() }),
            language: Some("en".into()),
            content_classification_labels: Vec::new(),
            updated_at: Some(datetime!(2026-07-01 17:55:00 UTC)),
            is_demo: false,
            is_live: true,
            stream: Some(LiveStream {
                id: "40952121085".into(),
                kind: Some("live".into()),
                started_at: datetime!(2026-07-01 19:10:00 UTC),
            }),
            broadcast: Some(RunningBroadcast {
                id: "40952110345".into(),
                started_at: datetime!(2026-07-01 18:00:00 UTC),
                totals: Totals { followers: 41, subscriptions: 3, bits: 1_500, messages: 2_904, ..Totals::default() },
            }),
            segment: Some(RunningSegment {
                id: "6f1d9f0e-7c52-4d56-9a55-2f1d3f0c8f6b".into(),
                title: "Tape 12: holiday in the snow".into(),
                reference: Some("https://example.com/tapes/12".into()),
                started_at: datetime!(2026-07-01 18:20:00 UTC),
            }),
            anonymous_bits: 500,
            anonymous_gifts: 5,
        }
    }
}
