//! `/channels/{channel}/gaps`.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::channels::ChannelPath;
use super::error::Error;
use super::page::{Cursor, Page};
use super::query::{Limit, NewestFirst, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::store::gaps as store;

/// A span of time in which messages of a channel may have been lost.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Gap {
    /// Its id.
    id: String,
    /// Twitch's id of the channel.
    channel_id: String,
    /// When the last message before it was sent.
    #[serde(with = "time::serde::rfc3339")]
    began_at: OffsetDateTime,
    /// When messages came again.
    #[serde(with = "time::serde::rfc3339")]
    ended_at: OffsetDateTime,
    /// Why: the close code of the WebSocket, or a word such as `io`, `keepalive`, `restart` or `spool`.
    cause: String,
    /// When missed events were last looked up in Twitch's API; `null` if that is still to come. It has streams, channel
    /// information and follows.
    #[serde(with = "time::serde::rfc3339::option")]
    looked_up_at: Option<OffsetDateTime>,
    /// How many missed events were found, which are in the log as inferred.
    found: i64,
}

impl From<store::Gap> for Gap {
    fn from(row: store::Gap) -> Self {
        let store::Gap { id, channel_id, began_at, ended_at, cause, looked_up_at, found } = row;
        Self { id: id.to_string(), channel_id: channel_id.into(), began_at, ended_at, cause, looked_up_at, found }
    }
}

impl Gap {
    fn example() -> Self {
        Self {
            id: "17".into(),
            channel_id: "141981764".into(),
            began_at: datetime!(2026-07-01 18:20:00.25 UTC),
            ended_at: datetime!(2026-07-01 18:20:03.5 UTC),
            cause: "keepalive".into(),
            looked_up_at: Some(datetime!(2026-07-01 18:22:04 UTC)),
            found: 1,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListGaps {
    /// The order: newest or oldest first.
    #[serde(default)]
    #[param(inline, required = false)]
    order: NewestFirst,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = String, required = false, pattern = "^[0-9]{1,17}-[!-~]{1,256}$")]
    after: Option<Cursor>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List a channel's gaps
///
/// The periods in which messages may have been lost, newest first or with `order=asc` oldest first: EventSub over WebSocket sends
/// nothing twice.
#[utoipa::path(
    tag = "channels",
    params(ChannelPath, ListGaps),
    responses(
        (status = OK, description = "A page of gaps", body = Page<Gap>,
            example = json!(Page::example(Gap::example(), "1782930000250000-17"))),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/gaps")]
pub(super) async fn list_gaps(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    query: Query<ListGaps>,
) -> Result<Json<Page<Gap>>, Error> {
    let Query(ListGaps { order, after, limit }) = query;
    let channel = ctx.served_channel(&path.channel).await?.id;
    // An id that is none of this list's begins at its time.
    let after = after.as_ref().map(Cursor::position).map(|(at, id)| (at, id.parse().unwrap_or(i64::MAX)));
    let rows = ctx.query(async |db| store::page(db, &channel, order.into(), after, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| Cursor::behind(row.began_at, &row.id.to_string()), Gap::from)))
}
