//! `/overlays/missing`: what overlays would show and Twitch does not send.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::get;
use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::Context;
use crate::api::error::Error;
use crate::api::page::Page;
use crate::api::query::{Nothing, Query};
use crate::api::responses::{BadRequest, ServerErrors};
use crate::program::Program;
use crate::store::chat::{self, ChatMode, ChatSetting};
use crate::store::desired_subscriptions::{self, DesiredRow};
use crate::subscriptions::explain::describe;
use crate::view::alert::kinds_by_source;

/// Channels that are looked at, by login.
const MAX_CHANNELS: usize = 50;

/// What overlays lack of a channel, for one reason.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct MissingSource {
    /// The channel's login.
    channel: String,
    /// The types of alerts that are missing, or partly.
    alerts: BTreeSet<&'static str>,
    /// Whether the chat is missing.
    chat: bool,
    /// Why, and what to do.
    message: String,
    /// The command to run, if one helps.
    command: Option<String>,
}

impl MissingSource {
    fn example() -> Self {
        Self {
            channel: "maplearcade".into(),
            alerts: ["poll_begin", "poll_end"].into(),
            chat: false,
            message: "Twitch is not asked for them: set TWITCH_EVENTSUB_TYPES to `alerts`, restart the server, then run `init`".into(),
            command: Some("init".into()),
        }
    }
}

/// Compares what a channel has with what alerts and chat come from.
fn missing(login: &str, rows: &[&DesiredRow], chat: &ChatSetting) -> Vec<MissingSource> {
    let mut alerts: BTreeMap<(String, bool), BTreeSet<&str>> = BTreeMap::new();
    for (source, kind) in kinds_by_source() {
        let reason = match rows.iter().find(|row| row.kind == source) {
            Some(row) if row.delivers() => continue,
            Some(row) => (describe(row), row.status.needs_consent()),
            None => (MissingSource::example().message, true),
        };
        alerts.entry(reason).or_default().insert(kind);
    }
    let of_alerts = alerts.into_iter().map(|((message, needs_init), alerts)| MissingSource {
        channel: login.to_owned(),
        alerts,
        chat: false,
        message,
        command: needs_init.then(|| Program::Init.name().to_owned()),
    });
    let has_chat = chat.has_eventsub || chat.mode != ChatMode::Off;
    let of_chat = (!has_chat).then(|| MissingSource {
        channel: login.to_owned(),
        alerts: BTreeSet::new(),
        chat: true,
        message: "the chat is not read".to_owned(),
        command: Some(format!("{} chat set {login} live", Program::Server.name())),
    });
    of_alerts.chain(of_chat).collect()
}

/// List what overlays lack
///
/// Alerts and chat of the served channels that Twitch does not send, because their types are not subscribed to: with the
/// reason and what to do, of the first 50 channels by login.
#[utoipa::path(
    tag = "overlays",
    responses(
        (status = OK, description = "What is missing", body = Page<MissingSource>,
            example = json!(Page::whole(vec![MissingSource::example()]))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/overlays/missing")]
pub(in crate::api) async fn list_missing_sources(
    ctx: Data<Context>,
    _query: Query<Nothing>,
) -> Result<Json<Page<MissingSource>>, Error> {
    let desired = ctx.query(async |db| desired_subscriptions::list(db, None, None).await).await?;
    let chats = ctx.query(async |db| chat::all(db).await).await?;
    let missing = chats.iter().take(MAX_CHANNELS).flat_map(|(login, chat)| {
        let rows: Vec<_> = desired.iter().filter(|row| row.channel_login == *login).collect();
        missing(login, &rows, chat)
    });
    Ok(Json(Page::whole(missing.collect())))
}
