//! `/channels/{channel}/chat/pictures`.

use std::collections::BTreeMap;

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::Serialize;
use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoResponses, ToSchema};

use super::Context;
use super::channels::ChannelPath;
use super::error::Error;
use super::query::{Nothing, Query};
use super::responses::{BadRequest, NotFound, ServerErrors, described};
use crate::credentials::chat_pictures::Pictures;
use crate::twitch::helix::pictures::{CheermoteImage, CheermoteTier};

/// The pictures that stand in a chat. Without a Twitch application there are none.
#[derive(Debug, Serialize, ToSchema)]
struct ChatPictures {
    /// The badges by set and id, as `badges` of a message names them.
    badges: BTreeMap<String, BTreeMap<String, BadgePicture>>,
    /// The cheermotes by their prefix in lower case: the pictures of each, those for fewer bits first.
    cheermotes: BTreeMap<String, Vec<CheermotePicture>>,
}

/// The picture of a badge.
#[derive(Debug, Serialize, ToSchema)]
struct BadgePicture {
    /// Its title.
    title: String,
    /// The address of the picture.
    url: String,
}

/// The picture of a cheermote from a number of bits on.
#[derive(Debug, Serialize, ToSchema)]
struct CheermotePicture {
    /// From how many bits on.
    min_bits: i64,
    /// The color of the number.
    color: Option<String>,
    /// The pictures for dark grounds.
    dark: MovingPicture,
    /// The pictures for light grounds.
    light: MovingPicture,
}

/// A picture that can move.
#[derive(Debug, Serialize, ToSchema)]
struct MovingPicture {
    /// The address of the one that moves.
    animated: String,
    /// The address of the one that does not.
    #[serde(rename = "static")]
    still: String,
}

impl From<Pictures> for ChatPictures {
    fn from(Pictures { badges, cheermotes }: Pictures) -> Self {
        let mut shown: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
        for set in badges {
            let pictures =
                set.versions.into_iter().map(|it| (it.id, BadgePicture { title: it.title, url: it.image_url_2x }));
            shown.entry(set.set_id).or_default().extend(pictures);
        }
        let tiers = |mut tiers: Vec<CheermoteTier>| {
            tiers.sort_by_key(|tier| tier.min_bits);
            tiers.into_iter().map(CheermotePicture::from).collect()
        };
        let cheermotes = cheermotes.into_iter().map(|it| (it.prefix.to_lowercase(), tiers(it.tiers))).collect();
        Self { badges: shown, cheermotes }
    }
}

impl From<CheermoteTier> for CheermotePicture {
    fn from(CheermoteTier { min_bits, color, images }: CheermoteTier) -> Self {
        Self { min_bits, color, dark: images.dark.into(), light: images.light.into() }
    }
}

impl From<CheermoteImage> for MovingPicture {
    fn from(CheermoteImage { animated, still }: CheermoteImage) -> Self {
        Self { animated, still }
    }
}

impl ChatPictures {
    fn example() -> Self {
        let badge = BadgePicture {
            title: "6-Month Subscriber".into(),
            url: "https://static-cdn.jtvnw.net/badges/v1/ed51a614-2c44-4a60-80b6-62908436b43a/2".into(),
        };
        let picture = |ground: &str| {
            let place = format!("https://d3aqoihi2n8ty8.cloudfront.net/actions/cheer/{ground}");
            MovingPicture {
                animated: format!("{place}/animated/100/2.gif"),
                still: format!("{place}/static/100/2.png"),
            }
        };
        let (dark, light) = (picture("dark"), picture("light"));
        let tier = CheermotePicture { min_bits: 100, color: Some("#9c3ee8".into()), dark, light };
        Self {
            badges: [("subscriber".into(), [("6".into(), badge)].into())].into(),
            cheermotes: [("cheer".into(), vec![tier])].into(),
        }
    }
}

/// The refusal while Twitch does not answer.
struct TwitchErrors;

impl IntoResponses for TwitchErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [described(
            "Twitch or the database does not answer; try again after `Retry-After` seconds.",
            &Error::TwitchUnavailable,
        )]
        .into()
    }
}

/// Get the badges and cheermotes of a chat
///
/// As Twitch returned them within the last hour.
#[utoipa::path(
    tag = "channels",
    params(ChannelPath),
    responses(
        (status = OK, description = "The pictures", body = ChatPictures, example = json!(ChatPictures::example())),
        BadRequest,
        NotFound,
        ServerErrors,
        TwitchErrors,
    ),
)]
#[get("/channels/{channel}/chat/pictures")]
pub(super) async fn get_chat_pictures(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    _query: Query<Nothing>,
) -> Result<Json<ChatPictures>, Error> {
    let channel = ctx.served_channel(&path.channel).await?.id;
    let pictures = ctx.chat_pictures.of(&channel).await.ok_or(Error::TwitchUnavailable)?;
    Ok(Json(pictures.into()))
}
