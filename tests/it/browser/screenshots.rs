//! The screenshots in README.md and docs/. They are taken each time and written with
//! `UPDATE_SCREENSHOTS=1 cargo test screenshots`.

use std::path::Path;

use serde_json::{Value, json};
use showtime::clock::Clock;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use time::Duration;

use super::chromium::{Page, in_chromium};
use super::overlay::OPEN;
use crate::support::messages::{subscription, text};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;

const CHANNEL: (&str, &str) = ("90210441", "MapleArcade");

const OTTER: (&str, &str) = ("55120873", "QuietOtter");
const COMET: (&str, &str) = ("61904417", "MintComet");
const TEAPOT: (&str, &str) = ("73310095", "BraveTeapot");
const LOOM: (&str, &str) = ("48812001", "TinyLoom");
const GECKO: (&str, &str) = ("51230099", "SleepyGecko");

/// For how long the broadcast that is on has been on, and how long each broadcast of the days before was, in minutes.
const MINUTES: (i64, i64) = (96, 130);

/// Days before with a broadcast.
const DAYS: i64 = 6;

/// An event on the channel that happens now, caused by this user; `prefix` is that of the fields about them.
async fn happen(server: &Server, kind: &str, (prefix, viewer): (&str, (&str, &str)), mut event: Value) {
    let channel = if kind == "channel.raid" { "to_broadcaster_user_" } else { "broadcaster_user_" };
    for (prefix, (id, name)) in [(channel, CHANNEL), (prefix, viewer)] {
        event[format!("{prefix}id")] = id.into();
        event[format!("{prefix}login")] = name.to_lowercase().into();
        event[format!("{prefix}name")] = name.into();
    }
    let message = Outgoing::notification(Stamp::new(text(server.clock.now())), &subscription(kind, &event), &event);
    assert_eq!(server.deliver(&message).await.status, 204);
}

async fn go_live(server: &Server, stream: i64, title: &str, category: &str) {
    let broadcaster = ("broadcaster_user_", CHANNEL);
    let started_at = text(server.clock.now());
    let online = json!({ "id": stream.to_string(), "type": "live", "started_at": started_at });
    happen(server, "stream.online", broadcaster, online).await;
    name(server, title, category).await;
}

async fn name(server: &Server, title: &str, category: &str) {
    let update = json!({
        "title": title, "language": "en", "category_id": "33214", "category_name": category,
        "content_classification_labels": [],
    });
    happen(server, "channel.update", ("broadcaster_user_", CHANNEL), update).await;
}

async fn follow(server: &Server, viewer: (&str, &str)) {
    let event = json!({ "followed_at": text(server.clock.now()) });
    happen(server, "channel.follow", ("user_", viewer), event).await;
}

async fn cheer(server: &Server, viewer: (&str, &str), bits: i64, message: &str) {
    let event = json!({ "is_anonymous": false, "message": message, "bits": bits });
    happen(server, "channel.cheer", ("user_", viewer), event).await;
}

async fn gift(server: &Server, viewer: (&str, &str), total: i64) {
    let event = json!({ "is_anonymous": false, "total": total, "tier": "1000", "cumulative_total": 20 + total });
    happen(server, "channel.subscription.gift", ("user_", viewer), event).await;
}

async fn raid(server: &Server, raider: (&str, &str), viewers: i64) {
    happen(server, "channel.raid", ("from_broadcaster_user_", raider), json!({ "viewers": viewers })).await;
}

async fn renew(server: &Server, viewer: (&str, &str), months: i64, message: &str) {
    let event = json!({
        "tier": "1000", "cumulative_months": months, "streak_months": 3, "duration_months": 1,
        "message": { "text": message, "emotes": [] },
    });
    happen(server, "channel.subscription.message", ("user_", viewer), event).await;
}

async fn begin_segment(server: &Server, title: &str) {
    let path = "/channels/maplearcade/segments";
    assert_eq!(server.post_json(path, &json!({ "title": title })).await.status, 201);
}

fn pass(server: &Server, minutes: i64) {
    server.clock.advance(Duration::minutes(minutes));
}

/// A broadcast on each of the days before, ending with the server's clock at the begin of the one that is on.
async fn earlier_broadcasts(server: &Server) {
    let titles =
        ["Kaizo with commentary", "Blind race against chat", "Sunday co-op", "Practice, no reset", "Any% attempts"];
    for (day, title) in (0..DAYS).zip(titles.into_iter().cycle()) {
        go_live(server, 100 + day, title, "Pixel Racer").await;
        for part in 0..8 {
            pass(server, MINUTES.1 / 8);
            let viewer = (format!("{}", 7_000 + day * 10 + part), format!("Viewer{day}{part}"));
            let viewer = (viewer.0.as_str(), viewer.1.as_str());
            if (day + part) % 3 != 0 {
                follow(server, viewer).await;
            }
            match (part + 2 * day) % 5 {
                0 => cheer(server, viewer, 100 * (day + 1), "Cheer100").await,
                1 => gift(server, viewer, 1 + day).await,
                2 => renew(server, viewer, 4 + part, "hi").await,
                3 if part > 4 => raid(server, viewer, 20 + 13 * day).await,
                _ => {}
            }
        }
        happen(server, "stream.offline", ("broadcaster_user_", CHANNEL), json!({ "id": (100 + day).to_string() }))
            .await;
        pass(server, 24 * 60 - MINUTES.1 / 8 * 8);
    }
}

