//! `/channels`.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::error::Error;
use super::page::Page;
use super::query::{Flag, Limit, Name, Nothing, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::store::read::{self, channels::Names};

/// A channel as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Channel {
    /// Twitch's user id.
    id: String,
    /// The name in its address.
    login: String,
    /// The name as shown.
    display_name: String,
    /// The stream's title; `null` until Twitch told it.
    title: Option<String>,
    /// What is being played; `null` if nothing, or not told yet.
    category: Option<Category>,
    /// ISO 639-1, or `other`; `null` until told.
    language: Option<String>,
    /// For example `Gambling`.
    content_classification_labels: Vec<String>,
    /// When title, category, language and labels last changed.
    #[serde(with = "time::serde::rfc3339::option")]
    updated_at: Option<OffsetDateTime>,
    /// Whether it is live.
    is_live: bool,
    /// The stream it is live with.
    stream: Option<LiveStream>,
    /// The broadcast which that stream is a part of.
    broadcast: Option<RunningBroadcast>,
    /// What the broadcaster marked as being on.
    segment: Option<RunningSegment>,
    /// Bits from people who did not want to be named.
    anonymous_bits: i64,
    /// Gift subscriptions from people who did not want to be named.
    anonymous_gifts: i64,
}

/// A game, or what else there is to stream.
#[derive(Debug, Serialize, ToSchema)]
struct Category {
    /// Twitch's id.
    id: String,
    /// Its name.
    name: String,
}

/// A stream that has not ended.
#[derive(Debug, Serialize, ToSchema)]
struct LiveStream {
    /// Twitch's id.
    id: String,
    /// `live`, `playlist`, `watch_party`, `premiere` or `rerun`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// When it started.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
}

/// A broadcast that has not ended.
#[derive(Debug, Serialize, ToSchema)]
struct RunningBroadcast {
    /// The id of its first stream.
    id: String,
    /// When that started.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
}

/// A segment that has not ended.
#[derive(Debug, Serialize, ToSchema)]
struct RunningSegment {
    /// Its id.
    id: String,
    /// What is on.
    title: String,
    /// What the broadcaster wants to find it by.
    reference: Option<String>,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
}

impl RunningSegment {
    fn of(row: &read::channels::Channel) -> Option<Self> {
        Some(Self {
            id: row.segment_id.clone()?,
            title: row.segment_title.clone()?,
            reference: row.segment_reference.clone(),
            started_at: row.segment_started_at?,
        })
    }
}

impl From<read::channels::Channel> for Channel {
    fn from(row: read::channels::Channel) -> Self {
        let segment = RunningSegment::of(&row);
        let category = row.category_id.filter(|id| !id.is_empty()).zip(row.category_name);
        let stream = row.stream_id.zip(row.stream_started_at);
        let broadcast = row.broadcast_id.zip(row.broadcast_started_at);
        Self {
            id: row.id,
            login: row.login,
            display_name: row.display_name,
            title: row.title,
            category: category.map(|(id, name)| Category { id, name }),
            language: row.language,
            content_classification_labels: row.content_classification_labels.unwrap_or_default(),
            updated_at: row.updated_at,
            is_live: row.is_live,
            stream: stream.map(|(id, started_at)| LiveStream { id, kind: row.stream_type, started_at }),
            broadcast: broadcast.map(|(id, started_at)| RunningBroadcast { id, started_at }),
            segment,
            anonymous_bits: row.anonymous_bits,
            anonymous_gifts: row.anonymous_gifts,
        }
    }
}

impl Channel {
    pub(super) fn example() -> Self {
        Self {
            id: "141981764".into(),
            login: "twitchdev".into(),
            display_name: "TwitchDev".into(),
            title: Some("Building an overlay".into()),
            category: Some(Category { id: "1469308723".into(), name: "Software and Game Development".into() }),
            language: Some("en".into()),
            content_classification_labels: Vec::new(),
            updated_at: Some(datetime!(2026-07-01 17:55:00 UTC)),
            is_live: true,
            stream: Some(LiveStream {
                id: "40952121085".into(),
                kind: Some("live".into()),
                started_at: datetime!(2026-07-01 19:10:00 UTC),
            }),
            broadcast: Some(RunningBroadcast {
                id: "40952110345".into(),
                started_at: datetime!(2026-07-01 18:00:00 UTC),
            }),
            segment: Some(RunningSegment {
                id: "6f1d9f0e-7c52-4d56-9a55-2f1d3f0c8f6b".into(),
                title: "Tape 12: holiday in the snow".into(),
                reference: Some("https://example.com/tapes/12".into()),
                started_at: datetime!(2026-07-01 18:20:00 UTC),
            }),
            anonymous_bits: 500,
            anonymous_gifts: 5,
        }
    }
}

/// Names a channel in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ChannelPath {
    /// The channel's id, or its login in any case. If it could be either, it is an id.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "twitchdev")]
    pub(super) channel: Name,
}

impl ChannelPath {
    /// The id of the channel.
    pub(super) async fn resolve(&self, ctx: &Context) -> Result<String, Error> {
        ctx.channel(&self.channel).await
    }
}

impl Context {
    /// The id of the channel of this name.
    pub(super) async fn channel(&self, name: &Name) -> Result<String, Error> {
        let id = self.read(async |db| read::channels::find(db, name.as_str()).await).await?;
        id.ok_or_else(|| Error::NotFound { what: "channel", name: name.as_str().to_owned() })
    }

    /// The names of the channel of this name, of which nothing may have been heard yet.
    pub(super) async fn served_channel(&self, name: &Name) -> Result<Names, Error> {
        let names = self.read(async |db| read::channels::find_served(db, name.as_str()).await).await?;
        names.ok_or_else(|| Error::NotFound { what: "channel", name: name.as_str().to_owned() })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListChannels {
    /// Only those that are live, or only those that aren't.
    #[param(value_type = bool, required = false)]
    live: Option<Flag>,
    /// Start behind this: the `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    after: Option<Name>,
    /// How many to return at most.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List channels
///
/// Every channel that Twitch told anything about, in the order of their ids.
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
    let Query(ListChannels { live, after, limit }) = query;
    let (live, after) = (live.map(|Flag(live)| live), after.as_ref().map(Name::as_str));
    let rows = ctx.read(async |db| read::channels::page(db, live, after, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| row.id.clone(), Channel::from)))
}

/// Get a channel
///
/// By its id or its login. A login that moved to another account means the account that was last
/// seen with it.
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
    let row = ctx.read(async |db| read::channels::get(db, &id).await).await?;
    let channel = row.ok_or(Error::NotFound { what: "channel", name: id })?;
    Ok(Json(channel.into()))
}
