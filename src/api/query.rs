//! The query string of requests, and the types of values in queries and paths.

use std::fmt::Display;
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use super::error::Error;
use crate::clock::to_microseconds;
use crate::store::Order;

/// The query of a request. Unlike actix's, it names the parameter that is wrong, and refuses those that are not
/// documented.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + IntoParams> FromRequest for Query<T> {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(req.query_string()).map(Self))
    }
}

fn parse<T: DeserializeOwned + IntoParams>(query: &str) -> Result<T, Error> {
    let allowed: Vec<_> = T::into_params(|| None).into_iter().map(|it| it.name).collect();
    let mut given: Vec<_> = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect();
    given.sort_unstable();
    if let Some([name, _]) = given.array_windows().find(|[a, b]| a == b && allowed.contains(a)) {
        return Err(Error::InvalidParameter { name: name.clone(), reason: "given more than once".into() });
    }
    given.retain(|name| !allowed.contains(name));
    given.dedup();
    if !given.is_empty() {
        return Err(Error::UnknownParameters { names: given, allowed });
    }
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let reason = error.inner().to_string();
        // What is missing has no path.
        let missing = reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let name = missing.map_or_else(|| error.path().to_string(), str::to_owned);
        Error::InvalidParameter { name, reason: if missing.is_some() { "missing".to_owned() } else { reason } }
    })
}

/// The query of a path that takes no parameters.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Nothing {}

/// The number of items on a page: 1 to 100, by default 50.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Limit(u8);

impl Limit {
    /// The number of rows to ask for: one more than is shown, to see whether there is more.
    pub(super) fn rows(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// Cuts the rows to the page, and returns the cursor of the next page, if there is one.
    pub(super) fn cut<T, C>(self, rows: &mut Vec<T>, cursor: impl FnOnce(&T) -> C) -> Option<C> {
        let len = usize::from(self.0);
        let has_more = rows.len() > len;
        rows.truncate(len);
        rows.last().filter(|_| has_more).map(cursor)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            Ok(limit @ 1..=100) => Ok(Self(limit)),
            _ => Err(format!("`{text}` must be a number from 1 to 100")),
        }
    }
}

/// The order of a list that begins with its newest items, unless the client asks for the other one.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "desc")]
pub(super) enum NewestFirst {
    /// Oldest first.
    Asc,
    /// Newest first.
    #[default]
    Desc,
}

impl From<NewestFirst> for Order {
    fn from(order: NewestFirst) -> Self {
        match order {
            NewestFirst::Asc => Self::Asc,
            NewestFirst::Desc => Self::Desc,
        }
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Flag(pub(super) bool);

impl TryFrom<String> for Flag {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` must be true or false"))
    }
}

/// A login, a type, or an id that Twitch gave: 1 to 256 visible ASCII characters.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Name(String);

impl Name {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(format!("`{}` must be 1 to 256 visible ASCII characters", text.escape_default()))
        }
    }
}

/// Up to [`NameList::MAX`] [`Name`]s, separated by commas.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct NameList(pub(super) Vec<String>);

impl NameList {
    const MAX: usize = 100;
}

impl TryFrom<String> for NameList {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let names = text.split(',').map(|name| Name::try_from(name.to_owned()).map(Name::into_string));
        let names: Vec<_> = names.collect::<Result<_, _>>()?;
        match names.len() {
            1..=Self::MAX => Ok(Self(names)),
            len => Err(format!("{len} names are too many; the limit is {}", Self::MAX)),
        }
    }
}

/// A value with a text form of its own, such as an id.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "String", bound(deserialize = "T: FromStr<Err: Display>"))]
pub(super) struct Parsed<T>(pub(super) T);

impl<T: FromStr<Err: Display>> TryFrom<String> for Parsed<T> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error| format!("`{}` {error}", text.escape_default()))
    }
}

/// A time in UTC, in microseconds as in the database. Those before 1970 are taken for that: there are no events, and not all of
/// them can be written in UTC.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Timestamp(pub(super) OffsetDateTime);

impl TryFrom<String> for Timestamp {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        OffsetDateTime::parse(&text, &Rfc3339)
            .ok()
            .and_then(|at| at.checked_to_offset(UtcOffset::UTC))
            .map(|at| Self(to_microseconds(at.max(OffsetDateTime::UNIX_EPOCH))))
            .ok_or_else(|| {
                format!("`{text}` must be an RFC 3339 time such as 2026-07-01T18:00:00Z (in a URL, a + is %2B)")
            })
    }
}
