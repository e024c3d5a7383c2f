//! Rules from files, in the database and back.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use showtime::outputs::reactions::rules::export::to_toml;
use showtime::outputs::reactions::rules::read::{from_json, from_toml};
use showtime::outputs::reactions::rules::service;

use super::apply;
use crate::support::server::Server;

const EXAMPLE: &str = include_str!("../../../../docs/examples/rules.toml");

#[tokio::test]
async fn rules_applied_twice_change_nothing_and_export_is_what_was_applied() {
    let server = Server::start().await;
    let first = apply(&server, EXAMPLE).await;
    assert_eq!(first.len(), from_toml(EXAMPLE).unwrap().rules.len() + 1);
    assert_eq!(apply(&server, EXAMPLE).await, []);
    let mut connection = server.pool.acquire().await.unwrap();
    let stored = service::read(&mut connection).await.unwrap();
    assert_eq!(stored.rules, from_toml(EXAMPLE).unwrap());
    assert_eq!(apply(&server, &to_toml(&stored.rules)).await, []);
    let revision = stored.set.revision;
    assert_eq!(service::read(&mut connection).await.unwrap().set.revision, revision);
    drop(connection);
    server.stop().await;
}

/// The body of a webhook, with numbers that Postgres writes in another way.
fn body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just(1e16), Just(-0.0), Just(1.0), -9e18..9e18].prop_map(Value::from),
        "[a-zäß🦦'\"\\\\ ]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,5}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

#[tokio::test]
async fn any_rules_applied_twice_or_exported_and_applied_change_nothing() {
    let server = Server::start().await;
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    let strategy = prop::collection::vec((body(), 0..5_usize), 0..5).prop_shuffle();
    for _ in 0..24 {
        let rules = strategy.new_tree(&mut runner).unwrap().current();
        let rules = rules.into_iter().enumerate().map(|(number, (body, kind))| {
            let mut rule = match kind {
                0 => json!({ "on": "channel.follow", "batch": "10s" }),
                1 => json!({ "command": ["!a", "!b"], "cooldown": { "user": "1m" } }),
                2 => json!({ "timer": { "every": "90s", "lines": 3 } }),
                3 => json!({ "filter": { "words": ["a b"] }, "except": ["vip"], "enabled": false }),
                _ => json!({ "message": "(?i)it's \\d+", "dry": true, "max_age": "1h" }),
            };
            rule["name"] = json!(format!("rule {number}"));
            rule["do"] = json!([{ "webhook": { "sink": "hook", "body": { "is": body } } }, { "clear": {} }]);
            rule
        });
        let tree = json!({ "rule": rules.collect::<Vec<_>>() });
        let rules = from_json(tree).unwrap_or_else(|problems| panic!("{}", problems[0]));
        let file = to_toml(&rules);
        apply(&server, &file).await;
        assert_eq!(apply(&server, &file).await, [], "{file}");
        let mut connection = server.pool.acquire().await.unwrap();
        let stored = service::read(&mut connection).await.unwrap();
        drop(connection);
        let exported = to_toml(&stored.rules);
        assert_eq!(apply(&server, &exported).await, [], "{exported}");
        assert_eq!(to_toml(&from_toml(&exported).unwrap()), exported);
    }
    server.stop().await;
}
