//! What overlays do when alerts are paused, skipped, muted or cleared.

use super::chromium::in_chromium;
use super::overlay::RECORDER;
use crate::support::messages::{at, follow};
use crate::support::server::Server;

/// Keeps the names of the events that the page got, and what was done with sounds.
pub(super) const EARS: &str = "
    Object.assign(window, { told: [], heard: [], ahead: 0 });
    const [Plain, now] = [WebSocket, Date.now];
    Date.now = () => now() + ahead;
    WebSocket = class extends Plain {
        constructor(...given) {
            super(...given);
            this.addEventListener('message', ({ data }) => told.push(JSON.parse(data).event));
        }
    };
    Audio = class {
        play() { heard.push('play'); return Promise.resolve(); }
        pause() { heard.push('pause'); }
    };
";

/// JavaScript: whether the page got so many events of this name.
pub(super) fn told(event: &str, count: usize) -> String {
    format!("told.filter(it => it === {event:?}).length === {count}")
}

#[tokio::test]
async fn paused_alerts_wait_skipped_ones_end_and_cleared_ones_are_dropped() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.prepare(EARS).await;
        page.open_overlay(&server.page("/overlay/alerts?duration=60&max_age=60")).await;
        page.until(&told("control", 1)).await;
        server.control("pause").await;
        page.until(&told("control", 2)).await;
        server.deliver(&follow("1", at(0))).await;
        server.deliver(&follow("2", at(1))).await;
        page.until(&told("alert", 2)).await;
        assert_eq!(page.eval("document.querySelectorAll('.alert').length").await, 0);
        server.control("resume").await;
        page.until_shown(&["User1 follows!"]).await;
        server.control("skip").await;
        page.until_shown(&["User1 follows!", "User2 follows!"]).await;

        server.deliver(&follow("3", at(2))).await;
        page.until(&told("alert", 3)).await;
        server.control("clear").await;
        page.until(&told("control", 5)).await;
        assert_eq!(page.eval("document.querySelector('.alert .text').textContent").await, "User2 follows!");
        server.control("skip").await;
        page.until("!document.querySelector('.alert')").await;
        server.deliver(&follow("4", at(3))).await;
        page.until_shown(&["User1 follows!", "User2 follows!", "User4 follows!"]).await;
    })
    .await;
}

#[tokio::test]
async fn pause_outlasts_a_reload_and_makes_no_alert_too_old() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.prepare(EARS).await;
        server.control("pause").await;
        page.open_overlay(&server.page("/overlay/alerts?duration=60&max_age=1")).await;
        server.deliver(&follow("1", server.clock.now())).await;
        page.until(&told("alert", 1)).await;
        page.reload().await;
        page.until(&told("control", 1)).await;
        page.until(&told("alert", 1)).await;
        assert_eq!(page.eval("document.querySelectorAll('.alert').length").await, 0);
        page.eval("ahead = 600_000").await;
        server.control("resume").await;
        page.until_shown(&["User1 follows!"]).await;
    })
    .await;
}

#[tokio::test]
async fn muted_alerts_are_silent_and_the_present_sound_stops() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.prepare(RECORDER).await;
        page.prepare(EARS).await;
        page.open_overlay(&server.page("/overlay/alerts?duration=60&max_age=60&sound=/ping.ogg")).await;
        server.deliver(&follow("1", at(0))).await;
        page.until("heard.join() === 'play'").await;
        server.control("mute").await;
        page.until("heard.join() === 'play,pause'").await;
        server.deliver(&follow("2", at(1))).await;
        server.control("skip").await;
        page.until_shown(&["User1 follows!", "User2 follows!"]).await;
        assert_eq!(page.eval("heard.join()").await, "play,pause");
        server.control("unmute").await;
        server.deliver(&follow("3", at(2))).await;
        server.control("skip").await;
        page.until("heard.join() === 'play,pause,play'").await;
    })
    .await;
}

#[tokio::test]
async fn dashboard_says_what_connected_overlays_do_not_get() {
    let server = Server::start().await;
    server
        .sql(
            "insert into served_channel (id, login, display_name, requested_at) values ('1', 'one', 'One', now());
            insert into desired_subscription (type, version, channel_id, transport, status, since) values
                ('channel.follow', '2', '1', 'websocket', 'needs_consent', now()), ('channel.raid', '1', '1', 'websocket', 'enabled', now())",
        )
        .await;
    in_chromium(async |page| {
        for path in ["/overlay/alerts?types=follow,raid", "/overlay/chat"] {
            page.open_overlay(&server.page(path)).await;
            assert_eq!(page.eval("document.getElementById('hint').hidden").await, true, "not on air");
            page.new_tab().await;
        }
        page.open(&server.page("/")).await;
        let missing = "[...document.querySelectorAll('#alert-missing li')].map(it => it.textContent)";
        page.until(&format!("{missing}.length === 2")).await;
        let said = page.eval(&format!("{missing}[0]")).await;
        let said = said.as_str().unwrap();
        assert!(said.starts_with("one does not get New follower: ") && said.ends_with(". Run: init"), "{said}");
        let chat = "one does not get the chat: the chat is not read. Run: server chat set one live";
        assert_eq!(page.eval(&format!("{missing}[1]")).await, chat);
        let state = page.eval("document.getElementById('alert-state').textContent").await;
        assert_eq!(state, "1 overlay is connected · 1 of the chat");
    })
    .await;
}

#[tokio::test]
async fn dashboard_controls_alerts_and_shows_their_state() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/alerts")).await;
        page.new_tab().await;
        page.open(&server.page("/")).await;
        let state = "document.getElementById('alert-state').textContent";
        page.until(&format!("{state} === '1 overlay is connected'")).await;
        for (button, pressed) in [("pause", "paused since"), ("mute", "muted")] {
            page.click(&format!("#alerts-{button}")).await;
            page.until(&format!("{state}.includes({pressed:?})")).await;
            let is_pressed = format!("document.getElementById('alerts-{button}').getAttribute('aria-pressed')");
            assert_eq!(page.eval(&is_pressed).await, "true");
            page.click(&format!("#alerts-{button}")).await;
            page.until(&format!("{is_pressed} === 'false'")).await;
        }
        page.click("#alerts-skip").await;
        page.until("document.getElementById('toast').textContent === 'The present alert ends'").await;
        assert_eq!(server.json("/overlays/alerts").await["controls"][0]["skips"], 1);
        // What waits, and for what a type is missing.
        page.click("#alerts-pause").await;
        page.until(&format!("{state}.includes('paused since')")).await;
        server.deliver(&follow("1", server.clock.now())).await;
        server.deliver(&follow("2", server.clock.now())).await;
        page.until(&format!("{state}.includes('2 alerts wait')")).await;
        page.click("#alerts-pause").await;
        page.until(&format!("!{state}.includes('2 alerts wait')")).await;
        // A Stream Deck does the same.
        server.control("mute").await;
        page.until(&format!("{state}.includes('muted')")).await;
    })
    .await;
}
