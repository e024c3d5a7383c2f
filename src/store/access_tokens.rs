//! Table `access_token`: the tokens of the API.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::access::grant::Scope;

/// A row, without the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Also accepted instead of the name.
    pub id: i32,
    /// Unique, and never a number.
    pub name: String,
    /// Its permissions.
    pub scope: Scope,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<OffsetDateTime>,
}

/// All rows, by id.
///
/// # Errors
/// If the database fails.
pub async fn all(conn: &mut PgConnection) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"select id, name, scope as "scope: Scope", created_at, last_used_at from access_token order by id"#
    )
    .fetch_all(conn)
    .await
}

/// The id and scope of the token with this hash.
///
/// # Errors
/// If the database fails.
pub async fn by_hash(conn: &mut PgConnection, hash: &[u8]) -> sqlx::Result<Option<(i32, Scope)>> {
    let row = sqlx::query!(r#"select id, scope as "scope: Scope" from access_token where hash = $1"#, hash)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| (row.id, row.scope)))
}

/// Those of these hashes that belong to a token.
///
/// # Errors
/// If the database fails.
pub async fn known(conn: &mut PgConnection, hashes: &[Vec<u8>]) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!("select hash from access_token where hash = any ($1)", hashes).fetch_all(conn).await
}

/// Adds a token. False if there is one of that name.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    conn: &mut PgConnection,
    name: &str,
    scope: Scope,
    hash: &[u8],
    at: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into access_token (name, scope, hash, created_at) values ($1, $2, $3, $4)
        on conflict (name) do nothing",
        name,
        scope.as_str(),
        hash,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Adds a token if there is none at all. False if there is one, perhaps of a server that started at the same time.
///
/// # Errors
/// If the database fails.
pub async fn insert_first(
    conn: &mut PgConnection,
    name: &str,
    scope: Scope,
    hash: &[u8],
    at: OffsetDateTime,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into access_token (name, scope, hash, created_at)
        select $1, $2, $3, $4 where not exists (select from access_token)
        on conflict (name) do nothing",
        name,
        scope.as_str(),
        hash,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes the token of this name or id, and returns its name.
///
/// # Errors
/// If the database fails.
pub async fn delete(conn: &mut PgConnection, name_or_id: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("delete from access_token where name = $1 or id::text = $1 returning name", name_or_id)
        .fetch_optional(conn)
        .await
}

/// Deletes the token of this name, unless it is one of an admin. False if there is none.
///
/// # Errors
/// If the database fails.
pub async fn delete_unless_admin(conn: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!("delete from access_token where name = $1 and scope <> $2", name, Scope::Admin.as_str())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Records when tokens were last used, given their ids and times; an older time than the recorded one is ignored.
///
/// # Errors
/// If the database fails.
pub async fn record_use(conn: &mut PgConnection, ids: &[i32], at: &[OffsetDateTime]) -> sqlx::Result<()> {
    sqlx::query!(
        "update access_token t set last_used_at = greatest(t.last_used_at, used.at)
        from unnest($1::integer[], $2::timestamptz[]) as used (id, at) where t.id = used.id",
        ids,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}
