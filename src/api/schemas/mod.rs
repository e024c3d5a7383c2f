//! What the derived schemas lack. utoipa makes them type by type; what they are used for is known once all are there.

mod alerts;
mod answers;
mod feeds;
mod pages;

use serde_json::{Map, Value};
use utoipa::openapi::{OpenApi, RefOr, Schema};

/// Completes the schemas of the specification.
pub(super) fn complete(spec: &mut OpenApi) {
    let requested = requested(spec);
    let schemas = &mut spec.components.get_or_insert_default().schemas;
    pages::refer_to_items(schemas);
    alerts::name_kinds(schemas);
    feeds::add(schemas);
    let answers = schemas.iter_mut().filter(|(name, _)| !requested.contains_key(*name));
    answers.for_each(|(name, schema)| answers::require_nullable(name, schema));
}

/// The reference to a schema.
fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The name of a schema, from one in snake case.
fn pascal_case(name: &str) -> String {
    let words = name.split('_').filter_map(|word| word.split_at_checked(1));
    words.map(|(first, rest)| first.to_ascii_uppercase() + rest).collect()
}

/// The schemas of the bodies of requests.
fn requested(spec: &OpenApi) -> Map<String, Value> {
    let document = serde_json::to_value(spec).unwrap_or_default();
    let mut found = Map::new();
    for operation in document["paths"].as_object().into_iter().flat_map(Map::values).filter_map(Value::as_object) {
        for body in operation.values().map(|operation| &operation["requestBody"]) {
            collect(&document["components"]["schemas"], body, &mut found);
        }
    }
    found
}

/// Adds the schemas that a part of a document refers to, directly or not.
pub(super) fn collect(all: &Value, part: &Value, found: &mut Map<String, Value>) {
    match part {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str).and_then(|it| it.rsplit('/').next());
            if let Some(name) = name.filter(|name| !found.contains_key(*name)) {
                found.insert(name.to_owned(), all[name].clone());
                collect(all, &all[name], found);
            }
            fields.values().for_each(|it| collect(all, it, found));
        }
        Value::Array(items) => items.iter().for_each(|it| collect(all, it, found)),
        _ => {}
    }
}

/// The schemas that one consists of.
fn parts(schema: &mut Schema) -> Vec<&mut RefOr<Schema>> {
    use utoipa::openapi::schema::{AdditionalProperties, ArrayItems};
    match schema {
        Schema::Object(object) => {
            let others = match object.additional_properties.as_deref_mut() {
                Some(AdditionalProperties::RefOr(others)) => Some(others),
                _ => None,
            };
            object.properties.values_mut().chain(others).collect()
        }
        Schema::Array(array) => match &mut array.items {
            ArrayItems::RefOrSchema(items) => vec![items.as_mut()],
            ArrayItems::False => Vec::new(),
        },
        Schema::OneOf(any) => any.items.iter_mut().collect(),
        Schema::AllOf(all) => all.items.iter_mut().collect(),
        Schema::AnyOf(any) => any.items.iter_mut().collect(),
        _ => Vec::new(),
    }
}
