//! Announcements (<https://dev.twitch.tv/docs/api/reference/#send-chat-announcement>).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::caller::{Moderator, channel, check_app_sender, moderator, required};
use super::chat::{badges, plain_text};
use super::ledger::Effect;
use super::limits::Limit;
use super::rooms::MAX_MESSAGE;
use super::{Performed, body, cut};
use crate::mock::helix::{Query, Refusal, bad_request};
use crate::mock::state::{State, Token};
use crate::mock::world::World;

const SCOPE: &str = "moderator:manage:announcements";
const ANNOUNCEMENTS: Limit = Limit::new("1 announcement in 2 s", 1, Duration::seconds(2));
const COLORS: [&str; 5] = ["blue", "green", "orange", "purple", "primary"];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/chat/announcements", web::post().to(announce));
}

#[derive(Deserialize)]
struct Announcement {
    message: String,
    color: Option<String>,
    for_source_only: Option<bool>,
}

async fn announce(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "announce", |world, state, token| {
            let Moderator { channel, id } = announcer(state, &query, token)?;
            let Announcement { message, color, for_source_only } = body(&bytes)?;
            if for_source_only.is_some() && token.user_id.is_some() {
                return Err(bad_request("for_source_only requires an app access token."));
            }
            if message.is_empty() {
                return Err(bad_request("The message is empty."));
            }
            let color = color.unwrap_or_else(|| "primary".to_owned());
            if !COLORS.contains(&color.as_str()) {
                return Err(bad_request("The color is not valid."));
            }
            state.rooms.windows.take(ANNOUNCEMENTS, &channel, world.config.clock.now())?;
            let (text, message_id) = (cut(&message, MAX_MESSAGE), Uuid::new_v4().to_string());
            let fields = [
                ("message_id", message_id.as_str().into()),
                ("message", plain_text(&text)),
                ("badges", badges(state, &channel, &id)),
                ("announcement", json!({ "color": color.to_uppercase() })),
            ];
            world.happen(state, ("channel.chat.notification", Some("announcement")), &channel, Some(&id), &fields);
            world.keep(state, &channel, &id, &message_id, &text, None);
            let what = json!({ "sender_id": id, "text": text, "color": color, "message_id": message_id });
            Performed::no_content(Effect::new(&channel, what))
        })
        .await
}

/// A moderator with a token of their own, or a bot for which the application calls.
fn announcer(state: &State, query: &Query, token: &Token) -> Result<Moderator, Refusal> {
    if token.user_id.is_some() {
        return moderator(state, query, token, SCOPE);
    }
    let channel = channel(state, required(query, "broadcaster_id")?, "broadcaster_id")?;
    let id = required(query, "moderator_id")?.to_owned();
    check_app_sender(state, &channel, &id, SCOPE)?;
    Ok(Moderator { channel, id })
}
