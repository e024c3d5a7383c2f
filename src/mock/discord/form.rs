//! Validation of bodies: fields of JSON objects, and the tree of what is wrong with them
//! (<https://docs.discord.com/developers/reference#error-messages>).

use serde_json::{Map, Value, json};
use url::Url;

use super::answer::{Answer, Refusal};
use super::snowflake::Snowflake;

pub(super) type Object = Map<String, Value>;

/// What is wrong with a body: path, code and message of each error.
#[derive(Debug, Default)]
pub(super) struct FormErrors(Vec<(String, &'static str, String)>);

impl FormErrors {
    /// Adds an error. The path is that of a field, such as `embeds.0.title`; an empty one stands for the body.
    pub(super) fn add(&mut self, path: &str, code: &'static str, message: impl Into<String>) {
        self.0.push((path.to_owned(), code, message.into()));
    }

    pub(super) fn required(&mut self, path: &str) {
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required");
    }

    /// Fails if something was wrong.
    pub(super) fn check(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut tree = json!({});
        for (path, code, message) in self.0 {
            let mut place = &mut tree;
            for part in path.split('.').filter(|part| !part.is_empty()) {
                place = &mut place[part];
            }
            let error = json!({ "code": code, "message": message });
            match &mut place["_errors"] {
                Value::Array(errors) => errors.push(error),
                empty => *empty = json!([error]),
            }
        }
        let body = json!({ "message": "Invalid Form Body", "code": 50_035, "errors": tree });
        Err(Refusal(Answer::json(400, body)))
    }

    /// The refusal for one error.
    pub(super) fn refusal(path: &str, code: &'static str, message: &str) -> Refusal {
        let mut errors = Self::default();
        errors.add(path, code, message);
        errors.check().err().unwrap_or_else(Refusal::empty_message)
    }

    /// A text without surrounding white space. `None` if it is absent, null or no text.
    pub(super) fn text(&mut self, object: &Object, path: &str, name: &str, max: usize) -> Option<String> {
        let path = join(path, name);
        let text = match object.get(name)? {
            Value::Null => return None,
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            other => {
                self.add(&path, "STRING_TYPE_CONVERT", format!("Could not interpret \"{other}\" as string."));
                return None;
            }
        };
        if text.chars().count() > max {
            self.add(&path, "BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length."));
        }
        Some(text)
    }

    /// A text that must be there and not be empty.
    pub(super) fn required_text(&mut self, object: &Object, path: &str, name: &str, max: usize) -> String {
        let text = self.text(object, path, name, max).unwrap_or_default();
        if text.is_empty() {
            self.required(&join(path, name));
        }
        text
    }

    /// A URL of one of these schemes.
    pub(super) fn url(&mut self, object: &Object, path: &str, name: &str, schemes: &[&str]) -> Option<String> {
        let text = self.text(object, path, name, 2_048).filter(|text| !text.is_empty())?;
        let path = join(path, name);
        match Url::parse(&text) {
            Ok(url) if schemes.contains(&url.scheme()) => Some(text),
            Ok(url) => {
                let message = format!("Scheme \"{}\" must be one of ('{}').", url.scheme(), schemes.join("', '"));
                self.add(&path, "URL_TYPE_INVALID_SCHEME", message);
                None
            }
            Err(_) => {
                self.add(&path, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, object: &Object, path: &str, name: &str) -> bool {
        match object.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(value)) => *value,
            Some(_) => {
                self.add(&join(path, name), "BOOLEAN_TYPE_CONVERT", "Must be either true or false.");
                false
            }
        }
    }

    pub(super) fn integer(&mut self, object: &Object, path: &str, name: &str, max: u64) -> Option<u64> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        let path = join(path, name);
        let Some(number) = value.as_u64() else {
            self.add(&path, "NUMBER_TYPE_COERCE", format!("Value \"{value}\" is not int."));
            return None;
        };
        if number > max {
            self.add(&path, "NUMBER_TYPE_MAX", format!("int value should be less than or equal to {max}."));
        }
        Some(number)
    }

    /// A list of at most this length. An absent or null one is `None`.
    pub(super) fn list<'a>(
        &mut self,
        object: &'a Object,
        path: &str,
        name: &str,
        max: usize,
    ) -> Option<&'a Vec<Value>> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        let path = join(path, name);
        let Value::Array(items) = value else {
            self.add(&path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType");
            return None;
        };
        if items.len() > max {
            self.add(&path, "BASE_TYPE_MAX_LENGTH", format!("Must be {max} or fewer in length."));
        }
        Some(items)
    }

    /// An object. An absent or null one is `None`.
    pub(super) fn object<'a>(&mut self, object: &'a Object, path: &str, name: &str) -> Option<&'a Object> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        self.as_object(value, &join(path, name))
    }

    pub(super) fn as_object<'a>(&mut self, value: &'a Value, path: &str) -> Option<&'a Object> {
        let object = value.as_object();
        if object.is_none() {
            self.add(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
        }
        object
    }

    /// A list of at most this many ids. Those that can't be read are errors.
    pub(super) fn ids(&mut self, object: &Object, path: &str, name: &str, max: usize) -> Vec<Snowflake> {
        let items = self.list(object, path, name, max).map(Vec::as_slice).unwrap_or_default();
        let mut ids = Vec::new();
        for (number, item) in items.iter().enumerate() {
            match snowflake(item) {
                Some(id) => ids.push(id),
                None => {
                    let path = join(&join(path, name), &number.to_string());
                    self.add(&path, "NUMBER_TYPE_COERCE", format!("Value \"{item}\" is not snowflake."));
                }
            }
        }
        ids
    }
}

/// An id of a body: a string or a number.
pub(super) fn snowflake(value: &Value) -> Option<Snowflake> {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_u64().map(Snowflake))
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
