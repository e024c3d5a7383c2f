//! The dashboard in a browser.

use serde_json::json;

use super::chromium::{ENTER, Page, TAB, in_chromium};
use crate::support::messages::{self, at, cheer, follow, notification, offline, online};
use crate::support::server::{Server, TOKEN};

const CHANNEL: &str = ".channel[data-channel=\"user90210441\"]";

/// A stream of the day before, with 1,000 bits.
const STREAM_BEFORE: &str = "
insert into stream (id, channel_id, type, started_at, ended_at, is_end_estimated, broadcast_id, offline_at, last_event_id)
values ('10', '90210441', 'live', now() - interval '25 hours', now() - interval '24 hours', false, '10',
    array[now() - interval '24 hours'], 0);
insert into activity (channel_id, minute, subscriptions, resubscriptions, gifts, bits, raids, raid_viewers, redemptions, messages)
values ('90210441', date_trunc('minute', now() - interval '24.5 hours'), 0, 0, 0, 1000, 0, 0, 0, 0);
";

/// JavaScript: the types of the shown events, newest first.
const TYPES: &str =
    "[...document.querySelectorAll('.event')].filter(it => !it.hidden).map(it => it.dataset.type).join()";

/// JavaScript: the visible text of an element.
fn text(selector: &str) -> String {
    format!("(document.querySelector({selector:?})?.innerText ?? '')")
}

fn title(seconds: i64, title: &str) -> showtime::twitch::eventsub::outgoing::Outgoing {
    let event = json!({
        "title": title, "language": "en", "category_id": "33214", "category_name": "A Game",
        "content_classification_labels": [],
    });
    notification("channel.update", at(seconds), event)
}

impl Page {
    async fn until_event(&self, count: usize, types: &str) {
        self.until(&format!("document.querySelectorAll('.event').length === {count} && {TYPES} === {types:?}")).await;
    }

    /// Presses Tab until this element has the focus.
    async fn tab_to(&self, selector: &str) {
        for _ in 0..200 {
            if self.eval(&format!("document.activeElement.matches({selector:?})")).await == true {
                return;
            }
            self.press(TAB).await;
        }
        panic!("Tab never gets to {selector}");
    }
}

#[tokio::test]
async fn dashboard_shows_live_channels_events_and_health() {
    let server = Server::start().await;
    server.sql(STREAM_BEFORE).await;
    server.deliver(&online("11", at(0))).await;
    server.deliver(&title(1, "A <b>bold</b> plan")).await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until(&format!("{}.includes('A <b>bold</b> plan')", text(CHANNEL))).await;
        let channel = page.eval(&text(CHANNEL)).await;
        for part in ["User90210441", "Live", "A Game", "since", "live now"] {
            page.until(&format!("{}.includes({part:?})", text(CHANNEL))).await;
        }
        assert!(!channel.as_str().unwrap().contains("Offline"));
        assert_eq!(page.eval("location.hash").await, "", "the token is no longer in the address");
        page.until_event(2, "channel.update,stream.online").await;

        server.deliver(&cheer("7", 300, at(2))).await;
        page.until_event(3, "channel.cheer,channel.update,stream.online").await;
        page.click(".event[data-type=\"channel.cheer\"] summary").await;
        page.until(&format!("{}.includes('\"bits\": 300')", text(".event pre"))).await;
        page.until(&format!("{}.includes('This stream')", text(CHANNEL))).await;
        page.until(&format!("{} === '300'", text("[data-total=bits] dd"))).await;
        assert_eq!(page.eval(&text("[data-total=bits] dd.quiet")).await, "−700", "less than in the stream before");

        server.deliver(&offline(Some("11"), at(3))).await;
        page.until(&format!("{}.includes('Offline')", text(CHANNEL))).await;
        page.until(&format!("{}.includes('the database answered')", text("#health"))).await;
        page.until("document.getElementById('verdict').textContent === 'warn'").await;

        page.reload().await;
        page.until(&format!("{}.includes('Offline')", text(CHANNEL))).await;
        page.until(&format!("{}.includes('Last stream')", text(CHANNEL))).await;
        assert_eq!(page.eval(&text("[data-total=bits] dd")).await, "300", "after a reload");
    })
    .await;
}

#[tokio::test]
async fn viewers_now_are_a_number_of_this_stream() {
    let server = Server::start().await;
    server.deliver(&online("11", server.clock.now() - time::Duration::minutes(2))).await;
    server
        .sql(
            "insert into activity (channel_id, minute, subscriptions, resubscriptions, gifts, bits, raids, raid_viewers, redemptions,
                messages, viewer_samples, viewers, viewers_peak)
            values ('90210441', date_trunc('minute', now()), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1204, 1204)",
        )
        .await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until(&format!("{} === '1,204'", text("[data-total=viewers_now] dd"))).await;
        assert_eq!(page.eval(&text("[data-total=viewers_peak] dd")).await, "1,204");
        server.deliver(&offline(Some("11"), server.clock.now())).await;
        page.until("document.querySelector('.channel .badge').textContent === 'Offline'").await;
        page.until("!document.querySelector('[data-total=viewers_now]')").await;
    })
    .await;
}

