//! The dashboard's card of rules.

use serde_json::json;

use super::chromium::{Page, in_chromium};
use crate::actions::{Place, request, settled};
use crate::support::messages::cheer;
use crate::support::server::Server;
use crate::support::until;

impl Page {
    /// Waits until the rule's row contains this text.
    async fn until_rule(&self, name: &str, text: &str) {
        let row = format!("document.querySelector('.rule[data-rule=\"{name}\"]')");
        self.until(&format!("{row}?.innerText.includes({text:?})")).await;
    }
}

#[tokio::test]
async fn rules_show_why_they_did_not_fire_and_are_switched_and_muted() {
    let place = Place::new().await;
    let server = place.serve().await;
    in_chromium(async |page| {
        page.open(&server.page("/")).await;
        page.until("document.getElementById('rules').innerText.includes('server rules apply docs/examples/rules.toml')").await;
        let rules = [
            json!({ "name": "thank", "on": "channel.cheer", "when": "event.bits >= 100", "do": [{ "say": "Thank you" }] }),
            json!({ "name": "title", "command": ["!title", "!t"], "do": [{ "title": "x" }] }),
        ];
        for rule in &rules {
            assert_eq!(server.post_json("/rules", rule).await.status, 201);
        }
        page.until_rule("thank", "channel.cheer").await;
        page.until_rule("title", "!title !t").await;
        page.until_rule("title", "has not fired yet").await;

        assert_eq!(server.deliver(&cheer("7", 5, server.clock.now())).await.status, 204);
        page.until_rule("thank", "not fired").await;
        assert_eq!(server.deliver(&cheer("7", 500, server.clock.now())).await.status, 204);
        page.until_rule("thank", "last fired").await;
        page.until("document.querySelector('.action')?.innerText.includes('say Thank you')").await;

        page.click(".rule[data-rule=thank] input").await;
        until("the rule is off", async || server.json("/rules/thank").await["is_enabled"] == false).await;
        page.click("#mute").await;
        page.until("document.getElementById('mute').textContent === 'Unmute the bot'").await;
        assert_eq!(server.json("/rule-set").await["is_dry"], true);
        page.reload().await;
        page.until("document.querySelector('.rule[data-rule=thank] input')?.checked === false").await;
        page.click("#mute[aria-pressed=true]").await;
        page.until("document.getElementById('mute').textContent === 'Mute the bot'").await;
        assert_eq!(server.json("/rule-set").await["is_dry"], false);
    })
    .await;
    server.stop().await;
}

/// Has an action fail for a scope that is missing, presses the button beside it, and waits for what it shows.
async fn ask_for_consent(server: &Server, page: &Page, answer: &str) {
    let id = request(server, &json!({ "title": "Speedrun" })).await;
    assert_eq!(settled(server, id).await["state"], "failed");
    page.open(&server.page("/")).await;
    let text = "document.querySelector('.consent')?.innerText ?? ''";
    let problem = "maplearcade has not consented to channel:manage:broadcast, which actions need (title)";
    page.until(&format!("({text}).includes({problem:?})")).await;
    page.click(".consent button").await;
    page.until(&format!("(document.querySelector('.consent input')?.value ?? {text}).includes({answer:?})")).await;
}

#[tokio::test]
async fn missing_consent_has_a_button_that_makes_a_link() {
    let place = Place::with(&["user:write:chat"]).await;
    let server = place.serve_publicly().await;
    in_chromium(async |page| ask_for_consent(&server, page, "http://localhost:3033/auth/").await).await;
    server.stop().await;
}

#[tokio::test]
async fn missing_consent_has_the_command_where_there_is_no_public_address() {
    let place = Place::with(&["user:write:chat"]).await;
    let server = place.serve().await;
    let command = "init --channel maplearcade --scope channel:manage:broadcast";
    in_chromium(async |page| ask_for_consent(&server, page, command).await).await;
    let missing = server.json("/consents").await;
    let expected = json!({ "channel": "maplearcade", "bot": false, "account": "maplearcade",
        "scopes": ["channel:manage:broadcast"], "steps": ["title"] });
    assert_eq!(missing, json!({ "data": [expected], "next": null }));
    server.stop().await;
}
