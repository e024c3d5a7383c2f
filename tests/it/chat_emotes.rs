//! Emotes of 7TV, BetterTTV and FrankerFaceZ.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::cache::{AFTER_FAILURE, TTL};
use showtime::config::{Config, EmoteUrls};
use showtime::mock::Look;

use crate::support::messages::{at, follow};
use crate::support::postgres::fresh_database;
use crate::support::server::{Answer, OVERLAY_TOKEN, Server};
use crate::support::twitch::{CHANNEL_ID, Twitch};

impl Twitch {
    /// Has a server ask this mock for emotes, and nothing else of it.
    pub(crate) fn configure_emotes(&self, config: &mut Config) {
        config.emotes = EmoteUrls {
            seven_tv: format!("{}/v3", self.mock.emotes_url("7tv")),
            better_ttv: format!("{}/3", self.mock.emotes_url("bttv")),
            franker_face_z: format!("{}/v1", self.mock.emotes_url("ffz")),
        };
    }

    /// How often these services were asked for anything.
    pub(crate) fn emote_calls(&self) -> [usize; 3] {
        [
            ["7tv/v3/emote-sets/global", "7tv/v3/users/twitch/{id}"],
            ["bttv/3/cached/emotes/global", "bttv/3/cached/users/twitch/{id}"],
            ["ffz/v1/set/global", "ffz/v1/room/id/{id}"],
        ]
        .map(|paths| paths.iter().map(|path| self.mock.world.calls(&format!("GET /emotes/{path}"))).sum())
    }
}

/// A server that has heard of the channel.
async fn start(twitch: &Twitch) -> Server {
    let server =
        Server::at(twitch.clock.clone(), fresh_database().await, |config| twitch.configure_emotes(config)).await;
    server.deliver(&follow("1", at(0))).await;
    server
}

async fn get(server: &Server, services: &str) -> Answer {
    let path = format!("/channels/{CHANNEL_ID}/chat/emotes?services={services}");
    server.send_as(OVERLAY_TOKEN, Method::GET, &path).await
}

