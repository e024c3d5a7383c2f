//! The overlay that shows chat.

use serde_json::{Value, json};
use showtime::twitch::eventsub::outgoing::Outgoing;

use super::chromium::{Page, in_chromium};
use super::text_order::IN_ORDER;
use crate::support::messages::{at, notification, with_person};
use crate::support::server::Server;

/// JavaScript: the lines of chat.
const LINES: &str = "[...document.querySelectorAll('#messages li')]";

fn words(text: &str) -> Value {
    json!({ "text": text, "fragments": [{ "type": "text", "text": text, "cheermote": null, "emote": null, "mention": null }] })
}

fn event(id: &str, user: &str, message: Value) -> Value {
    let event = json!({
        "message_id": id, "message": message,
        "color": "#0000FF", "badges": [], "message_type": "text", "cheer": null, "reply": null,
        "channel_points_custom_reward_id": null, "channel_points_animation_id": null,
        "source_broadcaster_user_id": null, "source_broadcaster_user_login": null, "source_broadcaster_user_name": null,
        "source_message_id": null, "source_badges": null, "is_source_only": null,
    });
    with_person("chatter_user_", user, event)
}

fn message(seconds: i64, id: &str, user: &str, text: &str) -> Outgoing {
    notification("channel.chat.message", at(seconds), event(id, user, words(text)))
}

impl Page {
    async fn until_lines(&self, count: usize) {
        self.until(&format!("{LINES}.length === {count}")).await;
    }
}

#[tokio::test]
async fn chat_shows_the_last_messages_and_removes_deleted_ones() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/chat?max=3&max_age=60")).await;
        let said = format!("{LINES}.map(it => it.innerText).join('|')");
        for (second, (id, user, text)) in
            (0..).zip([("a", "1", "one"), ("b", "2", "<i>two</i>"), ("c", "1", "three"), ("d", "3", "four")])
        {
            server.deliver(&message(second, id, user, text)).await;
        }
        page.until(&format!("{said} === 'User2 <i>two</i>|User1 three|User3 four'")).await;

        let deleted = with_person("target_user_", "3", json!({ "message_id": "d" }));
        server.deliver(&notification("channel.chat.message_delete", at(5), deleted)).await;
        page.until(&format!("{said} === 'User2 <i>two</i>|User1 three'")).await;
        let cleared = with_person("target_user_", "2", json!({}));
        server.deliver(&notification("channel.chat.clear_user_messages", at(6), cleared)).await;
        page.until(&format!("{said} === 'User1 three'")).await;
        server.deliver(&notification("channel.chat.clear", at(7), json!({}))).await;
        page.until_lines(0).await;
    })
    .await;
}

#[tokio::test]
async fn name_stands_before_the_words_in_any_direction_of_either() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/chat?max_age=60")).await;
        let lines = [
            ("\u{61c}\u{61c}19", "19 times 20!"),
            ("مستخدم", "مرحبا بكم"),
            ("\u{202e}evil", "plain"),
            ("\u{2069}\u{202e}evil", "2069 plain"),
            ("\u{2067}\u{2067}evil", "\u{2069}\u{2069}\u{202e}plain"),
            ("plain", "مرحبا 15"),
        ];
        for (id, (name, text)) in lines.into_iter().enumerate() {
            let mut event = event(&id.to_string(), "1", words(text));
            event["chatter_user_name"] = name.into();
            server.deliver(&notification("channel.chat.message", at(0), event)).await;
        }
        page.until_lines(lines.len()).await;
        let wrong = page.eval(&format!("{LINES}.filter(it => !({IN_ORDER})(it)).map(it => it.innerText)")).await;
        assert_eq!(wrong, json!([]));
    })
    .await;
}

#[tokio::test]
async fn message_draws_nothing_outside_its_own_bubble() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prefer_still("dark").await;
        page.resize(400, 300).await;
        page.open_overlay(&server.page("/overlay/chat?max_age=60")).await;
        let marks: String = ('\u{300}'..='\u{34e}').cycle().take(240).collect();
        let stacked = format!("Z{marks}algo");
        for (id, text) in ["first line", &stacked, "last line"].into_iter().enumerate() {
            server.deliver(&message(0, &id.to_string(), "1", text)).await;
        }
        page.until_lines(3).await;
        let (marked, place) = (format!("{LINES}[1]"), "#messages li:nth-child(2)");
        page.until("document.fonts.status === 'loaded'").await;
        let with_marks = page.picture_above(place).await;
        page.eval(&format!("{marked}.style.visibility = 'hidden'")).await;
        assert_eq!(with_marks, page.picture_above(place).await, "the line above stays as it is");

        server.deliver(&message(1, "long", "1", &"many words ".repeat(400))).await;
        page.until_lines(4).await;
        let share =
            page.eval(&format!("{LINES}[3].clientHeight / document.querySelector('#messages').clientHeight")).await;
        assert!(share.as_f64().unwrap() <= 0.75, "{share}");
    })
    .await;
}

#[tokio::test]
async fn action_is_set_apart_from_what_is_said() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/chat?max_age=60")).await;
        server.deliver(&message(0, "a", "1", "hello")).await;
        server.deliver(&message(1, "b", "1", "\u{1}ACTION juggles\u{1}")).await;
        page.until_lines(2).await;
        let style = "getComputedStyle(it.querySelector('.said')).fontStyle";
        let lines = page.eval(&format!("{LINES}.map(it => [it.innerText, {style}])")).await;
        assert_eq!(lines, json!([["User1 hello", "normal"], ["User1 juggles", "italic"]]));
    })
    .await;
}

#[tokio::test]
async fn notice_without_words_is_not_shown() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/chat?max_age=60")).await;
        let notice = |id: &str, system_message: &str, text: &str| {
            let message = if text.is_empty() { json!({ "text": "", "fragments": [] }) } else { words(text) };
            let mut event = event(id, "1", message);
            event["chatter_is_anonymous"] = false.into();
            event["system_message"] = system_message.into();
            event["notice_type"] = "unknown".into();
            notification("channel.chat.notification", at(0), event)
        };
        for (id, system_message, text) in
            [("a", "", ""), ("b", " ", " "), ("c", "User1 raids", ""), ("d", "", "hello"), ("e", "", "")]
        {
            assert_eq!(server.deliver(&notice(id, system_message, text)).await.status, 204);
        }
        server.deliver(&message(1, "f", "2", "the end")).await;
        page.until(&format!("{LINES}.some(it => it.innerText.includes('the end'))")).await;
        let said = page.eval(&format!("{LINES}.map(it => it.innerText)")).await;
        assert_eq!(said, json!(["User1 raids", "User1 hello", "User2 the end"]));
    })
    .await;
}
