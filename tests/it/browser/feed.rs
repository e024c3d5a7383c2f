//! The dashboard's list of events.

use serde_json::json;
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};

use super::chromium::{Page, in_chromium};
use crate::support::messages::{at, cheer, follow, notification, online, subscription, text, with_person, with_user};
use crate::support::server::Server;

/// JavaScript: the sentences of the shown events, newest first.
const SHOWN: &str =
    "[...document.querySelectorAll('.event')].filter(it => !it.hidden).map(it => it.querySelector('.who').textContent)";

impl Page {
    async fn until_listed(&self, count: usize) {
        self.until(&format!("{SHOWN}.length === {count}")).await;
    }
}

#[tokio::test]
async fn kinds_of_events_are_chosen_and_remembered() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        server.deliver(&follow("1", at(0))).await;
        server.deliver(&cheer("2", 500, at(1))).await;
        let said = json!({ "chatter_user_id": "3", "message_id": "m", "message": { "text": "hi", "fragments": [] } });
        server.deliver(&notification("channel.chat.message", at(2), said)).await;
        page.until_listed(2).await;
        assert_eq!(
            page.eval("document.querySelector('.event[data-type=\"channel.cheer\"] b').textContent").await,
            "500"
        );
        page.click("[data-kind=chat]").await;
        page.until_listed(3).await;
        page.click("[data-kind=bits]").await;
        page.until_listed(2).await;
        page.reload().await;
        page.until_listed(2).await;
        assert_eq!(
            page.eval("document.querySelector('button[data-kind=bits]').getAttribute('aria-pressed')").await,
            "false"
        );
    })
    .await;
}

#[tokio::test]
async fn gift_of_many_subscriptions_is_one_row_with_their_names() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        server
            .deliver(&notification(
                "channel.subscription.gift",
                at(0),
                with_user("7", json!({ "total": 3, "tier": "1000" })),
            ))
            .await;
        for user in ["11", "12", "13"] {
            let given = with_user(user, json!({ "tier": "1000", "is_gift": true }));
            server.deliver(&notification("channel.subscribe", at(1), given)).await;
        }
        server.deliver(&follow("1", at(2))).await;
        page.until_listed(2).await;
        let names = "document.querySelector('.event[data-type=\"channel.subscription.gift\"] .names').textContent";
        assert_eq!(page.eval(names).await, "to User11, User12, User13");
    })
    .await;
}

#[tokio::test]
async fn channel_of_an_event_is_told_as_soon_as_there_are_several() {
    let server = Server::start().await;
    server.deliver(&follow("1", at(0))).await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until_listed(1).await;
        let chips = "[...document.querySelectorAll('.event .chip')].filter(it => !it.hidden).map(it => it.textContent)";
        assert_eq!(page.eval(chips).await, json!([]));
        let started = json!({ "id": "s1", "type": "live", "started_at": text(at(1)) });
        let event = with_person("broadcaster_user_", "20", started);
        let stamp = Stamp::new(text(at(1)));
        server.deliver(&Outgoing::notification(stamp, &subscription("stream.online", &event), &event)).await;
        page.until(&format!("{chips}.join() === 'User20,User90210441'")).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_moves_under_the_pointer() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.resize(1_440, 900).await;
        page.open(&server.page("/")).await;
        server.deliver(&follow("1", at(0))).await;
        page.until_listed(1).await;
        page.point_at(".event").await;
        let place = page.eval("document.querySelector('.event').getBoundingClientRect().y").await;
        server.deliver(&follow("2", at(1))).await;
        page.until("document.getElementById('events-note').textContent.startsWith('1 more')").await;
        assert_eq!(page.eval("document.querySelector('.event').getBoundingClientRect().y").await, place);
        page.point_at("h1").await;
        page.until_listed(2).await;
    })
    .await;
}

#[tokio::test]
async fn older_events_are_loaded_to_the_beginning_of_the_log() {
    let server = Server::start().await;
    let log =
        "insert into event (message_id, message_type, type, version, channel_id, occurred_at, received_at, payload)
        select n, 'notification', 'channel.follow', '2', '90210441', now() - n * interval '1 hour', now(),
            json_build_object('event', json_build_object('user_id', n::text, 'user_name', 'Fan' || n))
        from generate_series(120, 1, -1) n";
    server.sql(log).await;
    in_chromium(async |page| {
        page.resize(1_440, 900).await;
        page.open(&server.page("/")).await;
        page.until_listed(50).await;
        page.click("#older").await;
        page.until_listed(100).await;
        page.click("#older").await;
        page.until_listed(120).await;
        page.until("document.getElementById('older').disabled").await;
        let order = format!("JSON.stringify({SHOWN}.map(it => Number(/Fan(\\d+)/.exec(it)[1])))");
        let expected: Vec<_> = (1..=120).collect();
        assert_eq!(page.eval(&order).await, serde_json::to_string(&expected).unwrap());
        let days = page.eval("document.querySelectorAll('.day').length").await.as_i64().unwrap();
        assert!((4..=6).contains(&days), "120 hours have {days} borders of days");
        let high = page.eval("document.querySelector('.event').getBoundingClientRect().height").await;
        assert!(high.as_f64().unwrap() * 25.0 < 900.0, "25 rows on a screen: each is {high} high");
    })
    .await;
}

