//! Table `token`: Twitch's tokens, encrypted.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::twitch::id::UserId;

/// The holder of the application's own token. The holder of a user's token is the user's id.
pub const APP: &str = "app";

/// A token, as it is kept.
#[derive(Clone, Debug)]
pub struct Row {
    /// [`APP`] or a user's id.
    pub holder: String,
    /// The user's login.
    pub login: Option<String>,
    /// Encrypted.
    pub access_token: Vec<u8>,
    /// Encrypted; app tokens have none.
    pub refresh_token: Option<Vec<u8>>,
    /// The scopes that the user granted.
    pub scopes: Vec<String>,
    /// When the access token expires by itself, if known.
    pub expires_at: Option<OffsetDateTime>,
    /// When Twitch issued it.
    pub obtained_at: OffsetDateTime,
    /// When Twitch last said that it is valid.
    pub validated_at: Option<OffsetDateTime>,
    /// Why the user has to consent again.
    pub needs_consent: Option<String>,
}

/// The ids of the users with a token, except those who have to consent again.
///
/// # Errors
/// If the database fails.
pub async fn users(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("select holder from token where holder <> $1 and needs_consent is null order by holder", APP)
        .fetch_all(conn)
        .await
}

/// Why each user with a token has to consent again, by the user's id; `None` for those who don't.
///
/// # Errors
/// If the database fails.
pub async fn consents(conn: &mut PgConnection) -> sqlx::Result<HashMap<String, Option<String>>> {
    let rows = sqlx::query!("select holder, needs_consent from token where holder <> $1", APP).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.holder, row.needs_consent)).collect())
}

/// The scopes that each user has granted, by the user's id, without those who have to consent again.
///
/// # Errors
/// If the database fails.
pub async fn granted(conn: &mut PgConnection) -> sqlx::Result<HashMap<String, Vec<String>>> {
    let rows = sqlx::query!("select holder, scopes from token where holder <> $1 and needs_consent is null", APP);
    Ok(rows.fetch_all(conn).await?.into_iter().map(|row| (row.holder, row.scopes)).collect())
}

/// The user with this login who has a token.
///
/// # Errors
/// If the database fails.
pub async fn holder(conn: &mut PgConnection, login: &str) -> sqlx::Result<Option<UserId>> {
    sqlx::query_scalar!(r#"select holder as "holder: UserId" from token where login = $1 and holder <> $2"#, login, APP)
        .fetch_optional(conn)
        .await
}

/// One row.
///
/// # Errors
/// If the database fails.
pub async fn get(conn: &mut PgConnection, holder: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as!(
        Row,
        "select holder, login, access_token, refresh_token, scopes, expires_at, obtained_at, validated_at, needs_consent
        from token where holder = $1",
        holder
    )
    .fetch_optional(conn)
    .await
}

/// One row, locked until the transaction ends.
///
/// # Errors
/// If the database fails.
pub async fn get_locked(conn: &mut PgConnection, holder: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query!("select from token where holder = $1 for update", holder).execute(&mut *conn).await?;
    get(conn, holder).await
}

/// Inserts a row, or replaces the holder's.
///
/// # Errors
/// If the database fails.
pub async fn put(conn: &mut PgConnection, row: &Row) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into token
            (holder, login, access_token, refresh_token, scopes, expires_at, obtained_at, validated_at, needs_consent)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (holder) do update set
            login = excluded.login, access_token = excluded.access_token, refresh_token = excluded.refresh_token,
            scopes = excluded.scopes, expires_at = excluded.expires_at, obtained_at = excluded.obtained_at,
            validated_at = excluded.validated_at, needs_consent = excluded.needs_consent",
        row.holder,
        row.login,
        row.access_token,
        row.refresh_token,
        &row.scopes,
        row.expires_at,
        row.obtained_at,
        row.validated_at,
        row.needs_consent
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that Twitch said that the token is valid, and for which scopes.
///
/// # Errors
/// If the database fails.
pub async fn mark_valid(
    conn: &mut PgConnection,
    holder: &str,
    scopes: &[String],
    expires_at: Option<OffsetDateTime>,
    at: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update token set scopes = $2, expires_at = $3, validated_at = $4 where holder = $1",
        holder,
        scopes,
        expires_at,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records why the user has to consent again.
///
/// # Errors
/// If the database fails.
pub async fn mark_needs_consent(conn: &mut PgConnection, holder: &str, reason: &str) -> sqlx::Result<()> {
    sqlx::query!("update token set needs_consent = $2 where holder = $1", holder, reason).execute(conn).await?;
    Ok(())
}
