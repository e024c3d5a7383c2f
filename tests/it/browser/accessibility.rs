//! Accessibility: axe-core checks every page, in light and dark.

use std::path::Path;

use serde_json::Value;

use super::chromium::{Page, in_chromium};
use crate::support::messages::{at, cheer, follow, online};
use crate::support::server::Server;
use crate::support::skip;

/// From npm: `npm ci` in `tests/browser`.
fn axe() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(path).ok()
}

async fn must_be_accessible(page: &Page, axe: &str, what: &str) {
    page.eval(&format!("(() => {{ {axe}\n; return 1; }})()")).await;
    page.eval("axe.run().then(it => it.violations.map(it => ({ rule: it.id, help: it.help, at: it.nodes.map(it => it.html) })))")
        .await
        .as_array()
        .map(|violations| assert_eq!(*violations, Vec::<Value>::new(), "{what}"))
        .expect("axe answers");
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page_in_light_and_dark() {
    let Some(axe) = axe() else { return skip("axe-core: run `npm ci` in tests/browser") };
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    server.deliver(&follow("1", at(1))).await;
    super::sinks::add_sink(&server).await;
    server
        .sql(
            "insert into action (subject, kind, params, class, channel_id, as_user, bucket, priority, lane, state, problem, created_at,
                not_before, expires_at)
            values ('a', 'say', '\"Welcome!\"', 'once', '1', '1', 'chat', 1, 'chat', 'uncertain', 'no answer', now(), now(), now())",
        )
        .await;
    in_chromium(async |page| {
        for scheme in ["light", "dark"] {
            // Moving elements are half transparent for a moment.
            page.prefer_still(scheme).await;
            for (path, there) in [
                ("/", ".event"),
                ("/history", "#broadcasts tr[data-broadcast]"),
                ("/overlay/settings", "#kinds .kind"),
                ("/overlay/alerts?max_age=60", ".alert"),
                ("/overlay/chat", "body[data-feed=open]"),
                ("/overlay/label", ".panel"),
                ("/overlay/events", ".panel"),
                ("/overlay/goal", "body[data-feed=open]"),
            ] {
                page.open(&server.page(path)).await;
                if there == ".alert" {
                    page.until(super::overlay::OPEN).await;
                    server.deliver(&cheer("2", 5, at(2))).await;
                }
                page.until(&format!("document.querySelector({there:?})")).await;
                page.eval("document.querySelectorAll('details').forEach(it => it.open = true)").await;
                if path == "/overlay/settings" {
                    page.until("!document.getElementById('saved-settings').hidden").await;
                    page.fill("color", "red").await;
                }
                must_be_accessible(page, &axe, &format!("{path} in {scheme}")).await;
            }
            page.open(&server.page("/history")).await;
            page.click("#broadcasts [data-broadcast] button").await;
            page.until("document.querySelector('.timeline figure + figure path')").await;
            must_be_accessible(page, &axe, &format!("the timeline of a broadcast in {scheme}")).await;
            page.open(&server.page("/")).await;
            page.until(
                "document.querySelector('.sink .problem span') && document.querySelector('.action .problem span')",
            )
            .await;
            must_be_accessible(page, &axe, &format!("the sinks and actions in {scheme}")).await;
            page.click(".sink [data-do=rewind]").await;
            page.until("document.getElementById('rewind').open").await;
            must_be_accessible(page, &axe, &format!("the question before a rewind in {scheme}")).await;
            page.open(&server.url("/livez")).await;
            page.eval("sessionStorage.clear()").await;
            for path in ["/", "/overlay/alerts?colour=red"] {
                page.open(&server.url(path)).await;
                page.until("document.querySelector('#token, #hint p')").await;
                must_be_accessible(page, &axe, &format!("{path} without a token, in {scheme}")).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn settings_of_overlays_are_accessible_on_a_screen_and_on_a_phone() {
    let Some(axe) = axe() else { return skip("axe-core: run `npm ci` in tests/browser") };
    let server = Server::start().await;
    in_chromium(async |page| {
        for (width, height) in [(1_440, 900), (390, 844)] {
            for scheme in ["light", "dark"] {
                page.prefer_still(scheme).await;
                page.resize(width, height).await;
                page.open(&server.page("/overlay/settings")).await;
                page.until(
                    "document.querySelector('#kinds .kind') && !document.getElementById('saved-settings').hidden",
                )
                .await;
                page.eval("document.querySelectorAll('details').forEach(it => it.open = true)").await;
                page.fill("color", "red").await;
                must_be_accessible(page, &axe, &format!("the settings at {width} pixels in {scheme}")).await;
                let overhang = "document.documentElement.scrollWidth - innerWidth";
                assert_eq!(page.eval(overhang).await, 0, "nothing is cut off at {width} pixels");
            }
        }
        let small = "[...document.querySelectorAll('button, summary, nav a, select, input:not([type=checkbox])')]
            .filter(it => it.offsetParent && it.getBoundingClientRect().height < 44).map(it => it.outerHTML)";
        assert_eq!(page.eval(small).await, serde_json::json!([]));
    })
    .await;
}
