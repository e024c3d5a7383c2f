//! The screenshots in README.md and docs/. They are taken each time and written with
//! `UPDATE_SCREENSHOTS=1 cargo test screenshots`.

use std::path::Path;

use serde_json::{Value, json};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use time::{Duration, OffsetDateTime};

use super::chromium::{Page, in_chromium};
use super::overlay::OPEN;
use crate::support::messages::{at, subscription, text};
use crate::support::server::Server;

const VIEWERS: [(&str, &str); 4] =
    [("55120873", "QuietOtter"), ("61904417", "MintComet"), ("73310095", "BraveTeapot"), ("48812001", "TinyLoom")];

/// An event on the channel, caused by this user.
fn happened(kind: &str, minutes_ago: i64, (prefix, (id, name)): (&str, (&str, &str)), event: Value) -> Outgoing {
    let at = at(300) - Duration::minutes(minutes_ago) - Duration::seconds(37 * minutes_ago % 60);
    happened_at(kind, at, (prefix, (id, name)), event)
}

fn happened_at(kind: &str, at: OffsetDateTime, who: (&str, (&str, &str)), mut event: Value) -> Outgoing {
    let (prefix, viewer) = who;
    let channel = if kind == "channel.raid" { "to_broadcaster_user_" } else { "broadcaster_user_" };
    for (prefix, (id, name)) in [(channel, ("90210441", "MapleArcade")), (prefix, viewer)] {
        event[format!("{prefix}id")] = id.into();
        event[format!("{prefix}login")] = name.to_lowercase().into();
        event[format!("{prefix}name")] = name.into();
    }
    Outgoing::notification(Stamp::new(text(at)), &subscription(kind, &event), &event)
}

/// A stream with its events.
async fn deliver_events(server: &Server) {
    let [otter, comet, teapot, loom] = VIEWERS;
    let title = json!({
        "title": "Any% until the cat wakes up", "language": "en", "category_id": "33214", "category_name": "Pixel Racer",
        "content_classification_labels": [],
    });
    let resubscription = json!({
        "tier": "1000", "cumulative_months": 15, "streak_months": 3, "duration_months": 1,
        "message": { "text": "love this show", "emotes": [] },
    });
    let started_at = text(at(-3_900));
    for message in [
        happened(
            "stream.online",
            8,
            ("broadcaster_user_", ("90210441", "MapleArcade")),
            json!({ "id": "40952121085", "type": "live", "started_at": started_at }),
        ),
        happened("channel.update", 7, ("broadcaster_user_", ("90210441", "MapleArcade")), title),
        happened("channel.follow", 6, ("user_", otter), json!({ "followed_at": text(at(0)) })),
        happened("channel.raid", 5, ("from_broadcaster_user_", loom), json!({ "viewers": 42 })),
        happened(
            "channel.cheer",
            4,
            ("user_", comet),
            json!({ "is_anonymous": false, "message": "Cheer500 that jump!", "bits": 500 }),
        ),
        happened("channel.subscription.message", 3, ("user_", teapot), resubscription),
        happened(
            "channel.subscription.gift",
            2,
            ("user_", comet),
            json!({ "is_anonymous": false, "total": 5, "tier": "1000", "cumulative_total": 20 }),
        ),
        happened("channel.follow", 1, ("user_", teapot), json!({ "followed_at": text(at(200)) })),
    ] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
    let path = "/channels/maplearcade/segments";
    assert_eq!(server.post_json(path, &json!({ "title": "Tape 13: the long way home" })).await.status, 201);
}

async fn take(page: &Page, name: &str) {
    let png = page.screenshot().await;
    assert!(png.starts_with(b"\x89PNG"), "{name} is a picture");
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(name), png).unwrap();
    }
}

#[tokio::test]
async fn screenshots_of_the_documents_can_be_taken() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prefer_still("dark").await;
        page.resize(1280, 800).await;
        page.open(&server.page("/")).await;
        page.until("document.querySelector('#connection.pass')").await;
        deliver_events(&server).await;
        page.until("document.querySelectorAll('.event').length === 9").await;
        page.until("document.querySelector('.segment:not([hidden])')").await;
        page.until("document.querySelector('.channel .list time')").await;
        page.click(".event[data-type=\"channel.cheer\"] summary").await;
        page.eval("document.activeElement.blur()").await;
        take(page, "dashboard.png").await;

        page.resize(800, 260).await;
        page.background(json!({ "r": 58, "g": 51, "b": 82, "a": 1 })).await;
        page.open(&server.page("/overlay/alerts?duration=60")).await;
        page.until(OPEN).await;
        let cheer = json!({ "is_anonymous": false, "message": "Cheer500 that jump was unreal!", "bits": 500 });
        server.deliver(&happened("channel.cheer", 0, ("user_", VIEWERS[0]), cheer)).await;
        page.until("document.querySelector('.alert .text')").await;
        take(page, "alert.png").await;
    })
    .await;
}
