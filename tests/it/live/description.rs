//! The `AsyncAPI` document of the feeds.

use serde_json::Value;
use showtime::api;
use showtime::view::Alert;

use crate::support::schema::check;

#[test]
fn examples_match_their_schemas() {
    let spec = api::live_spec();
    let messages = spec["components"]["messages"].as_object().unwrap();
    assert_eq!(messages.len(), 9);
    for (name, message) in messages {
        assert_eq!(message["name"], *name);
        for example in message["examples"].as_array().unwrap() {
            assert_eq!(example["payload"]["event"], *name);
            check(&spec, &message["payload"], &example["payload"]);
        }
    }
}

#[test]
fn served_feeds_are_described() {
    let spec = api::live_spec();
    let described: Vec<_> = spec["channels"].as_object().unwrap().values().map(|it| &it["address"]).collect();
    let openapi = serde_json::to_value(api::spec()).unwrap();
    let served = openapi["paths"].as_object().unwrap().keys().filter(|path| path.starts_with("/live/"));
    let mut served: Vec<_> = served.map(|path| Value::from(path.as_str())).collect();
    served.sort_by_key(Value::to_string);
    assert_eq!(described.len(), 4);
    assert!(served.iter().all(|path| described.contains(&path)), "{served:?}");
    for (name, operation) in spec["operations"].as_object().unwrap() {
        for reference in operation["messages"].as_array().unwrap() {
            let pointer = reference["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
            let message = spec.pointer(pointer).unwrap_or_else(|| panic!("{name}: {pointer}"));
            assert!(spec.pointer(&message["$ref"].as_str().unwrap()[1..]).is_some());
        }
    }
}

#[test]
fn all_kinds_of_alerts_are_described() {
    let spec = api::live_spec();
    let text = spec["components"]["schemas"]["What"].to_string();
    for kind in Alert::kinds() {
        assert!(text.contains(&format!("\"{kind}\"")), "{kind}");
    }
}
