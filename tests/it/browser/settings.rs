//! The page that composes the addresses of overlays.

use serde_json::json;
use showtime::access::TOKEN_TTL;

use super::chromium::{Page, in_chromium};
use crate::support::server::{Server, TOKEN};

/// JavaScript: the address of the alerts.
const ADDRESS: &str = "document.getElementById('alerts-address').value";

/// JavaScript: what is wrong.
const PROBLEMS: &str = "document.getElementById('problems').innerText";

impl Page {
    /// Sets the value of a field as a person would.
    pub(super) async fn fill(&self, id: &str, value: &str) {
        let change = "dispatchEvent(new Event('input', { bubbles: true }))";
        self.eval(&format!("(it => [it.value = {value:?}, it.{change}])(document.getElementById({id:?}))")).await;
    }
}

#[tokio::test]
async fn settings_page_composes_the_address_of_an_overlay() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        page.until(&format!("{ADDRESS} === {:?}", server.url("/overlay/alerts"))).await;
        page.fill("duration", "3").await;
        page.fill("text_follow", "Hello {user}").await;
        page.until(&format!("{ADDRESS} === {:?}", server.url("/overlay/alerts?duration=3&text_follow=Hello+{user}")))
            .await;
        page.fill("preview-kind", "follow").await;
        page.click("#play").await;
        let shown = "document.getElementById('preview').contentDocument?.querySelector('.alert .text')?.textContent";
        page.until(&format!("{shown} === 'Hello QuietOtter'")).await;

        page.click("[name=emotes][value=ffz]").await;
        page.click("[name=emotes][value=\"7tv\"]").await;
        let chat = "document.getElementById('chat-address').value";
        page.until(&format!("{chat} === {:?}", server.url("/overlay/chat?emotes=7tv,ffz"))).await;
        page.click("[name=emotes][value=ffz]").await;
        page.until(&format!("{chat} === {:?}", server.url("/overlay/chat?emotes=7tv"))).await;

        page.fill("duration", "soon").await;
        page.until(&format!("{PROBLEMS}.includes('Duration (seconds): “soon”')")).await;
        assert_eq!(page.eval("document.getElementById('duration').getAttribute('aria-invalid')").await, "true");
    })
    .await;
}

#[tokio::test]
async fn admin_makes_a_token_for_the_address_that_may_only_follow_alerts_and_chat() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        page.click("#make-token:not([hidden])").await;
        let made = page.until(&format!("{ADDRESS}.split('#token=')[1]")).await;
        let made = made.as_str().unwrap();
        assert_ne!(made, TOKEN);
        let authorization = format!("Bearer {made}");
        let get = async |path: &str| server.get_with(path, "authorization", &authorization).await;
        assert_eq!(get("/tokens/current").await.json()["scope"], "overlay");
        get("/events").await.problem(403, "scope-too-small");

        let address = page.eval(ADDRESS).await;
        page.open_overlay(address.as_str().unwrap()).await;
        // A page that is opened with such a token takes it.
        page.open(&server.url(&format!("/overlay/settings#token={made}"))).await;
        page.until(&format!("{ADDRESS} === {address}")).await;
        assert_eq!(page.eval("document.getElementById('make-token').hidden").await, true);
        assert_eq!(page.eval("document.getElementById('tokens').hidden").await, true);
    })
    .await;
}

#[tokio::test]
async fn admin_revokes_the_token_of_an_address() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        page.click("#make-token:not([hidden])").await;
        let made = page.until(&format!("{ADDRESS}.split('#token=')[1]")).await;
        let name = page.until("document.querySelector('#token-list li:nth-of-type(2)')?.dataset.token").await;
        assert!(name.as_str().unwrap().starts_with("obs-"), "{name}");
        page.click(&format!("#token-list [data-token={name}] button")).await;
        page.until(&format!("!document.querySelector('#token-list [data-token={}]')", name.as_str().unwrap())).await;
        let listed = server.json("/tokens").await;
        assert!(listed["data"].as_array().unwrap().iter().all(|token| token["name"] != name), "{listed}");
        server.clock.advance(TOKEN_TTL.try_into().unwrap());
        let authorization = format!("Bearer {}", made.as_str().unwrap());
        server.get_with("/tokens/current", "authorization", &authorization).await.problem(401, "token-invalid");
    })
    .await;
}

#[tokio::test]
async fn overlay_refuses_the_token_of_an_admin_in_words() {
    let server = Server::start().await;
    in_chromium(async |page| {
        for path in ["/overlay/alerts", "/overlay/chat"] {
            page.open(&server.url(&format!("{path}#token={TOKEN}"))).await;
            page.until("document.body.dataset.feed === 'refused'").await;
            let said = page.eval("document.getElementById('hint').textContent").await;
            assert!(said.as_str().unwrap().contains("may change everything"), "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn token_that_may_do_more_than_an_overlay_is_refused_in_words() {
    let server = Server::start().await;
    let made = server.post_json("/tokens", &json!({ "name": "reader", "scope": "read" })).await.json();
    in_chromium(async |page| {
        page.open(&server.url("/overlay/settings")).await;
        let reader = made["token"].as_str().unwrap();
        let unknown = format!("showtime_{}", "x".repeat(43));
        for (token, words) in [
            (TOKEN, "may change everything"),
            (reader, "may read everything"),
            (&unknown, "unknown"),
            ("secret", "begins with showtime_"),
        ] {
            page.fill("token", token).await;
            page.until(&format!("{PROBLEMS}.includes('Token: ') && {PROBLEMS}.includes({words:?})")).await;
            assert_eq!(page.eval(ADDRESS).await, server.url("/overlay/alerts"), "{words}");
            assert_eq!(page.eval("document.getElementById('token').getAttribute('aria-invalid')").await, "true");
        }
        page.fill("token", "").await;
        page.until(&format!("{PROBLEMS} === ''")).await;
    })
    .await;
}

#[tokio::test]
async fn settings_say_what_twitch_does_not_send_of_the_chosen_alerts() {
    let server = Server::start().await;
    server
        .sql(
            "insert into served_channel (id, login, display_name, requested_at) values ('1', 'one', 'One', now());
            insert into desired_subscription (type, version, channel_id, transport, status, since) values
                ('channel.follow', '2', '1', 'websocket', 'needs_consent', now())",
        )
        .await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        let said = "document.getElementById('missing-alerts').innerText";
        page.until(&format!("{said}.includes('one does not get New follower: ') && {said}.includes('Run: init')"))
            .await;
        let small = page.eval("document.getElementById('missing-small').textContent").await;
        let small = small.as_str().unwrap();
        assert!(
            small.starts_with("one does not get Goal: begin, ") && small.contains("TWITCH_EVENTSUB_TYPES"),
            "{small}"
        );
        page.click("input[name=types][value=follow]").await;
        page.until(&format!("!{said}.includes('New follower')")).await;
        let chat = "document.getElementById('missing-chat').innerText";
        assert_eq!(
            page.eval(chat).await,
            "one does not get the chat: the chat is not read. Run: server chat set one live"
        );
        page.fill("channel", "other").await;
        page.until(&format!("{said} === '' && {chat} === '' && !document.querySelector('#missing-small li')")).await;
    })
    .await;
}
