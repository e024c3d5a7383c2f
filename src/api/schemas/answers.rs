//! An answer has all its keys: what is unknown is `null`, not missing. utoipa takes each `Option` for a key that may be
//! missing, which is right for requests only.

use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

use super::parts;

/// The keys that may be `null` and may be missing as well. (What may be missing and is never `null` is not nullable, by a
/// `value_type` of its own.)
const MISSING: [(&str, &str); 1] = [("Status", "last_event")];

/// Makes each nullable property required.
pub(super) fn require_nullable(name: &str, schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    if let Schema::Object(object) = schema {
        let nullable = object.properties.iter().filter(|(_, property)| is_nullable(property)).map(|(key, _)| key);
        let missing = nullable.filter(|key| !object.required.contains(key) && !MISSING.contains(&(name, key)));
        let missing: Vec<_> = missing.cloned().collect();
        object.required.extend(missing);
    }
    parts(schema).into_iter().for_each(|part| require_nullable(name, part));
}

fn is_nullable(schema: &RefOr<Schema>) -> bool {
    let RefOr::T(schema) = schema else { return false };
    match schema {
        Schema::Object(object) => allows_null(&object.schema_type),
        Schema::Array(array) => allows_null(&array.schema_type),
        Schema::OneOf(any) => any.items.iter().any(is_nullable),
        _ => false,
    }
}

fn allows_null(kind: &SchemaType) -> bool {
    match kind {
        SchemaType::Type(kind) => *kind == Type::Null,
        SchemaType::Array(kinds) => kinds.contains(&Type::Null),
        SchemaType::AnyValue => false,
    }
}
