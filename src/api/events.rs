//! `/events`: the log.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::error::Error;
use super::query::{Limit, NameList, Nothing, Parsed, Query, Timestamp};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::store::read::scan::{LogFilter, Times};
use crate::store::read::{channels, events as store};
use crate::store::{LogId, Order};
use crate::view::Event;

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
struct EventPage {
    /// Oldest first, or newest first with `order=desc`.
    data: Vec<Event>,
    /// The `after` of the next page; `null` at the end. To continue from there later, pass the id of
    /// the last event of a page that is oldest first. With `since` or `until` a page may be shorter than `limit` and still have a
    /// next one.
    #[schema(value_type = Option<i64>)]
    next: Option<LogId>,
}

impl EventPage {
    fn example() -> Self {
        Self { data: vec![Event::example()], next: Some(LogId(1042)) }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListEvents {
    /// Only events of these channels (for types without a channel, of these users): ids or logins, separated by commas.
    #[param(value_type = String, required = false, pattern = r"^[!-+\--~]{1,256}(,[!-+\--~]{1,256}){0,99}$", example = "twitchdev")]
    channel: Option<NameList>,
    /// Only events of these subscription types, separated by commas: names, `stream.*` for all that begin so, `*`, the presets
    /// `alerts`, `chat`, `moderation`, or one of these with a hyphen before it to leave it out. The last that matches decides.
    #[serde(rename = "type")]
    #[param(value_type = String, required = false, pattern = r"^[!-+\--~]{1,256}(,[!-+\--~]{1,256}){0,99}$", example = "channel.follow,channel.raid")]
    kind: Option<NameList>,
    /// Only events that occurred at this time or later.
    #[param(value_type = String, format = DateTime, required = false)]
    since: Option<Timestamp>,
    /// Only events that occurred before this time.
    #[param(value_type = String, format = DateTime, required = false)]
    until: Option<Timestamp>,
    /// The order of the ids.
    #[serde(default)]
    #[param(inline, required = false)]
    order: Order,
    /// Only events behind this id: with greater ids, or with smaller ones if `order=desc`.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List events
///
/// Oldest first, or newest first with `order=desc`. An event must match all filters. An unknown login has no events.
#[utoipa::path(
    tag = "events",
    params(ListEvents),
    responses(
        (status = OK, description = "A page of the log", body = EventPage, example = json!(EventPage::example())),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/events")]
pub(super) async fn list_events(ctx: Data<Context>, query: Query<ListEvents>) -> Result<Json<EventPage>, Error> {
    let Query(ListEvents { channel, kind, since, until, order, after, limit }) = query;
    let times = Times { since: since.map(|it| it.0), until: until.map(|it| it.0) };
    let read = async |db: &mut PgConnection| {
        let channel_ids = match &channel {
            Some(NameList(names)) => {
                let known = channels::resolve(&mut *db, &names.iter().map(String::as_str).collect::<Vec<_>>()).await?;
                let ids = known.into_iter().zip(names).filter_map(|(known, name)| known.or_else(|| name.parse().ok()));
                Some(ids.collect())
            }
            None => None,
        };
        let types = match &kind {
            Some(NameList(kinds)) => Some(store::matching(&mut *db, kinds).await?.unwrap_or_else(|| kinds.clone())),
            None => None,
        };
        let filter = LogFilter { channel_ids, types };
        store::page(db, &filter, times, order, after.map(|Parsed(after)| after), limit.rows()).await
    };
    let (mut rows, read_to) = ctx.query(read).await?;
    let next = limit.cut(&mut rows, |last| last.id).or(read_to);
    Ok(Json(EventPage { data: rows.iter().map(|row| Event::new(row, false)).collect(), next }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct EventPath {
    /// The event's id in the log.
    #[param(value_type = i64, minimum = 0, example = 1042)]
    pub(super) id: Parsed<LogId>,
}

/// Get an event
///
/// By its id in the log.
#[utoipa::path(
    tag = "events",
    params(EventPath),
    responses(
        (status = OK, description = "The event", body = Event, example = json!(Event::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/events/{id}")]
pub(super) async fn get_event(
    ctx: Data<Context>,
    path: Path<EventPath>,
    _query: Query<Nothing>,
) -> Result<Json<Event>, Error> {
    let Parsed(id) = path.id;
    let row = ctx.query(async |db| store::get(db, id).await).await?;
    let event = row.ok_or_else(|| Error::NotFound { what: "event", name: id.to_string() })?;
    Ok(Json(Event::new(&event, false)))
}