/// The broadcast that is on, up to now.
async fn current_broadcast(server: &Server) {
    go_live(server, 200, "Any% until the cat wakes up", "Pixel Racer").await;
    begin_segment(server, "Tape 12: warm-up").await;
    pass(server, 9);
    follow(server, OTTER).await;
    pass(server, 14);
    cheer(server, GECKO, 150, "Cheer150 good luck").await;
    pass(server, 6);
    name(server, "Any% until the cat wakes up – personal best or bust", "Pixel Racer").await;
    begin_segment(server, "Tape 13: the long way home").await;
    pass(server, 18);
    raid(server, LOOM, 42).await;
    pass(server, 1);
    follow(server, GECKO).await;
    follow(server, LOOM).await;
    pass(server, 13);
    renew(server, TEAPOT, 15, "love this show").await;
    pass(server, 12);
    gift(server, COMET, 10).await;
    pass(server, 8);
    cheer(server, COMET, 500, "Cheer500 that jump!").await;
    pass(server, 7);
    renew(server, OTTER, 7, "see you on Sunday").await;
    pass(server, 5);
    follow(server, TEAPOT).await;
    pass(server, 3);
}

/// How many watched and wrote in each minute of the broadcasts, as the server counts it.
const WATCHED: &str = "
    insert into activity (channel_id, minute, subscriptions, resubscriptions, gifts, bits, raids, raid_viewers, redemptions, messages,
        viewer_samples, viewers, viewers_peak)
    select '90210441', minute, 0, 0, 0, 0, 0, 0, 0, talk, 1, watch, watch from (
        select minute, round(10 + 6 * sin(n / 4.0) + 3 * sin(n * 1.7) - started / 7.0)::bigint as talk,
            round(340 * (1 - exp(-n / 14.0)) + 38 * sin(n / 9.0) + case when n > 46 and started = 0 then 55 else 0 end - 9 * started)::bigint as watch
        from generate_series(0, 6) as started, generate_series(0, 95) as n,
            lateral (select date_trunc('minute', now()) - started * interval '1 day' - (95 - n) * interval '1 minute' as minute) as at
    ) as samples
    on conflict (channel_id, minute) do update set messages = excluded.messages, viewer_samples = 1, viewers = excluded.viewers,
        viewers_peak = excluded.viewers_peak";

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
    let clock = Clock::default();
    clock.advance(-Duration::days(DAYS) - Duration::minutes(MINUTES.0));
    let server = Server::at(clock, fresh_database().await, |_| {}).await;
    earlier_broadcasts(&server).await;
    current_broadcast(&server).await;
    server.sql(WATCHED).await;
    in_chromium(async |page| {
        page.prefer_still("dark").await;
        page.resize(1440, 900).await;
        page.open(&server.page("/")).await;
        page.until("document.querySelector('#connection.pass')").await;
        page.until("document.querySelectorAll('.event').length > 20").await;
        page.until("document.querySelector('.segment:not([hidden])')").await;
        page.until("document.querySelector('.channel .list time')").await;
        page.until("document.querySelector('.channel svg path')").await;
        page.eval("document.activeElement.blur()").await;
        take(page, "dashboard.png").await;

        page.resize(1280, 900).await;
        page.open(&server.page("/history")).await;
        page.until(&format!("document.querySelectorAll('[data-broadcast]').length === {}", DAYS + 1)).await;
        page.click("[data-broadcast] button").await;
        page.until("document.querySelector('.timeline figure + figure path')").await;
        page.eval("document.activeElement.blur()").await;
        take(page, "history.png").await;

        page.resize(1440, 900).await;
        page.open(&server.page("/overlay/settings")).await;
        page.until("document.querySelector('#kinds .kind')").await;
        page.until("!document.getElementById('saved-settings').hidden").await;
        page.click("#play").await;
        page.until("!!document.getElementById('preview').contentDocument.querySelector('.alert .text')").await;
        page.eval("document.activeElement.blur()").await;
        take(page, "settings.png").await;

        page.resize(800, 260).await;
        page.background(json!({ "r": 58, "g": 51, "b": 82, "a": 1 })).await;
        page.open(&server.page("/overlay/alerts?duration=60")).await;
        page.until(OPEN).await;
        cheer(&server, OTTER, 500, "Cheer500 that jump was unreal!").await;
        page.until("document.querySelector('.alert .text')").await;
        take(page, "alert.png").await;
    })
    .await;
}
