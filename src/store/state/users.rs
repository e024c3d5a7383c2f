//! Table `twitch_user`: what everybody is called.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

use super::keys;
use crate::stream::{Latest, Names, Stamp, State};

#[derive(Serialize)]
struct Row {
    id: String,
    login: String,
    display_name: String,
    #[serde(with = "time::serde::rfc3339")]
    named_at: OffsetDateTime,
    named_by: String,
}

pub(super) async fn load(conn: &mut PgConnection, touched: &State) -> sqlx::Result<BTreeMap<String, Latest<Names>>> {
    if touched.users.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as!(
        Row,
        "select id, login, display_name, named_at, named_by from twitch_user where id = any($1)",
        &keys(&touched.users)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.clone(), row.into())).collect())
}

pub(super) async fn save(conn: &mut PgConnection, state: &State) -> sqlx::Result<()> {
    if state.users.is_empty() {
        return Ok(());
    }
    let rows: Vec<Row> = state.users.iter().map(|(id, names)| Row::new(id, names)).collect();
    sqlx::query!(
        r#"
        insert into twitch_user select * from jsonb_populate_recordset(null::twitch_user, $1)
        on conflict (id) do update set
            login = excluded.login, display_name = excluded.display_name,
            named_at = excluded.named_at, named_by = excluded.named_by
        "#,
        Json(rows) as _
    )
    .execute(conn)
    .await?;
    Ok(())
}

impl Row {
    fn new(id: &str, names: &Latest<Names>) -> Self {
        let Latest { stamp, value: Names { login, display_name } } = names.clone();
        Self { id: id.to_owned(), login, display_name, named_at: stamp.at, named_by: stamp.by }
    }
}

impl From<Row> for Latest<Names> {
    fn from(row: Row) -> Self {
        let value = Names { login: row.login, display_name: row.display_name };
        Self { stamp: Stamp { at: row.named_at, by: row.named_by }, value }
    }
}
