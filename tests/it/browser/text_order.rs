//! The order in which text stands on a page, and that a stranger's text changes nothing beside it.

use serde_json::json;

use super::chromium::in_chromium;
use crate::support::messages::{at, notification, online, with_user};
use crate::support::server::Server;

/// JavaScript: whether the texts of an element, all on one line, stand from left to right in the order in which they are
/// read, and the digits of those that are numbers as well.
pub(super) const IN_ORDER: &str = "container => {
    const [walker, range] = [document.createTreeWalker(container, NodeFilter.SHOW_TEXT), document.createRange()];
    const left = (node, from, to) => (range.setStart(node, from), range.setEnd(node, to), range.getBoundingClientRect().left);
    let end = -Infinity;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const last = node.length - 1;
        if (/^[\\d.,]+$/.test(node.data) && left(node, 0, 1) > left(node, last, last + 1)) return false;
        range.selectNodeContents(node);
        const { left: begin, right, width } = range.getBoundingClientRect();
        if (width > 0 && begin < end - 1) return false;
        if (width > 0) end = right;
    }
    return end > 0;
}";

/// Names that would turn the direction of what follows. The second ends the isolation of its element first.
const NAMES: [&str; 3] = ["\u{202e}evil", "\u{2069}\u{202e}evil", "مستخدم"];

#[tokio::test]
async fn values_of_an_alert_change_no_order() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/alerts?max_age=60&duration=1")).await;
        for (second, name) in (0..).zip(NAMES) {
            let event = json!({ "is_anonymous": false, "message": "مرحبا!", "bits": 1500 });
            let mut event = with_user("1", event);
            event["user_name"] = name.into();
            server.deliver(&notification("channel.cheer", at(second), event)).await;
            let card = format!("document.querySelector('.alert[data-id=\"{}\"] .text')", second + 1);
            assert_eq!(page.until(&format!("({IN_ORDER})({card} ?? document.body)")).await, true, "{name:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn texts_on_the_dashboard_change_no_order() {
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    in_chromium(async |page| {
        page.resize(2000, 1000).await;
        page.open(&server.page("/")).await;
        for (second, name) in (1..).zip(NAMES) {
            let event = json!({ "is_anonymous": false, "message": { "text": name }, "bits": 1500 });
            let mut event = with_user("1", event);
            event["user_name"] = name.into();
            server.deliver(&notification("channel.cheer", at(second), event)).await;
            let event = "document.querySelector('.event[data-type=\"channel.cheer\"] summary')";
            let cheers = "document.querySelectorAll('.event[data-type=\"channel.cheer\"]').length";
            page.until(&format!("{cheers} === {second}")).await;
            assert_eq!(page.eval(&format!("({IN_ORDER})({event})")).await, true, "{name:?}");

            let segment = json!({ "title": name, "reference": name });
            assert_eq!(server.post_json("/channels/user90210441/segments", &segment).await.status, 201);
            let id = server.json("/channels/user90210441").await["segment"]["id"].as_str().unwrap().to_owned();
            let segment = format!(".segment[data-id={id:?}] span");
            page.until(&format!("document.querySelector({segment:?})")).await;
            assert_eq!(
                page.eval(&format!("({IN_ORDER})(document.querySelector({segment:?}))")).await,
                true,
                "{name:?}"
            );
        }
        page.eval("document.querySelectorAll('.event details').forEach(it => it.open = true)").await;
        let payloads = "[...document.querySelectorAll('.event pre')].map(it => it.textContent)";
        page.until(&format!("{payloads}.every(text => text)")).await;
        let payloads = page.eval(&format!("{payloads}.join('')")).await.as_str().unwrap().to_owned();
        assert!(payloads.contains(r"\u2069\u202eevil") && !payloads.contains(['\u{202e}', '\u{2069}']), "{payloads}");
    })
    .await;
}
