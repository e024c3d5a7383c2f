//! The subset of JSON Schema that our descriptions use.

use serde_json::Value;

/// Fails the test unless `value` is valid by the schema, which may refer to others in `document`.
#[track_caller]
pub(crate) fn check(document: &Value, schema: &Value, value: &Value) {
    if let Err(problem) = find_problem(document, schema, value, "") {
        panic!("{problem}\n{value:#}");
    }
}

fn find_problem(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').unwrap();
        let referred = document.pointer(pointer).unwrap_or_else(|| panic!("{reference} does not exist"));
        return find_problem(document, referred, value, place);
    }
    let list = |name: &str| schema[name].as_array().into_iter().flatten();
    for part in list("allOf") {
        find_problem(document, part, value, place)?;
    }
    if schema.get("oneOf").is_some() {
        let fits = list("oneOf").filter(|one| find_problem(document, one, value, place).is_ok()).count();
        if fits != 1 {
            return Err(format!("{place}: {fits} of the alternatives fit"));
        }
    }
    if schema.get("const").is_some_and(|only| only != value) {
        return Err(format!("{place}: not {}", schema["const"]));
    }
    if schema.get("enum").is_some() && !list("enum").any(|one| one == value) {
        return Err(format!("{place}: not one of {}", schema["enum"]));
    }
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        other => panic!("unknown type {other}"),
    };
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(is),
        kind => is(kind),
    };
    if !fits {
        return Err(format!("{place}: not of the type {}", schema["type"]));
    }
    for name in list("required").filter(|_| value.is_object()) {
        if value.get(name.as_str().unwrap()).is_none() {
            return Err(format!("{place}: {name} is missing"));
        }
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            find_problem(document, field, value, &format!("{place}.{name}"))?;
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        find_problem(document, &schema["items"], item, &format!("{place}[{index}]"))?;
    }
    Ok(())
}
