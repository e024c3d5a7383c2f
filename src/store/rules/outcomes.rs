//! What rules did last, for a person who wonders.

use std::collections::HashMap;

use sqlx::PgExecutor;
use time::OffsetDateTime;

use crate::store::Order;

/// When a rule last reacted, and when and why it last did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the columns of rule_outcome, which db/migrations describes")]
pub struct RuleOutcome {
    pub fired_at: Option<OffsetDateTime>,
    pub refused_at: Option<OffsetDateTime>,
    pub refusal: Option<String>,
}

/// What the rules did last, by the id of the rule.
///
/// # Errors
/// If the database fails.
pub async fn all(db: impl PgExecutor<'_>) -> sqlx::Result<HashMap<i64, RuleOutcome>> {
    let rows = sqlx::query!("select rule_id, fired_at, refused_at, refusal from rule_outcome").fetch_all(db).await?;
    let outcomes = rows.into_iter().map(|row| {
        let outcome = RuleOutcome { fired_at: row.fired_at, refused_at: row.refused_at, refusal: row.refusal };
        (row.rule_id, outcome)
    });
    Ok(outcomes.collect())
}

/// Records what a rule did; what is `None` stays.
///
/// # Errors
/// If the database fails.
pub async fn save(db: impl PgExecutor<'_>, rule_id: i64, outcome: &RuleOutcome) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into rule_outcome as old (rule_id, fired_at, refused_at, refusal)
        select id, $2, $3, $4 from rule where id = $1
        on conflict (rule_id) do update set fired_at = coalesce(excluded.fired_at, old.fired_at),
            refused_at = coalesce(excluded.refused_at, old.refused_at), refusal = coalesce(excluded.refusal, old.refusal)",
        rule_id,
        outcome.fired_at,
        outcome.refused_at,
        outcome.refusal
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How many rules rest on a channel, because they reacted too often.
///
/// # Errors
/// If the database fails.
pub async fn resting(db: impl PgExecutor<'_>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from rule_pace where rests_until > now()"#).fetch_one(db).await
}

/// A counter of a channel.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of counter, which db/migrations describes")]
pub struct Counter {
    pub channel_id: String,
    pub name: String,
    pub value: i64,
}

/// Counters by channel and name in this order, behind this one; of one channel only if it is given.
///
/// # Errors
/// If the database fails.
pub async fn counters(
    db: impl PgExecutor<'_>,
    channel_id: Option<&str>,
    order: Order,
    after: Option<(&str, &str)>,
    limit: i64,
) -> sqlx::Result<Vec<Counter>> {
    macro_rules! page {
        ($behind:tt, $direction:tt) => {
            sqlx::query_as!(
                Counter,
                "select channel_id, name, value from counter
                where ($1::text is null or channel_id = $1)
                    and ($2::text is null or (channel_id, name) "
                    + $behind
                    + " ($2, $3::text))
                order by channel_id "
                    + $direction
                    + ", name "
                    + $direction
                    + " limit $4",
                channel_id,
                after.map(|(channel_id, _)| channel_id),
                after.map(|(_, name)| name),
                limit
            )
            .fetch_all(db)
            .await
        };
    }
    match order {
        Order::Asc => page!(">", "asc"),
        Order::Desc => page!("<", "desc"),
    }
}
