//! Table `subscription`: the EventSub subscriptions through which messages came.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{column, keys};
use crate::stream::{Latest, Stamp, State, Subscription};

type Subscriptions = BTreeMap<String, Latest<Subscription>>;

pub(super) async fn load(conn: &mut PgConnection, touched: &State) -> sqlx::Result<Subscriptions> {
    if touched.subscriptions.is_empty() {
        return Ok(Subscriptions::new());
    }
    let rows = sqlx::query!(
        r#"
        select id, type as kind, version, condition::text as "condition!", transport::text as transport, cost,
            created_at, status, status_at, status_by
        from subscription where id = any($1)
        "#,
        &keys(&touched.subscriptions)
    )
    .fetch_all(conn)
    .await?;
    let stored = rows.into_iter().map(|row| {
        let value = Subscription {
            kind: row.kind,
            version: row.version,
            condition: row.condition,
            transport: row.transport,
            cost: row.cost,
            created_at: row.created_at,
            status: row.status,
        };
        (row.id, Latest { stamp: Stamp { at: row.status_at, by: row.status_by }, value })
    });
    Ok(stored.collect())
}

pub(super) async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    if state.subscriptions.is_empty() {
        return Ok(());
    }
    let rows = &state.subscriptions;
    sqlx::query!(
        r#"
        insert into subscription
            (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        select id, type, version, condition::json, transport::json, cost, created_at, status, status_at, status_by
        from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::timestamptz[], $8::text[],
                $9::timestamptz[], $10::text[])
            as s (id, type, version, condition, transport, cost, created_at, status, status_at, status_by)
        on conflict (id) do update set
            condition = excluded.condition, transport = excluded.transport, cost = excluded.cost,
            created_at = excluded.created_at, status = excluded.status,
            status_at = excluded.status_at, status_by = excluded.status_by
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