#[tokio::test]
async fn health_shows_how_long_delivery_took_and_what_did_not_work() {
    let server = Server::start().await;
    server
        .sql(
            "insert into event (message_id, message_type, occurred_at, received_at, payload)
            select n, 'notification', now() - interval '2 hours', now() - interval '2 hours' + n * interval '1 s', '{}'
            from generate_series(1, 3) as n;
            insert into outage (part, began_at, ended_at, cause)
            values ('database', now() - interval '4 hours', now() - interval '2 hours', 'it was <b>away</b>')",
        )
        .await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until("/^M[0-9.]+ 0.0h0$/.test(document.querySelector('#delivery .line')?.getAttribute('d'))").await;
        let cells = page.eval(
            "[...document.querySelectorAll('#delivery tbody')[0].rows[0].cells].slice(1).map(it => it.textContent)",
        );
        assert_eq!(cells.await, json!(["2.00 s", "2.90 s", "3.00 s"]));
        let band = page.eval("document.querySelector('#delivery .band').getAttribute('d')").await;
        assert!(band.as_str().unwrap().ends_with("h50.0v20h-50.0z"), "{band}");
        let outages = page.eval("document.querySelector('#delivery ul').textContent").await;
        assert!(outages.as_str().unwrap().ends_with("Database · 2 h 00 min: it was <b>away</b>"), "{outages}");
        // One picture has the lag, the other the rate: 0.2 per minute.
        page.until("document.querySelector('#delivery .bars').getAttribute('d').includes('80v-16.0h5.0v16.0z')").await;
    })
    .await;
}

#[tokio::test]
async fn event_that_repeats_another_is_marked_and_not_counted() {
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until("document.querySelector('#connection.pass')").await;
        server.deliver(&follow("1", at(0))).await;
        server.deliver(&follow("1", at(1))).await;
        page.until_event(3, "channel.follow,channel.follow,stream.online").await;
        let marks =
            "[...document.querySelectorAll('.event')].map(it => it.querySelector('.badge')?.textContent ?? '').join()";
        assert_eq!(page.eval(marks).await, "repeat,,");
        page.until(&format!("{} === '1'", text("[data-total=followers] dd"))).await;
    })
    .await;
}

#[tokio::test]
async fn badge_tells_what_is_broadcast() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        let kinds = [
            ("rerun", "Rerun"),
            ("premiere", "Premiere"),
            ("watch_party", "Watch party"),
            ("playlist", "Playlist"),
            ("live", "Live"),
        ];
        for (second, (kind, label)) in (0..).zip(kinds) {
            let event = json!({ "id": format!("s{second}"), "type": kind, "started_at": messages::text(at(second)) });
            server.deliver(&notification("stream.online", at(second), event)).await;
            let badge = format!("document.querySelector({:?})", format!("{CHANNEL} .badge"));
            page.until(&format!("{badge}?.textContent === {label:?}")).await;
            assert_eq!(page.eval(&format!("{badge}.matches('.live')")).await, kind == "live");
            let now = format!("{} now", label.to_lowercase());
            page.until(&format!("{}.includes({now:?})", text(CHANNEL))).await;
        }
    })
    .await;
}

#[tokio::test]
async fn buttons_send_tests_replay_events_and_mark_segments() {
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.click("#test-buttons button[data-test=\"channel.follow\"]:not(:disabled)").await;
        page.until_event(2, "channel.follow,stream.online").await;
        page.until(&format!("{}.includes('test')", text(".event[data-type=\"channel.follow\"]"))).await;
        page.until(&format!("{}.includes('Sent a test: Follow')", text("#toast"))).await;
        let viewers = server.json("/channels/user90210441/viewers").await;
        assert_eq!(viewers["data"], json!([]), "a test is no viewer");

        page.click(".event[data-type=\"channel.follow\"] .replay").await;
        page.until_event(3, "channel.follow,channel.follow,stream.online").await;
        page.until(&format!("{}.includes('replay')", text(".event"))).await;

        page.eval(&format!("document.querySelector({:?}).value = 'Tape 13'", format!("{CHANNEL} [name=title]"))).await;
        page.click(&format!("{CHANNEL} form button")).await;
        page.until(&format!("{}.includes('On now: Tape 13')", text(&format!("{CHANNEL} .segment")))).await;
        page.click(&format!("{CHANNEL} .end-segment")).await;
        page.until(&format!("document.querySelector({:?}).hidden", format!("{CHANNEL} .segment"))).await;
    })
    .await;
}

#[tokio::test]
async fn events_can_be_filtered_and_paused() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        server.deliver(&follow("1", at(0))).await;
        server.deliver(&cheer("2", 5, at(1))).await;
        page.until_event(2, "channel.cheer,channel.follow").await;
        page.click("#filter").await;
        page.eval("document.getElementById('filter').focus()").await;
        page.press("FOLLOW").await;
        page.until_event(2, "channel.follow").await;

        page.click("#pause").await;
        server.deliver(&follow("3", at(2))).await;
        page.until(&format!("{}.includes('1 more')", text("#events-note"))).await;
        page.until_event(2, "channel.follow").await;
        page.click("#pause").await;
        page.until_event(3, "channel.follow,channel.follow").await;
    })
    .await;
}

