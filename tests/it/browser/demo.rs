//! The first minutes on a server that knows no channel.

use reqwest::Method;
use time::Duration;

use super::chromium::in_chromium;
use super::overlay::RECORDER;
use crate::process::Place;
use crate::support::server::Server;

/// JavaScript: whether the card for a server without channels shows this.
fn step(words: &str) -> String {
    format!("document.getElementById('no-channels').innerText.includes({words:?})")
}

#[tokio::test]
async fn one_click_shows_an_alert_and_moves_the_dashboard() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until(&step("register an application at Twitch")).await;
        page.click("#start-demo:not([hidden])").await;
        page.until("document.querySelector('.channel[data-channel=showtime-demo] .badge.live')").await;
        server.clock.advance(Duration::seconds(15));
        page.until("document.querySelector('#demo-stage .alert .text')").await;
        page.until("document.querySelector('[data-total=followers] dd')?.innerText > 0").await;
        page.until("document.querySelector('.event[data-type=\"channel.cheer\"] .badge')?.innerText === 'demo'").await;

        page.prepare(RECORDER).await;
        page.open_overlay(&server.page("/overlay/alerts?duration=1")).await;
        server.clock.advance(Duration::seconds(60));
        // The one who raids: many followers who wait are shown as one.
        page.until("sessionStorage.shown?.includes('OpalRiver')").await;

        page.open(&server.page("/")).await;
        page.click("#remove-demo").await;
        page.until(&step("No channel is known yet")).await;
        page.until("document.querySelectorAll('.event').length === 0").await;
    })
    .await;
}

/// The program itself, in an empty directory, with a Postgres of its own.
#[tokio::test]
async fn first_look_needs_one_program_and_no_second_terminal() {
    let place = Place::new();
    in_chromium(async |page| {
        let server = place.serve(&[]).await;
        let token = server.token.as_ref().unwrap();
        page.open(&server.url(&format!("/#token={token}"))).await;
        page.click("#start-demo:not([hidden])").await;
        page.until("document.querySelector('#demo-stage .alert .text')").await;
        page.until("document.querySelector('[data-total=followers] dd')?.innerText > 0").await;
        page.until("document.querySelectorAll('.event').length > 3").await;
        // An overlay for OBS.
        page.open(&server.url("/overlay/settings")).await;
        page.click("#make-token:not([hidden])").await;
        let address = "document.getElementById('alerts-address').value";
        page.until(&format!("{address}.includes('#token=showtime_')")).await;
        let address = page.eval(address).await;
        page.open_overlay(address.as_str().unwrap()).await;
        page.until("document.querySelector('.alert .text')").await;
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn demo_is_offered_to_admins_only() {
    let server = Server::start().await;
    let reader = server.post_json("/tokens", &serde_json::json!({ "name": "reader", "scope": "read" })).await.json();
    let reader = reader["token"].as_str().unwrap();
    server.send_as(reader, Method::POST, "/demo").await.problem(403, "scope-too-small");
    in_chromium(async |page| {
        page.open(&server.url(&format!("/#token={reader}"))).await;
        page.until(&step("No channel is known yet")).await;
        page.until("document.getElementById('verdict').textContent").await;
        assert_eq!(page.eval("document.getElementById('start-demo').hidden").await, true);
    })
    .await;
}
