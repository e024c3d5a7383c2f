//! The overlays, as OBS shows them.

use serde_json::{Value, json};

use super::chromium::{Page, in_chromium};
use crate::support::messages::{at, follow, notification, offline, online, with_person, with_user};
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

fn message(id: &str, user: &str, text: &str) -> Value {
    let event = json!({
        "message_id": id,
        "message": { "text": text, "fragments": [{ "type": "text", "text": text, "cheermote": null, "emote": null, "mention": null }] },
        "color": "#0000FF", "badges": [], "message_type": "text", "cheer": null, "reply": null,
        "channel_points_custom_reward_id": null, "channel_points_animation_id": null,
        "source_broadcaster_user_id": null, "source_broadcaster_user_login": null, "source_broadcaster_user_name": null,
        "source_message_id": null, "source_badges": null, "is_source_only": null,
    });
    with_person("chatter_user_", user, event)
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

#[tokio::test]
async fn wrong_settings_and_tokens_are_shown_on_the_page() {
    let server = Server::start().await;
    in_chromium(async |page| {
        let hint = "!document.getElementById('hint').hidden && document.getElementById('hint').textContent";
        let assert_hint = async |path: &str, parts: &[&str]| {
            page.open(&server.url(path)).await;
            let refused = "document.body.dataset.feed === 'refused' || !location.hash";
            page.until(refused).await;
            let said = page.until(hint).await;
            for part in parts {
                assert!(said.as_str().unwrap().contains(part), "{path}: {said}");
            }
        };
        assert_hint("/overlay/alerts", &["no token", "token create"]).await;
        assert_hint("/overlay/chat", &["no token", "token create"]).await;
        assert_hint("/overlay/alerts?duration=soon#token=wrong", &["duration: “soon”", "401"]).await;
        assert_hint("/overlay/chat?max=0#token=wrong", &["max: “0”", "401"]).await;
    })
    .await;
}

#[tokio::test]
async fn chat_shows_the_last_messages_and_removes_deleted_ones() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/chat?max=3&max_age=60")).await;
        let said = "[...document.querySelectorAll('#messages li')].map(it => it.innerText).join('|')";
        for (at_second, (id, user, text)) in
            (0..).zip([("a", "1", "one"), ("b", "2", "<i>two</i>"), ("c", "1", "three"), ("d", "3", "four")])
        {
            server.deliver(&notification("channel.chat.message", at(at_second), message(id, user, text))).await;
        }
        page.until(&format!("{said} === 'User2 <i>two</i>|User1 three|User3 four'")).await;

        let deleted = with_person("target_user_", "3", json!({ "message_id": "d" }));
        server.deliver(&notification("channel.chat.message_delete", at(5), deleted)).await;
        page.until(&format!("{said} === 'User2 <i>two</i>|User1 three'")).await;
        let cleared = with_person("target_user_", "2", json!({}));
        server.deliver(&notification("channel.chat.clear_user_messages", at(6), cleared)).await;
        page.until(&format!("{said} === 'User1 three'")).await;
        server.deliver(&notification("channel.chat.clear", at(7), json!({}))).await;
        page.until("document.querySelectorAll('#messages li').length === 0").await;
    })
    .await;
}
