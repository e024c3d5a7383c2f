//! The schemas of the OpenAPI document: what a client that is generated from them relies on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use showtime::api;
use showtime::view::Alert;

fn spec() -> Value {
    serde_json::to_value(api::spec()).expect("a specification is JSON")
}

fn schemas(spec: &Value) -> &serde_json::Map<String, Value> {
    spec["components"]["schemas"].as_object().expect("schemas")
}

/// Adds the names of the schemas that a part of the document refers to, directly or not.
fn used(spec: &Value, part: &Value, names: &mut BTreeSet<String>) {
    match part {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str).and_then(|it| it.rsplit('/').next())
                && names.insert(name.to_owned())
            {
                used(spec, &schemas(spec)[name], names);
            }
            fields.values().for_each(|field| used(spec, field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| used(spec, item, names)),
        _ => {}
    }
}

/// The schemas of answers, and those of requests.
fn sides(spec: &Value) -> [BTreeSet<String>; 2] {
    let mut sides = [BTreeSet::new(), BTreeSet::new()];
    let items = spec["paths"].as_object().expect("paths").values();
    for operation in items.flat_map(|item| item.as_object().expect("an item").values()) {
        used(spec, &operation["responses"], &mut sides[0]);
        used(spec, &operation["requestBody"], &mut sides[1]);
    }
    sides
}

/// The properties that may be missing, with their schemas.
fn optional(name: &str, schema: &Value, found: &mut BTreeMap<String, Value>) {
    match schema {
        Value::Object(fields) => {
            let required = fields.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for (key, property) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if !required.contains(&json!(key)) {
                    found.insert(format!("{name}.{key}"), property.clone());
                }
            }
            fields.values().for_each(|field| optional(name, field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| optional(name, item, found)),
        _ => {}
    }
}

/// `serde` leaves these out: they are in some answers only.
const MISSING: [&str; 12] = [
    "Problem.allowed_parameters",
    "Problem.field",
    "Problem.message",
    "Problem.parameters",
    "Status.checks",
    "Status.gaps",
    "Status.last_event",
    "Status.setup",
    "Status.subscriptions",
    "Status.tokens",
    "Status.wanted",
    "TrackedChannels.status",
];

/// Documents that a client writes and gets back as they are.
const DOCUMENTS: [&str; 2] = ["BotSettings", "OverlaySettings"];

#[test]
fn answers_have_all_their_keys() {
    let spec = spec();
    let [answers, requests] = sides(&spec);
    let mut found = BTreeMap::new();
    for (name, schema) in schemas(&spec).iter().filter(|(name, _)| !requests.contains(*name)) {
        optional(name, schema, &mut found);
    }
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), MISSING);

    // What both sides use belongs to these documents, or has no keys.
    let mut documents = BTreeSet::new();
    for name in DOCUMENTS {
        used(&spec, &json!({ "$ref": format!("#/components/schemas/{name}") }), &mut documents);
    }
    for name in answers.intersection(&requests).filter(|name| !documents.contains(*name)) {
        assert!(schemas(&spec)[name]["properties"].is_null(), "{name} is used by answers and by requests");
    }
}

#[test]
fn requests_may_leave_out_what_may_be_null() {
    let spec = spec();
    assert_eq!(schemas(&spec)["BeginSegment"]["required"], json!(["title"]));
    assert_eq!(schemas(&spec)["NewSink"]["required"], json!(["name"]));
    let mut found = BTreeMap::new();
    optional("OverlaySettings", &schemas(&spec)["OverlaySettings"], &mut found);
    assert!(found.contains_key("OverlaySettings.max_age"), "{found:?}");
}

