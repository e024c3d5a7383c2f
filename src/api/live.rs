//! `/live/…`: the feeds, as Server-Sent Events or, if the client upgrades, over a WebSocket.

pub(super) mod data;
mod heartbeat;
mod listener;
pub(super) mod sse;
mod websocket;

use actix_web::http::header::UPGRADE;
use actix_web::web::{Data, Payload, ReqData};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, get};
use serde::Deserialize;
use utoipa::IntoParams;

use self::data::Snapshot;
use self::listener::Listener;
use super::Context;
use super::asyncapi;
use super::error::Error;
use super::fallback::WasHead;
use super::query::{Flag, NameList, Parsed, Query};
use super::responses::{BadRequest, ServerErrors};
use crate::access::grant::Grant;
use crate::outputs::live::feed::Feed;
use crate::outputs::live::filter::FeedFilter;
use crate::outputs::live::reader::Start;
use crate::store::LogId;
use crate::view::{Alert, Event};

/// The number of past events to begin with: 1 to 100.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Last(u8);

impl TryFrom<String> for Last {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(count @ 1..=100) => Ok(Self(count)),
            _ => Err(format!("`{}` must be a number from 1 to 100", text.escape_default())),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LiveEvents {
    /// Only events of these channels: ids or logins, separated by commas.
    #[param(value_type = String, required = false, example = "twitchdev")]
    channel: Option<NameList>,
    /// Only events of these subscription types, separated by commas, with patterns as in `GET /events`.
    #[serde(rename = "type")]
    #[param(value_type = String, required = false, example = "channel.follow,channel.raid")]
    kind: Option<NameList>,
    /// Begin after the event with this id. The header `Last-Event-ID` overrides it.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Begin with this many of the last matching events. Not allowed together with `after`.
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100)]
    last: Option<Last>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LiveAlerts {
    /// Only alerts of these channels: ids or logins, separated by commas.
    #[param(value_type = String, required = false, example = "twitchdev")]
    channel: Option<NameList>,
    /// Only these types of alerts, separated by commas.
    #[serde(rename = "type")]
    #[param(value_type = String, required = false, example = "follow,raid")]
    kind: Option<NameList>,
    /// Begin after the event with this id. The header `Last-Event-ID` overrides it.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Begin with this many of the last matching events. Not allowed together with `after`.
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100)]
    last: Option<Last>,
    /// Also send alerts that repeat an earlier one.
    #[param(value_type = bool, required = false, default = false)]
    repeats: Option<Flag>,
    /// Also send `control` and `settings`, and count the reader as an overlay.
    #[param(value_type = bool, required = false, default = false)]
    overlay: Option<Flag>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LiveState {
    /// Only these channels: ids or logins, separated by commas.
    #[param(value_type = String, required = false, example = "twitchdev")]
    channel: Option<NameList>,
    /// The id of the last event that was received. If the log no longer has it, the feed begins with
    /// `resync`. A snapshot comes in any case. The header `Last-Event-ID` overrides it.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LiveChat {
    /// Only the chat of these channels: ids or logins, separated by commas.
    #[param(value_type = String, required = false, example = "twitchdev")]
    channel: Option<NameList>,
    /// Begin after the event with this id. The header `Last-Event-ID` overrides it.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Begin with this many of the last matching events. Not allowed together with `after`.
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100)]
    last: Option<Last>,
    /// Also send messages that repeat an earlier one, and those that were deleted before they arrived.
    #[param(value_type = bool, required = false, default = false)]
    repeats: Option<Flag>,
    /// Also send `settings`.
    #[param(value_type = bool, required = false, default = false)]
    overlay: Option<Flag>,
}

