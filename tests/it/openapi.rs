//! The OpenAPI document: committed, complete, and equal to what is served.

use std::collections::HashSet;
use std::path::Path;

use reqwest::Method;
use serde_json::Value;
use showtime::api;

use crate::support::bots;
use crate::support::server::{Server, TOKEN};

fn spec() -> Value {
    serde_json::to_value(api::spec()).expect("a specification is JSON")
}

/// Each path, method and operation.
fn operations(spec: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = spec["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| item.as_object().expect("an item").iter().map(move |(method, op)| (path, method, op)))
}

#[test]
fn committed_specification_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/showtime.yaml");
    let current = api::spec().to_yaml().expect("YAML");
    #[expect(clippy::disallowed_methods, reason = "not a setting of the program")]
    if std::env::var("UPDATE_OPENAPI").is_ok() {
        std::fs::write(&file, &current).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == current, "openapi/showtime.yaml is stale; run: UPDATE_OPENAPI=1 cargo test openapi");
}

#[test]
fn committed_description_of_the_feeds_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/showtime-live.asyncapi.yaml");
    let current = yaml_serde::to_string(&api::live_spec()).expect("YAML");
    #[expect(clippy::disallowed_methods, reason = "not a setting of the program")]
    if std::env::var("UPDATE_OPENAPI").is_ok() {
        std::fs::write(&file, &current).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let problem = "openapi/showtime-live.asyncapi.yaml is stale; run: UPDATE_OPENAPI=1 cargo test openapi";
    assert!(committed == current, "{problem}");
}

#[test]
fn every_reference_resolves() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|it| references(it, found));
            }
            Value::Array(items) => items.iter().for_each(|it| references(it, found)),
            _ => {}
        }
    }
    let spec = spec();
    let mut found = Vec::new();
    references(&spec, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference into this document");
        assert!(spec.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn operation_ids_are_unique() {
    let spec = spec();
    let mut seen = HashSet::new();
    for (path, method, operation) in operations(&spec) {
        let id = operation["operationId"].as_str().expect("an operationId");
        assert!(seen.insert(id), "{method} {path}: there are two {id}");
    }
}

#[test]
fn every_operation_is_described_with_examples_and_its_errors() {
    let spec = spec();
    let tags: HashSet<_> = spec["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    for (path, method, operation) in operations(&spec) {
        let text = |field: &str| operation[field].as_str().unwrap_or_default();
        assert!(!text("summary").is_empty() && !text("description").is_empty(), "{method} {path} is not described");
        assert!(tags.contains(&operation["tags"][0]), "{method} {path} has an unknown tag");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.contains_key("400"), "{method} {path} does not say that it refuses parameters");
        // A put may make what is not there.
        let is_named = path.contains('{') && method != "put";
        assert!(!is_named || responses.contains_key("404"), "{method} {path} does not say 404");
        for (status, response) in responses {
            let content = response["content"].as_object();
            for (kind, media) in content.into_iter().flatten() {
                assert!(media.get("example").is_some(), "{method} {path} has no example for {status} {kind}");
            }
        }
    }
}

#[test]
fn every_parameter_is_described_once() {
    let spec = spec();
    for (path, method, operation) in operations(&spec) {
        let mut seen = HashSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            assert!(parameter["description"].is_string(), "{method} {path}: {name} is not described");
            assert!(seen.insert((parameter["in"].as_str().expect("a place"), name)), "{method} {path}: two {name}");
        }
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            assert!(seen.contains(&("path", name)), "{method} {path}: {name} is not a parameter");
        }
    }
}

