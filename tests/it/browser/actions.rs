//! The dashboard's card of actions.

use serde_json::json;
use showtime::mock::Faults;

use super::chromium::{Page, in_chromium};
use crate::actions::{Place, VIEWER, done, request, say, settled};

/// JavaScript: what the card's rows say, newest first.
const ROWS: &str = "[...document.querySelectorAll('.action')].map(it => it.innerText)";

impl Page {
    /// Waits until the action's row contains this text.
    async fn until_action(&self, id: i64, text: &str) {
        let row = format!("document.querySelector('.action[data-action=\"{id}\"]')");
        self.until(&format!("{row}?.innerText.includes({text:?})")).await;
    }
}

#[tokio::test]
async fn actions_are_shown_as_they_go_and_settled_by_a_person() {
    let place = Place::new().await;
    let server = place.serve().await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until("document.getElementById('actions').innerText.includes('POST /channels/{channel}/actions')").await;
        done(&server, json!({ "ban": { "user": VIEWER, "reason": "<b>spam</b>" } })).await;
        page.until(&format!("{ROWS}.length === 1 && {ROWS}[0].includes('ban {VIEWER} <b>spam</b>')")).await;
        page.until(&format!("{ROWS}[0].includes('done') && !{ROWS}[0].includes('Retry')")).await;

        let lost: Faults = serde_json::from_value(json!({ "reset_next_action_after": 1 })).unwrap();
        let mut uncertain = Vec::new();
        for text in ["first", "second"] {
            place.faults(lost.clone());
            let id = request(&server, &say(text)).await;
            settled(&server, id).await;
            page.until_action(id, "uncertain").await;
            uncertain.push(id);
        }
        let [first, second] = uncertain[..] else { panic!("two actions") };
        page.click(&format!("[aria-label='It happened: action {first}']")).await;
        page.until_action(first, "done").await;
        page.click(&format!("[aria-label='It did not: action {second}']")).await;
        page.until_action(second, "failed").await;
        // Twitch drops the same text within 30 s.
        server.clock.advance(time::Duration::minutes(1));
        page.click(&format!("[aria-label='Retry: action {second}']")).await;
        settled(&server, second).await;
        page.until_action(second, "done").await;
        assert_eq!(place.performed("say").len(), 3);
    })
    .await;
    server.stop().await;
}
