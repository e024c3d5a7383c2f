//! What stands in the lines of chat, and which lines there are.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::twitch::eventsub::outgoing::Outgoing;

use super::chromium::{Page, in_chromium};
use crate::support::messages::{at, follow, notification, with_person};
use crate::support::postgres::fresh_database;
use crate::support::server::Server;
use crate::support::twitch::Twitch;

/// JavaScript: the lines of chat.
const LINES: &str = "[...document.querySelectorAll('#messages li')]";

/// Keeps the picture of each element that is added, `[class, address, word]`, and what the policy of the page forbade.
pub(super) const RECORDER: &str = "
    Object.assign(window, { pictures: [], forbidden: [] });
    addEventListener('securitypolicyviolation', it => forbidden.push(it.blockedURI), true);
    addEventListener('DOMContentLoaded', () => {
        const record = node => {
            const images = node.querySelectorAll ? [node, ...node.querySelectorAll('*')].filter(it => it.localName === 'img') : [];
            images.forEach(it => pictures.push([it.className, it.src, it.alt].join(' ')));
        };
        const messages = document.getElementById('messages');
        const observer = new MutationObserver(changes => changes.forEach(it => it.addedNodes.forEach(record)));
        if (messages) observer.observe(messages, { childList: true, subtree: true });
    });
";

pub(super) fn fragment(kind: &str, text: &str, fields: Value) -> Value {
    let mut fragment = json!({ "type": kind, "text": text, "cheermote": null, "emote": null, "mention": null });
    for (name, value) in fields.as_object().into_iter().flatten() {
        fragment[name] = value.clone();
    }
    fragment
}

/// A message of these fragments, with some fields changed.
pub(super) fn message(id: &str, user: &str, fragments: &[Value], change: Value) -> Outgoing {
    let text: String = fragments.iter().map(|it| it["text"].as_str().unwrap()).collect();
    let mut event = json!({
        "message_id": id, "message": { "text": text, "fragments": fragments },
        "color": "#1E90FF", "badges": [], "message_type": "text", "cheer": null, "reply": null,
        "source_broadcaster_user_id": null, "source_broadcaster_user_login": null, "source_broadcaster_user_name": null,
        "source_message_id": null,
    });
    let is_notice = change.get("notice_type").is_some();
    for (name, value) in change.as_object().into_iter().flatten() {
        event[name] = value.clone();
    }
    let kind = if is_notice { "channel.chat.notification" } else { "channel.chat.message" };
    notification(kind, at(0), with_person("chatter_user_", user, event))
}

pub(super) fn text(id: &str, user: &str, text: &str) -> Outgoing {
    message(id, user, &[fragment("text", text, json!({}))], json!({}))
}

impl Server {
    pub(super) async fn say(&self, message: &Outgoing) {
        let answer = self.deliver(message).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

impl Page {
    pub(super) async fn until_said(&self, expected: &[&str]) {
        self.until(&format!("{LINES}.map(it => it.innerText).join('|') === {:?}", expected.join("|"))).await;
    }
}

#[tokio::test]
async fn badges_emotes_and_cheermotes_are_pictures_of_twitch_and_broken_ones_become_words() {
    let twitch = Twitch::start().await;
    let server = Server::at(twitch.clock.clone(), fresh_database().await, |config| twitch.configure(config)).await;
    server.deliver(&follow("1", at(0))).await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.open_overlay(&server.page("/overlay/chat?max_age=60")).await;
        let emote = json!({ "emote": { "id": "25", "emote_set_id": "1", "owner_id": "1", "format": ["static", "animated"] } });
        let cheermote = json!({ "cheermote": { "prefix": "Cheer", "bits": 150, "tier": 100 } });
        let badges = json!({ "badges": [
            { "set_id": "subscriber", "id": "6", "info": "8" }, { "set_id": "vip", "id": "1", "info": "" }, { "set_id": "new", "id": "1", "info": "" },
        ] });
        let fragments = [
            fragment("emote", "Kappa", emote),
            fragment("text", " ", json!({})),
            fragment("cheermote", "Cheer150", cheermote),
            fragment("text", " go", json!({})),
        ];
        server.say(&message("a", "1", &fragments, badges)).await;
        // Over IRC, cheermotes are words like others.
        let cheer = json!({ "cheer": { "bits": 1 } });
        server.say(&message("b", "2", &[fragment("text", "so cheer1 Kappa100 good", json!({}))], cheer)).await;

        page.until_said(&["6-Month SubscriberVIP User1 Kappa Cheer150 go", "User2 so cheer1 Kappa100 good"]).await;
        let pictures = page.eval("[...new Set(pictures)].sort()").await;
        let cdn = "https://static-cdn.jtvnw.net";
        let cheers = "https://d3aqoihi2n8ty8.cloudfront.net/actions/cheer/dark/animated";
        assert_eq!(
            pictures,
            json!([
                format!("badge {cdn}/badges/v1/90210441-subscriber-6/2 6-Month Subscriber"),
                format!("badge {cdn}/badges/v1/global-vip-1/2 VIP"),
                format!("emote {cheers}/1/2.gif cheer1"),
                format!("emote {cheers}/100/2.gif Cheer150"),
                format!("emote {cdn}/emoticons/v2/25/animated/dark/2.0 Kappa"),
            ])
        );
        assert_eq!(page.eval("forbidden").await, json!([]), "the policy allows them");
        assert_eq!(page.eval("document.querySelectorAll('#messages img').length").await, 0);
    })
    .await;
}

