//! `/v2/channels`, and all channels of a Discord server at once.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::shard::{ShardCount, ShardNumber, shard};
use super::tracks::BotTrack;
use crate::api::Context;
use crate::api::error::Error;
use crate::api::page::Page;
use crate::api::query::{Limit, Nothing, Parsed, Query};
use crate::api::responses::{BadRequest, NotFound, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::api::tracking::in_time;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::destinations::DestinationState;
use crate::tracking::channels::DiscordChannel;
use crate::tracking::settings::TrackSettings;

/// A Discord channel in which a bot has Twitch channels announced.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BotChannel {
    /// The id of the Discord channel.
    #[schema(value_type = String)]
    channel_id: Snowflake,
    /// Its server; `null` if it is not known. It decides on the shard.
    #[schema(value_type = Option<String>)]
    guild_id: Option<Snowflake>,
    /// Its webhook.
    #[schema(value_type = String)]
    webhook_id: Snowflake,
    /// `gone` if the webhook was deleted, `moved` if it posts into another channel: then nothing is posted.
    state: DestinationState,
    /// Why it is in this state.
    state_reason: Option<String>,
    /// Since when it is in this state.
    #[serde(with = "time::serde::rfc3339")]
    state_at: OffsetDateTime,
    /// Where the webhook posts to, if it was moved.
    #[schema(value_type = Option<String>)]
    moved_to: Option<Snowflake>,
    /// When Discord last said that the webhook is there; `null` if it was not asked yet.
    #[serde(with = "time::serde::rfc3339::option")]
    verified_at: Option<OffsetDateTime>,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// How its tracks are announced, but for what a track sets itself. What is absent is as the bot has it.
    #[schema(value_type = TrackSettings)]
    settings: Value,
    /// What is tracked there, in the order in which it was added.
    tracks: Vec<BotTrack>,
}

impl From<DiscordChannel> for BotChannel {
    fn from(channel: DiscordChannel) -> Self {
        let DiscordChannel { destination: it, tracks } = channel;
        Self {
            channel_id: it.channel_id,
            guild_id: it.guild_id,
            webhook_id: it.webhook_id,
            state: it.state,
            state_reason: it.state_reason,
            state_at: it.state_at,
            moved_to: it.moved_to,
            verified_at: it.verified_at,
            created_at: it.created_at,
            settings: it.settings,
            tracks: tracks.into_iter().map(BotTrack::from).collect(),
        }
    }
}

impl BotChannel {
    pub(super) fn example() -> Self {
        let at = datetime!(2026-07-01 18:00:00 UTC);
        Self {
            channel_id: Snowflake(146_404_426_746_167_296),
            guild_id: Some(Snowflake(146_404_426_746_167_000)),
            webhook_id: Snowflake(1_130_882_143_562_211_418),
            state: DestinationState::Ok,
            state_reason: None,
            state_at: at,
            moved_to: None,
            verified_at: Some(at),
            created_at: at,
            settings: json!({ "color": "#00ff00" }),
            tracks: vec![BotTrack::example()],
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListBotChannels {
    /// Only servers of this shard, counted from 0: `(guild_id >> 22) % shard_count`. Needs `shard_count`.
    #[param(value_type = u32, required = false, minimum = 0, maximum = 65535)]
    shard: Option<ShardNumber>,
    /// How many shards the bot has. Needs `shard`.
    #[param(value_type = u32, required = false, minimum = 1, maximum = 65536)]
    shard_count: Option<ShardCount>,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = String, required = false, pattern = "^[0-8]?[0-9]{17,18}$")]
    after: Option<Parsed<Snowflake>>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct BotChannelPath {
    /// The id of the Discord channel.
    #[param(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$", example = "146404426746167296")]
    pub(super) channel: Parsed<Snowflake>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct GuildPath {
    /// The id of the Discord server.
    #[param(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$", example = "146404426746167000")]
    guild: Parsed<Snowflake>,
}

/// List the channels of a bot
///
/// The Discord channels that have a webhook, by id, with what is tracked in each.
#[utoipa::path(
    tag = "tracking",
    params(ListBotChannels),
    responses(
        (status = OK, description = "A page of channels", body = Page<BotChannel>,
            example = json!(Page::example(BotChannel::example(), "146404426746167296"))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/v2/channels")]
pub(in crate::api) async fn list_bot_channels(
    caller: Caller,
    ctx: Data<Context>,
    query: Query<ListBotChannels>,
) -> Result<Json<Page<BotChannel>>, Error> {
    let Query(ListBotChannels { shard: number, shard_count, after, limit }) = query;
    let (shard, after) = (shard(number, shard_count)?, after.map(|after| after.0));
    let rows = in_time(ctx.tracking.tracker.channels(caller.0.bot_id, shard, after, limit.rows())).await?;
    Ok(Json(Page::new(rows, limit, |last| last.destination.channel_id.to_string(), BotChannel::from)))
}

/// Get a channel of a bot
///
/// A Discord channel: its webhook, and what is tracked there.
#[utoipa::path(
    tag = "tracking",
    params(BotChannelPath),
    responses(
        (status = OK, description = "The channel", body = BotChannel, example = json!(BotChannel::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/v2/channels/{channel}")]
pub(in crate::api) async fn get_bot_channel(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotChannelPath>,
) -> Result<Json<BotChannel>, Error> {
    Ok(Json(in_time(ctx.tracking.tracker.channel(caller.0.bot_id, path.channel.0)).await?.into()))
}

/// Remove a channel of a bot
///
/// Removes the webhook and the tracks of this Discord channel. Messages that were posted stay as they are.
#[utoipa::path(
    tag = "tracking",
    params(BotChannelPath),
    responses((status = NO_CONTENT, description = "It is dropped"), BadRequest, NotFound, ServerErrors),
)]
#[delete("/v2/channels/{channel}")]
pub(in crate::api) async fn remove_bot_channel(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<BotChannelPath>,
) -> Result<HttpResponse, Error> {
    in_time(ctx.tracking.tracker.remove_channel(caller.0.bot_id, path.channel.0)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Remove all channels of a Discord server
///
/// For a bot that was removed from a Discord server: removes its channels there, with their webhooks and tracks.
#[utoipa::path(
    tag = "tracking",
    params(GuildPath),
    responses((status = NO_CONTENT, description = "They are dropped"), BadRequest, NotFound, ServerErrors),
)]
#[delete("/v2/guilds/{guild}")]
pub(in crate::api) async fn remove_guild(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    path: Path<GuildPath>,
) -> Result<HttpResponse, Error> {
    in_time(ctx.tracking.tracker.remove_guild(caller.0.bot_id, path.guild.0)).await?;
    Ok(HttpResponse::NoContent().finish())
}
