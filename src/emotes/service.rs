//! The services that have emotes of their own.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::EmoteUrls;

/// A service beside Twitch whose emotes are shown in chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, ToSchema)]
#[schema(as = EmoteService)]
pub enum Service {
    /// [7TV](https://7tv.app/).
    #[serde(rename = "7tv")]
    SevenTv,
    /// [BetterTTV](https://betterttv.com/).
    #[serde(rename = "bttv")]
    BetterTtv,
    /// [FrankerFaceZ](https://www.frankerfacez.com/).
    #[serde(rename = "ffz")]
    FrankerFaceZ,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SevenTv, Self::BetterTtv, Self::FrankerFaceZ];

    /// Its name in settings and addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SevenTv => "7tv",
            Self::BetterTtv => "bttv",
            Self::FrankerFaceZ => "ffz",
        }
    }

    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::SevenTv => "7TV",
            Self::BetterTtv => "BetterTTV",
            Self::FrankerFaceZ => "FrankerFaceZ",
        }
    }

    /// The origin of its pictures, and of no others.
    #[must_use]
    pub fn images(self) -> &'static str {
        match self {
            Self::SevenTv => "https://cdn.7tv.app",
            Self::BetterTtv => "https://cdn.betterttv.net",
            Self::FrankerFaceZ => "https://cdn.frankerfacez.com",
        }
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|service| service.name() == text);
        found.ok_or_else(|| format!("`{}` must be 7tv, bttv or ffz", text.escape_debug()))
    }
}

/// Where a service tells the emotes of a channel, or those of all channels.
pub(super) fn api_url(urls: &EmoteUrls, service: Service, channel_id: Option<&str>) -> String {
    let EmoteUrls { seven_tv, better_ttv, franker_face_z } = urls;
    match (service, channel_id) {
        (Service::SevenTv, Some(id)) => format!("{seven_tv}/users/twitch/{id}"),
        (Service::SevenTv, None) => format!("{seven_tv}/emote-sets/global"),
        (Service::BetterTtv, Some(id)) => format!("{better_ttv}/cached/users/twitch/{id}"),
        (Service::BetterTtv, None) => format!("{better_ttv}/cached/emotes/global"),
        (Service::FrankerFaceZ, Some(id)) => format!("{franker_face_z}/room/id/{id}"),
        (Service::FrankerFaceZ, None) => format!("{franker_face_z}/set/global"),
    }
}
