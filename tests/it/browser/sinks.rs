//! The dashboard's card of sinks.

use serde_json::json;

use super::chromium::{ENTER, Page, in_chromium};
use crate::support::messages::{at, follow};
use crate::support::server::Server;
use crate::support::until;

const SINK: &str = ".sink[data-sink=\"audit\"]";

/// Adds a sink whose broker can't be reached.
pub(super) async fn add_sink(server: &Server) {
    let sink = json!({ "name": "audit", "url": "amqp://me:hunter2@127.0.0.1:1/%2f" });
    assert_eq!(server.post_json("/sinks", &sink).await.status, 201);
}

impl Page {
    /// Waits until the sink's row contains this text.
    async fn until_sink(&self, text: &str) {
        self.until(&format!("document.querySelector({SINK:?})?.innerText.includes({text:?})")).await;
    }

    async fn click_sink(&self, button: &str) {
        self.click(&format!("{SINK} [data-do={button:?}]")).await;
    }

    async fn until_toast(&self, text: &str) {
        self.until(&format!("document.getElementById('toast').textContent.includes({text:?})")).await;
    }
}

async fn cursor(server: &Server) -> i64 {
    server.json("/sinks/audit").await["cursor"].as_i64().unwrap()
}

#[tokio::test]
async fn card_of_sinks_is_for_admins_and_says_how_to_add_one() {
    let server = Server::start().await;
    let token = server.post_json("/tokens", &json!({ "name": "reader", "scope": "read" })).await.json();
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until("document.getElementById('sinks').innerText.includes('server sinks add NAME --amqp URL')").await;
        page.open(&server.url("/livez")).await;
        page.eval("sessionStorage.clear()").await;
        page.open(&format!("{}#token={}", server.url("/"), token["token"].as_str().unwrap())).await;
        page.until("document.querySelector('#connection.pass')").await;
        page.until("performance.getEntriesByType('resource').some(it => it.name.endsWith('/tokens/current'))").await;
        let asked = "performance.getEntriesByType('resource').some(it => it.name.includes('/sinks?'))";
        assert_eq!(page.eval(&format!("document.getElementById('sinks').hidden && !{asked}")).await, true);
    })
    .await;
}

#[tokio::test]
async fn sink_is_tested_paused_resumed_and_rewound() {
    let server = Server::start().await;
    server.deliver(&follow("1", at(0))).await;
    add_sink(&server).await;
    let end = cursor(&server).await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        for text in ["audit", "amqp", "waiting", "can't be reached", "has every event", "failing since"] {
            page.until_sink(text).await;
        }
        page.click_sink("test").await;
        page.until_toast("the broker at 127.0.0.1:1 can't be reached").await;

        page.click_sink("pause").await;
        page.until_toast("audit is paused").await;
        page.until_sink("off").await;
        page.click_sink("resume").await;
        page.until_toast("audit goes on").await;
        page.until(&format!("document.querySelector('{SINK} [data-do=pause]')")).await;

        page.click_sink("rewind").await;
        page.until("document.getElementById('rewind').open").await;
        assert_eq!(page.eval("document.getElementById('rewind-name').textContent").await, "audit");
        page.click("#rewind-cancel").await;
        page.until("!document.getElementById('rewind').open").await;
        assert_eq!(cursor(&server).await, end, "nothing happens without a confirmation");
        page.click_sink("rewind").await;
        page.until("document.activeElement.id === 'rewind-after'").await;
        page.press(ENTER).await;
        page.until_toast("audit goes on after event 0").await;
        until("the sink is rewound", async || cursor(&server).await == 0).await;
        page.until_sink("1 event and").await;
        let text = page.eval("document.body.innerText").await;
        assert!(!text.as_str().unwrap().contains("hunter2"));
    })
    .await;
}

/// A broker or a receiver may say anything.
#[tokio::test]
async fn problem_of_a_sink_is_shown_as_text() {
    let server = Server::start().await;
    // No server has this variable, and the problem names it.
    let variable = "<img src=x onerror='document.title = 1'> \u{202e}evil";
    let sink = json!({ "name": "audit", "settings": { "url_env": variable } });
    assert_eq!(server.post_json("/sinks", &sink).await.status, 201);
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until_sink("<img src=x onerror='document.title = 1'> evil").await;
        // It runs nowhere, and was not paused.
        page.until(&format!("document.querySelector('{SINK} [data-do=pause]')")).await;
        assert_eq!(page.eval(&format!("document.querySelectorAll('{SINK} img').length")).await, 0);
        assert_eq!(page.eval("document.title").await, "showtime");
    })
    .await;
}
