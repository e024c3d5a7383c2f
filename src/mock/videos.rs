//! Videos of streams: each has one, from its begin on.

use time::OffsetDateTime;

/// A video.
#[derive(Clone, Debug)]
pub(super) struct Video {
    /// Digits only, another number than that of the stream.
    pub(super) id: String,
    pub(super) stream_id: String,
    pub(super) channel_id: String,
    pub(super) title: String,
    pub(super) created_at: OffsetDateTime,
    /// `None` while the stream is live.
    pub(super) ended_at: Option<OffsetDateTime>,
}

impl Video {
    /// That of a stream which begins on this channel, with this title.
    pub(super) fn begin(channel_id: &str, title: &str, stream_id: &str, created_at: OffsetDateTime) -> Self {
        Self {
            id: rand::random_range(2_000_000_000_u64..3_000_000_000).to_string(),
            stream_id: stream_id.to_owned(),
            channel_id: channel_id.to_owned(),
            title: title.to_owned(),
            created_at,
            ended_at: None,
        }
    }

    /// The address of its picture, which Twitch makes when the stream has ended.
    pub(super) fn thumbnail_url(&self) -> String {
        match self.ended_at {
            None => "https://vod-secure.twitch.tv/_404/404_processing_%{width}x%{height}.png".to_owned(),
            Some(_) => {
                let Self { id, .. } = self;
                format!("https://static-cdn.jtvnw.net/cf_vods/{id}/thumb/thumb0-%{{width}}x%{{height}}.jpg")
            }
        }
    }
}
