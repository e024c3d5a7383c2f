//! `/channels/{channel}/chat`.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, patch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Context;
use super::body::Body;
use super::channels::ChannelPath;
use super::error::Error;
use super::query::{Nothing, Query};
use super::responses::{BadBody, BadRequest, NotFound, ServerErrors};
use crate::store::chat::{self, ChatChoice, ChatEdit, ChatMode, ChatSetting};

/// How the chat of a channel is read.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatReading {
    /// When it is read: `off`, `live` (while the channel is live, and 15 minutes longer), or `always`.
    chat: ChatMode,
    /// Whether `chat` was not set, and follows from the rules: `live` if one of them needs the chat, else `off`.
    is_default: bool,
    /// Whether events `showtime.chat.presence` report who enters and leaves, which only IRC has.
    membership: bool,
    /// Where the messages come from: `eventsub` if there is an enabled subscription to them, which needs the broadcaster's
    /// consent, else `irc`.
    source: ChatSource,
}

/// Where messages of a chat come from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChatSource {
    Eventsub,
    Irc,
}

impl From<ChatSetting> for ChatReading {
    fn from(setting: ChatSetting) -> Self {
        let source = if setting.has_eventsub { ChatSource::Eventsub } else { ChatSource::Irc };
        let ChatSetting { mode: chat, is_default, membership, .. } = setting;
        Self { chat, is_default, membership, source }
    }
}

impl ChatReading {
    fn example() -> Self {
        Self { chat: ChatMode::Live, is_default: false, membership: true, source: ChatSource::Irc }
    }
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EditChat {
    /// When the chat is read; `default` for what the rules need, of `membership` too.
    chat: Option<ChatChoice>,
    /// Whether events report who enters and leaves.
    membership: Option<bool>,
}

impl Context {
    /// The setting of a served channel.
    async fn chat_settings(&self, path: &ChannelPath) -> Result<Json<ChatReading>, Error> {
        let id = self.served_channel(&path.channel).await?.id;
        let setting = self.query(async |db| chat::get(db, &id).await).await?;
        let setting = setting.ok_or_else(|| not_served(path))?;
        Ok(Json(setting.into()))
    }
}

fn not_served(path: &ChannelPath) -> Error {
    Error::NotFound { what: "served channel", name: path.channel.as_str().to_owned() }
}

/// Get the chat settings of a channel
///
/// Of a channel that this server serves.
#[utoipa::path(
    tag = "channels",
    params(ChannelPath),
    responses(
        (status = OK, description = "The settings", body = ChatReading, example = json!(ChatReading::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/chat")]
pub(super) async fn get_chat(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    _query: Query<Nothing>,
) -> Result<Json<ChatReading>, Error> {
    ctx.chat_settings(&path).await
}

/// Change the chat settings of a channel
///
/// Takes effect within seconds.
#[utoipa::path(
    tag = "channels",
    params(ChannelPath),
    request_body(content = EditChat, example = json!({ "chat": "live", "membership": true })),
    responses(
        (status = OK, description = "The settings now", body = ChatReading, example = json!(ChatReading::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[patch("/channels/{channel}/chat")]
pub(super) async fn change_chat(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    _query: Query<Nothing>,
    body: Body<EditChat>,
) -> Result<Json<ChatReading>, Error> {
    let Body(EditChat { chat: mode, membership }) = body;
    let id = ctx.served_channel(&path.channel).await?.id;
    if !ctx.query(async |db| chat::set(db, &id, ChatEdit { mode, membership }).await).await? {
        return Err(not_served(&path));
    }
    ctx.chat_settings(&path).await
}
