//! `/rules/{name}/history`.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::ToSchema;

use super::Context;
use super::error::Error;
use super::page::Page;
use super::query::{Parsed, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use super::rules::{BY, ListRules, RulePath, example};
use crate::store::LogId;
use crate::store::rules::change;

/// A revision of a rule.
#[derive(Debug, Serialize, ToSchema)]
struct RuleRevision {
    /// Grows with every change.
    revision: i32,
    /// The rule; `null` where it was removed.
    #[schema(value_type = Option<Object>)]
    rule: Option<Value>,
    /// Who changed it: `API` or `command line`.
    changed_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    changed_at: OffsetDateTime,
}

impl From<change::RuleRevision> for RuleRevision {
    fn from(row: change::RuleRevision) -> Self {
        Self { revision: row.revision, rule: row.body, changed_by: row.changed_by, changed_at: row.changed_at }
    }
}

impl RuleRevision {
    fn example() -> Self {
        let changed_at = datetime!(2026-07-01 17:00:00 UTC);
        Self { revision: 2, rule: Some(example()), changed_by: BY.into(), changed_at }
    }
}

/// List the revisions of a rule
///
/// Newest first, also of one that was removed.
#[utoipa::path(
    tag = "rules",
    params(RulePath, ListRules),
    responses(
        (status = OK, description = "A page of revisions", body = Page<RuleRevision>,
            example = json!(Page::example(RuleRevision::example(), "7"))),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/rules/{name}/history")]
pub(super) async fn list_rule_revisions(
    ctx: Data<Context>,
    path: Path<RulePath>,
    query: Query<ListRules>,
) -> Result<Json<Page<RuleRevision>>, Error> {
    let Query(ListRules { after, limit }) = query;
    let (name, before) = (path.name.as_str(), after.map(|Parsed(LogId(after))| after));
    let rows = ctx.read(async |db| change::history(db, name, before, limit.rows()).await).await?;
    if rows.is_empty() && ctx.read(async |db| Ok(change::history(db, name, None, 1).await?.is_empty())).await? {
        return Err(Error::NotFound { what: "rule", name: name.to_owned() });
    }
    Ok(Json(Page::new(rows, limit, |row| row.id.to_string(), RuleRevision::from)))
}
