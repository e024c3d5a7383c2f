//! `/rules`.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, delete, get, patch, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::datetime;
use utoipa::{IntoParams, ToSchema};

use super::Context;
use super::body::{Body, Line};
use super::error::Error;
use super::page::Page;
use super::query::{Limit, Nothing, Parsed, Query};
use super::responses::{BadBody, BadRequest, NotFound, RuleExists, ServerErrors};
use crate::outputs::reactions::rules::read::rule_from_json;
use crate::outputs::reactions::rules::service::{self, RuleError};
use crate::store::rules::outcomes::{self, RuleOutcome};
use crate::store::rules::{self as store, StoredRule};
use crate::store::{LogId, Order};

/// Who changes rules here, as their history says.
pub(super) const BY: &str = "API";

impl From<RuleError> for Error {
    fn from(error: RuleError) -> Self {
        match error {
            RuleError::Exists(name) => Self::RuleExists(name),
            RuleError::NotFound(name) => Self::NotFound { what: "rule", name },
            RuleError::Invalid(ref problems) => {
                let name = problems.first().map(|problem| problem.path.in_rule().to_string()).unwrap_or_default();
                Self::InvalidField { name, reason: error.to_string() }
            }
            RuleError::Database(error) => error.into(),
        }
    }
}

/// A rule, and what it did last.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoredRuleReport {
    /// Its name.
    pub name: String,
    /// Increases with every change of the rule.
    pub revision: i32,
    /// Its place among the rules, which see an event in this order.
    pub position: i32,
    /// Whether it is used.
    pub is_enabled: bool,
    /// Whether it only records what it would do.
    pub is_dry: bool,
    /// The rule, as docs/rules.md describes it.
    #[schema(value_type = Object)]
    pub rule: Value,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub changed_at: OffsetDateTime,
    /// When it last fired.
    #[serde(with = "time::serde::rfc3339::option")]
    pub fired_at: Option<OffsetDateTime>,
    /// When an event of its trigger last did not fire it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub refused_at: Option<OffsetDateTime>,
    /// Why: the first condition that failed.
    pub refusal: Option<String>,
}

impl StoredRuleReport {
    /// A stored rule with what it did last.
    #[must_use]
    pub fn new(row: StoredRule, outcome: RuleOutcome) -> Self {
        let flag = |name: &str| row.body.get(name).and_then(Value::as_bool);
        Self {
            is_enabled: flag("enabled").unwrap_or(true),
            is_dry: flag("dry").unwrap_or(false),
            name: row.name,
            revision: row.revision,
            position: row.position,
            rule: row.body,
            changed_at: row.changed_at,
            fired_at: outcome.fired_at,
            refused_at: outcome.refused_at,
            refusal: outcome.refusal,
        }
    }

    fn example() -> Self {
        Self {
            name: "title".into(),
            revision: 2,
            position: 0,
            is_enabled: true,
            is_dry: false,
            rule: example(),
            changed_at: datetime!(2026-07-01 17:00:00 UTC),
            fired_at: Some(datetime!(2026-07-01 18:20:00 UTC)),
            refused_at: Some(datetime!(2026-07-01 18:21:00 UTC)),
            refusal: Some("only for broadcaster, moderator".into()),
        }
    }
}

pub(super) fn example() -> Value {
    json!({
        "name": "title",
        "command": "!title",
        "allow": { "roles": ["broadcaster", "moderator"] },
        "do": [{ "title": "{{ args | join(' ') }}" }, { "reply": "Title set." }],
    })
}

/// A rule, as docs/rules.md describes it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
struct NewRule(Map<String, Value>);

/// Changes to a rule; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SwitchRule {
    /// Whether it is used.
    is_enabled: Option<bool>,
    /// Whether it only records what it would do.
    is_dry: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListRules {
    /// The order of the rules.
    #[serde(default)]
    #[param(inline, required = false)]
    order: Order,
    /// Start after this: the `next` of the previous page.
    #[param(value_type = i64, required = false, minimum = 0)]
    after: Option<Parsed<LogId>>,
    /// Maximum number of items.
    #[serde(default)]
    #[param(value_type = u8, required = false, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct RulePath {
    /// The rule's name.
    #[param(value_type = String, pattern = "^[A-Za-z0-9 _-]{1,100}$", example = "title")]
    pub(super) name: Line<1, 100>,
}

