//! The `AsyncAPI` document of the feeds.

use lapin::types::AMQPValue;
use serde_json::{Map, Value, json};
use showtime::api;
use showtime::outputs::amqp::message::AmqpMessage;
use showtime::outputs::sink::template::Templates;
use showtime::store::read::events::LoggedEvent;
use showtime::view::Alert;

use super::alerts::logged;
use crate::support::schema::check;

#[test]
fn examples_match_their_schemas() {
    let spec = api::live_spec();
    let messages = spec["components"]["messages"].as_object().unwrap();
    assert_eq!(messages.len(), 14);
    for (name, message) in messages {
        assert_eq!(message["name"], *name);
        for example in message["examples"].as_array().unwrap() {
            check(&spec, &message["payload"], &example["payload"]);
            if ["amqp", "webhook"].contains(&name.as_str()) {
                check(&spec, &message["headers"], &example["headers"]);
            } else if name != "report" {
                assert_eq!(example["payload"]["event"], *name);
            }
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
    assert_eq!(described.len(), 6);
    assert_eq!(
        described
            .iter()
            .filter(|address| address.as_str().is_some_and(|address| address.starts_with("/live/")))
            .count(),
        4
    );
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
    let schemas = &spec["components"]["schemas"];
    let names = schemas["Alert"]["oneOf"].as_array().unwrap().iter().map(|it| it["$ref"].as_str().unwrap());
    let described: Vec<_> = names.map(|name| schemas[name.rsplit('/').next().unwrap()].to_string()).collect();
    for kind in Alert::kinds() {
        assert!(described.iter().any(|schema| schema.contains(&format!("\"{kind}\""))), "{kind}");
    }
}

#[test]
fn published_messages_are_as_described() {
    let spec = api::live_spec();
    let message = &spec["components"]["messages"]["amqp"];
    let event = json!({ "broadcaster_user_id": "90210441", "user_id": "7", "user_name": "QuietOtter" });
    let follow = || logged("channel.follow", &event);
    let mut named = 0;
    for row in [LoggedEvent { is_test: true, ..follow() }, LoggedEvent { channel_id: None, kind: None, ..follow() }] {
        let AmqpMessage { key, body, properties } =
            AmqpMessage::new(&Templates::new(None, None).unwrap(), &row).unwrap();
        check(&spec, &message["payload"], &serde_json::from_slice(&body).unwrap());
        let value = |value: &AMQPValue| match value {
            AMQPValue::LongString(text) => Value::from(text.to_string()),
            AMQPValue::LongInt(number) => Value::from(*number),
            AMQPValue::LongLongInt(number) => Value::from(*number),
            other => panic!("{other:?}"),
        };
        let headers = properties.headers().as_ref().unwrap().inner();
        let headers: Map<_, _> = headers.iter().map(|(name, it)| (name.to_string(), value(it))).collect();
        check(&spec, &message["headers"], &Value::Object(headers.clone()));
        let described = message["headers"]["properties"].as_object().unwrap();
        assert!(headers.keys().all(|name| described.contains_key(name)), "{headers:?}");
        named = named.max(headers.len());
        let address = spec["channels"]["amqp"]["address"].as_str().unwrap();
        let channel = row.channel_id.as_ref().map_or("none", |id| id.as_str());
        let kind = row.kind.as_deref().unwrap_or("notification");
        assert_eq!(key.as_str(), address.replace("{channel_id}", channel).replace("{type}", kind));
    }
    assert_eq!(named, message["headers"]["properties"].as_object().unwrap().len(), "every header was there");
}
