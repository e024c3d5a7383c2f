//! Calls that change a channel or its stream.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Applied, Call, Helix, HelixError, Refusal, RefusalKind};
use crate::twitch::id::{ChannelId, UserId};
use crate::twitch::tolerant::optional;

/// What is to change of a channel; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChannelChange<'a> {
    /// The title, not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    /// The id of the category; an empty one is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game_id: Option<&'a str>,
    /// At most ten, each of at most 25 letters and digits; an empty list is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<&'a [String]>,
}

/// A category.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Category {
    /// Twitch's id.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "optional")]
    pub name: String,
}

/// A clip that Twitch begins to make.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct NewClip {
    /// Its id.
    pub id: String,
    /// Where its creator can cut it, for 24 hours.
    #[serde(default, deserialize_with = "optional")]
    pub edit_url: String,
}

/// A clip.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Clip {
    /// Its id.
    pub id: String,
    /// Its page.
    #[serde(default, deserialize_with = "optional")]
    pub url: String,
    /// Its player, for other pages.
    #[serde(default, deserialize_with = "optional")]
    pub embed_url: String,
}

/// A marker in a stream.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Marker {
    /// Its id.
    pub id: String,
    /// Seconds since the stream began.
    #[serde(default, deserialize_with = "optional")]
    pub position_seconds: u64,
}

/// A commercial that has begun.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Commercial {
    /// Its length in seconds, which may be less than was asked for.
    pub length: u32,
    /// Seconds until the next may begin.
    #[serde(default, deserialize_with = "optional")]
    pub retry_after: u32,
}

impl Helix {
    /// [Changes a channel](https://dev.twitch.tv/docs/api/reference/#modify-channel-information), with the broadcaster's token.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn change_channel(&self, channel: &ChannelId, change: &ChannelChange<'_>) -> Result<(), HelixError> {
        let query = vec![("broadcaster_id", channel.as_str())];
        let call = Call::new("change the channel", Method::PATCH, "channels", query);
        self.send(&call.with(json!(change))).await.map(drop)
    }

    /// The category of [exactly this name](https://dev.twitch.tv/docs/api/reference/#get-games).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn category(&self, name: &str) -> Result<Option<Category>, HelixError> {
        Ok(self.look_up("look up the category", "games", "name", &[name]).await?.read.into_iter().next())
    }

    /// The categories whose names [contain this](https://dev.twitch.tv/docs/api/reference/#search-categories), at most 20.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn search_categories(&self, text: &str) -> Result<Vec<Category>, HelixError> {
        let name = "search categories";
        let call = Call::get(name, "search/categories", vec![("query", text), ("first", "20")]);
        let listing: super::Listing<Category> = super::read(name, &self.send(&call).await?)?;
        Ok(listing.data.read)
    }

    /// [Begins a clip](https://dev.twitch.tv/docs/api/reference/#create-clip) of the last seconds. Twitch makes it within 15 s:
    /// see [`clip`](Self::clip).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn create_clip(
        &self,
        channel: &ChannelId,
        title: Option<&str>,
        seconds: Option<f64>,
    ) -> Result<NewClip, HelixError> {
        let seconds = seconds.map(|seconds| format!("{seconds:.1}"));
        let mut query = vec![("broadcaster_id", channel.as_str())];
        query.extend(title.map(|title| ("title", title)));
        query.extend(seconds.as_deref().map(|seconds| ("duration", seconds)));
        self.first(&Call::new("make the clip", Method::POST, "clips", query)).await
    }

    /// The [clip](https://dev.twitch.tv/docs/api/reference/#get-clips) with this id, once there is one.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn clip(&self, id: &str) -> Result<Option<Clip>, HelixError> {
        Ok(self.look_up("look up the clip", "clips", "id", &[id]).await?.read.into_iter().next())
    }

    /// [Marks](https://dev.twitch.tv/docs/api/reference/#create-stream-marker) the present moment of a stream.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn create_marker(&self, channel: &ChannelId, description: Option<&str>) -> Result<Marker, HelixError> {
        let body = json!({ "user_id": channel, "description": description.unwrap_or_default() });
        self.first(&Call::new("mark the stream", Method::POST, "streams/markers", vec![]).with(body)).await
    }

    /// [Starts a commercial](https://dev.twitch.tv/docs/api/reference/#start-commercial), with the broadcaster's token.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn start_commercial(&self, channel: &ChannelId, seconds: u32) -> Result<Commercial, HelixError> {
        let body = json!({ "broadcaster_id": channel, "length": seconds });
        self.first(&Call::new("start the commercial", Method::POST, "channels/commercial", vec![]).with(body)).await
    }

    /// [Makes a user a VIP](https://dev.twitch.tv/docs/api/reference/#add-channel-vip), with the broadcaster's token. A VIP or
    /// moderator stays so.
    ///
    /// # Errors
    /// [`HelixError`]; [`RefusalKind::NoPlaceLeft`] if the channel has as many VIPs as it may.
    pub async fn add_vip(&self, channel: &ChannelId, user: &UserId) -> Result<Applied, HelixError> {
        let query = vec![("broadcaster_id", channel.as_str()), ("user_id", user.as_str())];
        let call = Call::new("make the user a VIP", Method::POST, "channels/vips", query);
        self.apply(&call, |refusal| refusal.status == 422).await.map_err(|error| match error {
            HelixError::Refused(refusal) if refusal.status == 409 => {
                HelixError::Refused(Refusal { kind: RefusalKind::NoPlaceLeft, ..refusal })
            }
            error => error,
        })
    }

    /// [Takes the role of VIP away](https://dev.twitch.tv/docs/api/reference/#remove-channel-vip), with the broadcaster's token.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn remove_vip(&self, channel: &ChannelId, user: &UserId) -> Result<Applied, HelixError> {
        let query = vec![("broadcaster_id", channel.as_str()), ("user_id", user.as_str())];
        let call = Call::new("take the role of VIP away", Method::DELETE, "channels/vips", query);
        self.apply(&call, |refusal| matches!(refusal.status, 404 | 422)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_has_only_what_is_to_change() {
        let of = |change: ChannelChange<'_>| json!(change);
        assert_eq!(of(ChannelChange { title: Some("a"), ..ChannelChange::default() }), json!({ "title": "a" }));
        assert_eq!(of(ChannelChange { game_id: Some(""), ..ChannelChange::default() }), json!({ "game_id": "" }));
        assert_eq!(of(ChannelChange { tags: Some(&[]), ..ChannelChange::default() }), json!({ "tags": [] }));
    }

    #[test]
    fn answers_are_read_with_what_identifies_them() {
        assert_eq!(serde_json::from_str::<NewClip>(r#"{"id":"a","edit_url":null}"#).unwrap().edit_url, "");
        assert_eq!(serde_json::from_str::<Clip>(r#"{"id":"a"}"#).unwrap().url, "");
        assert_eq!(
            serde_json::from_str::<Marker>(r#"{"id":"a","position_seconds":244}"#).unwrap().position_seconds,
            244
        );
        assert_eq!(serde_json::from_str::<Commercial>(r#"{"length":60,"message":""}"#).unwrap().retry_after, 0);
        assert!(serde_json::from_str::<Clip>(r#"{"url":"https://clips.twitch.tv/a"}"#).is_err());
    }
}
