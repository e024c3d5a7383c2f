//! Table `subscription`.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::arrays::{column, keys};
use crate::projection::{Latest, Subscription};

/// Merges these EventSub subscriptions into the table: the newest message that describes one wins.
pub(super) async fn merge(
    conn: &mut PgConnection,
    subscriptions: &BTreeMap<String, Latest<Subscription>>,
) -> sqlx::Result<()> {
    if subscriptions.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into subscription as stored
            (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        select id, type, version, condition::json, transport::json, cost, created_at, status, status_at, status_by
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::timestamptz[],
                $8::text[], $9::timestamptz[], $10::text[])
            as s (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        on conflict (id) do update set
            type = excluded.type, version = excluded.version, condition = excluded.condition,
            transport = excluded.transport, cost = excluded.cost, created_at = excluded.created_at,
            status = excluded.status, status_at = excluded.status_at, status_by = excluded.status_by
        where (excluded.status_at, excluded.status_by) > (stored.status_at, stored.status_by)
        "#,
        &keys(subscriptions),
        &column(subscriptions, |s| s.value.kind.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.version.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.condition.as_str()) as &[&str],
        &column(subscriptions, |s| s.value.transport.as_deref()) as &[Option<&str>],
        &column(subscriptions, |s| s.value.cost),
        &column(subscriptions, |s| s.value.created_at) as &[Option<OffsetDateTime>],
        &column(subscriptions, |s| s.value.status.as_str()) as &[&str],
        &column(subscriptions, |s| s.stamp.at),
        &column(subscriptions, |s| s.stamp.by.as_str()) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}
