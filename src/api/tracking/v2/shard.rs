//! The parameters `shard` and `shard_count`.

use serde::Deserialize;

use crate::api::error::Error;
use crate::discord::shard::{MAX_SHARDS, Shard};

/// A number from 0 to 65535.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ShardNumber(u32);

impl TryFrom<String> for ShardNumber {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| *number < MAX_SHARDS);
        number.map(Self).ok_or_else(|| format!("`{}` must be a number from 0 to 65535", text.escape_default()))
    }
}

/// A number from 1 to 65536.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct ShardCount(u32);

impl TryFrom<String> for ShardCount {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let count = text.parse().ok().filter(|count| (1..=MAX_SHARDS).contains(count));
        count.map(Self).ok_or_else(|| format!("`{}` must be a number from 1 to 65536", text.escape_default()))
    }
}

/// The shard that both parameters name together; `None` without them.
pub(super) fn shard(number: Option<ShardNumber>, count: Option<ShardCount>) -> Result<Option<Shard>, Error> {
    let invalid =
        |name: &str, reason: &str| Error::InvalidParameter { name: name.to_owned(), reason: reason.to_owned() };
    match (number, count) {
        (None, None) => Ok(None),
        (Some(ShardNumber(number)), Some(ShardCount(count))) => match Shard::new(number, count) {
            Some(shard) => Ok(Some(shard)),
            None => Err(invalid("shard", "must be less than `shard_count`")),
        },
        (Some(_), None) => Err(invalid("shard_count", "required together with `shard`")),
        (None, Some(_)) => Err(invalid("shard", "required together with `shard_count`")),
    }
}
