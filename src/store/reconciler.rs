//! Table `reconciler`: when a server last compared all subscriptions.

use sqlx::PgConnection;
use time::OffsetDateTime;

/// Writes that a comparison that began then is complete.
///
/// # Errors
/// If the database fails.
pub async fn complete(db: &mut PgConnection, began_at: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into reconciler (compared_at) values ($1) on conflict (is_only) do update set compared_at = $1",
        began_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The start of the last complete comparison.
///
/// # Errors
/// If the database fails.
pub async fn compared_at(db: &mut PgConnection) -> sqlx::Result<Option<OffsetDateTime>> {
    sqlx::query_scalar!("select compared_at from reconciler").fetch_optional(db).await
}

/// The time by the database's clock.
///
/// # Errors
/// If the database fails.
pub async fn now(db: &mut PgConnection) -> sqlx::Result<OffsetDateTime> {
    sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(db).await
}
