//! Videos of a channel.

use serde::Deserialize;

use super::{Call, Helix, HelixError, Listing, read};
use crate::twitch::id::{ChannelId, StreamId};
use crate::twitch::tolerant::optional;

/// A video.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Video {
    /// Twitch's id.
    pub id: String,
    /// The stream that it shows; `None` for an upload.
    #[serde(default, deserialize_with = "optional")]
    pub stream_id: Option<StreamId>,
    /// The address of its picture, with `%{width}` and `%{height}`; one of another host, or empty, as long as it is being made.
    #[serde(default, deserialize_with = "optional")]
    pub thumbnail_url: String,
}

impl Helix {
    /// The video of a stream, among the newest of its channel ([Get Videos](https://dev.twitch.tv/docs/api/reference/#get-videos)). If
    /// the channel keeps its streams, it is there soon after the stream began.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn video_of(&self, channel: &ChannelId, stream: &StreamId) -> Result<Option<Video>, HelixError> {
        let name = "look up the video";
        let query = vec![("user_id", channel.as_str()), ("type", "archive"), ("first", "20")];
        let listing: Listing<Video> = read(name, &self.send(&Call::get(name, "videos", query)).await?)?;
        Ok(listing.data.read.into_iter().find(|video| video.stream_id.as_ref() == Some(stream)))
    }
}

impl Video {
    /// The address of its picture, 1280 pixels wide; `None` as long as it is being made.
    #[must_use]
    pub fn picture_url(&self) -> Option<String> {
        // Until then it is that of a page which says so.
        let is_made = self.thumbnail_url.starts_with("https://") && !self.thumbnail_url.contains("/_404/");
        let url = self.thumbnail_url.replace("%{width}", "1280").replace("%{height}", "720");
        (is_made && !url.contains(|c: char| c.is_control() || c.is_whitespace())).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_is_one_that_is_made() {
        let url = |thumbnail: &str| {
            let video = Video { id: "1".to_owned(), stream_id: None, thumbnail_url: thumbnail.to_owned() };
            video.picture_url()
        };
        let made = "https://static-cdn.jtvnw.net/cf_vods/a/thumb/thumb0-%{width}x%{height}.jpg";
        assert_eq!(url(made).as_deref(), Some("https://static-cdn.jtvnw.net/cf_vods/a/thumb/thumb0-1280x720.jpg"));
        for other in ["", "https://vod-secure.twitch.tv/_404/404_processing_%{width}x%{height}.png", "a.jpg"] {
            assert_eq!(url(other), None, "{other}");
        }
    }
}
