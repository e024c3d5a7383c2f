//! Table `twitch_user`.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::arrays::{column, keys};
use crate::projection::{Latest, Names};

/// Merges these users into the table: the newest names win.
pub(super) async fn merge(conn: &mut PgConnection, users: &BTreeMap<String, Latest<Names>>) -> sqlx::Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        insert into twitch_user as stored (id, login, display_name, named_at, named_by)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
        on conflict (id) do update set
            login = excluded.login, display_name = excluded.display_name,
            named_at = excluded.named_at, named_by = excluded.named_by
        where (excluded.named_at, excluded.named_by) > (stored.named_at, stored.named_by)
        "#,
        &keys(users),
        &column(users, |user| user.value.login.as_str()) as &[&str],
        &column(users, |user| user.value.display_name.as_str()) as &[&str],
        &column(users, |user| user.stamp.at),
        &column(users, |user| user.stamp.by.as_str()) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}