#[tokio::test]
async fn query_parameters_are_exactly_the_described_ones() {
    let api = Server::start().await;
    let (spec, bot) = (spec(), bots::token(&api, "tatsu").await);
    for (path, _, operation) in operations(&spec).filter(|(_, method, _)| *method == "get") {
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let described: Vec<_> =
            parameters.iter().filter(|it| it["in"] == "query").map(|it| it["name"].clone()).collect();
        let path = path.replace("{channel}", "1").replace("{id}", "1").replace("{name}", "1");
        let token = if bots::is_for_bots(&path) { &bot } else { TOKEN };
        let answer = api.send_as(token, Method::GET, &format!("{path}?no_such_parameter")).await;
        let problem = answer.problem(400, "unknown-parameter");
        assert_eq!(problem["allowed_parameters"], Value::Array(described), "{path}");
    }
}

#[test]
fn examples_have_the_fields_of_their_schemas() {
    fn check(spec: &Value, schema: &Value, example: &Value, place: &str) {
        let schema = match schema["$ref"].as_str() {
            Some(reference) => spec.pointer(&reference[1..]).expect("it resolves"),
            None => schema,
        };
        if let (Some(fields), Some(example)) = (schema["properties"].as_object(), example.as_object()) {
            for (name, value) in example {
                let field = fields.get(name).unwrap_or_else(|| panic!("{place}: {name} is not in the schema"));
                check(spec, field, value, &format!("{place}.{name}"));
            }
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(example.contains_key(name.as_str().expect("a name")), "{place}: {name} is missing");
            }
        }
        for item in example.as_array().into_iter().flatten() {
            check(spec, &schema["items"], item, place);
        }
    }
    let spec = spec();
    for (path, method, operation) in operations(&spec) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            for media in response["content"].as_object().into_iter().flat_map(|content| content.values()) {
                check(&spec, &media["schema"], &media["example"], &format!("{method} {path} {status}"));
            }
        }
    }
}

#[tokio::test]
async fn every_path_is_served_and_refuses_other_methods() {
    let api = Server::start().await;
    let (spec, bot) = (spec(), bots::token(&api, "tatsu").await);
    for (path, method, _) in operations(&spec) {
        let path = path.replace("{channel}", "1").replace("{id}", "1");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
        let token = if bots::is_for_bots(&path) { &bot } else { TOKEN };
        // A live feed has no end that could be waited for.
        if path.starts_with("/live/") {
            assert_eq!(api.open(&path, &[]).await.status(), 200, "{path}");
        } else {
            let answer = api.send_as(token, method.clone(), &path).await;
            assert!(
                !answer.text.contains(r#""type":"urn:showtime:problem:no-such-path""#),
                "{method} {path}: {answer:?}"
            );
        }
        // A rule can be put, also one that is named `test`, settings and files of overlays, and what bots have.
        let is_put =
            ["/rules/", "/overlays/settings/", "/overlays/media/", "/v2/"].iter().any(|place| path.starts_with(place));
        let other = if is_put { Method::TRACE } else { Method::PUT };
        let refused = api.send_as(token, other, &path).await;
        refused.problem(405, "method-not-allowed");
        assert!(refused.headers["allow"].to_str().is_ok_and(|allow| allow.contains(method.as_str())));
    }
}

#[tokio::test]
async fn specification_and_swagger_ui_are_served() {
    let api = Server::start().await;
    assert_eq!(api.json("/openapi.json").await, spec());
    let answer = api.get("/docs").await;
    assert_eq!((answer.status.as_u16(), &answer.headers["location"]), (307, &"/docs/".parse().expect("a value")));
    assert!(api.get("/docs/").await.text.contains("swagger-ui"));
    let initializer = api.get("/docs/swagger-initializer.js").await.text;
    let settings = [
        r#""/openapi.json""#,
        r#""validatorUrl": "none""#,
        r#""defaultModelsExpandDepth": 0"#,
        r#""persistAuthorization": true"#,
    ];
    for setting in settings {
        assert!(initializer.contains(setting), "{setting}: {initializer}");
    }
    api.get("/docs/nothing.js").await.problem(404, "no-such-path");
    api.send(Method::POST, "/docs/").await.problem(405, "method-not-allowed");
}
