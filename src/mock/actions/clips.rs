//! Clips (<https://dev.twitch.tv/docs/api/reference/#create-clip>). Each can be read a few seconds after it was made.

use actix_web::{HttpRequest, HttpResponse, web};
use rand::distr::{Alphabetic, SampleString as _};
use serde_json::{Value, json};
use time::Duration;

use super::Performed;
use super::caller::{channel, is_live, not_found, required, user};
use super::ledger::Effect;
use super::rooms::{Clip, push};
use crate::mock::helix::{Query, bad_request};
use crate::mock::state::{State, rfc3339};
use crate::mock::world::World;

/// How many seconds Twitch takes to make a clip, if not set otherwise.
const PROCESSING: u32 = 3;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/clips", web::post().to(create)).route("/clips", web::get().to(clips));
}

async fn create(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    let query = Query::from_request(&request);
    world
        .into_inner()
        .perform(&request, "clip", |world, state, token| {
            let creator_id = user(token, "clips:edit")?.to_owned();
            let channel = channel(state, required(&query, "broadcaster_id")?, "broadcaster_id")?;
            let duration = query.one("duration").map_or(Ok(30.0), str::parse::<f64>).ok();
            let duration = duration.filter(|duration| (5.0..=60.0).contains(duration));
            let duration = duration.ok_or_else(|| bad_request("The parameter \"duration\" must be from 5 to 60."))?;
            if !is_live(state, &channel) {
                return Err(not_found("Clipping is not possible for an offline channel."));
            }
            let id = Alphabetic.sample_string(&mut rand::rng(), 24);
            let account = state.accounts.get(&channel);
            let title = query.one("title").map(str::to_owned).or_else(|| Some(account?.title.clone()));
            let created_at = world.config.clock.now();
            let ready_at = created_at + Duration::seconds(state.faults.settings().clip_s.unwrap_or(PROCESSING).into());
            let clip =
                Clip { id: id.clone(), creator_id, title: title.unwrap_or_default(), duration, created_at, ready_at };
            push(&mut state.rooms.entry(&channel).clips, clip);
            let edit_url = format!("https://clips.twitch.tv/{id}/edit");
            let effect = Effect::new(&channel, json!({ "id": id }));
            let data = json!([{ "id": id, "edit_url": edit_url }]);
            Performed::new(effect, HttpResponse::Accepted().json(json!({ "data": data })))
        })
        .await
}

async fn clips(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, _| {
        let query = Query::from_request(&request);
        if query.one("id").is_some() == query.one("broadcaster_id").is_some() {
            return Err(bad_request("Exactly one of id and broadcaster_id must be given"));
        }
        let now = world.config.clock.now();
        let rooms = state.accounts.keys().filter_map(|channel| Some((channel, state.rooms.get(channel)?)));
        let made = rooms.flat_map(|(channel, room)| room.clips.iter().map(move |clip| (channel, clip)));
        let is_wanted = |(channel, clip): &(&String, &Clip)| {
            query.all("id").any(|id| id == clip.id) || query.one("broadcaster_id") == Some(channel.as_str())
        };
        let ready = made.filter(|(_, clip)| clip.ready_at <= now).filter(is_wanted);
        let data: Vec<_> = ready.take(100).map(|(channel, clip)| shown(state, channel, clip)).collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data, "pagination": {} })))
    })
}

fn shown(state: &State, channel: &str, clip: &Clip) -> Value {
    let account = state.accounts.get(channel);
    let creator = state.accounts.get(&clip.creator_id);
    json!({
        "id": clip.id,
        "url": format!("https://clips.twitch.tv/{}", clip.id),
        "embed_url": format!("https://clips.twitch.tv/embed?clip={}", clip.id),
        "broadcaster_id": channel,
        "broadcaster_name": account.map(|account| &account.display_name),
        "creator_id": clip.creator_id,
        "creator_name": creator.map(|account| &account.display_name),
        "video_id": "",
        "game_id": account.map(|account| &account.game_id),
        "language": account.map(|account| &account.language),
        "title": clip.title,
        "view_count": 0,
        "created_at": rfc3339(clip.created_at),
        "thumbnail_url": "",
        "duration": clip.duration,
        "vod_offset": null,
        "is_featured": false,
    })
}
