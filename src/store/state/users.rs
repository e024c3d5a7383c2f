//! Table `twitch_user`: what everybody is called.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{column, keys};
use crate::stream::{Latest, Names, Stamp, State};

type Users = BTreeMap<String, Latest<Names>>;

pub(super) async fn load(conn: &mut PgConnection, touched: &State) -> sqlx::Result<Users> {
    if touched.users.is_empty() {
        return Ok(Users::new());
    }
    let rows = sqlx::query!(
        "select id, login, display_name, named_at, named_by from twitch_user where id = any($1)",
        &keys(&touched.users)
    )
    .fetch_all(conn)
    .await?;
    let stored = rows.into_iter().map(|row| {
        let value = Names { login: row.login, display_name: row.display_name };
        (row.id, Latest { stamp: Stamp { at: row.named_at, by: row.named_by }, value })
    });
    Ok(stored.collect())
}

pub(super) async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    if state.users.is_empty() {
        return Ok(());
    }
    let users = &state.users;
    sqlx::query!(
        r#"
        insert into twitch_user (id, login, display_name, named_at, named_by)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
        on conflict (id) do update set
            login = excluded.login, display_name = excluded.display_name,
            named_at = excluded.named_at, named_by = excluded.named_by
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
