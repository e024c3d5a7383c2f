//! `/channels`.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoParams;

use super::Context;
use super::error::Error;
use super::page::Page;
use super::query::{Flag, Limit, Name, Nothing, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::store::Order;
use crate::store::read::{self, channels::Names};
use crate::twitch::id::ChannelId;
use crate::view::Channel;

/// Names a channel in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ChannelPath {
    /// The channel's id, or its login in any case. If it could be either, it is an id. An earlier login
    /// leads to the channel as well, unless another channel has it now.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "twitchdev")]
    pub(super) channel: Name,
}

impl ChannelPath {
    /// The id of the channel.
    pub(super) async fn resolve(&self, ctx: &Context) -> Result<ChannelId, Error> {
        ctx.channel(&self.channel).await
    }
}

impl Context {
    /// The id of the channel of this name.
    pub(super) async fn channel(&self, name: &Name) -> Result<ChannelId, Error> {
        let find = async |db: &mut PgConnection| {
            let Some(id) = read::channels::find(&mut *db, name.as_str()).await? else { return Ok(None) };
            Ok::<_, sqlx::Error>(read::channels::exists(db, &id).await?.then_some(id))
        };
        let id = self.query(find).await?;
        id.ok_or_else(|| Error::NotFound { what: "channel", name: name.as_str().to_owned() })
    }

    /// The names of a channel that is served, even if it has had no event yet.
    pub(super) async fn served_channel(&self, name: &Name) -> Result<Names, Error> {
        let find = async |db: &mut PgConnection| {
            let Some(id) = read::channels::find(&mut *db, name.as_str()).await? else { return Ok(None) };
            Ok::<_, sqlx::Error>(read::channels::names(db, &[id]).await?.pop())
        };
        let names = self.query(find).await?;
        names.ok_or_else(|| Error::NotFound { what: "channel", name: name.as_str().to_owned() })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListChannels {
    /// `true`: only live channels; `false`: only the others.
    #[param(value_type = bool, required = false)]
    live: Option<Flag>,
    /// The order of the ids.
    #[serde(default)]
    #[param(inline, required = false)]
    order: Order,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    after: Option<Name>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List channels
///
/// The channels that have had an event, ordered by id.
#[utoipa::path(
    tag = "channels",
    params(ListChannels),
    responses(
        (status = OK, description = "A page of channels", body = Page<Channel>,
            example = json!(Page::example(Channel::example(), "141981764"))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/channels")]
pub(super) async fn list_channels(
    ctx: Data<Context>,
    query: Query<ListChannels>,
) -> Result<Json<Page<Channel>>, Error> {
    let Query(ListChannels { live, order, after, limit }) = query;
    let (live, after) = (live.map(|Flag(live)| live), after.as_ref().map(Name::as_str));
    let rows = ctx.query(async |db| read::channels::page(db, live, None, order, after, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| row.id.to_string(), Channel::from)))
}

/// Get a channel
///
/// By its id or its login. A login means the channel that was last seen with it, even if that has
/// another login now.
#[utoipa::path(
    tag = "channels",
    params(ChannelPath),
    responses(
        (status = OK, description = "The channel", body = Channel, example = json!(Channel::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}")]
pub(super) async fn get_channel(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    _query: Query<Nothing>,
) -> Result<Json<Channel>, Error> {
    let id = path.resolve(&ctx).await?;
    let row = ctx.query(async |db| read::channels::get(db, &id).await).await?;
    let channel = row.ok_or(Error::NotFound { what: "channel", name: id.into() })?;
    Ok(Json(channel.into()))
}
