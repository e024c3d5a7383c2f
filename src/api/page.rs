//! Pages of a list, and their cursors.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::query::{Limit, Name};

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T: ToSchema> {
    /// The items.
    data: Vec<T>,
    /// The `after` of the next page; `null` at the end.
    next: Option<String>,
}

impl<T: ToSchema> Page<T> {
    /// Makes a page of `rows`, which were read with the limit [`Limit::rows`].
    pub(super) fn new<R>(mut rows: Vec<R>, limit: Limit, cursor: fn(&R) -> String, item: impl FnMut(R) -> T) -> Self {
        let next = limit.cut(&mut rows, cursor);
        Self { data: rows.into_iter().map(item).collect(), next }
    }

    /// All items of a list that is short.
    pub(super) fn whole(data: Vec<T>) -> Self {
        Self { data, next: None }
    }

    /// A page for the documentation.
    pub(super) fn example(item: T, next: &str) -> Self {
        Self { data: vec![item], next: Some(next.to_owned()) }
    }
}

/// The position of a page: behind the item with this start and id. It has both, because a broadcast's id changes when an
/// earlier stream of it becomes known.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Cursor {
    started_at: OffsetDateTime,
    id: Name,
}

impl Cursor {
    /// The `next` of a page that ends with this item.
    pub(super) fn behind(started_at: OffsetDateTime, id: &str) -> String {
        format!("{}-{id}", started_at.unix_timestamp_nanos() / 1_000)
    }

    pub(super) fn position(&self) -> (OffsetDateTime, &str) {
        (self.started_at, self.id.as_str())
    }

    fn parse(text: &str) -> Option<Self> {
        let (microseconds, id) = text.split_once('-')?;
        let is_time = (1..=17).contains(&microseconds.len()) && microseconds.bytes().all(|byte| byte.is_ascii_digit());
        let nanoseconds = microseconds.parse::<i128>().ok().filter(|_| is_time)? * 1_000;
        let started_at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?;
        Some(Self { started_at, id: id.to_owned().try_into().ok()? })
    }
}

impl TryFrom<String> for Cursor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
            .ok_or_else(|| format!("`{}` must be the `next` of a page of this list", text.escape_default()))
    }
}
