//! The small overlays, as OBS shows them.

use serde_json::{Value, json};
use time::Duration;

use super::chromium::{Page, in_chromium};
use crate::support::messages::{self, at, follow, notification, online, with_user};
use crate::support::server::Server;

/// A title that would be dangerous as markup.
const HOSTILE: &str = "<img src=x onerror=alert(1)>";

/// JavaScript: the visible text of the overlay.
const TEXT: &str = "document.getElementById('place').innerText.replace(/\\s+/g, ' ')";

impl Page {
    async fn until_text(&self, words: &str) {
        self.until(&format!("{TEXT}.includes({words:?})")).await;
        assert_eq!(self.eval("document.querySelectorAll('#place img, #place b').length").await, 0, "text stays text");
    }

    async fn until_nothing(&self) {
        self.until("document.getElementById('place').childElementCount === 0").await;
    }
}

/// A poll that ends in five minutes.
fn poll(server: &Server, votes: [u32; 2]) -> Value {
    let choice = |(id, title, votes): (&str, &str, u32)| json!({ "id": id, "title": title, "bits_votes": 0, "channel_points_votes": 0, "votes": votes });
    let voting = json!({ "is_enabled": false, "amount_per_vote": 0 });
    let now = server.clock.now();
    json!({
        "id": "p1", "title": HOSTILE, "choices": [choice(("1", "Forest", votes[0])), choice(("2", HOSTILE, votes[1]))],
        "bits_voting": voting, "channel_points_voting": voting,
        "started_at": messages::text(now), "ends_at": messages::text(now + Duration::minutes(5)),
    })
}

#[tokio::test]
async fn goal_and_hype_train_show_bars() {
    let server = Server::start().await;
    let now = server.clock.now();
    let goal = json!({
        "id": "g1", "type": "follow", "description": HOSTILE, "current_amount": 42, "target_amount": 100,
        "started_at": messages::text(at(0)),
    });
    let train = json!({
        "id": "t1", "total": 2_050, "progress": 450, "goal": 1_800, "top_contributions": [], "level": 2,
        "started_at": messages::text(now), "expires_at": messages::text(now + Duration::minutes(5)), "type": "regular",
        "is_shared_train": false, "shared_train_participants": null,
    });
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/goal")).await;
        page.until_nothing().await;
        server.deliver(&notification("channel.goal.progress", at(1), goal)).await;
        page.until_text(&format!("{HOSTILE} 42 of 100")).await;
        assert_eq!(page.eval("document.querySelector('progress').position").await, 0.42);
        page.reload().await;
        page.until_text("42 of 100").await;

        server.deliver(&notification("channel.hype_train.progress", now, train)).await;
        page.open_overlay(&server.page("/overlay/hype-train")).await;
        page.until_text("Hype train, level 2").await;
        page.until_text("450 of").await;
        assert_eq!(page.eval("document.querySelector('progress').position").await, 0.25);
    })
    .await;
}

#[tokio::test]
async fn label_and_events_name_the_last_and_forget_tests() {
    let server = Server::start().await;
    server.deliver(&follow("1", at(0))).await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/label?text=Newest:%20{user}")).await;
        page.until_text("Newest: User1").await;
        let named = json!({
            "user_id": "2", "user_login": "two", "user_name": HOSTILE, "followed_at": messages::text(at(1)),
        });
        server.deliver(&notification("channel.follow", at(1), named)).await;
        page.until_text(&format!("Newest: {HOSTILE}")).await;
        assert_eq!(page.eval("document.querySelector('#place strong').textContent").await, HOSTILE);

        let sent = server.post_json("/channels/90210441/test", &json!({ "type": "channel.follow" })).await;
        assert_eq!(sent.status, 202);
        page.until_text("Newest: QuietOtter").await;
        page.reload().await;
        page.until_text(&format!("Newest: {HOSTILE}")).await;

        let cheer = json!({ "is_anonymous": false, "message": "", "bits": 1500 });
        server.deliver(&notification("channel.cheer", at(2), with_user("3", cheer))).await;
        page.open_overlay(&server.page("/overlay/events?max=2")).await;
        page.until_text("User3 cheers 1,500 bits!").await;
        assert_eq!(page.eval("document.querySelectorAll('#place li').length").await, 2);
        assert_eq!(page.eval("getComputedStyle(document.body).backgroundColor").await, "rgba(0, 0, 0, 0)");
    })
    .await;
}

#[tokio::test]
async fn poll_shows_its_votes_and_its_result() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open_overlay(&server.page("/overlay/poll")).await;
        server.deliver(&notification("channel.poll.progress", server.clock.now(), poll(&server, [3, 1]))).await;
        page.until_text(&format!("{HOSTILE} Forest 75 % {HOSTILE} 25 % 4 votes")).await;
        let mut ended = poll(&server, [1, 3]);
        ended["status"] = json!("completed");
        ended["ended_at"] = json!(messages::text(server.clock.now()));
        server.deliver(&notification("channel.poll.end", server.clock.now(), ended)).await;
        page.until(&format!("document.querySelector('#place strong')?.textContent === {HOSTILE:?}")).await;
    })
    .await;
}