/// What a busy chat and samples would push out of the list.
const NOISE: &str = "
insert into event (message_id, message_type, type, version, channel_id, occurred_at, received_at, payload)
select 'f' || n, 'notification', 'channel.follow', '2', '90210441', now() - interval '1 hour', now(),
    json_build_object('event', json_build_object('user_id', n::text, 'user_name', 'Fan' || n))
from generate_series(1, 60) n;
insert into event (message_id, message_type, type, version, channel_id, occurred_at, received_at, payload)
select 'c' || n, 'notification', case when n % 10 = 0 then 'showtime.stream.viewers' else 'channel.chat.message' end, '1', '90210441',
    now(), now(), json_build_object('event', json_build_object('chatter_user_id', '7', 'chatter_user_name', 'Talker'))
from generate_series(1, 500) n;";

#[tokio::test]
async fn busy_chat_and_samples_push_no_follow_out_of_the_list() {
    let server = Server::start().await;
    server.sql(NOISE).await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until_listed(50).await;
        page.click("#older").await;
        page.until_listed(60).await;
        page.until("document.getElementById('older').disabled").await;
        // The chat is there as soon as it is asked for, and gone again.
        page.click("[data-kind=chat]").await;
        page.until(&format!("{SHOWN}.length === 50 && {SHOWN}.every(it => it.startsWith('Talker'))")).await;
        page.click("[data-kind=chat]").await;
        page.until(&format!("{SHOWN}.length === 50 && {SHOWN}.every(it => it.startsWith('Fan'))")).await;
        server.deliver(&cheer("2", 1_500, at(1))).await;
        page.until_listed(51).await;
        let amount = "document.querySelector('.event[data-type=\"channel.cheer\"] b').textContent";
        assert_eq!(page.eval(amount).await, "1,500");
        // A replay of an old event is not where the older ones begin.
        page.eval("document.querySelectorAll('.event .replay')[40].click()").await;
        page.until_listed(52).await;
        page.click("#older").await;
        page.until_listed(62).await;
    })
    .await;
}

#[tokio::test]
async fn event_without_a_type_is_among_the_others_live_and_loaded() {
    let server = Server::start().await;
    let untyped = || {
        let (message_type, body) = ("telegram", br#"{"greeting":"hello"}"#.to_vec());
        Outgoing { message_type, body, ..follow("1", at(0)) }
    };
    assert_eq!(server.deliver(&untyped()).await.status, 204);
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until_listed(1).await;
        assert_eq!(server.deliver(&untyped()).await.status, 204);
        page.until_listed(2).await;
        let types = "[...document.querySelectorAll('.event')].map(it => it.dataset.type)";
        assert_eq!(page.eval(types).await, json!(["telegram", "telegram"]));
        page.click("[data-kind=others]").await;
        page.until_listed(0).await;
        page.click("[data-kind=others]").await;
        page.until_listed(2).await;
    })
    .await;
}

#[tokio::test]
async fn keys_go_through_the_events_and_unread_ones_are_counted_in_the_title() {
    let server = Server::start().await;
    server.deliver(&online("11", at(0))).await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        server.deliver(&follow("1", at(1))).await;
        server.deliver(&cheer("2", 500, at(2))).await;
        page.until("document.title === '● 3 – User90210441'").await;
        page.click("#mark-read").await;
        page.until("document.title === '● – User90210441'").await;
        let focused = "document.activeElement.closest('.event')?.dataset.type";
        page.press("jj").await;
        page.until(&format!("{focused} === 'channel.follow'")).await;
        page.press("k").await;
        page.until(&format!("{focused} === 'channel.cheer'")).await;
        page.press("r").await;
        page.until_listed(4).await;
        page.press("/").await;
        page.until("document.activeElement.id === 'filter'").await;
        page.press("jk").await;
        assert_eq!(page.eval("document.getElementById('filter').value").await, "jk");
    })
    .await;
}
