//! An overlay survives a kill of its server.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::chromium::in_chromium;
use super::overlay::{OPEN, RECORDER};
use crate::process::{Place, Serving};

#[tokio::test]
async fn each_alert_is_shown_once_over_a_kill_of_the_server() {
    let place = Place::new();
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        let server = place.serve(&[]).await;
        let port = server.addr.port().to_string();
        let made = server.client.post(server.url("/tokens")).bearer_auth(server.token.as_ref().unwrap());
        let made = made.json(&json!({ "name": "obs", "scope": "overlay" })).send().await.unwrap();
        let made: Value = made.json().await.unwrap();
        let url = server.url(&format!("/overlay/alerts?duration=1#token={}", made["token"].as_str().unwrap()));
        page.open_overlay(&url).await;
        let follow = async |server: &Serving<'_>, user: &str| {
            let (code, said) = server.simulate(&["channel.follow", "--user", user]).await;
            assert_eq!(code, Some(0), "{said}");
        };
        follow(&server, "BeforeIt").await;
        page.until_shown(&["BeforeIt follows!"]).await;

        server.signal(Signal::SIGKILL);
        server.ended().await;
        page.until("document.body.dataset.feed === 'lost'").await;
        let server = place.serve(&[("LISTEN_PORT", &port)]).await;
        follow(&server, "JustAfter").await;
        page.until_shown(&["BeforeIt follows!", "JustAfter follows!"]).await;

        // OBS is restarted as well, while the server is away and an event happens.
        page.open("about:blank").await;
        follow(&server, "Meanwhile").await;
        server.signal(Signal::SIGKILL);
        server.ended().await;
        let server = place.serve(&[("LISTEN_PORT", &port)]).await;
        page.open(&url).await;
        page.until(OPEN).await;
        follow(&server, "InTheEnd").await;
        let all = ["BeforeIt follows!", "JustAfter follows!", "Meanwhile follows!", "InTheEnd follows!"];
        page.until_shown(&all).await;
        server.stop().await;
    })
    .await;
}
