//! The pictures that stand in chats: badges (<https://dev.twitch.tv/docs/api/reference/#get-global-chat-badges>) and cheermotes
//! (<https://dev.twitch.tv/docs/api/reference/#get-cheermotes>). Their addresses have the form of Twitch's, and lead nowhere.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use super::helix::{Query, bad_request};
use super::world::World;

/// The badges of all channels: set, version, title.
const GLOBAL: [(&str, &str, &str); 8] = [
    ("admin", "1", "Admin"),
    ("bot-badge", "1", "Chat Bot"),
    ("broadcaster", "1", "Broadcaster"),
    ("moderator", "1", "Moderator"),
    ("premium", "1", "Prime Gaming"),
    ("subscriber", "0", "Subscriber"),
    ("subscriber", "1", "Subscriber"),
    ("vip", "1", "VIP"),
];

/// Those that every channel of the mock has of its own.
const OWN: [(&str, &str, &str); 5] = [
    ("bits", "1", "cheer 1"),
    ("bits", "100", "cheer 100"),
    ("subscriber", "0", "Subscriber"),
    ("subscriber", "3", "3-Month Subscriber"),
    ("subscriber", "6", "6-Month Subscriber"),
];

/// The tiers of a cheermote: bits and color.
const TIERS: [(u32, &str); 5] =
    [(1, "#979797"), (100, "#9c3ee8"), (1_000, "#1db2a5"), (5_000, "#0099fe"), (10_000, "#f43021")];

/// The cheermotes of all channels.
const CHEERMOTES: [&str; 3] = ["Cheer", "DoodleCheer", "PogChamp"];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("/chat/badges/global", web::get().to(global_badges))
        .route("/chat/badges", web::get().to(channel_badges))
        .route("/bits/cheermotes", web::get().to(cheermotes));
}

async fn global_badges(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |_, _| Ok(HttpResponse::Ok().json(json!({ "data": sets("global", &GLOBAL) }))))
}

async fn channel_badges(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, _| {
        let query = Query::from_request(&request);
        let channel = query.one("broadcaster_id");
        let channel = channel.ok_or_else(|| bad_request("Missing required parameter \"broadcaster_id\""))?;
        let data = if state.accounts.contains_key(channel) { sets(channel, &OWN) } else { Vec::new() };
        Ok(HttpResponse::Ok().json(json!({ "data": data })))
    })
}

/// Without a channel, those of all channels alone.
async fn cheermotes(world: web::Data<World>, request: HttpRequest) -> HttpResponse {
    world.answer(&request, |state, _| {
        let query = Query::from_request(&request);
        let own = query.one("broadcaster_id").and_then(|id| state.accounts.get(id));
        let own = own.map(|account| format!("{}Cheer", account.login));
        let global = CHEERMOTES.into_iter().map(|prefix| cheermote(prefix, "global_first_party"));
        let data: Vec<_> = global.chain(own.iter().map(|prefix| cheermote(prefix, "channel_custom"))).collect();
        Ok(HttpResponse::Ok().json(json!({ "data": data })))
    })
}

/// Badges by their sets, which stand together in the list.
fn sets(owner: &str, badges: &[(&str, &str, &str)]) -> Vec<Value> {
    let sets = badges.chunk_by(|one, other| one.0 == other.0);
    sets.map(|set| {
        let versions: Vec<_> = set.iter().map(|badge| version(owner, *badge)).collect();
        json!({ "set_id": set[0].0, "versions": versions })
    })
    .collect()
}

fn version(owner: &str, (set, id, title): (&str, &str, &str)) -> Value {
    let image = |size: u8| format!("https://static-cdn.jtvnw.net/badges/v1/{owner}-{set}-{id}/{size}");
    json!({
        "id": id,
        "image_url_1x": image(1),
        "image_url_2x": image(2),
        "image_url_4x": image(3),
        "title": title,
        "description": title,
        "click_action": null,
        "click_url": null,
    })
}

fn cheermote(prefix: &str, kind: &str) -> Value {
    let tiers: Vec<_> = TIERS
        .iter()
        .map(|(bits, color)| {
            let images = |ground: &str| {
                json!({ "animated": sizes(prefix, ground, "animated", *bits, "gif"), "static": sizes(prefix, ground, "static", *bits, "png") })
            };
            json!({
                "min_bits": bits,
                "id": bits.to_string(),
                "color": color,
                "images": { "dark": images("dark"), "light": images("light") },
                "can_cheer": true,
                "show_in_bits_card": true,
            })
        })
        .collect();
    json!({
        "prefix": prefix,
        "tiers": tiers,
        "type": kind,
        "order": 1,
        "last_updated": "2018-05-22T00:06:04Z",
        "is_charitable": false,
    })
}

/// The addresses of a picture by size.
fn sizes(prefix: &str, ground: &str, motion: &str, bits: u32, form: &str) -> Map<String, Value> {
    let place =
        format!("https://d3aqoihi2n8ty8.cloudfront.net/actions/{}/{ground}/{motion}/{bits}", prefix.to_lowercase());
    ["1", "1.5", "2", "3", "4"]
        .iter()
        .map(|size| ((*size).to_owned(), format!("{place}/{size}.{form}").into()))
        .collect()
}
