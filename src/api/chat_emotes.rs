//! `/channels/{channel}/chat/emotes`.

use std::collections::BTreeMap;

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::channels::ChannelPath;
use super::error::Error;
use super::query::Query;
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::emotes::Found;
use crate::emotes::read::Emote;
use crate::emotes::service::Service;

/// The emotes of other services on a channel.
#[derive(Debug, Serialize, ToSchema)]
struct ChatEmotes {
    /// The emotes by name: a word that equals it is shown as the picture. Those of the channel go before those of all channels,
    /// then those of the service that was named first.
    emotes: BTreeMap<String, ChatEmote>,
    /// The services that did not answer. Emotes of theirs may be missing; ask again in a minute.
    unavailable: Vec<Service>,
}

/// An emote.
#[derive(Debug, Serialize, ToSchema)]
struct ChatEmote {
    /// Whose it is.
    service: Service,
    /// The address of the picture.
    url: String,
    /// The address of one that does not move.
    still_url: String,
    /// Whether it is laid over the emote before it.
    is_zero_width: bool,
}

impl From<Found> for ChatEmotes {
    fn from(Found { emotes, unavailable }: Found) -> Self {
        let emote = |Emote { name, service, url, still_url, is_zero_width }| {
            (name, ChatEmote { service, url, still_url, is_zero_width })
        };
        Self { emotes: emotes.into_values().map(emote).collect(), unavailable }
    }
}

impl ChatEmotes {
    fn example() -> Self {
        let place = "https://cdn.7tv.app/emote/01GA2Q7VYR0008VYJ9DPGBV8TC";
        let wave = ChatEmote {
            service: Service::SevenTv,
            url: format!("{place}/2x.webp"),
            still_url: format!("{place}/2x_static.webp"),
            is_zero_width: false,
        };
        Self { emotes: [("Wave".to_owned(), wave)].into(), unavailable: Vec::new() }
    }
}

/// Services, separated by commas; each once.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Services(pub(super) Vec<Service>);

impl TryFrom<String> for Services {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut services = Vec::new();
        for name in text.split(',') {
            let service = name.parse()?;
            if !services.contains(&service) {
                services.push(service);
            }
        }
        Ok(Self(services))
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct GetChatEmotes {
    /// The services to ask, separated by commas: `7tv`, `bttv`, `ffz`. Each learns the server's address and Twitch's id of the
    /// channel.
    #[param(value_type = String, pattern = "^(7tv|bttv|ffz)(,(7tv|bttv|ffz))*$", example = "7tv,bttv")]
    services: Services,
}

/// Get the emotes of 7TV, BetterTTV and FrankerFaceZ
///
/// As the services returned them within the last hour. Only the services that are named get a request.
#[utoipa::path(
    tag = "channels",
    params(ChannelPath, GetChatEmotes),
    responses(
        (status = OK, description = "The emotes", body = ChatEmotes, example = json!(ChatEmotes::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/chat/emotes")]
pub(super) async fn get_chat_emotes(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    query: Query<GetChatEmotes>,
) -> Result<Json<ChatEmotes>, Error> {
    let channel = ctx.served_channel(&path.channel).await?.id;
    let Services(services) = query.0.services;
    Ok(Json(ctx.emotes.for_channel(&channel, &services).await.into()))
}