/// Follow the log
///
/// Each `event` is the document of `GET /events/{id}`.
///
/// A channel is followed by its id, also if its login changes. A login means the channel that was last
/// seen with it, or else the first that will be: it need not be known yet.
///
/// Every feed sends Server-Sent Events. A WebSocket handshake gets the same events over a WebSocket,
/// each as a JSON object `{"id", "event", "data"}`. To resume, send the id of the last event in the
/// header `Last-Event-ID` (browsers do) or as `after`: no event is missed and none comes twice, after
/// a restart and on any server. If the log does not continue there, because it was emptied, pruned or
/// restored from a backup, the feed begins with `resync` and goes on with new events. Replays (`is_replay`)
/// have no id.
///
/// A stream has no end. The server closes it if the reader is too slow, and when the server stops:
/// reconnect with the last id. A comment (over a WebSocket, a ping) every 15 seconds shows that the
/// connection is alive. A WebSocket with the subprotocol `showtime.heartbeat` gets a message
/// `heartbeat` as well, at once and with each ping: a page in a browser can't see pings.
#[utoipa::path(
    tag = "live",
    params(LiveEvents),
    responses(
        (status = OK, description = "An endless stream; the schema is that of the `data` of its events",
            content_type = "text/event-stream", body = ref("#/components/schemas/EventsFeed"), example = json!(Event::example())),
        (status = SWITCHING_PROTOCOLS, description = "A WebSocket with the same events"),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/live/events")]
pub(super) async fn live_events(request: LiveRequest, query: Query<LiveEvents>) -> Result<HttpResponse, Error> {
    let Query(LiveEvents { channel, kind, after, last }) = query;
    let filter = FeedFilter::new(Feed::Events, names(channel), kind.map(|NameList(kinds)| kinds));
    serve(request, filter, start(after, last)?, false).await
}

/// Follow the alerts
///
/// Sends events that overlays show, of many subscription types, in one form: `Alert`. An event whose
/// fields can't be read, because Twitch changed them, is left out. What Twitch reports by several events
/// (a first subscription and its message, a poll that ends and is archived, another follow of the same
/// user) is sent once, unless `repeats=true`. Cursor, WebSocket and `resync` work as with
/// `/live/events`.
///
/// With `overlay=true`, two more messages are sent at once and with each change: `control`, the state that
/// `POST /overlays/alerts/{action}` sets, and `settings`, the times at which saved overlay settings were changed.
/// Neither has an id. Over a WebSocket an overlay may report how many alerts wait in it for their turn:
/// `{"waiting": 3}`. `GET /overlays/alerts` shows it.
#[utoipa::path(
    tag = "live",
    params(LiveAlerts),
    responses(
        (status = OK, description = "An endless stream; the schema is that of the `data` of its events",
            content_type = "text/event-stream", body = ref("#/components/schemas/AlertsFeed"), example = json!(asyncapi::example("alert"))),
        (status = SWITCHING_PROTOCOLS, description = "A WebSocket with the same events"),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/live/alerts")]
pub(super) async fn live_alerts(request: LiveRequest, query: Query<LiveAlerts>) -> Result<HttpResponse, Error> {
    let Query(LiveAlerts { channel, kind, after, last, repeats, overlay }) = query;
    let types = kind.map(|NameList(kinds)| kinds);
    if let Some(unknown) = types.iter().flatten().find(|kind| !Alert::kinds().contains(&kind.as_str())) {
        let reason = format!("`{unknown}` must be one of {}", Alert::kinds().join(", "));
        return Err(Error::InvalidParameter { name: "type".to_owned(), reason });
    }
    let filter = FeedFilter::new(Feed::Alerts, names(channel), types).with_repeats(is_set(repeats));
    serve(request, filter, start(after, last)?, is_set(overlay)).await
}

/// Follow the channels
///
/// Begins with a `snapshot` of the channels. After each event that can change a channel, `channel`
/// has the document of `GET /channels/{channel}`. WebSocket and `resync` work as with `/live/events`.
#[utoipa::path(
    tag = "live",
    params(LiveState),
    responses(
        (status = OK, description = "An endless stream; the schema is that of the `data` of its events",
            content_type = "text/event-stream", body = ref("#/components/schemas/StateFeed"), example = json!(Snapshot::example())),
        (status = SWITCHING_PROTOCOLS, description = "A WebSocket with the same events"),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/live/state")]
pub(super) async fn live_state(request: LiveRequest, query: Query<LiveState>) -> Result<HttpResponse, Error> {
    let Query(LiveState { channel, after }) = query;
    let filter = FeedFilter::new(Feed::State, names(channel), None);
    serve(request, filter, start(after, None)?, false).await
}

/// Follow the chat
///
/// Sends `message` for each message (`ChatMessage`), and `message_deleted` or `messages_cleared` when
/// moderators delete messages. A message in a shared chat is sent once to a reader of several of its
/// channels, and one that was deleted before it arrived is not sent, unless `repeats=true`. The server must be subscribed to the types of
/// chat (`TWITCH_EVENTSUB_TYPES=chat`). `overlay=true` adds `settings`, as in `/live/alerts`. Cursor, WebSocket and `resync` work as with
/// `/live/events`.
#[utoipa::path(
    tag = "live",
    params(LiveChat),
    responses(
        (status = OK, description = "An endless stream; the schema is that of the `data` of its events",
            content_type = "text/event-stream", body = ref("#/components/schemas/ChatFeed"), example = json!(asyncapi::example("message"))),
        (status = SWITCHING_PROTOCOLS, description = "A WebSocket with the same events"),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/live/chat")]
pub(super) async fn live_chat(request: LiveRequest, query: Query<LiveChat>) -> Result<HttpResponse, Error> {
    let Query(LiveChat { channel, after, last, repeats, overlay }) = query;
    let filter = FeedFilter::new(Feed::Chat, names(channel), None).with_repeats(is_set(repeats));
    serve(request, filter, start(after, last)?, is_set(overlay)).await
}

fn names(channel: Option<NameList>) -> Option<Vec<String>> {
    channel.map(|NameList(names)| names.into_iter().map(|name| name.to_ascii_lowercase()).collect())
}

fn is_set(flag: Option<Flag>) -> bool {
    flag.is_some_and(|Flag(flag)| flag)
}

fn start(after: Option<Parsed<LogId>>, last: Option<Last>) -> Result<Start, Error> {
    match (after, last) {
        (None, None) => Ok(Start::Now),
        (Some(Parsed(id)), None) => Ok(Start::After(id)),
        (None, Some(Last(count))) => Ok(Start::Last(count.into())),
        (Some(_), Some(_)) => Err(Error::InvalidParameter {
            name: "last".to_owned(),
            reason: "not allowed together with `after`".to_owned(),
        }),
    }
}

/// The `Last-Event-ID` of a client that reconnects.
pub(super) fn last_event_id(req: &HttpRequest) -> Result<Option<LogId>, Error> {
    const NAME: &str = "Last-Event-ID";
    let Some(value) = req.headers().get(NAME).filter(|value| !value.is_empty()) else { return Ok(None) };
    let id = Parsed::try_from(String::from_utf8_lossy(value.as_bytes()).into_owned());
    let Parsed(id) = id.map_err(|reason| Error::InvalidParameter { name: NAME.to_owned(), reason })?;
    Ok(Some(id))
}

/// What the handlers of all feeds extract from a request.
type LiveRequest = (Data<Context>, ReqData<Grant>, HttpRequest, Payload);

async fn serve(
    request: LiveRequest,
    filter: FeedFilter,
    start: Start,
    is_overlay: bool,
) -> Result<HttpResponse, Error> {
    let (ctx, grant, req, body) = request;
    let start = last_event_id(&req)?.map_or(start, Start::After);
    if req.extensions().get::<WasHead>().is_some() {
        return Ok(sse::head().finish());
    }
    let is_upgrade = req.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let transport = if is_upgrade { "websocket" } else { "sse" };
    let listener = Listener::open(ctx.clone(), grant.into_inner(), transport, filter, start, is_overlay).await?;
    if is_upgrade { websocket::accept(&req, body, listener, &ctx.clock) } else { Ok(sse::stream(listener, &ctx.clock)) }
}
