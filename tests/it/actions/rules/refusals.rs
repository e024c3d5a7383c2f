//! What Twitch refuses and what a template can't do: told at the action, done once, and without a consequence for other rules.

use serde_json::{Value, json};

use super::super::{Place, done};
use super::{apply, said, says, serve};
use crate::support::server::Server;

/// Two rules for one command. What the first does is given.
fn rules(step: &str) -> String {
    format!(
        "[[rule]]\nname = \"first\"\ncommand = \"!go\"\ndo = [{step}, {{ say = \"never\" }}]\n
        [[rule]]\nname = \"second\"\ncommand = \"!go\"\ndo = [{{ count = \"second\" }}]"
    )
}

/// What became of the first of the two steps of the first rule.
async fn first(server: &Server) -> Value {
    server.json("/actions?rule=first&limit=2").await["data"][1].clone()
}

#[tokio::test]
async fn message_of_a_bot_that_may_not_write_has_twitchs_reason_and_is_not_sent_again() {
    for (change, code, reason) in [
        (json!({ "ban": { "user": "showbot", "reason": null } }), "user_banned", "permanently banned"),
        (
            json!({ "settings": { "follower_mode": true, "follower_mode_duration": 10 } }),
            "msg_followersonly",
            "followers-only mode",
        ),
    ] {
        let place = Place::new().await;
        place.twitch.mock.world.add_channel("showbot").unwrap();
        let server = serve(&place).await;
        done(&server, change).await;
        place.bot(&["user:write:chat"]).await;
        apply(&server, &rules("{ say = \"hello\" }")).await;
        assert_eq!(says(&server, "m1", "!go", "").await, ["say: dropped", "say: off", "count: done"]);
        let action = first(&server).await;
        assert_eq!((&action["result"]["code"], &action["attempts"]), (&json!(code), &json!(1)));
        assert!(action["problem"].as_str().unwrap().contains(reason), "{action}");
        assert_eq!(said(&place).len(), 1, "it is not sent again");
        server.stop().await;
    }
}

#[tokio::test]
async fn category_that_twitch_does_not_know_is_named_with_a_proposal() {
    let place = Place::new().await;
    let server = serve(&place).await;
    apply(&server, &rules("{ game = \"{{ args | join(' ') }}\" }")).await;
    assert_eq!(says(&server, "m1", "!go just chat", "").await, ["game: failed", "say: off", "count: done"]);
    let problem = first(&server).await["problem"].as_str().unwrap().to_owned();
    assert_eq!(problem, "Twitch knows no category `just chat`; there is `Just Chatting`");
    server.stop().await;
}

#[tokio::test]
async fn account_without_the_scope_is_named_with_the_command_that_asks_for_it() {
    let place = Place::with(&["user:write:chat"]).await;
    let server = serve(&place).await;
    apply(&server, &rules("{ title = \"new\" }")).await;
    assert_eq!(says(&server, "m1", "!go", "").await, ["title: failed", "say: off", "count: done"]);
    let problem = first(&server).await["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("init --channel maplearcade --scope channel:manage:broadcast"), "{problem}");
    assert!(place.twitch.mock.world.actions().is_empty(), "Twitch is not asked");
    server.stop().await;
}

#[tokio::test]
async fn template_out_of_fuel_and_too_long_a_text_are_told_at_the_action() {
    let place = Place::new().await;
    let server = serve(&place).await;
    let each = "{% for a in args %}{% for b in args %}{% for c in args %}";
    let end = "{% endfor %}{% endfor %}{% endfor %}";
    let words = format!("!go {}", "w ".repeat(200));
    for (number, (inner, reason)) in
        [("{% if a == 'x' %}{% endif %}", "it takes more than 20000 instructions"), ("a long text", "longer than")]
            .into_iter()
            .enumerate()
    {
        apply(&server, &rules(&format!("{{ say = \"{each}{inner}{end}\" }}"))).await;
        let actions = says(&server, &format!("m{number}"), &words, "").await;
        assert_eq!(actions, ["say: failed", "say: off", "count: done"]);
        let action = first(&server).await;
        assert!(action["problem"].as_str().unwrap().contains(reason), "{action}");
    }
    assert_eq!(said(&place), [""; 0]);
    server.stop().await;
}

#[tokio::test]
async fn long_message_is_cut_at_a_word_and_sent_once() {
    let place = Place::new().await;
    let server = serve(&place).await;
    apply(&server, &rules("{ say = \"{{ args | join(' ') }} {{ args | join(' ') }}\" }")).await;
    let words = format!("!go {}", "word ".repeat(90));
    assert_eq!(says(&server, "m1", &words, "").await, ["say: done", "say: done", "count: done"]);
    let text = said(&place)[0].as_str().unwrap().to_owned();
    assert!(text.chars().count() <= 500 && text.ends_with("word…"), "{text}");
    assert_eq!(first(&server).await["step"], json!({ "say": text }), "the action shows what was sent");
    server.stop().await;
}
