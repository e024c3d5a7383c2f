//! Table `egress`: the limits of the address that calls Discord, which all servers share.

use sqlx::PgConnection;
use time::OffsetDateTime;

/// The limits, as of a time.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the columns of egress, which db/migrations describes")]
pub struct Egress {
    pub rate: Option<f64>,
    pub rate_at: Option<OffsetDateTime>,
    pub tokens: f64,
    pub tokens_at: OffsetDateTime,
    pub not_before: Option<OffsetDateTime>,
    pub invalid_count: i32,
    pub invalid_since: OffsetDateTime,
}

/// The limits, which no other server changes until the transaction ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(conn: &mut PgConnection) -> sqlx::Result<Egress> {
    sqlx::query_as!(
        Egress,
        "select rate, rate_at, tokens, tokens_at, not_before, invalid_count, invalid_since from egress
        where name = 'default' for no key update"
    )
    .fetch_one(conn)
    .await
}

/// Writes the limits back.
///
/// # Errors
/// If the database fails.
pub async fn save(conn: &mut PgConnection, egress: &Egress) -> sqlx::Result<()> {
    sqlx::query!(
        "update egress set rate = $1, rate_at = $2, tokens = $3, tokens_at = $4, not_before = $5, invalid_count = $6,
            invalid_since = $7
        where name = 'default'",
        egress.rate,
        egress.rate_at,
        egress.tokens,
        egress.tokens_at,
        egress.not_before,
        egress.invalid_count,
        egress.invalid_since
    )
    .execute(conn)
    .await?;
    Ok(())
}
