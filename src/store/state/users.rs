//! Table `twitch_user`: what everybody is called.

use sqlx::PgConnection;

use super::{column, keys};
use crate::stream::State;

pub(super) async fn add(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    if state.users.is_empty() {
        return Ok(());
    }
    let users = &state.users;
    sqlx::query!(
        r#"
        insert into twitch_user as known (id, login, display_name, named_at, named_by)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
        on conflict (id) do update set
            login = excluded.login, display_name = excluded.display_name,
            named_at = excluded.named_at, named_by = excluded.named_by
        where (excluded.named_at, excluded.named_by) > (known.named_at, known.named_by)
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
