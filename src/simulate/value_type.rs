//! The types of an event's values, as its sample shows them.

use serde_json::Value;

/// A value of another type than in the sample.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{field}` can't be {value}: it must be {expected}, such as {example}")]
pub struct WrongType {
    /// The dotted path of the field.
    pub field: String,
    /// The value, as JSON.
    pub value: String,
    /// The type, in words.
    pub expected: &'static str,
    /// The sample's value, as JSON.
    pub example: String,
}

/// Checks that a value has the type of the sample's, and so has everything in it that the sample has, too. Where either is
/// null, anything may stand.
pub(super) fn check(field: &str, value: &Value, sample: &Value) -> Result<(), WrongType> {
    match (value, sample) {
        (Value::Null, _) | (_, Value::Null) => Ok(()),
        (Value::Object(fields), Value::Object(samples)) => fields.iter().try_for_each(|(name, value)| {
            samples.get(name).map_or(Ok(()), |sample| check(&format!("{field}.{name}"), value, sample))
        }),
        (Value::Array(items), Value::Array(samples)) => samples.first().map_or(Ok(()), |sample| {
            items.iter().enumerate().try_for_each(|(n, item)| check(&format!("{field}[{n}]"), item, sample))
        }),
        (Value::Number(number), Value::Number(sample)) if is_whole(number) || !is_whole(sample) => Ok(()),
        (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) => Ok(()),
        _ => Err(WrongType {
            field: field.to_owned(),
            value: value.to_string(),
            expected: expected(sample),
            example: sample.to_string(),
        }),
    }
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64()
}

fn expected(sample: &Value) -> &'static str {
    match sample {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if is_whole(number) => "a whole number",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn value_must_have_the_type_of_the_sample() {
        let sample = json!({ "bits": 5, "rate": 1.5, "is_gift": false, "text": "hi", "tags": ["a"], "nothing": null });
        let checked = |field: &str, value: Value| check(field, &value, &sample[field]).map_err(|error| error.expected);
        for (field, value) in [
            ("bits", json!(500)),
            ("bits", json!(null)),
            ("rate", json!(2)),
            ("is_gift", json!(true)),
            ("text", json!("")),
            ("tags", json!([])),
            ("tags", json!(["b", "c"])),
            ("nothing", json!([1])),
        ] {
            assert_eq!(checked(field, value), Ok(()), "{field}");
        }
        for (field, value, expected) in [
            ("bits", json!("lots"), "a whole number"),
            ("bits", json!(1.5), "a whole number"),
            ("rate", json!("1.5"), "a number"),
            ("is_gift", json!(1), "true or false"),
            ("text", json!(5), "a text"),
            ("tags", json!("a"), "an array"),
            ("tags", json!(["b", 5]), "a text"),
        ] {
            assert_eq!(checked(field, value), Err(expected), "{field}");
        }
    }

    #[test]
    fn error_names_field_value_and_type() {
        let sample = json!({ "text": "hi", "fragments": [{ "text": "hi", "emote": null }] });
        let value = json!({ "fragments": [{ "text": 5, "emote": {} }], "brand_new": 1 });
        let error = check("message", &value, &sample).unwrap_err().to_string();
        assert_eq!(error, "`message.fragments[0].text` can't be 5: it must be a text, such as \"hi\"");
    }
}