#[tokio::test]
async fn clock_shows_uptime_countdown_and_viewers() {
    let server = Server::start().await;
    let now = server.clock.now();
    server.deliver(&online("11", now - Duration::minutes(2))).await;
    server
        .sql(
            "insert into activity (channel_id, minute, subscriptions, resubscriptions, gifts, bits, raids, raid_viewers, redemptions,
                messages, viewer_samples, viewers, viewers_peak)
            values ('90210441', date_trunc('minute', now()), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1204, 1204)",
        )
        .await;
    let token = server.post_json("/tokens", &json!({ "name": "obs", "scope": "overlay" })).await.json();
    let page_of = |path: &str| server.url(&format!("/overlay/clock?{path}#token={}", token["token"].as_str().unwrap()));
    in_chromium(async |page| {
        page.open_overlay(&page_of("")).await;
        page.until(&format!("/^2:\\d\\d$/.test({TEXT})")).await;
        page.open_overlay(&page_of("show=countdown&to=2099-01-01T00:00Z&text=Soon:")).await;
        page.until_text("Soon: ").await;
        page.open_overlay(&page_of("show=viewers&channel=user90210441")).await;
        page.until_text("1,204").await;
        page.open(&page_of("show=moon&to=never")).await;
        let hint = "document.getElementById('hint').innerText";
        page.until(&format!("{hint}.includes('allowed: uptime, countdown, viewers') && {hint}.includes('no time')"))
            .await;
    })
    .await;
}

#[tokio::test]
async fn settings_page_lists_the_small_overlays() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        let address = |name: &str| format!("document.getElementById('{name}-address').value");
        for name in ["goal", "label", "events", "hype-train", "poll", "clock"] {
            page.until(&format!("{} === {:?}", address(name), server.url(&format!("/overlay/{name}")))).await;
        }
        page.fill("channel", "me").await;
        page.fill("label_of", "raid").await;
        page.until(&format!("{} === {:?}", address("label"), server.url("/overlay/label?channel=me&of=raid"))).await;
        // What is wrong stands beside its field.
        page.fill("clock_show", "countdown").await;
        let note = "document.getElementById('problem-clock_to')?.textContent";
        page.until(&format!("{note}?.includes('needs a time')")).await;
        page.fill("clock_to", "20:15").await;
        page.until(&format!("{note} === ''")).await;
        page.until(&format!("{}.endsWith('?channel=me&show=countdown&to=20%3A15')", address("clock"))).await;
    })
    .await;
}

#[tokio::test]
async fn small_overlays_are_seen_saved_and_changed_on_the_page() {
    let server = Server::start().await;
    server.deliver(&follow("1", at(0))).await;
    in_chromium(async |page| {
        page.open(&server.page("/overlay/settings")).await;
        page.until("!document.getElementById('saved-settings').hidden").await;
        let inside = "document.getElementById('preview').contentDocument?.getElementById('place')?.innerText";
        let shows = async |words: &str| page.until(&format!("{inside}?.includes({words:?})")).await;
        for (overlay, words) in [
            ("goal", "42 of 100"),
            ("label", "Latest follower: QuietOtter"),
            ("events", "QuietOtter cheers 500 bits!"),
            ("hype-train", "Hype train, level 3"),
            ("poll", "The old one"),
            ("clock", "1:23:"),
        ] {
            page.fill("preview-kind", overlay).await;
            page.click("#play").await;
            shows(words).await;
        }
        page.fill("clock_show", "viewers").await;
        shows("1,204").await;
        page.fill("clock_show", "").await;
        page.fill("preview-kind", "label").await;
        page.click("#play").await;
        page.fill("label_of", "raid").await;
        shows("Latest raid: QuietOtter (1,234)").await;
        page.fill("label_of", "").await;
        page.fill("label_text", "Hello {user}").await;
        shows("Hello QuietOtter").await;
        page.fill("save-name", "main").await;
        page.click("#save").await;
        let address = "document.getElementById('label-address').value";
        page.until(&format!("{address} === {:?}", server.url("/overlay/label/main"))).await;
        assert_eq!(server.json("/overlays/settings/main").await["settings"]["label"]["text"], "Hello {user}");
        // Until it is saved, another label is in its address.
        page.fill("label_of", "raid").await;
        page.until(&format!("{address} === {:?}", server.url("/overlay/label/main?of=raid"))).await;

        page.open_overlay(&server.page("/overlay/label/main")).await;
        page.until_text("Hello User1").await;
        server.save_settings("main", &json!({ "label": { "text": "Last: {user}" } })).await;
        page.until_text("Last: User1").await;
        page.open_overlay(&server.page("/overlay/label/main?text=Mine:%20{user}")).await;
        page.until_text("Mine: User1").await;
    })
    .await;
}
