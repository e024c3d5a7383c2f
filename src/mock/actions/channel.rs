//! The channel itself: title, category, tags, VIPs, markers and commercials
//! (<https://dev.twitch.tv/docs/api/reference/#modify-channel-information>).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use super::caller::{broadcaster, forbidden, is_live, not_found, required, user};
use super::ledger::Effect;
use super::limits::Limit;
use super::rooms::push;
use super::{Performed, body};
use crate::mock::helix::{Query, Refusal, bad_request};
use crate::mock::state::{Account, State, rfc3339};
use crate::mock::world::World;

const BROADCAST: &str = "channel:manage:broadcast";
const VIPS: Limit = Limit::new("10 changes of VIPs in 10 s", 10, Duration::seconds(10));
const COMMERCIALS: Limit = Limit::new("1 commercial in 8 minutes", 1, Duration::minutes(8));

/// Slots for VIPs of every channel.
const MAX_VIPS: usize = 100;

/// The categories that exist here, as id and name.
const CATEGORIES: [(&str, &str); 4] =
    [("27471", "Minecraft"), ("509658", "Just Chatting"), ("509660", "Art"), ("26936", "Music")];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/channels", web::patch().to(modify))
        .route("/channels/vips", web::post().to(add_vip))
        .route("/channels/vips", web::delete().to(remove_vip))
        .route("/channels/commercial", web::post().to(commercial))
        .route("/streams/markers", web::post().to(mark))
        .route("/games", web::get().to(games))
        .route("/search/categories", web::get().to(search))
        .route("/authorization/users", web::get().to(authorizations));
}

/// What changes; `None` stays.
#[derive(Deserialize)]
struct Modification {
    game_id: Option<String>,
    title: Option<String>,
    broadcaster_language: Option<String>,
    tags: Option<Vec<String>>,
    content_classification_labels: Option<Vec<Label>>,
}

#[derive(Deserialize)]
struct Label {
    id: String,
    is_enabled: bool,
}

async fn modify(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "channel", |world, state, token| {
            let channel = broadcaster(state, &query, token, BROADCAST)?;
            let modification: Modification = body(&bytes)?;
            let category = modification.check()?;
            let what: Value = body(&bytes)?;
            let account = state.accounts.get_mut(&channel).ok_or_else(|| not_found("There is no such channel."))?;
            modification.apply(account, category);
            let fields = [
                ("title", account.title.as_str().into()),
                ("category_id", account.game_id.as_str().into()),
                ("category_name", account.game_name.as_str().into()),
                ("language", account.language.as_str().into()),
                ("content_classification_labels", account.labels.clone().into()),
            ];
            world.happen(state, ("channel.update", None), &channel, None, &fields);
            Performed::no_content(Effect::new(&channel, what))
        })
        .await
}

impl Modification {
    /// Returns the new category.
    fn check(&self) -> Result<Option<(&'static str, &'static str)>, Refusal> {
        let Self { game_id, title, broadcaster_language, tags, content_classification_labels: labels } = self;
        if game_id.is_none() && title.is_none() && broadcaster_language.is_none() && tags.is_none() && labels.is_none()
        {
            return Err(bad_request("At least one field must be given."));
        }
        if title.as_ref().is_some_and(String::is_empty) {
            return Err(bad_request("The title field may not be empty."));
        }
        let is_tag = |tag: &String| (1..=25).contains(&tag.chars().count()) && tag.chars().all(char::is_alphanumeric);
        if tags.as_ref().is_some_and(|tags| tags.len() > 10 || !tags.iter().all(is_tag)) {
            return Err(bad_request("The tags are not valid: at most 10, each of 1 to 25 letters and digits."));
        }
        match game_id.as_deref() {
            None => Ok(None),
            Some("" | "0") => Ok(Some(("", ""))),
            Some(id) => {
                let found = CATEGORIES.into_iter().find(|(known, _)| *known == id);
                found.map(Some).ok_or_else(|| bad_request("The ID in game_id is not valid."))
            }
        }
    }

    fn apply(self, account: &mut Account, category: Option<(&str, &str)>) {
        if let Some((id, name)) = category {
            (account.game_id, account.game_name) = (id.to_owned(), name.to_owned());
        }
        account.title = self.title.unwrap_or_else(|| std::mem::take(&mut account.title));
        account.language = self.broadcaster_language.unwrap_or_else(|| std::mem::take(&mut account.language));
        account.tags = self.tags.unwrap_or_else(|| std::mem::take(&mut account.tags));
        for Label { id, is_enabled } in self.content_classification_labels.into_iter().flatten() {
            account.labels.retain(|label| *label != id);
            account.labels.extend(is_enabled.then_some(id));
        }
    }
}

async fn add_vip(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "vip", |world, state, token| {
            let channel = broadcaster(state, &query, token, "channel:manage:vips")?;
            let user_id = existing(state, required(&query, "user_id")?)?;
            state.rooms.windows.take(VIPS, &channel, world.config.clock.now())?;
            if state.rooms.is_privileged(&channel, &user_id) {
                let message = "The user is a moderator or a VIP already.".to_owned();
                return Err((StatusCode::UNPROCESSABLE_ENTITY, message));
            }
            let vips = &mut state.rooms.entry(&channel).vips;
            if vips.len() >= MAX_VIPS {
                return Err((StatusCode::CONFLICT, "The broadcaster doesn't have available VIP slots.".to_owned()));
            }
            vips.insert(user_id.clone());
            world.happen(state, ("channel.vip.add", None), &channel, Some(&user_id), &[]);
            Performed::no_content(Effect::on_user(&channel, &user_id))
        })
        .await
}

