//! Maps as array parameters of statements, one array per column.
//!
//! What nearly every message touches is saved this way: Postgres reads such arrays several times as fast as rows in JSON.

use std::collections::BTreeMap;

/// The keys of a map, in the order of [`column()`].
pub(super) fn keys<K: AsRef<str>, V>(map: &BTreeMap<K, V>) -> Vec<&str> {
    map.keys().map(AsRef::as_ref).collect()
}

/// One field of each value of a map.
pub(super) fn column<'a, K, V, T>(map: &'a BTreeMap<K, V>, field: impl Fn(&'a V) -> T) -> Vec<T> {
    map.values().map(field).collect()
}
