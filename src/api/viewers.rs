//! `/channels/{channel}/viewers`.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::channels::ChannelPath;
use super::error::Error;
use super::page::Page;
use super::query::{Limit, Name, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::store::read::viewers as store;

/// A viewer's history on a channel.
#[derive(Debug, Serialize, ToSchema)]
struct Viewer {
    /// Twitch's user id.
    id: String,
    /// The login: lower-case ASCII.
    login: String,
    /// The name as shown.
    display_name: String,
    /// When the viewer first followed; `null` if never.
    #[serde(with = "time::serde::rfc3339::option")]
    first_followed_at: Option<OffsetDateTime>,
    /// The subscription; `null` if the viewer never had one.
    subscription: Option<Subscription>,
    /// Cheers.
    bits: Bits,
    /// Gift subscriptions to others.
    gifts: Gifts,
    /// Raids of the channel.
    raids: Raids,
}

/// A viewer's subscription to a channel.
#[derive(Debug, Serialize, ToSchema)]
struct Subscription {
    /// Whether it is active now.
    is_active: bool,
    /// `1000`, `2000` or `3000`.
    tier: Option<String>,
    /// When it began; `null` if it is over, or began before the first event about it.
    #[serde(with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    /// When it ended; `null` if it has not.
    #[serde(with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
    /// Months in all, as last announced; `null` if never.
    months: Option<i64>,
}

/// Cheers of a viewer.
#[derive(Debug, Serialize, ToSchema)]
struct Bits {
    /// When the viewer first cheered.
    #[serde(with = "time::serde::rfc3339::option")]
    first_at: Option<OffsetDateTime>,
    /// Bits in all.
    total: i64,
    /// Number of cheers.
    count: i64,
}

/// Gifts of a viewer.
#[derive(Debug, Serialize, ToSchema)]
struct Gifts {
    /// When the viewer first gave a subscription.
    #[serde(with = "time::serde::rfc3339::option")]
    first_at: Option<OffsetDateTime>,
    /// Subscriptions in all.
    total: i64,
    /// Number of gifts, each of one or more subscriptions.
    count: i64,
}

/// Raids of a viewer.
#[derive(Debug, Serialize, ToSchema)]
struct Raids {
    /// When the viewer first raided.
    #[serde(with = "time::serde::rfc3339::option")]
    first_at: Option<OffsetDateTime>,
    /// Number of raids.
    count: i64,
    /// Viewers in all raids.
    viewers: i64,
}

impl From<store::Viewer> for Viewer {
    fn from(row: store::Viewer) -> Self {
        Self {
            subscription: Subscription::new(&row),
            id: row.id.into(),
            login: row.login,
            display_name: row.display_name,
            first_followed_at: row.first_followed_at,
            bits: Bits { first_at: row.first_bits_at, total: row.bits, count: row.cheers },
            gifts: Gifts { first_at: row.first_gift_at, total: row.gifts, count: row.gift_events },
            raids: Raids { first_at: row.first_raid_at, count: row.raids, viewers: row.raid_viewers },
        }
    }
}

impl Subscription {
    /// The beginning of an active subscription is unknown if the last one known is that of a subscription that has
    /// ended.
    fn new(row: &store::Viewer) -> Option<Self> {
        let is_active = row.is_subscribed?;
        let (began_at, ended_at) = (row.subscription_began_at, row.subscription_ended_at);
        Some(Self {
            is_active,
            tier: row.subscription_tier.clone(),
            since: began_at.filter(|began| is_active && ended_at.is_none_or(|ended| *began >= ended)),
            until: ended_at.filter(|_| !is_active),
            months: row.subscription_months,
        })
    }
}

impl Viewer {
    fn example() -> Self {
        Self {
            id: "90790024".into(),
            login: "a_viewer".into(),
            display_name: "A_Viewer".into(),
            first_followed_at: Some(datetime!(2025-03-14 20:01:07 UTC)),
            subscription: Some(Subscription {
                is_active: true,
                tier: Some("1000".into()),
                since: Some(datetime!(2026-02-01 18:30:00 UTC)),
                until: None,
                months: Some(6),
            }),
            bits: Bits { first_at: Some(datetime!(2026-02-01 18:45:12 UTC)), total: 1_500, count: 3 },
            gifts: Gifts { first_at: None, total: 0, count: 0 },
            raids: Raids { first_at: Some(datetime!(2026-06-20 22:00:00 UTC)), count: 1, viewers: 48 },
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListViewers {
    /// Start after this: the `next` of the previous page.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    after: Option<Name>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List a channel's viewers
///
/// The users who followed, subscribed, cheered, gave or raided, ordered by id.
#[utoipa::path(
    tag = "viewers",
    params(ChannelPath, ListViewers),
    responses(
        (status = OK, description = "A page of viewers", body = Page<Viewer>,
            example = json!(Page::example(Viewer::example(), "90790024"))),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/viewers")]
pub(super) async fn list_viewers(
    ctx: Data<Context>,
    path: Path<ChannelPath>,
    query: Query<ListViewers>,
) -> Result<Json<Page<Viewer>>, Error> {
    let Query(ListViewers { after, limit }) = query;
    let after = after.as_ref().map(Name::as_str);
    let channel = path.resolve(&ctx).await?;
    let rows = ctx.read(async |db| store::page(db, &channel, after, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| row.id.to_string(), Viewer::from)))
}
