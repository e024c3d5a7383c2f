//! The API of rules.

use serde_json::{Value, json};

use super::super::Place;
use super::{says, serve};
use crate::support::server::Server;

fn rule(text: &str) -> Value {
    json!({ "name": "say it", "command": "!say", "do": [{ "say": text }] })
}

#[tokio::test]
async fn rules_are_added_put_switched_listed_and_removed() {
    let place = Place::new().await;
    let server = serve(&place).await;
    let added = server.post_json("/rules", &rule("one")).await;
    assert_eq!((added.status.as_u16(), &added.headers["location"]), (201, &"/rules/say%20it".parse().unwrap()));
    assert_eq!(added.json()["rule"], rule("one"));
    server.post_json("/rules", &rule("one")).await.problem(409, "rule-exists");
    assert_eq!(says(&server, "m1", "!say", "").await, ["say: done"]);

    let put = server.put_json("/rules/say%20it", &rule("two")).await;
    assert_eq!((put.status.as_u16(), &put.json()["revision"]), (200, &json!(2)));
    let timer = json!({ "name": "other", "timer": { "every": "20m" }, "do": [{ "say": "x" }] });
    server.put_json("/rules/other", &timer).await.problem(404, "not-found");
    let new = server.post_json("/rules", &timer).await;
    assert_eq!((new.status.as_u16(), &new.json()["position"]), (201, &json!(1)));
    server.put_json("/rules/other", &rule("x")).await.problem(400, "invalid-field");
    let listed = server.json("/rules?limit=1").await;
    assert_eq!((&listed["data"][0]["name"], &listed["next"]), (&json!("say it"), &json!("0")));
    assert_eq!(server.json("/rules?after=0").await["data"][0]["name"], "other");

    let off = server.patch_json("/rules/say%20it", &json!({ "is_enabled": false, "is_dry": true })).await.json();
    assert_eq!((&off["is_enabled"], &off["is_dry"], &off["revision"]), (&json!(false), &json!(true), &json!(3)));
    assert_eq!(says(&server, "m2", "!say", "").await, [""; 0]);
    let shown = server.json("/rules/say%20it").await;
    assert_eq!(shown["refusal"], "the rule is turned off");

    let history = server.json("/rules/say%20it/history").await;
    let revisions: Vec<_> = history["data"].as_array().unwrap().iter().map(|it| it["revision"].clone()).collect();
    assert_eq!((revisions, &history["data"][0]["changed_by"]), (vec![json!(3), json!(2), json!(1)], &json!("API")));
    assert_eq!(server.send(reqwest::Method::DELETE, "/rules/say%20it").await.status, 204);
    server.get("/rules/say%20it").await.problem(404, "not-found");
    assert_eq!(server.json("/rules/say%20it/history").await["data"][0]["rule"], Value::Null);
    server.stop().await;
}

#[tokio::test]
async fn wrong_rule_is_refused_with_a_proposal() {
    let server = Server::start().await;
    for (body, field, said) in [
        (
            json!({ "name": "a", "command": "!a", "do": [{ "anounce": "x" }] }),
            "do[0].anounce",
            "did you mean `announce`?",
        ),
        (json!({ "name": "a", "on": "channel.folow", "do": [{ "say": "x" }] }), "on", "did you mean `channel.follow`?"),
        (
            json!({ "name": "a", "command": "!a", "do": [{ "say": "{{ user.nam }}" }] }),
            "do[0].say",
            "did you mean `name`?",
        ),
        (json!({ "name": "a\0b", "command": "!a", "do": [{ "say": "x" }] }), "name", "one line"),
        (json!({ "name": "a", "command": "!a", "do": [{ "say": "\0" }] }), "do[0].say", "U+0000"),
        (json!({ "command": "!a", "do": [{ "say": "x" }] }), "", "missing field `name`"),
    ] {
        let problem = server.post_json("/rules", &body).await.problem(400, "invalid-field");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem}");
        assert_eq!(problem["field"], field, "{problem}");
    }
    server.stop().await;
}

#[tokio::test]
async fn rules_are_tried_without_an_effect() {
    let server = Server::start().await;
    server.post_json("/rules", &rule("{{ user.login }} {{ args[0] }}")).await;
    let tried = server.post_json("/rules/test", &json!({ "chat": "!say hi", "as": "vip" })).await.json();
    let action = json!({ "kind": "say", "params": "quietotter hi", "problem": null });
    let expected = json!({ "rule": "say it", "fired": true, "outcome": "fired", "actions": [action] });
    assert_eq!(tried["results"], json!([expected]));
    let tried = server.post_json("/rules/test", &json!({ "type": "channel.raid" })).await.json();
    assert_eq!(tried["results"][0]["outcome"], "it waits for channel.chat.message");
    server.post_json("/rules/test", &json!({ "type": "channel.rade" })).await.problem(400, "invalid-field");
    server.post_json("/rules/test", &json!({ "chat": "x", "as": "king" })).await.problem(400, "invalid-field");
    let rows: i64 = sqlx::query_scalar("select count(*) from action").fetch_one(&server.pool).await.unwrap();
    assert_eq!(rows, 0);
    server.stop().await;
}

#[tokio::test]
async fn rule_of_a_newer_version_is_named_in_the_status_and_others_go_on() {
    let place = Place::new().await;
    let server = serve(&place).await;
    assert_eq!(server.check("rules").await.0, "pass");
    server
        .sql(
            r#"insert into rule (name, position, types, body, changed_at) values ('newer', 0, '{}',
                '{"name": "newer", "command": "!say", "do": [{"teleport": {}}]}', now());
            update rule_set set revision = revision + 1"#,
        )
        .await;
    server.post_json("/rules", &rule("one")).await;
    assert_eq!(says(&server, "m1", "!say", "").await, ["say: done"]);
    let (verdict, message) = server.check("rules").await;
    assert_eq!(verdict, "warn");
    for said in ["rule `newer`, do[0].teleport: there is no action `teleport`", "PUT /rules/NAME"] {
        assert!(message.contains(said), "{message}");
    }
    let switched = server.patch_json("/rules/newer", &json!({ "is_enabled": false })).await;
    assert_eq!(switched.problem(400, "invalid-field")["field"], "do[0].teleport");
    let replaced = json!({ "name": "newer", "command": "!other", "do": [{ "say": "x" }] });
    assert_eq!(server.put_json("/rules/newer", &replaced).await.status, 200);
    assert_eq!(server.check("rules").await.0, "pass");
    server.stop().await;
}
