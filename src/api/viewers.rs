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
use super::query::{Limit, Name, Nothing, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::store::Order;
use crate::store::read::viewers::{self as store, Selection, Sort};

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

/// The position of a page: behind the viewer with this key and id.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct ViewerCursor {
    key: i64,
    id: Name,
}

impl TryFrom<String> for ViewerCursor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_key = |key: &str| (1..=18).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_digit());
        let parts = text.split_once('-').filter(|(key, _)| is_key(key));
        let parsed =
            parts.and_then(|(key, id)| Some(Self { key: key.parse().ok()?, id: id.to_owned().try_into().ok()? }));
        parsed.ok_or_else(|| format!("`{}` must be the `next` of a page of this list", text.escape_default()))
    }
}

/// The beginning of a login, which is then in lower case.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct LoginPrefix(String);

impl TryFrom<String> for LoginPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if (1..=25).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!("`{}` must be 1 to 25 letters, digits or `_`", text.escape_default()))
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListViewers {
    /// What they are sorted by. Viewers who have none of it are left out.
    #[serde(default)]
    #[param(inline, required = false)]
    sort: Sort,
    /// The direction; without it `asc` for `id`, and else `desc`: the most, or the newest, first.
    #[param(value_type = Order, inline, required = false)]
    order: Option<Order>,
    /// Only viewers whose login begins with this, in any case.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_]{1,25}$", example = "quiet")]
    search: Option<LoginPrefix>,
    /// Start after this: the `next` of the previous page, with the same `sort` and `order`.
    #[param(value_type = String, required = false, pattern = "^[0-9]{1,18}-[!-~]{1,256}$")]
    after: Option<ViewerCursor>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List a channel's viewers
///
/// The users who followed, subscribed, cheered, gifted or raided.
#[utoipa::path(
    tag = "viewers",
    params(ChannelPath, ListViewers),
    responses(
        (status = OK, description = "A page of viewers", body = Page<Viewer>,
            example = json!(Page::example(Viewer::example(), "0-90790024"))),
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
    let Query(ListViewers { sort, order, search, after, limit }) = query;
    let order = order.unwrap_or(if sort == Sort::Id { Order::Asc } else { Order::Desc });
    let after = after.as_ref().map(|after| (after.key, after.id.as_str()));
    let selection = Selection { sort, order, login: search.as_ref().map(|search| search.0.as_str()), after };
    let channel = path.resolve(&ctx).await?;
    let rows = ctx.query(async |db| store::page(db, &channel, &selection, limit.rows()).await).await?;
    Ok(Json(Page::new(rows, limit, |row| format!("{}-{}", row.sort_key, row.id), Viewer::from)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct ViewerPath {
    /// The channel's id, or its login in any case. If it could be either, it is an id.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "twitchdev")]
    channel: Name,
    /// The viewer's id, or login in any case. If it could be either, it is an id.
    #[param(value_type = String, pattern = "^[!-~]{1,256}$", example = "a_viewer")]
    viewer: Name,
}

/// Get a viewer of a channel
///
/// The history of one viewer, by id or login.
#[utoipa::path(
    tag = "viewers",
    params(ViewerPath),
    responses(
        (status = OK, description = "The viewer", body = Viewer, example = json!(Viewer::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/channels/{channel}/viewers/{viewer}")]
pub(super) async fn get_viewer(
    ctx: Data<Context>,
    path: Path<ViewerPath>,
    _query: Query<Nothing>,
) -> Result<Json<Viewer>, Error> {
    let channel = ctx.channel(&path.channel).await?;
    let row = ctx.query(async |db| store::get(db, &channel, path.viewer.as_str()).await).await?;
    let viewer = row.ok_or_else(|| Error::NotFound { what: "viewer", name: path.viewer.as_str().to_owned() })?;
    Ok(Json(viewer.into()))
}
