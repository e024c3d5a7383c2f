//! A person's changes to an event, as text: `bits=500`, `message.fragments[0].text=hi`,
//! `brand_new_field:={"any": "json"}`.

use std::str::FromStr;

use serde_json::Value;

/// A field to set.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    path: String,
    steps: Vec<String>,
    value: NewValue,
}

#[derive(Clone, Debug, PartialEq)]
enum NewValue {
    /// After `=`: takes the type of what it replaces.
    Text(String),
    /// After `:=`: JSON as it is; may also add a field.
    Json(Value),
}

/// Why a change can't be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EditError {
    /// Not of the form.
    #[error("`{0}` is no change: wants path=value or path:=json")]
    Form(String),
    /// What follows `:=` isn't JSON.
    #[error("what `{path}` shall be is no JSON: {reason}")]
    Json {
        /// The field.
        path: String,
        /// The parser's words.
        reason: String,
    },
    /// Only existing fields can be changed with `=`.
    #[error("this event has no field `{path}`; it has {fields} (`{path}:=json` adds a field to what is there)")]
    NoSuchField {
        /// What was asked for.
        path: String,
        /// The paths that there are.
        fields: String,
    },
}

impl FromStr for Edit {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let (path, new) = text.split_once('=').ok_or_else(|| EditError::Form(text.to_owned()))?;
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
        let steps: Vec<_> = dotted.split('.').map(str::to_owned).collect();
        if steps.iter().any(String::is_empty) {
            return Err(EditError::Form(text.to_owned()));
        }
        Ok(Self { path: path.to_owned(), steps, value })
    }
}

impl Edit {
    /// The dotted path of the field that it sets.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A change of one top-level field to a text.
    #[must_use]
    pub fn text(field: &str, value: &str) -> Self {
        Self { path: field.to_owned(), steps: vec![field.to_owned()], value: NewValue::Json(value.into()) }
    }

    pub(super) fn apply(&self, event: &mut Value) -> Result<(), EditError> {
        if self.set(event).is_none() {
            let mut fields = Vec::new();
            list(event, "", &mut fields);
            return Err(EditError::NoSuchField { path: self.path.clone(), fields: fields.join(", ") });
        }
        Ok(())
    }

    fn set(&self, event: &mut Value) -> Option<()> {
        let (last, parents) = self.steps.split_last()?;
        let parent = parents.iter().try_fold(event, |value, step| child(value, step))?;
        match &self.value {
            NewValue::Text(text) => {
                let old = child(parent, last)?;
                *old = typed(text, last, old);
            }
            NewValue::Json(new) => match parent {
                Value::Object(fields) => {
                    fields.insert(last.clone(), new.clone());
                }
                Value::Array(items) if last.parse() == Ok(items.len()) => items.push(new.clone()),
                other => *child(other, last)? = new.clone(),
            },
        }
        Some(())
    }
}

fn child<'a>(value: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(fields) => fields.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    }
}

/// What replaces a text stays a text, and so do ids, which are digits but never numbers; `null` is
/// null. Everything else is JSON if it can be read as such.
fn typed(text: &str, field: &str, old: &Value) -> Value {
    let is_id = field == "id" || field.ends_with("_id");
    match text {
        "null" => Value::Null,
        _ if old.is_string() || is_id => Value::String(text.to_owned()),
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

/// The paths of all that can be set, outer before inner.
fn list(value: &Value, path: &str, paths: &mut Vec<String>) {
    let mut enter = |path: String, value: &Value| {
        paths.push(path.clone());
        list(value, &path, paths);
    };
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                enter(if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, field);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                enter(format!("{path}[{index}]"), item);
            }
        }
        _ => {}
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
    fn a_value_takes_the_type_of_the_old_one() {
        assert_eq!(edited("bits=500").unwrap()["bits"], 500);
        assert_eq!(edited("is_gift=true").unwrap()["is_gift"], true);
        assert_eq!(edited("title=123").unwrap()["title"], "123");
        assert_eq!(edited("title=a=b").unwrap()["title"], "a=b");
        assert_eq!(edited("title=").unwrap()["title"], "");
        assert_eq!(edited("title=null").unwrap()["title"], Value::Null);
        assert_eq!(edited("user_id=123").unwrap()["user_id"], "123", "ids are texts");
    }

    #[test]
    fn paths_lead_into_objects_and_arrays() {
        for path in ["message.fragments[0].text", "message.fragments.0.text"] {
            assert_eq!(edited(&format!("{path}=bye")).unwrap()["message"], json!({ "fragments": [{ "text": "bye" }] }));
        }
        let mut events = json!([{ "id": "1" }]);
        "[0].id=2".parse::<Edit>().unwrap().apply(&mut events).unwrap();
        assert_eq!(events, json!([{ "id": "2" }]));
    }

    #[test]
    fn json_is_taken_as_it_is_and_may_be_new() {
        assert_eq!(edited("title:=123").unwrap()["title"], 123);
        assert_eq!(edited(r#"brand_new:={"a":[1]}"#).unwrap()["brand_new"], json!({ "a": [1] }));
        assert_eq!(edited("message.fragments[1]:={}").unwrap()["message"]["fragments"], json!([{ "text": "hi" }, {}]));
    }

    #[test]
    fn a_field_that_is_not_there_is_an_error_that_lists_those_that_are() {
        let error = edited("tilte=new").unwrap_err().to_string();
        for part in ["no field `tilte`", "title", "message.fragments[0].text"] {
            assert!(error.contains(part), "{error}");
        }
        for lost in ["nowhere.at.all:=1", "message.fragments[5]:=1", "title.letter:=1"] {
            assert!(matches!(edited(lost), Err(EditError::NoSuchField { .. })), "{lost}");
        }
    }

    #[test]
    fn text_of_another_form_is_no_change() {
        for text in ["bits", "", "=5", "a..b=5", "a.=5"] {
            assert_eq!(edited(text), Err(EditError::Form(text.to_owned())));
        }
        assert!(matches!(edited("bits:=five"), Err(EditError::Json { .. })));
    }
}