#[tokio::test]
async fn chat_without_an_application_has_no_badges_and_says_nothing_of_it() {
    let server = Server::start().await;
    server.deliver(&follow("1", at(0))).await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.open_overlay(&server.page("/overlay/chat?max_age=60")).await;
        let badges = json!({ "badges": [{ "set_id": "vip", "id": "1", "info": "" }] });
        server.say(&message("a", "1", &[fragment("text", "hello", json!({}))], badges)).await;
        page.until_said(&["User1 hello"]).await;
        let asked =
            "performance.getEntriesByType('resource').some(it => it.name.endsWith('/channels/90210441/chat/pictures'))";
        page.until(asked).await;
        assert_eq!(page.eval("[pictures.length, document.getElementById('hint').hidden]").await, json!([0, true]));
    })
    .await;
}

#[tokio::test]
async fn replies_mentions_highlights_first_messages_and_announcements_are_told_apart() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/chat?max_age=60")).await;
        let words = |text: &str| vec![fragment("text", text, json!({}))];
        let mention = json!({ "mention": { "user_id": "1", "user_login": "user1", "user_name": "User1" } });
        let reply = json!({ "reply": {
            "parent_message_id": "a", "parent_message_body": "<b>what?</b>", "parent_user_id": "1", "parent_user_login": "user1",
            "parent_user_name": "User1",
        } });
        let announcement = json!({
            "notice_type": "announcement", "system_message": "", "chatter_is_anonymous": false, "announcement": { "color": "BLUE" },
        });
        let fragments = [fragment("mention", "@User1", mention), fragment("text", " that", json!({}))];
        for message in [
            message("a", "2", &fragments, reply),
            message("b", "3", &words("look"), json!({ "message_type": "channel_points_highlighted" })),
            message("c", "4", &words("hi"), json!({ "message_type": "user_intro" })),
            message("d", "5", &words("big news"), announcement),
        ] {
            server.say(&message).await;
        }
        page.until_said(&[
            "↩ @User1: <b>what?</b>\n\nUser2 @User1 that",
            "User3 look",
            "First message\n\nUser4 hi",
            "User5 big news",
        ])
        .await;
        let classes = page.eval(&format!("{LINES}.map(it => it.className)")).await;
        assert_eq!(classes, json!(["", "highlight", "first", "announcement blue"]));
        assert_eq!(page.eval(&format!("{LINES}[0].querySelector('.mention').textContent")).await, "@User1");
        let edges = page.eval(&format!("{LINES}.map(it => getComputedStyle(it).borderLeftWidth !== '0px')")).await;
        assert_eq!(edges, json!([false, true, true, true]));
    })
    .await;
}

#[tokio::test]
async fn bots_commands_users_and_blocked_words_are_hidden_as_the_settings_say_at_once() {
    let server = Server::start().await;
    server.save_settings("main", &json!({ "max_age": 60 })).await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/chat/main")).await;
        let bot = json!({ "badges": [{ "set_id": "bot-badge", "id": "1", "info": "" }] });
        let lines = [
            message("a", "1", &[fragment("text", "I am a bot", json!({}))], bot),
            text("b", "2", "!so User1"),
            text("c", "3", "hello"),
            text("d", "4", "well, DARN"),
            text("e", "5", "all is well"),
        ];
        for line in &lines {
            server.say(line).await;
        }
        let all = ["User1 I am a bot", "User2 !so User1", "User3 hello", "User4 well, DARN", "User5 all is well"];
        page.until_said(&all).await;
        let chat = json!({ "bots": "hide", "commands": "hide", "hidden": ["User3"], "direction": "down" });
        server.save_settings("main", &json!({ "max_age": 60, "blocked_words": ["darn"], "chat": chat })).await;
        page.until_said(&["User5 all is well"]).await;
        for line in [text("f", "3", "hello again"), text("g", "6", "darn!"), text("h", "7", "darned")] {
            server.say(&line).await;
        }
        // New ones stand above the others now.
        page.until_said(&["User7 darned", "User5 all is well"]).await;
        server.send(Method::DELETE, "/overlays/settings/main").await;
        page.until("document.body.dataset.direction === 'up'").await;
        page.until_said(&["User5 all is well", "User7 darned"]).await;
    })
    .await;
}

#[tokio::test]
async fn messages_disappear_when_their_time_is_over() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/chat?max_age=60&lifetime=1")).await;
        server.say(&text("a", "1", "hello")).await;
        page.until_said(&["User1 hello"]).await;
        page.until(&format!("{LINES}.length === 0")).await;
    })
    .await;
}

#[tokio::test]
async fn newest_message_is_in_sight_in_every_place_and_direction() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prefer_still("dark").await;
        page.resize(400, 200).await;
        for (number, query) in ["", "&direction=down", "&place=top", "&place=bottom&direction=down"].iter().enumerate()
        {
            page.open_overlay(&server.page(&format!("/overlay/chat?max_age=60{query}"))).await;
            for line in 0..12 {
                server.say(&text(&format!("{number}-{line}"), "1", &format!("line {line}"))).await;
            }
            let newest = page
                .until(&format!(
                    "{LINES}.find(it => it.innerText.includes('line 11'))?.getBoundingClientRect().toJSON()"
                ))
                .await;
            let (top, bottom) = (newest["top"].as_f64().unwrap(), newest["bottom"].as_f64().unwrap());
            assert!(top >= 0.0 && bottom <= 200.0, "{query}: {newest}");
        }
    })
    .await;
}
