//! Tables `rule_set` and `rule`: the rules.

pub mod change;
pub mod facts;
pub mod forget;
pub mod known;
pub mod outcomes;
pub mod save;
pub mod save_values;

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// What all rules have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of rule_set, which db/migrations describes")]
pub struct RuleSet {
    pub revision: i64,
    pub bot: Option<String>,
    pub ignore_users: Option<Vec<String>>,
    pub is_dry: bool,
}

/// A rule, as it is kept.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of rule, which db/migrations describes")]
pub struct StoredRule {
    pub id: i64,
    pub name: String,
    pub revision: i32,
    pub position: i32,
    pub body: Value,
    pub changed_at: OffsetDateTime,
}

/// The revision of the rules, which each change of them moves on.
///
/// # Errors
/// If the database fails.
pub async fn revision(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar!("select revision from rule_set").fetch_one(db).await
}

/// What all rules have in common.
///
/// # Errors
/// If the database fails.
pub async fn set(db: impl PgExecutor<'_>) -> sqlx::Result<RuleSet> {
    sqlx::query_as!(RuleSet, "select revision, bot, ignore_users, is_dry from rule_set").fetch_one(db).await
}

/// Keeps other changes of the rules away until the transaction ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(db: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query!("select from rule_set for update").execute(db).await?;
    Ok(())
}

/// Saves what all rules have in common, and moves the revision on.
///
/// # Errors
/// If the database fails.
pub async fn save_set(
    db: impl PgExecutor<'_>,
    bot: Option<&str>,
    ignore_users: &[String],
    is_dry: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update rule_set set revision = revision + 1, bot = $1, ignore_users = $2, is_dry = $3",
        bot,
        ignore_users,
        is_dry
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All rules, in their order.
///
/// # Errors
/// If the database fails.
pub async fn all(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<StoredRule>> {
    sqlx::query_as!(StoredRule, "select id, name, revision, position, body, changed_at from rule order by position, id")
        .fetch_all(db)
        .await
}

/// The id of the rule of this name.
///
/// # Errors
/// If the database fails.
pub async fn id(db: impl PgExecutor<'_>, name: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!("select id from rule where name = $1", name).fetch_optional(db).await
}
