//! Table `signing_key`: the keys that sign the tokens of bots, encrypted.

use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A key, as it is kept.
#[derive(Clone, Debug)]
pub struct SealedKey {
    /// Which tokens name.
    pub id: String,
    /// Encrypted.
    pub key_sealed: Vec<u8>,
}

/// The key that signs; `None` if there is none yet.
///
/// # Errors
/// If the database fails.
pub async fn newest(db: impl PgExecutor<'_>) -> sqlx::Result<Option<SealedKey>> {
    sqlx::query_as!(SealedKey, "select id, key_sealed from signing_key order by created_at desc, id limit 1")
        .fetch_optional(db)
        .await
}

/// The key with this id.
///
/// # Errors
/// If the database fails.
pub async fn get(db: impl PgExecutor<'_>, id: &str) -> sqlx::Result<Option<SealedKey>> {
    sqlx::query_as!(SealedKey, "select id, key_sealed from signing_key where id = $1", id).fetch_optional(db).await
}

/// Adds a key, unless there is one. Two servers that do so at the same moment may add both: each verifies.
///
/// # Errors
/// If the database fails.
pub async fn insert_first(db: impl PgExecutor<'_>, key: &SealedKey, now: OffsetDateTime) -> sqlx::Result<()> {
    let statement = sqlx::query!(
        "insert into signing_key (id, key_sealed, created_at)
        select $1, $2, $3 where not exists (select from signing_key)",
        key.id,
        key.key_sealed,
        now
    );
    statement.execute(db).await?;
    Ok(())
}
