//! Badges and cheermotes of chats.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use showtime::cache::{AFTER_FAILURE, TTL};
use showtime::mock::Faults;

use crate::support::messages::{at, follow};
use crate::support::postgres::fresh_database;
use crate::support::server::{Answer, OVERLAY_TOKEN, Server};
use crate::support::twitch::Twitch;

/// Those of the channel of all messages.
const PATH: &str = "/channels/90210441/chat/pictures";

/// A server of this Twitch, which has heard of the channel.
async fn start(twitch: &Twitch) -> Server {
    let server = Server::at(twitch.clock.clone(), fresh_database().await, |config| twitch.configure(config)).await;
    server.deliver(&follow("1", at(0))).await;
    server
}

async fn get(server: &Server) -> Answer {
    server.send_as(OVERLAY_TOKEN, Method::GET, PATH).await
}

/// How often each of the three lists was asked for.
fn calls(twitch: &Twitch) -> [usize; 3] {
    ["chat/badges/global", "chat/badges", "bits/cheermotes"]
        .map(|it| twitch.mock.world.calls(&format!("GET /helix/{it}")))
}

#[tokio::test]
async fn pictures_are_those_of_all_channels_and_of_the_channel() {
    let twitch = Twitch::start().await;
    let server = start(&twitch).await;
    let pictures = get(&server).await.json();
    let badge = |set: &str, id: &str| pictures["badges"][set][id].clone();
    let address = |it: &str| format!("https://static-cdn.jtvnw.net/badges/v1/{it}/2");
    assert_eq!(badge("moderator", "1"), json!({ "title": "Moderator", "url": address("global-moderator-1") }));
    assert_eq!(
        badge("subscriber", "6"),
        json!({ "title": "6-Month Subscriber", "url": address("90210441-subscriber-6") })
    );
    assert_eq!(badge("subscriber", "0")["url"], address("90210441-subscriber-0"), "the channel's own");
    assert_eq!(badge("subscriber", "1")["url"], address("global-subscriber-1"), "where it has none of its own");

    let tiers = pictures["cheermotes"]["cheer"].as_array().unwrap();
    let bits: Vec<_> = tiers.iter().map(|tier| tier["min_bits"].as_i64().unwrap()).collect();
    assert_eq!(bits, [1, 100, 1_000, 5_000, 10_000]);
    let place = "https://d3aqoihi2n8ty8.cloudfront.net/actions/cheer";
    let images = |ground: &str| json!({ "animated": format!("{place}/{ground}/animated/100/2.gif"), "static": format!("{place}/{ground}/static/100/2.png") });
    let expected = json!({ "min_bits": 100, "color": "#9c3ee8", "dark": images("dark"), "light": images("light") });
    assert_eq!(tiers[1], expected);
    assert!(pictures["cheermotes"]["maplearcadecheer"].is_array(), "the channel's own");
    server.send_as(OVERLAY_TOKEN, Method::GET, "/channels/nope/chat/pictures").await.problem(404, "not-found");
}

#[tokio::test]
async fn pictures_are_looked_up_once_an_hour_and_kept_while_twitch_is_away() {
    let twitch = Twitch::start().await;
    let server = start(&twitch).await;
    let answers = join_all((0..5).map(|_| get(&server))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(calls(&twitch), [1, 1, 1]);
    let first = answers[0].json();

    twitch.clock.advance(TTL.try_into().unwrap());
    assert_eq!(get(&server).await.json(), first);
    assert_eq!(calls(&twitch), [2, 2, 2]);

    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    twitch.clock.advance(TTL.try_into().unwrap());
    assert_eq!(get(&server).await.json(), first, "the old ones");
    let asked = calls(&twitch);
    assert_eq!(get(&server).await.json(), first);
    assert_eq!(calls(&twitch), asked, "not again at once");
}

#[tokio::test]
async fn twitch_that_does_not_tell_is_asked_again_after_a_minute() {
    let twitch = Twitch::start().await;
    let server = start(&twitch).await;
    twitch.mock.world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    get(&server).await.problem(503, "twitch-unavailable");
    twitch.mock.world.set_faults(Faults::default()).unwrap();
    let refused = get(&server).await;
    refused.problem(503, "twitch-unavailable");
    assert!(refused.headers.contains_key("retry-after"));
    twitch.clock.advance(AFTER_FAILURE.try_into().unwrap());
    assert_eq!(get(&server).await.status, 200);
}

#[tokio::test]
async fn without_an_application_there_are_no_pictures() {
    let server = Server::start().await;
    server.deliver(&follow("1", at(0))).await;
    let none = json!({ "badges": {}, "cheermotes": {} });
    assert_eq!(get(&server).await.json(), none);
    server
        .sql("insert into served_channel (id, login, display_name, requested_at) values ('7', 'seven', 'Seven', now())")
        .await;
    assert_eq!(server.json("/channels/seven/chat/pictures").await, none, "also before its first event");
}

#[tokio::test]
async fn channel_of_a_demo_has_the_badges_of_all_channels() {
    let twitch = Twitch::start().await;
    let server = start(&twitch).await;
    server
        .sql(
            "insert into channel (id, anonymous_bits, anonymous_gifts) values ('showtime-demo', 0, 0);
            insert into twitch_user values ('showtime-demo', 'showtime_demo', 'Demo', now(), '')",
        )
        .await;
    let answer = server.send_as(OVERLAY_TOKEN, Method::GET, "/channels/showtime-demo/chat/pictures").await;
    let pictures: Value = answer.json();
    assert_eq!((answer.status.as_u16(), &pictures["cheermotes"]), (200, &json!({})));
    assert_eq!(pictures["badges"]["vip"]["1"]["title"], "VIP");
    assert_eq!(calls(&twitch), [1, 0, 0]);
}
