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

/// The same of a field that is mostly missing or zero: without an element if all are. Postgres reads the missing elements of
/// `unnest` as null.
pub(super) fn sparse<'a, K, V, T: Default + PartialEq>(map: &'a BTreeMap<K, V>, field: impl Fn(&'a V) -> T) -> Vec<T> {
    let column = column(map, field);
    let is_missing = column.iter().all(|value| *value == T::default());
    if is_missing { Vec::new() } else { column }
}
