//! Table `subscription`: the EventSub subscriptions through which messages came.

use sqlx::PgConnection;

use super::{column, keys};
use crate::stream::State;

pub(super) async fn add(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    if state.subscriptions.is_empty() {
        return Ok(());
    }
    let rows = &state.subscriptions;
    sqlx::query!(
        r#"
        insert into subscription as known
            (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        select id, type, version, condition::json, transport::json, cost, created_at, status, status_at, status_by
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::timestamptz[], $8::text[],
                $9::timestamptz[], $10::text[])
            as s (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        on conflict (id) do update set
            type = excluded.type, version = excluded.version, condition = excluded.condition, transport = excluded.transport, cost = excluded.cost,
            created_at = excluded.created_at, status = excluded.status,
            status_at = excluded.status_at, status_by = excluded.status_by
        where (excluded.status_at, excluded.status_by) > (known.status_at, known.status_by)
        "#,
        &keys(rows),
        &column(rows, |s| s.value.kind.as_str()) as &[&str],
        &column(rows, |s| s.value.version.as_str()) as &[&str],
        &column(rows, |s| s.value.condition.as_str()) as &[&str],
        &column(rows, |s| s.value.transport.as_deref()) as &[Option<&str>],
        &column(rows, |s| s.value.cost),
        &column(rows, |s| s.value.created_at) as &[Option<time::OffsetDateTime>],
        &column(rows, |s| s.value.status.as_str()) as &[&str],
        &column(rows, |s| s.stamp.at),
        &column(rows, |s| s.stamp.by.as_str()) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}
