//! The page with the history of broadcasts.

use serde_json::json;

use super::chromium::{ENTER, TAB, in_chromium};
use crate::support::messages::{at, cheer, follow, notification, offline, online, with_user};
use crate::support::server::Server;

/// JavaScript: the paths of these shapes, joined by commas.
fn paths(selector: &str) -> String {
    format!("[...document.querySelectorAll({selector:?})].map(it => it.getAttribute('d')).join()")
}

fn title(title: &str) -> serde_json::Value {
    json!({
        "title": title, "language": "en", "category_id": "33214", "category_name": "A Game",
        "content_classification_labels": [],
    })
}

/// A broadcast of four minutes: a title before it and one after a minute, a raid after 75 s, a gift of five after two minutes.
async fn broadcast(server: &Server) {
    let raid = json!({
        "from_broadcaster_user_id": "7", "from_broadcaster_user_login": "seven", "from_broadcaster_user_name": "<b>Seven</b>",
        "to_broadcaster_user_id": "90210441", "to_broadcaster_user_login": "user90210441",
        "to_broadcaster_user_name": "User90210441", "viewers": 128,
    });
    let gift = |total: u32| json!({ "total": total, "tier": "1000", "cumulative_total": null, "is_anonymous": false });
    for message in [
        notification("channel.update", at(-60), title("Before")),
        online("11", at(0)),
        follow("1", at(10)),
        follow("2", at(20)),
        notification("channel.update", at(60), title("A <i>new</i> title")),
        notification("channel.raid", at(75), raid),
        cheer("3", 500, at(100)),
        notification("channel.subscription.gift", at(110), with_user("4", gift(1))),
        notification("channel.subscription.gift", at(120), with_user("5", gift(5))),
        offline(Some("11"), at(240)),
    ] {
        assert_eq!(server.deliver(&message).await.status, 204);
    }
}

#[tokio::test]
async fn known_log_gives_rows_and_exact_pictures() {
    let server = Server::start().await;
    broadcast(&server).await;
    let today = if at(10).date() == server.clock.now().date() { "M590.0" } else { "M580.0" };
    in_chromium(async |page| {
        page.open(&server.page("/history")).await;
        page.until(&format!("{} === '{today} 80v-80.0h8.0v80.0z'", paths("#bars .bars"))).await;
        page.until("document.querySelectorAll('[data-broadcast]').length === 1").await;
        let row = "document.querySelector('[data-broadcast]')";
        let cells = page.eval(&format!("[...{row}.cells].slice(1).map(it => it.innerText)")).await;
        assert_eq!(cells, json!(["4 min", "A <i>new</i> title", "2", "0", "0", "6", "500", "1", "0", "0", ""]));
        assert_eq!(page.eval(&format!("{row}.querySelectorAll('i').length")).await, 0);

        page.click("[data-broadcast] button").await;
        page.until(&format!("{} === 'M187.5 0v60,M300.0 0v60'", paths(".mark"))).await;
        assert_eq!(page.eval(&paths(".tick")).await, "M150.0 60v-20");
        let list = page.eval("[...document.querySelectorAll('.timeline ol span')].map(it => it.textContent)").await;
        assert_eq!(list.as_array().unwrap().len(), 3, "{list}");
        assert!(list[1].as_str().unwrap().contains("<b>Seven</b>"), "{list}");

        // With the keyboard one gets to each mark, and reads what it is.
        page.eval("document.querySelector('[data-broadcast] button').focus()").await;
        page.press(TAB).await;
        page.press(TAB).await;
        page.until("document.querySelector('.timeline .told').innerText.includes('<b>Seven</b>')").await;
        assert_eq!(page.eval("document.querySelectorAll('.timeline b').length").await, 0);
        page.press(ENTER).await;
        page.until("document.getElementById('toast').innerText.includes('Replayed: ')").await;
        assert_eq!(page.eval("document.querySelectorAll('.timeline g[role=button]').length").await, 3);

        page.eval(
            "(it => [it.value = 'bits', it.dispatchEvent(new Event('input'))])(document.getElementById('metric'))",
        )
        .await;
        page.until("document.querySelector('#bars svg').getAttribute('aria-label') === 'Bits, at most 500'").await;
        page.until("document.querySelector('#bars td + td')?.textContent === '500'").await;
    })
    .await;
}

#[tokio::test]
async fn history_without_a_token_or_a_channel_says_so() {
    let server = Server::start().await;
    in_chromium(async |page| {
        page.open(&server.url("/history")).await;
        page.until("document.getElementById('problem').innerText.includes('Sign in')").await;
        page.open(&server.page("/history")).await;
        page.reload().await;
        page.until("!document.getElementById('no-broadcasts').hidden").await;
    })
    .await;
}

/// The API has them in pages of a hundred.
#[tokio::test]
async fn every_channel_can_be_chosen() {
    let server = Server::start().await;
    let channels = "insert into twitch_user (id, login, display_name, named_at, named_by)
            select (1000 + n)::text, 'user' || n, 'User' || n, now(), '' from generate_series(1, 250) as n;
        insert into channel (id, anonymous_bits, anonymous_gifts)
            select (1000 + n)::text, 0, 0 from generate_series(1, 250) as n";
    server.sql(channels).await;
    in_chromium(async |page| {
        page.open(&server.page("/history")).await;
        page.until("document.getElementById('channel').length === 250").await;
    })
    .await;
}
