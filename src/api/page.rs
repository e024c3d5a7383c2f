//! The shape of a list.

use serde::Serialize;
use utoipa::ToSchema;

use super::query::Limit;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T: ToSchema> {
    /// The items.
    data: Vec<T>,
    /// What to pass as `after` to get the next page; `null` at the end.
    next: Option<String>,
}

impl<T: ToSchema> Page<T> {
    /// The page that `rows`, of which [`Limit::rows`] were asked for, make.
    pub(super) fn new<R>(mut rows: Vec<R>, limit: Limit, cursor: fn(&R) -> String, item: impl FnMut(R) -> T) -> Self {
        let next = limit.cut(&mut rows, cursor);
        Self { data: rows.into_iter().map(item).collect(), next }
    }

    /// A page for the documentation.
    pub(super) fn example(item: T, next: &str) -> Self {
        Self { data: vec![item], next: Some(next.to_owned()) }
    }
}
