//! `/events`: the log.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::error::Error;
use super::query::{Limit, LogId, Name, Nothing, Query, Timestamp};
use super::responses::{BadRequest, NotFound, ServerErrors};
use crate::outputs::live::entry::Entry;
use crate::store::read::events as store;
use crate::store::read::scan::Times;

/// One message from Twitch.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    /// Its place in the log. Ids grow in the order in which events became visible, so a reader who
    /// has seen this one misses nothing by asking for those after it.
    id: i64,
    /// Twitch's id of the message, the same however often it is sent.
    message_id: String,
    /// `notification`, `revocation`, or a kind of message that Twitch added later. What Twitch did
    /// not send is `inferred` if its API showed it (a stream that began or ended, a new title), and
    /// `segment` if the broadcaster marked it.
    message_type: String,
    /// The subscription type, for example `channel.follow`; `showtime.segment.begin` and
    /// `showtime.segment.end` for what the broadcaster marked.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The version of that type.
    version: Option<String>,
    /// The channel it is about, or the user where a type has no channel.
    channel_id: Option<String>,
    /// The subscription it came through; what Twitch did not send came through none.
    subscription_id: Option<String>,
    /// When Twitch sent it first, or when it was inferred or marked.
    #[serde(with = "time::serde::rfc3339")]
    occurred_at: OffsetDateTime,
    /// When it arrived here.
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
    /// Whether it is made up, to try an overlay.
    is_test: bool,
    /// Whether it is shown again on a live feed; `false` everywhere else.
    is_replay: bool,
    /// The body exactly as it came. What Twitch did not send has `inferred` or `segment` in place of
    /// `subscription`.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
struct EventPage {
    /// Oldest first.
    data: Vec<Event>,
    /// What to pass as `after` to get the next page; `null` at the end. To continue later from
    /// there, pass the id of the last event.
    next: Option<i64>,
}

impl From<store::Event> for Event {
    fn from(row: store::Event) -> Self {
        Self {
            id: row.id,
            message_id: row.message_id,
            message_type: row.message_type,
            kind: row.kind,
            version: row.version,
            channel_id: row.channel_id,
            subscription_id: row.subscription_id,
            occurred_at: row.occurred_at,
            received_at: row.received_at,
            is_test: row.is_test,
            is_replay: false,
            payload: row.payload.0,
        }
    }
}

impl From<&Entry> for Event {
    fn from(entry: &Entry) -> Self {
        let logged = &entry.logged;
        Self {
            id: logged.id,
            message_id: logged.message_id.clone(),
            message_type: logged.message_type.clone(),
            kind: logged.kind.clone(),
            version: logged.version.clone(),
            channel_id: logged.channel_id.clone(),
            subscription_id: logged.subscription_id.clone(),
            occurred_at: logged.occurred_at,
            received_at: logged.received_at,
            is_test: logged.is_test,
            is_replay: entry.is_replay,
            payload: logged.payload.0.clone(),
        }
    }
}

impl Event {
    pub(super) fn example() -> Self {
        let payload = json!({
            "subscription": {
                "id": "f1c2a387-161a-49f9-a165-0f21d7a4e1c4",
                "type": "channel.follow",
                "version": "2",
                "status": "enabled",
                "cost": 0,
                "condition": { "broadcaster_user_id": "141981764", "moderator_user_id": "141981764" },
                "transport": { "method": "webhook", "callback": "https://example.com/callback" },
                "created_at": "2026-06-30T10:11:12.634234626Z",
            },
            "event": {
                "user_id": "90790024",
                "user_login": "a_viewer",
                "user_name": "A_Viewer",
                "broadcaster_user_id": "141981764",
                "broadcaster_user_login": "twitchdev",
                "broadcaster_user_name": "TwitchDev",
                "followed_at": "2026-07-01T18:16:11.17106713Z",
            },
        });
        Self {
            id: 1042,
            message_id: "befa7b53-d79d-478f-86b9-120f112b044e".into(),
            message_type: "notification".into(),
            kind: Some("channel.follow".into()),
            version: Some("2".into()),
            channel_id: Some("141981764".into()),
            subscription_id: Some("f1c2a387-161a-49f9-a165-0f21d7a4e1c4".into()),
            occurred_at: datetime!(2026-07-01 18:16:11.464757 UTC),
            received_at: datetime!(2026-07-01 18:16:11.598201 UTC),
            is_test: false,
            is_replay: false,
            payload: to_raw_value(&payload).unwrap_or_default(),
        }
    }
}

impl EventPage {
    fn example() -> Self {
        Self { data: vec![Event::example()], next: Some(1042) }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListEvents {
    /// Only those of this channel, by its id or login; or of this user, for types without a
    /// channel.
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    channel: Option<Name>,
    /// Only those of this subscription type, for example `channel.follow`.
    #[serde(rename = "type")]
    #[param(value_type = String, required = false, pattern = "^[!-~]{1,256}$")]
    kind: Option<Name>,
    /// Only those that occurred then or later.
    #[param(value_type = String, format = DateTime, required = false)]
    since: Option<Timestamp>,
    /// Only those that occurred earlier.
    #[param(value_type = String, format = DateTime, required = false)]
    until: Option<Timestamp>,
    /// Only those with a greater id.
    #[serde(default)]
    #[param(value_type = i64, required = false, minimum = 0, default = 0)]
    after: LogId,
    /// How many to return at most.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List events
///
/// Oldest first. All filters must be met. A login that nobody is known by has no events.
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
    let Query(ListEvents { channel, kind, since, until, after: LogId(after), limit }) = query;
    let filter = store::Filter {
        channel: channel.map(Name::into_string),
        kind: kind.map(Name::into_string),
        times: Times { since: since.map(|it| it.0), until: until.map(|it| it.0) },
    };
    let mut rows = ctx.read(async |db| store::page(db, &filter, after, limit.rows()).await).await?;
    let next = limit.cut(&mut rows, |last| last.id);
    Ok(Json(EventPage { data: rows.into_iter().map(Event::from).collect(), next }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct EventPath {
    /// The event's id in the log.
    #[param(value_type = i64, minimum = 0, example = 1042)]
    pub(super) id: LogId,
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
    let LogId(id) = path.id;
    let row = ctx.read(async |db| store::get(db, id).await).await?;
    let event = row.ok_or_else(|| Error::NotFound { what: "event", name: id.to_string() })?;
    Ok(Json(event.into()))
}