#[test]
fn pages_refer_to_their_items() {
    let spec = spec();
    let is_page = |schema: &Value| schema["properties"]["next"].is_object() && schema["properties"]["data"].is_object();
    let pages: Vec<_> = schemas(&spec).iter().filter(|(_, schema)| is_page(schema)).collect();
    assert!(pages.len() > 15, "{pages:?}");
    for (name, page) in pages {
        assert_eq!(page["required"], json!(["data", "next"]), "{name}");
        let item = &page["properties"]["data"]["items"];
        assert!(item["$ref"].is_string(), "{name}: {item}");
    }
}

#[test]
fn alerts_are_named_and_known_by_their_type() {
    let spec = spec();
    let alert = &schemas(&spec)["Alert"];
    assert_eq!(alert["discriminator"]["propertyName"], "type");
    let mapping = alert["discriminator"]["mapping"].as_object().expect("a mapping");
    assert_eq!(mapping.keys().map(String::as_str).collect::<BTreeSet<_>>(), Alert::kinds().iter().copied().collect());
    let variants: BTreeSet<_> =
        alert["oneOf"].as_array().expect("variants").iter().map(|it| it["$ref"].as_str()).collect();
    assert_eq!(variants, mapping.values().map(Value::as_str).collect());
    assert_eq!(mapping["hype_train_begin"], "#/components/schemas/HypeTrainBeginAlert");
    for (kind, reference) in mapping {
        let variant = spec.pointer(&reference.as_str().expect("a reference")[1..]).expect("it resolves");
        let parts = variant["allOf"].as_array().expect("parts");
        assert_eq!(parts[0]["$ref"], "#/components/schemas/AlertFields", "{kind}");
        assert!(parts.iter().any(|part| part["properties"]["type"]["enum"] == json!([kind])), "{kind}: {variant}");
    }
}

#[test]
fn streams_have_the_schema_of_their_data() {
    let spec = spec();
    let mut streams = 0;
    let items = spec["paths"].as_object().expect("paths").values();
    for operation in items.flat_map(|item| item.as_object().expect("an item").values()) {
        let stream = &operation["responses"]["200"]["content"]["text/event-stream"];
        if stream.is_object() {
            assert!(stream["schema"]["$ref"].is_string(), "{stream}");
            streams += 1;
        }
    }
    assert_eq!(streams, 5);
    let alerts = schemas(&spec)["AlertsFeed"]["oneOf"].as_array().expect("messages");
    let names: Vec<_> = alerts.iter().filter_map(|it| it["$ref"].as_str()?.rsplit('/').next()).collect();
    assert_eq!(names, ["Alert", "AlertControls", "OverlayVersions", "Resync"]);
}

/// The types that the code names.
fn named_types(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in directory.read_dir().expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            named_types(&entry, found);
        } else if !entry.ends_with("api/problem_type.rs") && entry.extension().is_some_and(|it| it == "rs") {
            let text = std::fs::read_to_string(&entry).expect("a source file");
            for start in ["urn!(\"", "\"urn:showtime:problem:"] {
                let names = text.split(start).skip(1).filter_map(|rest| rest.split_once('"'));
                found.extend(names.map(|(name, _)| format!("urn:showtime:problem:{name}")));
            }
        }
    }
}

#[test]
fn problem_types_are_those_of_the_code() {
    let mut named = BTreeSet::new();
    named_types(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut named);
    // The start of all of them.
    named.remove("urn:showtime:problem:");
    let spec = spec();
    let described = schemas(&spec)["ProblemType"]["enum"].as_array().expect("types");
    let described: BTreeSet<_> = described.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    assert_eq!(described, named, "src/api/problem_type.rs has all of them");
    let of_problem = &schemas(&spec)["Problem"]["properties"]["type"]["$ref"];
    assert_eq!(of_problem, "#/components/schemas/ProblemType");
}

#[test]
fn requests_go_to_the_server_of_the_document() {
    let spec = spec();
    assert_eq!(spec["servers"].as_array().expect("servers").len(), 1);
    assert_eq!(spec["servers"][0]["url"], "/");
    assert_eq!(spec["tags"].as_array().expect("tags").last().expect("a tag")["name"], "callback");
}
