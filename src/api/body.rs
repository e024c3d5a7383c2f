//! The JSON that requests carry.

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::error::Error;
use crate::sources::body::{BodyError, read_body};

/// The body of a request: a JSON object. Unlike actix's, it names the field that is wrong; size and
/// time are limited as for Twitch's messages. Its type should refuse unknown fields, so that a
/// mistyped one is noticed.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = req.content_type().eq_ignore_ascii_case("application/json");
        let said = req.headers().get(CONTENT_TYPE).map(|said| String::from_utf8_lossy(said.as_bytes()).into_owned());
        let body = web::Payload::from_request(req, payload);
        async move {
            if !is_json {
                return Err(Error::UnsupportedMediaType(said));
            }
            let body = read_body(body.await.map_err(BodyError::Incomplete)?, None).await?;
            parse(&body).map(Self)
        }
        .boxed_local()
    }
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    // serde would take an array for a struct.
    if body.trim_ascii_start().first().is_some_and(|first| *first == b'[') {
        return Err(Error::InvalidBody("it is an array".to_owned()));
    }
    let deserializer = &mut serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut *deserializer).map_err(|error| {
        let path = error.path().to_string();
        invalid(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| invalid(".", &error))?;
    Ok(parsed)
}

fn invalid(path: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    if error.classify() != Category::Data {
        return Error::InvalidBody(text);
    }
    // The field's name says more than a line and column.
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned();
    // For these errors, only serde's text names the field.
    let named = ["missing field `", "duplicate field `"].iter().find_map(|words| reason.strip_prefix(words));
    match (path, named.and_then(|rest| rest.strip_suffix('`'))) {
        (".", None) => Error::InvalidBody(reason),
        (".", Some(name)) => Error::InvalidField { name: name.to_owned(), reason },
        (path, _) => Error::InvalidField { name: path.to_owned(), reason },
    }
}

/// One line of text, of `MIN` to `MAX` characters.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub(super) struct Line<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> Line<MIN, MAX> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Line<MIN, MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let length = text.chars().count();
        if !(MIN..=MAX).contains(&length) {
            return Err(format!("it has {length} characters, but must have {MIN} to {MAX}"));
        }
        match text.chars().position(char::is_control) {
            Some(place) => Err(format!("its character {} is a control character, such as a line break", place + 1)),
            None => Ok(Self(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        title: Line<1, 5>,
        #[expect(dead_code, reason = "only read")]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read")]
        count: u8,
    }

    /// The field and the text of the error.
    fn refused(body: &str) -> (Option<String>, String) {
        match parse::<Thing>(body.as_bytes()).unwrap_err() {
            Error::InvalidField { name, reason } => (Some(name), reason),
            Error::InvalidBody(reason) => (None, reason),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn valid_body_is_accepted() {
        assert_eq!(parse::<Thing>(br#" {"title": "h\u00e9llo"} "#).unwrap().title.as_str(), "héllo");
    }

    #[test]
    fn errors_name_the_field() {
        for (body, field, said) in [
            ("{}", "title", "missing field `title`"),
            (r#"{"title": 5}"#, "title", "invalid type: integer `5`, expected a string"),
            (r#"{"title": ""}"#, "title", "it has 0 characters, but must have 1 to 5"),
            (r#"{"title": "ábcdéf"}"#, "title", "it has 6 characters, but must have 1 to 5"),
            (r#"{"title": "a\nb"}"#, "title", "its character 2 is a control character, such as a line break"),
            (r#"{"title": "a", "title": "b"}"#, "title", "duplicate field `title`"),
            (r#"{"titel": "a"}"#, "titel", "unknown field `titel`, expected `title` or `inner`"),
            (r#"{"title": "a", "inner": {"count": 300}}"#, "inner.count", "invalid value: integer `300`, expected u8"),
        ] {
            assert_eq!(refused(body), (Some(field.to_owned()), said.to_owned()), "{body}");
        }
    }

    #[test]
    fn error_of_malformed_body_names_no_field() {
        for (body, said) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("[\"a\"]", "it is an array"),
            ("5", "invalid type: integer `5`, expected struct Thing"),
            (r#"{"title": "a"} x"#, "trailing characters at line 1 column 16"),
            (r#"{"title": "a",}"#, "trailing comma at line 1 column 15"),
        ] {
            assert_eq!(refused(body), (None, said.to_owned()), "{body}");
        }
    }
}
