//! Changes to an event, as text: `bits=500`, `message.fragments[0].text=hi`, `brand_new_field:={"any": "json"}`.

use std::str::FromStr;

use serde_json::Value;

use super::value_type::{self, WrongType};

/// A field to set.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// As it was written, for errors.
    path: String,
    /// JSON pointer to the object or array that holds the field.
    parent: String,
    /// Name of the field in its object, or its index in its array.
    name: String,
    value: NewValue,
}

#[derive(Clone, Debug, PartialEq)]
enum NewValue {
    /// After `=`: takes the type of the value that it replaces.
    Text(String),
    /// After `:=`: used as it is; may also add a field.
    Json(Value),
}

/// Why a change can't be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    /// Neither `path=value` nor `path:=json`.
    #[error("`{0}` is not a change; expected path=value or path:=json")]
    Form(String),
    /// What follows `:=` isn't JSON.
    #[error("the new value of `{path}` is not valid JSON: {reason}")]
    Json {
        /// The field.
        path: String,
        /// The parser's error.
        reason: String,
    },
    /// Only existing fields can be changed with `=`.
    #[error("this event has no field `{path}`; it has {fields} (`{path}:=json` adds a field)")]
    NoSuchField {
        /// The field.
        path: String,
        /// The paths of all fields.
        fields: String,
    },
    /// The text can't be read as a value of the type that it replaces.
    #[error("{0} (`{field}:=json` sets JSON of any type)", field = .0.field)]
    WrongType(WrongType),
}

impl FromStr for Edit {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let form = || EditError::Form(text.to_owned());
        let (path, new) = text.split_once('=').ok_or_else(form)?;
        let (path, value) = match path.strip_suffix(':') {
            Some(path) => match serde_json::from_str(new) {
                Ok(value) => (path, NewValue::Json(value)),
                Err(error) => return Err(EditError::Json { path: path.to_owned(), reason: error.to_string() }),
            },
            None => (path, NewValue::Text(new.to_owned())),
        };
        // `[0].id` is `0.id`, as `a[0].id` is `a.0.id`.
        let dotted = path.replace('[', ".").replace(']', "");
        let dotted = dotted.strip_prefix('.').filter(|_| path.starts_with('[')).unwrap_or(&dotted);
        if dotted.split('.').any(str::is_empty) {
            return Err(form());
        }
        let (parents, name) = dotted.rsplit_once('.').unwrap_or(("", dotted));
        let parent = parents.split_terminator('.').map(|step| format!("/{}", escaped(step))).collect();
        Ok(Self { path: path.to_owned(), parent, name: name.to_owned(), value })
    }
}

impl Edit {
    /// The dotted path of the field that it sets.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A change of one top-level field to any value.
    #[must_use]
    pub fn field(field: &str, value: impl Into<Value>) -> Self {
        let (path, name) = (field.to_owned(), field.to_owned());
        Self { path, parent: String::new(), name, value: NewValue::Json(value.into()) }
    }

    pub(super) fn apply(&self, event: &mut Value) -> Result<(), EditError> {
        if self.set(event)?.is_none() {
            let mut fields = Vec::new();
            list(event, "", &mut fields);
            return Err(EditError::NoSuchField { path: self.path.clone(), fields: fields.join(", ") });
        }
        Ok(())
    }

    /// Sets the field; `None` if the event has no such field.
    fn set(&self, event: &mut Value) -> Result<Option<()>, EditError> {
        let Some(parent) = event.pointer_mut(&self.parent) else { return Ok(None) };
        let old = parent.pointer_mut(&format!("/{}", escaped(&self.name)));
        match (&self.value, old) {
            (NewValue::Text(text), Some(old)) => {
                let new = typed(text, &self.name, old);
                value_type::check(&self.path, &new, old).map_err(EditError::WrongType)?;
                *old = new;
            }
            (NewValue::Text(_), None) => return Ok(None),
            (NewValue::Json(new), Some(old)) => *old = new.clone(),
            (NewValue::Json(new), None) => match parent {
                Value::Object(fields) => drop(fields.insert(self.name.clone(), new.clone())),
                Value::Array(items) if self.name.parse() == Ok(items.len()) => items.push(new.clone()),
                _ => return Ok(None),
            },
        }
        Ok(Some(()))
    }
}

