//! `/rules/{name}/history`.

use actix_web::get;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::error::Error;
use super::page::Page;
use super::query::{Limit, NewestFirst, Parsed, Query};
use super::responses::{BadRequest, NotFound, ServerErrors};
use super::rules::{BY, RulePath, example};
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

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListRevisions {
    /// The order: newest or oldest first.
    #[serde(default)]
    #[param(inline, required = false)]
    order: NewestFirst,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

/// List the revisions of a rule
///
/// Newest first, or oldest first with `order=asc`, also of one that was removed.
#[utoipa::path(
    tag = "rules",
    params(RulePath, ListRevisions),
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
    query: Query<ListRevisions>,
) -> Result<Json<Page<RuleRevision>>, Error> {
    let Query(ListRevisions { order, after, limit }) = query;
    let (name, order, after) = (path.name.as_str(), order.into(), after.map(|Parsed(LogId(after))| after));
    let rows = ctx.query(async |db| change::history(db, name, order, after, limit.rows()).await).await?;
    if rows.is_empty()
        && ctx
            .query(async |db| Ok::<_, sqlx::Error>(change::history(db, name, order, None, 1).await?.is_empty()))
            .await?
    {
        return Err(Error::NotFound { what: "rule", name: name.to_owned() });
    }
    Ok(Json(Page::new(rows, limit, |row| row.id.to_string(), RuleRevision::from)))
}