/// The names of the emotes, with the service of each.
fn names(answer: &Value) -> Vec<String> {
    let emotes = answer["emotes"].as_object().unwrap();
    emotes.iter().map(|(name, emote)| format!("{name} {}", emote["service"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn emotes_are_those_of_all_channels_and_of_the_channel_which_go_before() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    for (service, id) in [("7tv", "01A"), ("bttv", "5a"), ("ffz", "1")] {
        world.add_emote(service, None, id, "Wave", Look::Still);
        world.add_emote(service, None, id, &format!("{service}Global"), Look::Animated);
        world.add_emote(service, Some(CHANNEL_ID), id, &format!("{service}Own"), Look::Overlay);
    }
    world.add_emote("ffz", Some(CHANNEL_ID), "2", "bttvGlobal", Look::Still);
    let server = start(&twitch).await;
    assert_eq!(twitch.emote_calls(), [0, 0, 0], "no overlay has asked");
    let found = get(&server, "7tv,bttv,ffz").await.json();
    assert_eq!(
        names(&found),
        ["7tvGlobal 7tv", "7tvOwn 7tv", "Wave 7tv", "bttvGlobal ffz", "bttvOwn bttv", "ffzGlobal ffz", "ffzOwn ffz"]
    );
    let two = get(&server, "bttv,7tv").await.json();
    assert_eq!(names(&two), ["7tvGlobal 7tv", "7tvOwn 7tv", "Wave bttv", "bttvGlobal bttv", "bttvOwn bttv"]);
    let emote = |name: &str| found["emotes"][name].clone();
    let place = "https://cdn.7tv.app/emote/01A";
    assert_eq!(
        emote("7tvGlobal"),
        json!({ "service": "7tv", "url": format!("{place}/2x.webp"), "still_url": format!("{place}/2x_static.webp"), "is_zero_width": false })
    );
    assert_eq!(emote("7tvOwn")["is_zero_width"], true);
    assert_eq!(emote("bttvGlobal")["url"], "https://cdn.frankerfacez.com/emote/2/2");
    assert_eq!(emote("ffzGlobal")["url"], "https://cdn.frankerfacez.com/emote/1/animated/2");
    assert_eq!(found["unavailable"], json!([]));
    assert_eq!(
        server.check("emotes").await,
        ("pass".to_owned(), "overlays show emotes of 7TV, BetterTTV, FrankerFaceZ".to_owned())
    );
}

#[tokio::test]
async fn only_services_that_are_named_are_asked_and_once_an_hour() {
    let twitch = Twitch::start().await;
    let server = start(&twitch).await;
    assert_eq!(server.check("emotes").await.0, "pass");
    assert_eq!(get(&server, "bttv").await.json(), json!({ "emotes": {}, "unavailable": [] }), "none is no failure");
    assert_eq!(get(&server, "bttv,bttv").await.status, 200);
    assert_eq!(twitch.emote_calls(), [0, 2, 0]);
    twitch.clock.advance(TTL.try_into().unwrap());
    get(&server, "bttv").await;
    assert_eq!(twitch.emote_calls(), [0, 4, 0]);
    for wrong in ["", "twitch", "7tv,", "7TV"] {
        assert_eq!(
            get(&server, wrong).await.problem(400, "invalid-parameter")["parameters"],
            json!(["services"]),
            "{wrong}"
        );
    }
    let path = format!("/channels/{CHANNEL_ID}/chat/emotes");
    server.get(&path).await.problem(400, "invalid-parameter");
    server.get("/channels/nope/chat/emotes?services=7tv").await.problem(404, "not-found");
    assert_eq!(twitch.emote_calls(), [0, 4, 0]);
}

#[tokio::test]
async fn service_that_is_away_costs_no_emotes_of_others_and_is_shown_in_the_status() {
    let twitch = Twitch::start().await;
    twitch.mock.world.add_emote("7tv", None, "01A", "Wave", Look::Still);
    twitch.mock.world.add_emote("ffz", None, "1", "Smile", Look::Still);
    let server = start(&twitch).await;
    twitch.mock.world.break_emotes("ffz", true);
    let found = get(&server, "7tv,ffz").await.json();
    assert_eq!((names(&found), &found["unavailable"]), (vec!["Wave 7tv".to_owned()], &json!(["ffz"])));
    let (status, message) = server.check("emotes").await;
    assert!(status == "warn" && message.contains("FrankerFaceZ") && !message.contains("7TV"), "{message}");
    let asked = twitch.emote_calls();
    get(&server, "7tv,ffz").await;
    assert_eq!(twitch.emote_calls(), asked, "not again at once");

    twitch.mock.world.break_emotes("ffz", false);
    twitch.clock.advance(AFTER_FAILURE.try_into().unwrap());
    let found = get(&server, "7tv,ffz").await.json();
    assert_eq!(
        (names(&found), &found["unavailable"]),
        (vec!["Smile ffz".to_owned(), "Wave 7tv".to_owned()], &json!([]))
    );
    assert_eq!(server.check("emotes").await.0, "pass");
    twitch.mock.world.break_emotes("7tv", true);
    twitch.clock.advance(TTL.try_into().unwrap());
    assert_eq!(names(&get(&server, "7tv,ffz").await.json()), ["Smile ffz", "Wave 7tv"], "those that were known before");
    assert_eq!(server.check("emotes").await.0, "warn");
    twitch.clock.advance(TTL.try_into().unwrap());
    assert_eq!(server.check("emotes").await.0, "pass", "no overlay has asked for an hour");
}

#[tokio::test]
async fn emotes_that_cannot_be_read_fail_alone_and_are_counted() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    world.add_raw_emote("7tv", None, json!({ "id": "../../x", "name": "Path" }));
    world.add_raw_emote("7tv", None, Value::Null);
    world.add_emote("7tv", None, "01A", "Wave", Look::Still);
    let server = start(&twitch).await;
    assert_eq!(names(&get(&server, "7tv").await.json()), ["Wave 7tv"]);
    let metrics = server.get("/metrics").await.text;
    let counted = r#"showtime_incidents_total{kind="unread_emote",subject="7tv"} 2"#;
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn policy_of_the_chat_allows_the_pictures_of_the_services_that_are_on() {
    let server = Server::start().await;
    let twitch = "img-src 'self' https://static-cdn.jtvnw.net https://d3aqoihi2n8ty8.cloudfront.net";
    let policy = async |path: &str| {
        let answer = server.get(path).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap().to_owned();
        policy.split("; ").find(|part| part.starts_with("img-src")).unwrap().to_owned()
    };
    assert_eq!(policy("/overlay/chat").await, twitch);
    assert_eq!(
        policy("/overlay/chat?emotes=ffz,7tv,evil.example.org").await,
        format!("{twitch} https://cdn.7tv.app https://cdn.frankerfacez.com")
    );
    assert_eq!(policy("/overlay/chat/main").await, twitch, "there are no such settings");
    let first = server.get("/overlay/chat/main").await.headers["etag"].clone();
    let saved = server.put_json("/overlays/settings/main", &json!({ "chat": { "emotes": ["bttv"] } })).await;
    assert_eq!(saved.json()["settings"]["chat"]["emotes"], json!(["bttv"]));
    assert_eq!(policy("/overlay/chat/main").await, format!("{twitch} https://cdn.betterttv.net"));
    assert_ne!(server.get("/overlay/chat/main").await.headers["etag"], first, "browsers must not keep the old policy");
    assert_eq!(policy("/overlay/chat/main?emotes=").await, twitch, "a setting in the address goes before");
    assert_eq!(policy("/overlay/goal/main?emotes=7tv").await, "img-src 'self'");
    let refused = server.put_json("/overlays/settings/main", &json!({ "chat": { "emotes": ["twitch"] } })).await;
    assert_eq!(refused.problem(400, "invalid-field")["field"], "chat.emotes[0]");
}
