//! The connections of overlays: many in one browser, and what they show if the server refuses them.

use serde_json::Value;
use time::Duration;

use super::chromium::in_chromium;
use super::overlay::OPEN;
use crate::support::messages::{at, follow};
use crate::support::server::Server;
use crate::support::until;

/// JavaScript: the text of the overlay's hint; `false` without one.
const HINT: &str = "!document.getElementById('hint').hidden && document.getElementById('hint').textContent";

/// Browser sources of one OBS share a browser as tabs do.
#[tokio::test]
async fn ten_overlays_of_one_browser_show_the_same_alert() {
    let server = Server::start().await;
    in_chromium(async |page| {
        let url = server.page("/overlay/alerts?duration=60&max_age=60");
        page.open_overlay(&url).await;
        for _ in 1..10 {
            page.new_tab().await;
            page.open_overlay(&url).await;
        }
        server.deliver(&follow("1", at(0))).await;
        let tabs = page.tabs().await;
        assert_eq!(tabs.len(), 10);
        for tab in &tabs {
            page.switch_to(tab).await;
            page.until("document.querySelector('.alert .text')?.textContent === 'User1 follows!'").await;
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_settings_and_tokens_are_shown_on_the_page() {
    let server = Server::start().await;
    in_chromium(async |page| {
        let assert_hint = async |path: &str, parts: &[&str]| {
            page.open(&server.url(path)).await;
            let refused = "document.body.dataset.feed === 'refused' || !location.hash";
            page.until(refused).await;
            let said = page.until(HINT).await;
            for part in parts {
                assert!(said.as_str().unwrap().contains(part), "{path}: {said}");
            }
        };
        assert_hint("/overlay/alerts", &["no token", "token create"]).await;
        assert_hint("/overlay/chat", &["no token", "token create"]).await;
        assert_hint("/overlay/alerts?duration=soon#token=wrong", &["duration: “soon”", "401"]).await;
        assert_hint("/overlay/chat?max=0#token=wrong", &["max: “0”", "401"]).await;
        for token in ["showtime_…", "two words", "(a)", "ü"] {
            assert_hint(&format!("/overlay/alerts#token={token}"), &["401", "the token is not accepted"]).await;
        }
    })
    .await;
}

#[tokio::test]
async fn revoked_token_is_shown_on_the_page() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/alerts")).await;
        server.sql("delete from access_token").await;
        until("the page shows it", async || {
            server.clock.advance(Duration::seconds(16));
            page.eval(HINT).await.as_str().is_some_and(|said| said.contains("401"))
        })
        .await;
        assert_eq!(page.eval("document.body.dataset.feed").await, "refused");
    })
    .await;
}

/// The server is full: that passes, so it is not for viewers to read.
#[tokio::test]
async fn refusal_that_passes_is_retried_and_not_shown() {
    let server = Server::start().await;
    in_chromium(async |page| {
        server.sql("alter table access_token rename to away").await;
        page.open(&server.page("/overlay/alerts?max_age=60")).await;
        page.until("document.body.dataset.feed === 'lost'").await;
        assert_eq!(page.eval(HINT).await, false);
        server.sql("alter table away rename to access_token").await;
        page.until(OPEN).await;
    })
    .await;
}

#[tokio::test]
async fn proxy_that_passes_no_websockets_is_shown_on_the_page() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare("WebSocket = class { constructor() { setTimeout(() => this.onclose()); } close() {} }").await;
        page.open(&server.page("/overlay/alerts")).await;
        let said = page.until(HINT).await;
        assert!(said.as_str().unwrap().contains("a proxy before it has to pass upgrades"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn overlay_continues_where_it_was_without_having_shown_anything() {
    let server = Server::start().await;
    in_chromium(async |page| {
        server.deliver(&follow("1", at(0))).await;
        let url = server.page("/overlay/alerts?duration=60&max_age=60");
        page.open_overlay(&url).await;
        page.until("Object.values(localStorage).includes('1')").await;
        page.open(&server.url("/livez")).await;
        server.deliver(&follow("2", at(1))).await;
        page.open_overlay(&url).await;
        let shown: Value = page.until("document.querySelector('.alert .text')?.textContent").await;
        assert_eq!(shown, "User2 follows!");
    })
    .await;
}
