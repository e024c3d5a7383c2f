//! The order of a list.

use serde::Deserialize;
use utoipa::ToSchema;

/// The order of a list by its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(default = "asc")]
pub enum Order {
    /// The smallest key first: for times and ids of the log the oldest.
    #[default]
    Asc,
    /// The greatest key first: for times and ids of the log the newest.
    Desc,
}

impl Order {
    /// Whether one key comes behind another one.
    #[must_use]
    pub fn is_behind<T: PartialOrd>(self, key: &T, after: &T) -> bool {
        match self {
            Self::Asc => key > after,
            Self::Desc => key < after,
        }
    }
}
