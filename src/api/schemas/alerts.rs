//! The schemas of alerts, one for each kind: by its name a generated client finds the type for a `type`.

use std::collections::BTreeMap;

use utoipa::openapi::schema::{AllOf, Discriminator, OneOfBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};

use super::{pascal_case, reference};

/// The schema of an alert.
const ALERT: &str = "Alert";

/// That of what the kinds have in common.
const COMMON: &str = "AlertFields";

/// Names the kinds. The derived schema of an alert consists of `What`, in which the kinds have no names, and of the fields that
/// they have in common.
pub(super) fn name_kinds(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let Some(RefOr::T(Schema::OneOf(kinds))) = schemas.remove("What") else { return };
    let Some(RefOr::T(Schema::AllOf(derived))) = schemas.remove(ALERT) else { return };
    let common = derived.items.into_iter().find(|part| matches!(part, RefOr::T(_)));
    schemas.extend(common.map(|common| (COMMON.to_owned(), common)));
    let mut alert = OneOfBuilder::new().description(derived.description);
    let mut mapping = BTreeMap::new();
    for kind in kinds.items {
        let RefOr::T(Schema::AllOf(mut kind)) = kind else { continue };
        let Some(tag) = tag(&kind) else { continue };
        let name = format!("{}{ALERT}", pascal_case(&tag));
        kind.items.insert(0, RefOr::Ref(Ref::from_schema_name(COMMON)));
        mapping.insert(tag, reference(&name));
        alert = alert.item(Ref::from_schema_name(&name));
        schemas.insert(name, RefOr::T(Schema::AllOf(kind)));
    }
    let alert = alert.discriminator(Some(Discriminator::with_mapping("type", mapping)));
    schemas.insert(ALERT.to_owned(), alert.into());
}

/// The only value of `type` in the schema of a kind.
fn tag(kind: &AllOf) -> Option<String> {
    kind.items.iter().find_map(|part| {
        let RefOr::T(Schema::Object(part)) = part else { return None };
        let RefOr::T(Schema::Object(kind)) = part.properties.get("type")? else { return None };
        Some(kind.enum_values.as_ref()?.first()?.as_str()?.to_owned())
    })
}
