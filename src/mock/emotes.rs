//! Fake services with emotes, below `/emotes`: 7TV (<https://7tv.io/docs>), BetterTTV (<https://betterttv.com/developers/api>) and
//! FrankerFaceZ (<https://api.frankerfacez.com/docs/>). Their pictures have the addresses of theirs, and lead nowhere.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::world::World;

/// A service: how it wraps what it tells, and what it says of a channel that it does not know.
struct Service {
    name: &'static str,
    global: fn(Vec<Value>) -> Value,
    own: fn(&str, Vec<Value>) -> Value,
    unknown: fn() -> Value,
}

static SEVEN_TV: Service = Service {
    name: "7tv",
    global: |emotes| json!({ "id": "global", "name": "7TV Global Emotes", "flags": 0, "emotes": emotes, "emote_count": emotes.len() }),
    own: |channel, emotes| {
        let set = json!({ "id": channel, "name": "Emotes", "flags": 0, "emotes": emotes, "emote_count": emotes.len(), "capacity": 1000 });
        json!({ "id": channel, "platform": "TWITCH", "emote_capacity": 1000, "emote_set": set })
    },
    unknown: || json!({ "status_code": 404, "status": "Not Found", "error": "user not found", "error_code": 12_000 }),
};

static BETTER_TTV: Service = Service {
    name: "bttv",
    global: Value::Array,
    own: |channel, mut emotes| {
        let shared = emotes.split_off(emotes.len().div_ceil(2));
        json!({ "id": channel, "bots": [], "avatar": "", "channelEmotes": emotes, "sharedEmotes": shared })
    },
    unknown: || json!({ "message": "user not found" }),
};

static FRANKER_FACE_Z: Service = Service {
    name: "ffz",
    global: |emotes| {
        let hidden = [emote("ffz", "999", "ffzOfFew", Look::Still)];
        let set = |id: u32, emotes: &[Value]| json!({ "id": id, "title": "Global Emotes", "emoticons": emotes });
        json!({ "default_sets": [3], "sets": { "3": set(3, &emotes), "4": set(4, &hidden) }, "users": {} })
    },
    own: |channel, emotes| {
        let set = json!({ "id": 7, "title": "Channel", "emoticons": emotes });
        json!({ "room": { "twitch_id": channel, "set": 7 }, "sets": { "7": set } })
    },
    unknown: || json!({ "status": 404, "error": "Not Found", "message": "No such room" }),
};

/// How an emote of the mock looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It does not move.
    Still,
    /// It moves.
    Animated,
    /// It is laid over others, where the service has that.
    Overlay,
}

/// An emote in the form of a service.
fn emote(service: &str, id: &str, name: &str, look: Look) -> Value {
    let is_animated = look == Look::Animated;
    match service {
        "7tv" => {
            let (is_over, host) =
                (look == Look::Overlay, json!({ "url": format!("//cdn.7tv.app/emote/{id}"), "files": [] }));
            let data = json!({
                "id": id, "name": name, "flags": if is_over { 256 } else { 0 }, "lifecycle": 3, "state": ["LISTED"], "listed": true,
                "animated": is_animated, "owner": null, "host": host,
            });
            json!({ "id": id, "name": name, "flags": u8::from(is_over), "timestamp": 0, "actor_id": null, "data": data })
        }
        "bttv" => json!({
            "id": id, "code": name, "imageType": if is_animated { "gif" } else { "png" }, "animated": is_animated, "userId": "1",
        }),
        _ => {
            let url = |motion: &str, size: &str| format!("https://cdn.frankerfacez.com/emote/{id}/{motion}{size}");
            let urls = |motion: &str| BTreeMap::from(["1", "2", "4"].map(|size| (size, url(motion, size))));
            json!({
                "id": id.parse::<u32>().unwrap_or_default(), "name": name, "width": 28, "height": 28, "public": false,
                "hidden": false, "modifier": false, "modifier_flags": 0, "status": 1, "urls": urls(""),
                "animated": is_animated.then(|| urls("animated/")),
            })
        }
    }
}

fn find(name: &str) -> Option<&'static Service> {
    [&SEVEN_TV, &BETTER_TTV, &FRANKER_FACE_Z].into_iter().find(|service| service.name == name)
}

impl World {
    /// Adds an emote to a service (`7tv`, `bttv` or `ffz`): of a channel, by its id, or of all channels. Unknown services have none.
    pub fn add_emote(&self, service: &str, channel: Option<&str>, id: &str, name: &str, look: Look) {
        let Some(service) = find(service) else { return };
        self.add_raw_emote(service.name, channel, emote(service.name, id, name, look));
    }

    /// Adds what a service may tell in place of an emote.
    pub fn add_raw_emote(&self, service: &str, channel: Option<&str>, item: Value) {
        let Some(service) = find(service) else { return };
        let key = (service.name, channel.map(str::to_owned));
        self.state().services.emotes.entry(key).or_default().push(item);
    }

    /// Has a service answer 500, or no longer.
    pub fn break_emotes(&self, service: &str, is_broken: bool) {
        let Some(service) = find(service) else { return };
        let mut state = self.state();
        let broken = &mut state.services.broken;
        let _ = if is_broken { broken.insert(service.name) } else { broken.remove(service.name) };
    }

    fn emotes(&self, request: &HttpRequest, service: &Service, channel: Option<&str>) -> HttpResponse {
        let mut state = self.state();
        state.count(format!("{} {}", request.method(), request.match_pattern().unwrap_or_default()));
        if state.services.broken.contains(service.name) {
            return HttpResponse::build(StatusCode::INTERNAL_SERVER_ERROR).json(json!({ "message": "it is unwell" }));
        }
        let found = state.services.emotes.get(&(service.name, channel.map(str::to_owned))).cloned();
        match (channel, found) {
            (None, found) => HttpResponse::Ok().json((service.global)(found.unwrap_or_default())),
            (Some(channel), Some(found)) => HttpResponse::Ok().json((service.own)(channel, found)),
            (Some(_), None) => HttpResponse::NotFound().json((service.unknown)()),
        }
    }
}

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    let mut mount = |service: &'static Service, global: &str, own: &str| {
        let of_all = async move |world: web::Data<World>, request: HttpRequest| world.emotes(&request, service, None);
        let of_channel = async move |world: web::Data<World>, request: HttpRequest, id: web::Path<String>| {
            world.emotes(&request, service, Some(&id))
        };
        cfg.route(global, web::get().to(of_all)).route(own, web::get().to(of_channel));
    };
    mount(&SEVEN_TV, "/emotes/7tv/v3/emote-sets/global", "/emotes/7tv/v3/users/twitch/{id}");
    mount(&BETTER_TTV, "/emotes/bttv/3/cached/emotes/global", "/emotes/bttv/3/cached/users/twitch/{id}");
    mount(&FRANKER_FACE_Z, "/emotes/ffz/v1/set/global", "/emotes/ffz/v1/room/id/{id}");
}
