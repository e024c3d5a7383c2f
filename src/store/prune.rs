//! Prunes the log: deletes its oldest events, and keeps in the baseline what they add up to.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

use super::locks::Lock;
use super::signals::Channel;
use super::state::baseline;
use super::{LogId, within};

/// Events that are deleted in one transaction. It does not hold the append lock.
const BATCH: i64 = 1_000;

/// Time limit of one transaction. It may wait for a rebuild, or read much of a large log to find what is old.
pub const BATCH_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(600);

/// No event is pruned that is younger. Twitch sends a message again for minutes, and readers come back within hours.
pub const MIN_AGE: Duration = Duration::days(1);

/// Which events to prune.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Only events of this type; `None` for all.
    pub kind: Option<String>,
    /// No events of these types, which have rules of their own.
    pub except: Vec<String>,
    /// Only events that were received before this time.
    pub before: OffsetDateTime,
}

/// What was pruned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The number of events.
    pub events: u64,
    /// The follower that has not handled the others yet, if there are others.
    pub held_back_by: Option<String>,
}

/// Deletes the events of this rule, in batches. Stops before the first one that a follower has not handled.
///
/// # Errors
/// If the database fails. What was deleted by then stays so.
pub async fn prune(conn: &mut PgConnection, rule: &Rule) -> sqlx::Result<Pruned> {
    let mut pruned = Pruned::default();
    let mut after = Some(LogId::START);
    while let Some(place) = after {
        after = within(BATCH_TIMEOUT, prune_batch(conn, rule, place, &mut pruned)).await?;
    }
    Ok(pruned)
}

/// Deletes the first events behind this place. Returns the place of the next batch, if there is one.
async fn prune_batch(
    conn: &mut PgConnection,
    rule: &Rule,
    after: LogId,
    pruned: &mut Pruned,
) -> sqlx::Result<Option<LogId>> {
    let mut transaction = Lock::Baseline.begin(conn).await?;
    let old = old_events(&mut transaction, rule, after).await?;
    let follower = first_behind(&mut transaction).await?;
    // The event at the cursor shows that it is still the same log.
    let is_handled = |id: &LogId| follower.as_ref().is_none_or(|first| *id < first.cursor);
    let ids: Vec<LogId> = old.iter().copied().filter(is_handled).collect();
    if !ids.is_empty() {
        baseline::absorb(&mut transaction, &ids, None).await?;
        delete(&mut transaction, &ids).await?;
    }
    let next = old.last().filter(|_| ids.len() == old.len()).copied();
    if next.is_none() && pruned.events + ids.len() as u64 > 0 {
        Channel::Deletion.notify(&mut transaction, "").await?;
    }
    transaction.commit().await?;
    pruned.events += ids.len() as u64;
    if ids.len() < old.len() {
        // Of a follower that is up to date, only the event at its cursor is left.
        let holds = |first: &Place| first.is_pending || old.iter().any(|id| *id > first.cursor);
        pruned.held_back_by = follower.filter(holds).map(|first| first.name);
    }
    Ok(next)
}

/// How far a follower has got.
struct Place {
    name: String,
    cursor: LogId,
    /// Whether the event at the cursor is not handled yet.
    is_pending: bool,
}

/// The place of the follower that has got least far: a sink that tries an event again is not behind it.
async fn first_behind(conn: &mut PgConnection) -> sqlx::Result<Option<Place>> {
    let first = sqlx::query_as!(
        Place,
        r#"select name as "name!", cursor as "cursor!: LogId", is_pending as "is_pending!" from (
            select name, cursor, false as is_pending from follower
            union all
            select follower, event_id, true from delivery join sink on sink.id = sink_id where next_at is not null
        ) as places order by cursor limit 1"#
    );
    first.fetch_optional(conn).await
}

/// The first events of a rule behind this one. Ids and times of arrival grow together, so there is no other behind the first
/// page that has none.
async fn old_events(conn: &mut PgConnection, rule: &Rule, after: LogId) -> sqlx::Result<Vec<LogId>> {
    sqlx::query_scalar!(
        r#"select id as "id!: LogId" from (
            (select id, received_at from event
            where $1::text is null and id > $3 and coalesce(type, '') <> all($2::text[]) order by id limit $5)
            union all
            (select id, received_at from event
            where (type, id) > ($1, $3) and type <= $1 order by type, id limit $5)
        ) as page where received_at < $4 order by id"#,
        rule.kind,
        &rule.except,
        after.0,
        rule.before,
        BATCH
    )
    .fetch_all(conn)
    .await
}

async fn delete(conn: &mut PgConnection, ids: &[LogId]) -> sqlx::Result<()> {
    sqlx::query!(
        "with pruned as (delete from event where id = any($1)), given_up as (delete from delivery where event_id = any($1))
        update log_epoch set revision = revision + 1, pruned_through = greatest(pruned_through, (select max(id) from unnest($1) as id))",
        ids as &[LogId]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many events were received before this time.
///
/// # Errors
/// If the database fails.
pub async fn count(conn: &mut PgConnection, before: OffsetDateTime) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from event where received_at < $1"#, before)
        .fetch_one(conn)
        .await
}
