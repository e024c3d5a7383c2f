//! The pages at the sizes of a screen, a dock of OBS, a phone, and the canvas of a stream.

use serde_json::json;

use super::chromium::in_chromium;
use crate::support::messages::{at, cheer, follow, online};
use crate::support::server::Server;

const SIZES: [(u32, u32); 3] = [(1_440, 900), (800, 600), (390, 844)];

#[tokio::test]
async fn first_event_is_on_the_first_screen_and_nothing_is_cut_off_at_any_size() {
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    server.deliver(&follow("1", at(1))).await;
    server.deliver(&cheer("2", 300, at(2))).await;
    in_chromium(async |page| {
        for (width, height) in SIZES {
            page.resize(width, height).await;
            for (path, there) in
                [("/", "[data-total=bits]"), ("/history", "[data-broadcast]"), ("/overlay/settings", "#kinds .kind")]
            {
                page.open(&server.page(path)).await;
                page.until(&format!("document.querySelector({there:?})")).await;
                let overhang = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
                assert_eq!(page.eval(overhang).await, 0, "{path} at {width}");
                assert!(page.screenshot().await.starts_with(b"\x89PNG"));
            }
            page.open(&server.page("/")).await;
            page.until("document.querySelector('.event') && document.querySelector('[data-total=bits]')").await;
            let bottom = page.eval("document.querySelector('.event').getBoundingClientRect().bottom").await;
            assert!(bottom.as_f64().unwrap() <= f64::from(height), "{bottom} at {width}");
        }
    })
    .await;
}

#[tokio::test]
async fn overlays_are_transparent_and_inside_of_a_canvas_of_1920_by_1080() {
    let server = Server::start().await;
    server.deliver(&follow("1", at(0))).await;
    in_chromium(async |page| {
        page.prefer_still("dark").await;
        page.resize(1_920, 1_080).await;
        for place in ["top-left", "bottom-right", "center"] {
            for (path, there) in [("alerts", ".alert"), ("label", ".panel")] {
                let settings = if path == "alerts" { "&max_age=60&duration=60" } else { "" };
                page.background(json!({ "r": 255, "g": 0, "b": 0, "a": 1 })).await;
                page.open_overlay(&server.page(&format!("/overlay/{path}?place={place}{settings}"))).await;
                if path == "alerts" {
                    server.deliver(&follow(place, server.clock.now())).await;
                }
                page.until(&format!("document.querySelector({there:?})")).await;
                let inside = "(it => it.left >= 0 && it.top >= 0 && it.right <= 1920 && it.bottom <= 1080)";
                let shown = format!("{inside}(document.querySelector({there:?}).getBoundingClientRect())");
                assert_eq!(page.eval(&shown).await, true, "{path} at {place}");
                // What is behind the page is seen through it: another colour is another picture.
                let red = page.screenshot().await;
                assert_eq!(page.screenshot().await, red, "nothing moves");
                page.background(json!({ "r": 0, "g": 255, "b": 0, "a": 1 })).await;
                assert_ne!(page.screenshot().await, red, "{path} is transparent");
                let grounds = page.eval(
                    "['html', 'body', 'main'].map(it => getComputedStyle(document.querySelector(it)).backgroundColor)",
                );
                assert_eq!(grounds.await, json!(vec!["rgba(0, 0, 0, 0)"; 3]));
            }
        }
    })
    .await;
}
