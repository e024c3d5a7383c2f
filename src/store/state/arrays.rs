//! Maps as array parameters of statements, one array per column.
//!
//! What nearly every message touches is saved this way: Postgres reads such arrays several times as fast as rows in JSON.

use std::collections::BTreeMap;

/// The keys of a map, in the order of [`column`].
pub(super) fn keys<V>(map: &BTreeMap<String, V>) -> Vec<String> {
    map.keys().cloned().collect()
}

/// One field of each value of a map.
pub(super) fn column<'a, K, V, T>(map: &'a BTreeMap<K, V>, field: impl Fn(&'a V) -> T) -> Vec<T> {
    map.values().map(field).collect()
}
