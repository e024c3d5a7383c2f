//! Variations of alerts, and many followers at once.

use serde_json::json;

use super::chromium::in_chromium;
use super::overlay::RECORDER;
use super::overlay_control::{EARS, told};
use crate::support::messages::{at, cheer, follow, notification, with_user};
use crate::support::server::Server;

#[tokio::test]
async fn amount_decides_how_an_alert_is_shown_and_whether() {
    let server = Server::start().await;
    let variations = json!([
        { "when": { "bits": 1000 }, "text": "WOW {user}", "animation": "zoom", "duration": 60, "size": 150 },
        { "when": { "bits": 50 }, "text": "{user}: {bits} {bits:bit|bits}" },
    ]);
    let cheers = json!({ "minimum": 2, "text": "small", "variations": variations });
    let settings = json!({ "max_age": 60, "alerts": { "duration": 1, "kinds": { "cheer": cheers } } });
    assert_eq!(server.save_settings("main", &settings).await.status, 200);
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.open_overlay(&server.page("/overlay/alerts/main")).await;
        for (user, bits, second) in [("1", 1, 1), ("2", 2, 2), ("3", 50, 3), ("4", 2_000, 4)] {
            server.deliver(&cheer(user, bits, at(second))).await;
        }
        page.until_shown(&["small", "User3: 50 bits", "WOW User4"]).await;
        assert_eq!(page.eval("document.querySelector('.alert').classList.contains('by-zoom')").await, true);
        let sizes = "['.alert', '#stage'].map(it => parseFloat(getComputedStyle(document.querySelector(it)).fontSize))";
        assert_eq!(page.eval(&format!("(([alert, usual]) => Math.round(100 * alert / usual))({sizes})")).await, 150);
    })
    .await;
}

#[tokio::test]
async fn more_than_five_followers_that_wait_are_shown_together() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.prepare(EARS).await;
        page.open_overlay(&server.page("/overlay/alerts?duration=1&max_age=60")).await;
        page.until(&told("control", 1)).await;
        server.control("pause").await;
        page.until(&told("control", 2)).await;
        for user in 1..=12 {
            server.deliver(&follow(&user.to_string(), at(user))).await;
        }
        server.deliver(&cheer("13", 1, at(13))).await;
        page.until(&told("alert", 13)).await;
        server.control("resume").await;
        page.until_shown(&["12 new followers", "User13 cheers 1 bit!"]).await;
    })
    .await;
}

#[tokio::test]
async fn variation_is_added_previewed_and_saved_on_the_page() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        page.until("!document.getElementById('saved-settings').hidden").await;
        let kind = "document.getElementById('text_cheer').closest('.kind')";
        page.eval(&format!("[...{kind}.querySelectorAll('button')].find(it => it.textContent === 'Add a variation').click()"))
            .await;
        let label = |name: &str| {
            format!("[...{kind}.querySelectorAll('li label')].find(it => it.textContent === {name:?}).htmlFor")
        };
        let field = async |name: &str| page.eval(&label(name)).await.as_str().unwrap().to_owned();
        for (name, value) in [("is at least, or tier", "500"), ("Text", "Big {bits}"), ("Entrance", "drop")] {
            page.fill(&field(name).await, value).await;
        }
        page.fill("preview-kind", "cheer").await;
        page.click("#play").await;
        let shown = "document.getElementById('preview').contentDocument?.querySelector('.alert.by-drop .text')?.textContent";
        page.until(&format!("{shown} === 'Big 500'")).await;
        // What the server refuses stands beside its field.
        let size = field("Size (percent)").await;
        let note = |id: &str| format!("document.getElementById('problem-{id}')?.textContent");
        page.fill(&size, "1000").await;
        page.fill("save-name", "Main").await;
        page.click("#save").await;
        page.until(&format!("{}?.includes('lower-case')", note("save-name"))).await;
        page.fill("save-name", "main").await;
        page.until(&format!("{} === ''", note("save-name"))).await;
        page.click("#save").await;
        page.until(&format!("{}?.includes('from 25 to 400')", note(&size))).await;
        assert_eq!(page.eval(&format!("document.activeElement.id === {size:?} && document.activeElement.offsetParent !== null")).await, true);
        page.fill(&size, "150").await;
        page.until(&format!("{} === ''", note(&size))).await;
        page.click("#save").await;
        page.until("document.getElementById('toast').textContent === 'Saved main'").await;
        let saved = server.json("/overlays/settings/main").await;
        let expected = json!([{
            "when": { "bits": 500 }, "text": "Big {bits}", "duration": null, "sound": null, "image": null, "size": 150.0,
            "animation": "drop",
        }]);
        assert_eq!(saved["settings"]["alerts"]["kinds"]["cheer"]["variations"], expected);
        page.until("document.getElementById('unsaved').hidden").await;
    })
    .await;
}

/// Keeps what is read out, and reads each text at once, or, if it says so, for ever.
const VOICE: &str = "
    Object.assign(window, { read: [], hushed: 0 });
    const speak = it => {
        read.push([it.lang, it.volume, it.text].join(' '));
        if (!it.text.includes('forever')) queueMicrotask(() => it.dispatchEvent(new Event('end')));
    };
    Object.defineProperty(window, 'speechSynthesis', { value: { speak, cancel: () => { hushed++; } } });
";

#[tokio::test]
async fn messages_are_read_out_from_so_many_bits_on_until_the_alert_is_skipped() {
    let server = Server::start().await;
    let cheer = async |user: &str, bits: u32, message: &str| {
        let event = json!({ "is_anonymous": false, "message": message, "bits": bits });
        server.deliver(&notification("channel.cheer", at(0), with_user(user, event))).await;
    };
    let settings = json!({
        "max_age": 60, "blocked_words": ["darn"], "alerts": { "duration": 1, "volume": 50, "language": "de", "speech": 100 },
    });
    server.save_settings("main", &settings).await;
    in_chromium(async |page| {
        page.prepare(VOICE).await;
        page.open_overlay(&server.page("/overlay/alerts/main")).await;
        cheer("1", 99, "too little").await;
        cheer("2", 100, "Cheer100 what a Darn jump").await;
        cheer("3", 100, "forever and ever").await;
        page.until("read.length === 2").await;
        assert_eq!(page.eval("read").await, json!(["de 0.5 what a jump", "de 0.5 forever and ever"]));
        // It is shown for as long as it is read.
        page.until("document.querySelector('.alert:not(.leaving) .message')?.textContent === 'forever and ever'").await;
        server.control("skip").await;
        page.until("hushed > 0 && !document.querySelector('.alert')").await;
    })
    .await;
}

#[tokio::test]
async fn blocked_word_is_stars_in_alerts_and_small_overlays() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/alerts?max_age=60&blocked_words=darn,user2")).await;
        let event = json!({ "is_anonymous": false, "message": "well, DARN it, darned", "bits": 5 });
        server.deliver(&notification("channel.cheer", at(0), with_user("2", event))).await;
        let shown = page.until("document.querySelector('.alert .words')?.innerText").await;
        assert!(shown.as_str().unwrap().ends_with("***** cheers 5 bits!\n\nwell, **** it, darned"), "{shown}");
        page.open_overlay(&server.page("/overlay/label?of=cheer&blocked_words=user2")).await;
        page.until("document.querySelector('.panel')?.innerText === 'Latest cheer: ***** (5)'").await;
    })
    .await;
}
