//! The overlays, as OBS shows them.

use serde_json::json;

use super::chromium::{Page, in_chromium};
use crate::support::messages::{at, follow, notification, offline, online, with_user};
use crate::support::server::Server;

/// Keeps the text of each alert that is shown, over reloads of the page.
pub(super) const RECORDER: &str = "
    addEventListener('DOMContentLoaded', () => {
        const stage = document.getElementById('stage');
        const record = node => { sessionStorage.shown = (sessionStorage.shown ?? '') + node.querySelector('.text').textContent + ';' };
        if (stage) new MutationObserver(changes => changes.forEach(it => it.addedNodes.forEach(record))).observe(stage, { childList: true });
    });
";

pub(super) const OPEN: &str = "document.body.dataset.feed === 'open'";

impl Page {
    /// Opens an overlay and waits until its feed is open.
    pub(super) async fn open_overlay(&self, url: &str) {
        self.open(url).await;
        self.until(OPEN).await;
    }

    /// Waits until all these alerts have been shown, and nothing else, in this order.
    pub(super) async fn until_shown(&self, texts: &[&str]) {
        let last = texts.last().unwrap();
        self.until(&format!("(sessionStorage.shown ?? '').includes({last:?})")).await;
        let shown = self.eval("sessionStorage.shown").await;
        assert_eq!(shown, texts.iter().map(|text| format!("{text};")).collect::<String>());
    }
}

#[tokio::test]
async fn reload_shows_nothing_twice_and_loses_nothing() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        server.deliver(&follow("1", at(0))).await;
        let url = server.page("/overlay/alerts?duration=1&max_age=60");
        page.open_overlay(&url).await;
        server.deliver(&follow("2", at(1))).await;
        page.until_shown(&["User2 follows!"]).await;
        page.reload().await;
        page.until(OPEN).await;
        server.deliver(&follow("3", at(2))).await;
        page.until_shown(&["User2 follows!", "User3 follows!"]).await;

        page.open(&server.url("/livez")).await;
        server.deliver(&follow("4", at(3))).await;
        server.deliver(&follow("5", at(4))).await;
        page.open_overlay(&url).await;
        page.until_shown(&["User2 follows!", "User3 follows!", "User4 follows!", "User5 follows!"]).await;
    })
    .await;
}

#[tokio::test]
async fn stream_alerts_are_off_by_default() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.open_overlay(&server.page("/overlay/alerts?duration=1&max_age=60")).await;
        server.deliver(&online("s1", at(0))).await;
        server.deliver(&follow("1", at(1))).await;
        page.until_shown(&["User1 follows!"]).await;
        page.open_overlay(&server.page("/overlay/alerts?duration=1&max_age=60&types=online,offline")).await;
        server.deliver(&follow("2", at(2))).await;
        server.deliver(&offline(Some("s1"), at(3))).await;
        page.until_shown(&["User1 follows!", "User90210441 has gone offline"]).await;
    })
    .await;
}

#[tokio::test]
async fn old_alerts_are_skipped() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        let url = server.page("/overlay/alerts?duration=1&max_age=1");
        page.open_overlay(&url).await;
        server.deliver(&follow("1", at(0))).await; // five minutes ago
        server.deliver(&follow("2", at(295))).await;
        page.until_shown(&["User2 follows!"]).await;
    })
    .await;
}

/// Runs the page's clock ahead, and has alerts of 40 seconds end when the test says so.
const CLOCK: &str = "
    const [now, later] = [Date.now, setTimeout];
    Object.assign(window, { ahead: 0, ends: [] });
    Date.now = () => now() + ahead;
    setTimeout = (then, milliseconds) => milliseconds === 40_000 ? ends.push(then) : later(then, milliseconds);
";

#[tokio::test]
async fn alert_that_waited_too_long_is_skipped() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.prepare(CLOCK).await;
        page.open_overlay(&server.page("/overlay/alerts?duration=40&max_age=1")).await;
        for user in ["1", "2", "3"] {
            server.deliver(&follow(user, server.clock.now())).await;
        }
        page.until_shown(&["User1 follows!"]).await;
        page.eval("(ahead = 40_000, ends.pop()())").await;
        page.until_shown(&["User1 follows!", "User2 follows!"]).await;
        page.eval("(ahead = 80_000, ends.pop()())").await;
        page.until("Object.values(localStorage).includes('3')").await;
        page.eval("ahead = 0").await;
        server.deliver(&follow("4", server.clock.now())).await;
        page.until_shown(&["User1 follows!", "User2 follows!", "User4 follows!"]).await;
    })
    .await;
}

#[tokio::test]
async fn alert_texts_follow_the_settings_and_are_never_markup() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/alerts?max_age=60&text_cheer=<b>{user}</b>%20{bits}")).await;
        let event = json!({ "is_anonymous": false, "message": "<img src=x onerror=alert(1)>", "bits": 1500 });
        server.deliver(&notification("channel.cheer", at(0), with_user("1", event))).await;
        let text = page.until("document.querySelector('.alert .text')?.textContent").await;
        assert_eq!(text, "<b>User1</b> 1,500");
        let message = page.eval("document.querySelector('.alert .message').textContent").await;
        assert_eq!(message, "<img src=x onerror=alert(1)>");
        assert_eq!(page.eval("document.querySelectorAll('.alert b, .alert img').length").await, 0);
    })
    .await;
}
