//! Overlays with saved settings, and the page that saves them.

use serde_json::json;

use super::chromium::in_chromium;
use super::overlay::RECORDER;
use crate::support::messages::{at, follow};
use crate::support::server::Server;

/// JavaScript: the address of the alerts.
const ADDRESS: &str = "document.getElementById('alerts-address').value";

/// JavaScript: the style of the body.
fn look(name: &str) -> String {
    format!("getComputedStyle(document.body).getPropertyValue({name:?})")
}

#[tokio::test]
async fn saved_settings_apply_at_once_and_those_of_the_address_go_before_them() {
    let server = Server::start().await;
    let settings = |text: &str, accent: &str| {
        json!({
            "max_age": 60,
            "look": { "place": "top-left", "theme": "light", "accent": accent },
            "alerts": { "duration": 1, "kinds": { "follow": { "text": text } } },
        })
    };
    server.save_settings("main", &settings("{user} is here", "#112233")).await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.open_overlay(&server.page("/overlay/alerts/main?theme=plain")).await;
        assert_eq!(page.eval("document.body.dataset.theme").await, "plain");
        assert_eq!(page.eval(&look("--across")).await, "start");
        assert_eq!(page.eval("document.getElementById('hint').hidden").await, true);
        server.deliver(&follow("1", at(0))).await;
        page.until_shown(&["User1 is here"]).await;

        page.eval("window.isSame = true").await;
        server.save_settings("main", &settings("Hello {user}", "#445566")).await;
        page.until(&format!("{} === '#445566'", look("--own-accent"))).await;
        server.deliver(&follow("2", at(1))).await;
        page.until_shown(&["User1 is here", "Hello User2"]).await;
        assert_eq!(page.eval("window.isSame").await, true, "without a reload");

        // Other types need another feed, and nothing is shown twice.
        let raids = json!({ "max_age": 60, "alerts": { "types": ["follow", "raid"], "duration": 1 } });
        server.save_settings("main", &raids).await;
        page.until("!window.isSame && document.body.dataset.feed === 'open'").await;
        server.deliver(&follow("3", at(2))).await;
        page.until_shown(&["User1 is here", "Hello User2", "User3 follows!"]).await;
    })
    .await;
}

#[tokio::test]
async fn overlay_says_that_its_settings_are_unknown_and_has_the_defaults() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        for path in ["/overlay/alerts/gone?max_age=60", "/overlay/chat/gone"] {
            page.open_overlay(&server.page(path)).await;
            let said = page.until("document.getElementById('hint').textContent").await;
            assert!(said.as_str().unwrap().contains("gone"), "{said}");
        }
        // Once they are saved, it follows them.
        server.save_settings("gone", &json!({ "look": { "theme": "light" } })).await;
        page.until("document.body.dataset.theme === 'light' && document.getElementById('hint').hidden").await;
    })
    .await;
}

#[tokio::test]
async fn admin_saves_settings_and_sees_them_in_the_real_overlay() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        page.until("!document.getElementById('saved-settings').hidden").await;
        for (id, value) in
            [("theme", "light"), ("accent", "#aa0000"), ("text_follow", "Hi {user}"), ("save-name", "main")]
        {
            page.fill(id, value).await;
        }
        let inside = "document.getElementById('preview').contentDocument";
        page.fill("preview-kind", "follow").await;
        page.click("#play").await;
        page.until(&format!("{inside}?.querySelector('.alert .text')?.textContent === 'Hi QuietOtter'")).await;
        assert_eq!(page.eval(&format!("{inside}.body.dataset.theme")).await, "light");
        page.fill("preview-kind", "chat").await;
        page.click("#play").await;
        page.until(&format!("{inside}?.querySelectorAll('#messages li').length === 2")).await;

        page.click("#save").await;
        page.until(&format!("{ADDRESS} === {:?}", server.url("/overlay/alerts/main"))).await;
        let saved = server.json("/overlays/settings/main").await["settings"].clone();
        assert_eq!(saved["look"]["accent"], "#aa0000");
        assert_eq!(saved["alerts"]["kinds"]["follow"]["text"], "Hi {user}");
        page.until("document.getElementById('unsaved').hidden").await;
        page.fill("duration", "9").await;
        page.until("!document.getElementById('unsaved').hidden").await;

        page.open(&server.page("/overlay/settings")).await;
        page.until("document.querySelector('#saved option[value=main]')").await;
        page.eval(
            "(it => [it.value = 'main', it.dispatchEvent(new Event('change'))])(document.getElementById('saved'))",
        )
        .await;
        page.until("document.getElementById('text_follow').value === 'Hi {user}'").await;
        assert_eq!(page.eval("document.getElementById('theme').value").await, "light");
        assert_eq!(page.eval("document.getElementById('duration').value").await, "6");
        page.click("#delete").await;
        page.until(&format!("{ADDRESS}.includes('theme=light')")).await;
        assert_eq!(server.json("/overlays/settings").await["data"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_a_setting_stands_beside_its_field() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        page.until("!document.getElementById('saved-settings').hidden").await;
        let note = |id: &str| format!("document.getElementById('problem-{id}')?.textContent");
        page.fill("color", "red").await;
        page.until(&format!("{}?.includes('#8b5cf6')", note("color"))).await;
        let described = page.eval("document.getElementById('color').getAttribute('aria-describedby')").await;
        assert_eq!(described, "problem-color");
        page.fill("color", "").await;
        page.until(&format!("{} === ''", note("color"))).await;
        // What only the server finds.
        page.fill("save-name", "main").await;
        page.fill("text_raid", &"x".repeat(201)).await;
        page.click("#save").await;
        page.until(&format!("{}?.includes('201 characters')", note("text_raid"))).await;
        assert_eq!(server.json("/overlays/settings").await["data"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn small_overlays_have_the_saved_look_and_follow_it() {
    let server = Server::start().await;
    let settings = json!({ "look": { "theme": "light", "place": "bottom" }, "alerts": { "duration": 3 } });
    server.save_settings("main", &settings).await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/label/main?of=raid")).await;
        assert_eq!(page.eval("document.body.dataset.theme").await, "light");
        assert_eq!(page.eval(&look("--down")).await, "end");
        assert_eq!(page.eval("document.getElementById('hint').hidden").await, true);
        server.save_settings("main", &json!({ "look": { "theme": "plain" } })).await;
        page.until("document.body.dataset.theme === 'plain'").await;
    })
    .await;
}
