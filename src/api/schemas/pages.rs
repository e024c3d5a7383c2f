//! Pages of lists. utoipa repeats the schema of the items in that of each page.

use std::collections::BTreeMap;

use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::{Ref, RefOr, Schema};

/// How utoipa names the schemas of pages.
const PREFIX: &str = "Page_";

/// Lets pages refer to their items.
pub(super) fn refer_to_items(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    for (name, schema) in schemas {
        if let Some(item) = name.strip_prefix(PREFIX)
            && let RefOr::T(Schema::Object(page)) = schema
            && let Some(RefOr::T(Schema::Array(data))) = page.properties.get_mut("data")
        {
            data.items = ArrayItems::from(RefOr::Ref(Ref::from_schema_name(item)));
        }
    }
}