/// A name as a step of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Converts a text to the type of the value that it replaces. Texts stay texts, and so do ids, which are digits but never
/// numbers; `null` is null. Anything else is JSON if it can be read as such.
fn typed(text: &str, field: &str, old: &Value) -> Value {
    let is_id = field == "id" || field.ends_with("_id");
    match text {
        "null" => Value::Null,
        _ if old.is_string() || is_id => Value::String(text.to_owned()),
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

/// Lists the paths of all fields, outer before inner.
fn list(value: &Value, path: &str, paths: &mut Vec<String>) {
    let separator = if path.is_empty() { "" } else { "." };
    let children: Vec<_> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (format!("{path}{separator}{name}"), field)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(n, item)| (format!("{path}[{n}]"), item)).collect(),
        _ => return,
    };
    for (path, child) in children {
        paths.push(path.clone());
        list(child, &path, paths);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn edited(edit: &str) -> Result<Value, EditError> {
        let mut event = json!({
            "user_id": null, "title": "old", "bits": 5, "is_gift": false, "message": { "fragments": [{ "text": "hi" }] },
        });
        edit.parse::<Edit>()?.apply(&mut event).map(|()| event)
    }

    #[test]
    fn text_takes_the_type_of_the_value_it_replaces() {
        assert_eq!(edited("bits=500").unwrap()["bits"], 500);
        assert_eq!(edited("is_gift=true").unwrap()["is_gift"], true);
        assert_eq!(edited("title=123").unwrap()["title"], "123");
        assert_eq!(edited("title=a=b").unwrap()["title"], "a=b");
        assert_eq!(edited("title=").unwrap()["title"], "");
        assert_eq!(edited("title=null").unwrap()["title"], Value::Null);
        assert_eq!(edited("user_id=123").unwrap()["user_id"], "123", "ids are texts");
    }

    #[test]
    fn paths_reach_into_objects_and_arrays() {
        for path in ["message.fragments[0].text", "message.fragments.0.text"] {
            assert_eq!(edited(&format!("{path}=bye")).unwrap()["message"], json!({ "fragments": [{ "text": "bye" }] }));
        }
        let mut events = json!([{ "id": "1" }]);
        "[0].id=2".parse::<Edit>().unwrap().apply(&mut events).unwrap();
        assert_eq!(events, json!([{ "id": "2" }]));
    }

    #[test]
    fn json_replaces_a_value_or_adds_one() {
        assert_eq!(edited("title:=123").unwrap()["title"], 123);
        assert_eq!(edited(r#"brand_new:={"a":[1]}"#).unwrap()["brand_new"], json!({ "a": [1] }));
        assert_eq!(edited("message.fragments[1]:={}").unwrap()["message"]["fragments"], json!([{ "text": "hi" }, {}]));
        assert_eq!(edited("message.fragments[0]:=1").unwrap()["message"]["fragments"], json!([1]));
        assert_eq!(edited("a/~b:=1").unwrap()["a/~b"], 1, "not an escape");
    }

    #[test]
    fn missing_field_is_an_error_that_lists_the_fields() {
        let error = edited("tilte=new").unwrap_err().to_string();
        for part in ["no field `tilte`", "title", "message.fragments[0].text"] {
            assert!(error.contains(part), "{error}");
        }
        for lost in ["nowhere.at.all:=1", "message.fragments[5]:=1", "title.letter:=1"] {
            assert!(matches!(edited(lost), Err(EditError::NoSuchField { .. })), "{lost}");
        }
    }

    #[test]
    fn text_of_another_type_is_an_error() {
        let error = edited("bits=lots").unwrap_err().to_string();
        let expected =
            "`bits` can't be \"lots\": it must be a whole number, such as 5 (`bits:=json` sets JSON of any type)";
        assert_eq!(error, expected);
        for edit in ["bits=1.5", "is_gift=maybe", "message=hi", "message.fragments=5"] {
            assert!(matches!(edited(edit), Err(EditError::WrongType(_))), "{edit}");
        }
        assert_eq!(edited("bits:=\"lots\"").unwrap()["bits"], "lots");
        assert_eq!(edited("bits=null").unwrap()["bits"], Value::Null);
    }

    #[test]
    fn text_of_another_form_is_an_error() {
        for text in ["bits", "", "=5", "a..b=5", "a.=5"] {
            assert_eq!(edited(text), Err(EditError::Form(text.to_owned())));
        }
        assert!(matches!(edited("bits:=five"), Err(EditError::Json { .. })));
    }
}