/// List the rules
///
/// In the order in which they see an event, or with `order=desc` the other way round, and what each did last.
#[utoipa::path(
    tag = "rules",
    params(ListRules),
    responses(
        (status = OK, description = "A page of rules", body = Page<StoredRuleReport>,
            example = json!(Page::example(StoredRuleReport::example(), "0"))),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/rules")]
pub(super) async fn list_rules(
    ctx: Data<Context>,
    query: Query<ListRules>,
) -> Result<Json<Page<StoredRuleReport>>, Error> {
    let Query(ListRules { order, after, limit }) = query;
    let (mut rows, mut outcomes) =
        ctx.query(async |db| Ok::<_, sqlx::Error>((store::all(&mut *db).await?, outcomes::all(db).await?))).await?;
    rows.retain(|row| after.is_none_or(|Parsed(LogId(after))| order.is_behind(&i64::from(row.position), &after)));
    if order == Order::Desc {
        rows.reverse();
    }
    let report = |row: StoredRule| {
        let outcome = outcomes.remove(&row.id).unwrap_or_default();
        StoredRuleReport::new(row, outcome)
    };
    Ok(Json(Page::new(rows, limit, |row| row.position.to_string(), report)))
}

/// Add a rule
///
/// It is added after all others.
#[utoipa::path(
    tag = "rules",
    request_body(content = NewRule, example = json!(example())),
    responses(
        (status = CREATED, description = "The rule", body = StoredRuleReport,
            headers(("Location" = String, description = "The path of the rule")),
            example = json!(StoredRuleReport::example())),
        BadBody,
        RuleExists,
        ServerErrors,
    ),
)]
#[post("/rules")]
pub(super) async fn add_rule(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<NewRule>,
) -> Result<HttpResponse, Error> {
    let rule = rule_from_json(Value::Object(body.0.0)).map_err(RuleError::Invalid)?;
    let name = rule.name.clone();
    ctx.query(async |db| service::add(db, rule, BY, ctx.clock.now()).await).await?;
    let path: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let location = format!("/rules/{}", path.replace('+', "%20"));
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(report(&ctx, &name).await?))
}

/// Get a rule
///
/// With what it did last.
#[utoipa::path(
    tag = "rules",
    params(RulePath),
    responses(
        (status = OK, description = "The rule", body = StoredRuleReport, example = json!(StoredRuleReport::example())),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[get("/rules/{name}")]
pub(super) async fn get_rule(
    ctx: Data<Context>,
    path: Path<RulePath>,
    _query: Query<Nothing>,
) -> Result<Json<StoredRuleReport>, Error> {
    Ok(Json(report(&ctx, path.name.as_str()).await?))
}

/// Replace a rule
///
/// It keeps its place and its cooldowns.
#[utoipa::path(
    tag = "rules",
    params(RulePath),
    request_body(content = NewRule, example = json!(example())),
    responses(
        (status = OK, description = "The rule", body = StoredRuleReport, example = json!(StoredRuleReport::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[put("/rules/{name}")]
pub(super) async fn replace_rule(
    ctx: Data<Context>,
    path: Path<RulePath>,
    _query: Query<Nothing>,
    body: Body<NewRule>,
) -> Result<Json<StoredRuleReport>, Error> {
    let (name, mut tree) = (path.name.as_str(), body.0.0);
    let given = tree.entry("name").or_insert_with(|| name.into());
    if given.as_str() != Some(name) {
        let reason = format!("it must be the name in the path, `{name}`, or be left out");
        return Err(Error::InvalidField { name: "name".to_owned(), reason });
    }
    let rule = rule_from_json(Value::Object(tree)).map_err(RuleError::Invalid)?;
    ctx.query(async |db| service::replace(db, rule, BY, ctx.clock.now()).await).await?;
    report(&ctx, name).await.map(Json)
}

/// Enable, disable or dry-run a rule
///
/// In a dry run it only records what it would do.
#[utoipa::path(
    tag = "rules",
    params(RulePath),
    request_body(content = SwitchRule, example = json!({ "is_enabled": false })),
    responses(
        (status = OK, description = "The rule", body = StoredRuleReport, example = json!(StoredRuleReport::example())),
        BadBody,
        NotFound,
        ServerErrors,
    ),
)]
#[patch("/rules/{name}")]
pub(super) async fn switch_rule(
    ctx: Data<Context>,
    path: Path<RulePath>,
    _query: Query<Nothing>,
    body: Body<SwitchRule>,
) -> Result<Json<StoredRuleReport>, Error> {
    let (name, switches) = (path.name.as_str(), (body.0.is_enabled, body.0.is_dry));
    ctx.query(async |db| service::switch(db, name, switches, BY, ctx.clock.now()).await).await?;
    report(&ctx, name).await.map(Json)
}

/// Remove a rule
///
/// Its cooldowns are removed as well. Its actions and its history stay.
#[utoipa::path(
    tag = "rules",
    params(RulePath),
    responses(
        (status = NO_CONTENT, description = "It is removed"),
        BadRequest,
        NotFound,
        ServerErrors,
    ),
)]
#[delete("/rules/{name}")]
pub(super) async fn remove_rule(
    ctx: Data<Context>,
    path: Path<RulePath>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Error> {
    ctx.query(async |db| service::remove(db, path.name.as_str(), BY, ctx.clock.now()).await).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn report(ctx: &Context, name: &str) -> Result<StoredRuleReport, Error> {
    let (rows, mut outcomes) =
        ctx.query(async |db| Ok::<_, sqlx::Error>((store::all(&mut *db).await?, outcomes::all(db).await?))).await?;
    let row = rows.into_iter().find(|row| row.name == name);
    let row = row.ok_or_else(|| Error::NotFound { what: "rule", name: name.to_owned() })?;
    let outcome = outcomes.remove(&row.id).unwrap_or_default();
    Ok(StoredRuleReport::new(row, outcome))
}