#[tokio::test]
async fn hidden_tab_stays_current_without_duplicates() {
    let server = Server::start().await;
    in_chromium(async |page| {
        let hide = async |is_hidden: bool| {
            let change =
                format!("Object.defineProperty(document, 'hidden', {{ value: {is_hidden}, configurable: true }})");
            page.eval(&format!("({change}, document.dispatchEvent(new Event('visibilitychange')))")).await;
        };
        page.open(&server.page("/")).await;
        server.deliver(&follow("1", at(0))).await;
        page.until_event(1, "channel.follow").await;
        hide(true).await;
        server.deliver(&follow("2", at(1))).await;
        server.deliver(&cheer("3", 5, at(2))).await;
        hide(false).await;
        page.until_event(3, "channel.cheer,channel.follow,channel.follow").await;
    })
    .await;
}

#[tokio::test]
async fn dashboard_works_with_the_keyboard_alone() {
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    in_chromium(async |page| {
        page.open(&server.url("/")).await;
        page.until("document.activeElement.id === 'token'").await;
        page.press("nonsense").await;
        page.press(ENTER).await;
        page.until(&format!("{}.length > 10", text("#token-problem"))).await;
        page.eval("document.getElementById('token').select()").await;
        page.press(TOKEN).await;
        page.press(ENTER).await;
        page.until(&text(CHANNEL)).await;

        page.eval("document.body.focus(), document.querySelector('.skip').focus()").await;
        page.press(ENTER).await;
        page.until("document.activeElement.id === 'main'").await;
        page.tab_to(&format!("{CHANNEL} [name=title]")).await;
        page.press("Tape 14").await;
        page.press(ENTER).await;
        page.until(&format!("{}.includes('Tape 14')", text(&format!("{CHANNEL} .segment")))).await;
        page.tab_to("[data-test=\"channel.raid\"]").await;
        page.press(" ").await;
        page.until("document.querySelector('.event[data-type=\"channel.raid\"]')").await;
        page.eval("document.querySelector('.skip').focus()").await;
        page.press(ENTER).await;
        page.tab_to("#pause").await;
        page.press(" ").await;
        page.until("document.getElementById('pause').getAttribute('aria-pressed') === 'true'").await;
        page.tab_to(".event[data-type=\"channel.raid\"] summary").await;
        page.press(ENTER).await;
        page.until(&format!("{}.includes('viewers')", text(".event[data-type=\"channel.raid\"] pre"))).await;
        page.tab_to(".event[data-type=\"channel.raid\"] .replay").await;
        let outline = "getComputedStyle(document.activeElement).outlineStyle";
        assert_eq!(page.eval(outline).await, "solid", "one sees where the focus is");
        page.press(ENTER).await;
        page.until(&format!("{}.includes('Replayed')", text("#toast"))).await;
    })
    .await;
}

#[tokio::test]
async fn first_event_is_on_the_first_screen_of_a_phone_and_targets_are_large() {
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    server.deliver(&title(1, "A title that is as long as titles of streams often are, with some more words")).await;
    server.deliver(&cheer("7", 300, at(2))).await;
    in_chromium(async |page| {
        page.resize(390, 844).await;
        page.open(&server.page("/")).await;
        page.until("document.querySelector('.event') && document.querySelector('[data-total=bits]')").await;
        let bottom = page.eval("document.querySelector('.event').getBoundingClientRect().bottom").await;
        assert!(bottom.as_f64().unwrap() <= 844.0, "{bottom}");
        let small = "[...document.querySelectorAll('button, summary, nav a, select')].filter(it => it.offsetParent
            && it.getBoundingClientRect().height < 44).map(it => it.outerHTML)";
        assert_eq!(page.eval(small).await, json!([]));
        assert_eq!(page.eval("document.querySelector('.rest').open").await, false);
        page.click(".rest > summary").await;
        page.until(&format!("document.querySelector({:?}).offsetParent", format!("{CHANNEL} [name=title]"))).await;
    })
    .await;
}

#[tokio::test]
async fn no_page_scrolls_sideways_on_a_phone() {
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    server.deliver(&title(1, &"Wide".repeat(30))).await;
    in_chromium(async |page| {
        page.resize(320, 640).await;
        for (path, there) in [
            ("/", CHANNEL),
            ("/history", "[data-broadcast]"),
            ("/overlay/settings", "#alerts-address"),
            ("/overlay/alerts?colour=red", "#hint p"),
        ] {
            page.open(&server.page(path)).await;
            page.until(&format!("document.querySelector({there:?})")).await;
            page.until("document.readyState === 'complete'").await;
            let widths = page.eval("(it => [it.scrollWidth, it.clientWidth])(document.documentElement)").await;
            assert_eq!(widths[0], widths[1], "{path}");
        }
    })
    .await;
}
