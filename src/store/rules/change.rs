//! Changes of rules, and table `rule_history`: how each has changed.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::store::Order;

/// A rule to keep.
#[derive(Clone, Copy, Debug)]
pub struct RuleChange<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its place among the rules.
    pub position: i32,
    /// The rule as a tree.
    pub body: &'a Value,
    /// The types of events that it needs.
    pub types: &'a [&'a str],
    /// The logins and ids of the channels on which it needs them; all if empty.
    pub channels: &'a [String],
    /// Who changes it.
    pub by: &'a str,
    /// When.
    pub at: OffsetDateTime,
}

/// Adds a rule.
///
/// # Errors
/// If the database fails.
pub async fn add(db: &mut PgConnection, change: RuleChange<'_>) -> sqlx::Result<()> {
    let id = sqlx::query_scalar!(
        "insert into rule (name, position, body, types, channels, changed_at)
        values ($1, $2, $3, $4, nullif($5::text[], '{}'), $6) returning id",
        change.name,
        change.position,
        change.body,
        change.types as &[&str],
        change.channels,
        change.at
    );
    let id = id.fetch_one(&mut *db).await?;
    record(db, id, 1, Some(change.body), change).await
}

/// Changes the body of a rule.
///
/// # Errors
/// If the database fails.
pub async fn change(db: &mut PgConnection, id: i64, change: RuleChange<'_>) -> sqlx::Result<()> {
    let revision = sqlx::query_scalar!(
        "update rule set revision = revision + 1, body = $2, types = $3, channels = nullif($4::text[], '{}'), changed_at = $5
        where id = $1 returning revision",
        id,
        change.body,
        change.types as &[&str],
        change.channels,
        change.at
    );
    let revision = revision.fetch_one(&mut *db).await?;
    record(db, id, revision, Some(change.body), change).await
}

/// Moves a rule to another place.
///
/// # Errors
/// If the database fails.
pub async fn place(db: impl PgExecutor<'_>, id: i64, position: i32) -> sqlx::Result<()> {
    sqlx::query!("update rule set position = $2 where id = $1", id, position).execute(db).await?;
    Ok(())
}

/// Removes a rule, and what is known of its past.
///
/// # Errors
/// If the database fails.
pub async fn remove(db: &mut PgConnection, id: i64, change: RuleChange<'_>) -> sqlx::Result<()> {
    let revision = sqlx::query_scalar!("delete from rule where id = $1 returning revision", id);
    let revision = revision.fetch_one(&mut *db).await?;
    record(db, id, revision.saturating_add(1), None, change).await
}

async fn record(
    db: &mut PgConnection,
    id: i64,
    revision: i32,
    body: Option<&Value>,
    change: RuleChange<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rule_history (rule_id, name, revision, body, changed_by, changed_at) values ($1, $2, $3, $4, $5, $6)",
        id,
        change.name,
        revision,
        body,
        change.by,
        change.at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A revision of a rule.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of rule_history, which db/migrations describes")]
pub struct RuleRevision {
    pub id: i64,
    pub revision: i32,
    pub body: Option<Value>,
    pub changed_by: String,
    pub changed_at: OffsetDateTime,
}

/// The revisions of the rules that had this name, in this order, behind this one.
///
/// # Errors
/// If the database fails.
pub async fn history(
    db: impl PgExecutor<'_>,
    name: &str,
    order: Order,
    after: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<RuleRevision>> {
    macro_rules! page {
        ($behind:tt, $start:tt, $direction:tt) => {
            sqlx::query_as!(
                RuleRevision,
                "select id, revision, body, changed_by, changed_at from rule_history
                where name = $1 and id "
                    + $behind
                    + " coalesce($2, "
                    + $start
                    + ") order by id "
                    + $direction
                    + " limit $3",
                name,
                after,
                limit
            )
            .fetch_all(db)
            .await
        };
    }
    match order {
        Order::Asc => page!(">", "0::bigint", "asc"),
        Order::Desc => page!("<", "9223372036854775807", "desc"),
    }
}
