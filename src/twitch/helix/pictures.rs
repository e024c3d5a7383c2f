//! The pictures that stand in chats: badges and cheermotes.

use serde::Deserialize;

use super::types::Listing;
use super::{Call, Helix, HelixError, read};
use crate::twitch::id::ChannelId;
use crate::twitch::tolerant::{items, optional, text};

/// Badges of one kind, such as `subscriber`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct BadgeSet {
    /// The name of the kind, as chat messages give it.
    pub set_id: String,
    /// The badges.
    #[serde(default, deserialize_with = "items")]
    pub versions: Vec<BadgeVersion>,
}

/// A badge.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct BadgeVersion {
    /// Its place in the set, as chat messages give it.
    pub id: String,
    /// What it is called, such as `6-Month Subscriber`.
    #[serde(default, deserialize_with = "optional")]
    pub title: String,
    /// The picture of 36 pixels.
    pub image_url_2x: String,
}

/// A word that cheers with bits, such as `Cheer` in `Cheer100`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Cheermote {
    /// The word.
    pub prefix: String,
    /// Its pictures by the number of bits.
    #[serde(default, deserialize_with = "items")]
    pub tiers: Vec<CheermoteTier>,
}

/// The picture of a cheermote from a number of bits on.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct CheermoteTier {
    /// From how many bits on.
    pub min_bits: i64,
    /// The color of the number, such as `#9c3ee8`.
    #[serde(default, deserialize_with = "text")]
    pub color: Option<String>,
    /// The pictures.
    pub images: CheermoteImages,
}

/// The pictures of a cheermote by the ground on which they stand.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct CheermoteImages {
    /// On a dark ground.
    pub dark: CheermoteImage,
    /// On a light ground.
    pub light: CheermoteImage,
}

/// A picture, in motion and still.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct CheermoteImage {
    /// In motion.
    #[serde(deserialize_with = "double")]
    pub animated: String,
    /// Still.
    #[serde(rename = "static", deserialize_with = "double")]
    pub still: String,
}

/// Reads the address of twice the size from an object with those of all sizes.
fn double<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    struct Sizes {
        #[serde(rename = "2")]
        double: String,
    }
    Ok(Sizes::deserialize(deserializer)?.double)
}

impl Helix {
    /// The badges that are the [same on all channels](https://dev.twitch.tv/docs/api/reference/#get-global-chat-badges).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn global_badges(&self) -> Result<Vec<BadgeSet>, HelixError> {
        self.all(&Call::get("look up badges", "chat/badges/global", vec![])).await
    }

    /// The badges that a channel has [of its own](https://dev.twitch.tv/docs/api/reference/#get-channel-chat-badges).
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn channel_badges(&self, channel: &ChannelId) -> Result<Vec<BadgeSet>, HelixError> {
        let query = vec![("broadcaster_id", channel.as_str())];
        self.all(&Call::get("look up badges", "chat/badges", query)).await
    }

    /// The [cheermotes](https://dev.twitch.tv/docs/api/reference/#get-cheermotes) of a channel, those of all channels among them.
    ///
    /// # Errors
    /// [`HelixError`]
    pub async fn cheermotes(&self, channel: &ChannelId) -> Result<Vec<Cheermote>, HelixError> {
        let query = vec![("broadcaster_id", channel.as_str())];
        self.all(&Call::get("look up cheermotes", "bits/cheermotes", query)).await
    }

    /// The items of an answer that has no pages; those that can't be read are left out.
    async fn all<T: serde::de::DeserializeOwned>(&self, call: &Call<'_>) -> Result<Vec<T>, HelixError> {
        let listing: Listing<T> = read(call.name, &self.send(call).await?)?;
        Ok(listing.data.read)
    }
}