async fn remove_vip(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "unvip", |world, state, token| {
            let channel = broadcaster(state, &query, token, "channel:manage:vips")?;
            let user_id = existing(state, required(&query, "user_id")?)?;
            state.rooms.windows.take(VIPS, &channel, world.config.clock.now())?;
            if !state.rooms.entry(&channel).vips.remove(&user_id) {
                return Err((StatusCode::UNPROCESSABLE_ENTITY, "The user is not a VIP.".to_owned()));
            }
            world.happen(state, ("channel.vip.remove", None), &channel, Some(&user_id), &[]);
            Performed::no_content(Effect::on_user(&channel, &user_id))
        })
        .await
}

fn existing(state: &State, user_id: &str) -> Result<String, Refusal> {
    let account = state.accounts.get(user_id).ok_or_else(|| not_found("The ID in user_id was not found."))?;
    Ok(account.id.clone())
}

#[derive(Deserialize)]
struct NewCommercial {
    broadcaster_id: String,
    length: u32,
}

async fn commercial(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    world
        .into_inner()
        .perform(&request, "ad", |world, state, token| {
            let NewCommercial { broadcaster_id: channel, length } = body(&bytes)?;
            if user(token, "channel:edit:commercial")? != channel {
                return Err(forbidden("Only the broadcaster may start a commercial."));
            }
            if !is_live(state, &channel) {
                return Err(bad_request("The broadcaster must be streaming live."));
            }
            let length = length.clamp(30, 180);
            state.rooms.windows.take(COMMERCIALS, &channel, world.config.clock.now()).map_err(|_| {
                bad_request("The broadcaster may not run another commercial until the cooldown has passed.")
            })?;
            let fields = [("duration_seconds", length.into())];
            world.happen(state, ("channel.ad_break.begin", None), &channel, None, &fields);
            let data = json!({ "length": length, "message": "", "retry_after": 480 });
            Performed::data(Effect::new(&channel, json!({ "length": length })), data)
        })
        .await
}

#[derive(Deserialize)]
struct NewMarker {
    user_id: String,
    #[serde(default)]
    description: String,
}

async fn mark(world: web::Data<World>, request: HttpRequest, bytes: web::Bytes) -> HttpResponse {
    world
        .into_inner()
        .perform(&request, "marker", |world, state, token| {
            let NewMarker { user_id: channel, description } = body(&bytes)?;
            if user(token, BROADCAST)? != channel {
                return Err(forbidden("The user is not the broadcaster or an editor of the channel."));
            }
            if description.chars().count() > 140 {
                return Err(bad_request("The description is too long."));
            }
            let stream = state.accounts.get(&channel).and_then(|account| account.stream.as_ref());
            let started_at = stream.map(|stream| stream.started_at);
            let started_at = started_at.ok_or_else(|| not_found("The user is not streaming live."))?;
            let now = world.config.clock.now();
            push(&mut state.rooms.entry(&channel).markers, description.clone());
            let data = json!({
                "id": Uuid::new_v4().simple().to_string(),
                "created_at": rfc3339(now),
                "position_seconds": (now - started_at).whole_seconds(),
                "description": description,
            });
            Performed::data(Effect::new(&channel, json!({ "description": description })), data)
        })
        .await
}

fn category((id, name): (&str, &str)) -> Value {
    json!({ "id": id, "name": name, "box_art_url": "" })
}

/// [Get Games](https://dev.twitch.tv/docs/api/reference/#get-games), by id or exact name.
async fn games(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |_, _| {
        let query = Query::from_request(&request);
        let is_wanted = |(id, name): &(&str, &str)| {
            query.all("id").any(|wanted| wanted == *id) || query.all("name").any(|wanted| wanted == *name)
        };
        if query.one("id").or(query.one("name")).is_none() {
            return Err(bad_request("Must provide an id or a name"));
        }
        let data: Vec<_> = CATEGORIES.into_iter().filter(is_wanted).map(category).collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data })))
    })
}

/// [Search Categories](https://dev.twitch.tv/docs/api/reference/#search-categories): those that contain the text.
async fn search(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |_, _| {
        let query = Query::from_request(&request);
        let wanted = required(&query, "query")?.to_lowercase();
        let found = CATEGORIES.into_iter().filter(|(_, name)| name.to_lowercase().contains(&wanted));
        let data: Vec<_> = found.map(category).collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data, "pagination": {} })))
    })
}

/// What these users have consented to (<https://dev.twitch.tv/docs/api/reference/>, app token only).
async fn authorizations(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, token| {
        if token.user_id.is_some() {
            return Err(super::caller::unauthorized("This call requires an app access token."));
        }
        let query = Query::from_request(&request);
        let accounts: Vec<_> = query.all("user_id").take(11).filter_map(|id| state.accounts.get(id)).collect();
        if accounts.len() > 10 {
            return Err(bad_request("The number of ids must not exceed 10"));
        }
        let data: Vec<_> = accounts
            .into_iter()
            .map(|account| {
                let scopes = state.consents.get(&account.id).cloned().unwrap_or_default();
                json!({
                    "user_id": account.id,
                    "user_login": account.login,
                    "user_name": account.display_name,
                    "scopes": scopes,
                })
            })
            .collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data })))
    })
}
