//! Every advisory lock of the program. The migrator's is sqlx's own, one for each database.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgTransaction};

/// An advisory lock, which at most one connection of the database holds. The numbers are arbitrary, but the same in every
/// version, because servers of two versions run side by side during an upgrade.
#[derive(Clone, Copy, Debug)]
#[repr(i64)]
pub enum Lock {
    /// Held from an append's first statement to its commit, so that ids are handed out in commit order.
    Append = 0x5348_4f57_5449_4d45,
    /// Held by the server that compares and repairs the subscriptions.
    Reconciler = 0x5348_4f57_5245_434f,
    /// Held while the known channels are compared with Twitch's API, or a gap is looked up.
    Backfill = 0x5348_4f57_4741_5053,
    /// Held by the server that polls Twitch's API for streams.
    Polling = 0x5348_4f57_504f_4c4c,
    /// Held while events move from the log to the baseline, and during a rebuild. Taken before [`Append`](Self::Append), so
    /// that the writer does not wait for it.
    Baseline = 0x5348_4f57_4241_5345,
    /// Held, for one user each, by the server that creates the subscriptions on the user's WebSocket session.
    Session = 0x5348_4f57_5345_5353,
    /// Held by the server that moves the switches of transports.
    Switch = 0x5348_4f57_5357_4954,
    /// Held by the server that reads the chats over IRC.
    Chat = 0x5348_4f57_4348_4154,
    /// Held while the application's token is renewed.
    AppToken = 0x5348_4f57_4150_5054,
    /// Held from the moment a transaction adds an event for a Discord bot to its commit, so that ids are handed out in commit
    /// order.
    BotEvent = 0x5348_4f57_424f_5445,
}

impl Lock {
    /// Begins a transaction that holds the lock, in one round trip.
    ///
    /// # Errors
    /// If the database fails, or the lock isn't free within the connection's `statement_timeout` or `lock_timeout`.
    pub async fn begin(self, conn: &mut PgConnection) -> sqlx::Result<PgTransaction<'_>> {
        let statement = format!("begin; select pg_advisory_xact_lock({})", self as i64);
        conn.begin_with(AssertSqlSafe(statement)).await
    }

    /// Waits for the lock and holds it until the current transaction ends.
    ///
    /// # Errors
    /// If the database fails, or the lock isn't free within the connection's `statement_timeout` or `lock_timeout`.
    pub async fn acquire(self, conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query!("select pg_advisory_xact_lock($1)", self as i64).execute(conn).await?;
        Ok(())
    }

    /// Waits for the lock and holds it until [`end_turn`](Self::end_turn), or a function of the database that ends the turn.
    /// Returns whether another connection held it. A client that is not heard of for five seconds loses its connection, and
    /// with it the lock.
    ///
    /// # Errors
    /// If the database fails, or the lock isn't free within the connection's `statement_timeout` or `lock_timeout`.
    pub async fn wait_turn(self, conn: &mut PgConnection) -> sqlx::Result<bool> {
        sqlx::query_scalar!(
            r#"select case when pg_try_advisory_lock($1) then false else pg_advisory_lock($1)::text is not null end
                    as "has_waited!"
            from (select set_config('idle_session_timeout', '5000', false)) as limited"#,
            self as i64
        )
        .fetch_one(conn)
        .await
    }

    /// Gives up what [`wait_turn`](Self::wait_turn) took.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn end_turn(self, conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query!("select pg_advisory_unlock($1), set_config('idle_session_timeout', null, false)", self as i64)
            .fetch_one(conn)
            .await?;
        Ok(())
    }

    /// Takes the lock until [`release`](Self::release), or until the connection is closed. False if another connection
    /// holds it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn try_hold(self, conn: &mut PgConnection) -> sqlx::Result<bool> {
        sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "is_held!""#, self as i64).fetch_one(conn).await
    }

    /// Like [`try_hold`](Self::try_hold), for this part of it only. Other parts may be held by others.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn try_hold_part(self, conn: &mut PgConnection, part: &str) -> sqlx::Result<bool> {
        sqlx::query_scalar!(r#"select pg_try_advisory_lock(hashtextextended($2, $1)) as "is_held!""#, self as i64, part)
            .fetch_one(conn)
            .await
    }

    /// Gives up what [`try_hold_part`](Self::try_hold_part) took.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn release_part(self, conn: &mut PgConnection, part: &str) -> sqlx::Result<()> {
        sqlx::query_scalar!("select pg_advisory_unlock(hashtextextended($2, $1))", self as i64, part)
            .fetch_one(conn)
            .await?;
        Ok(())
    }

    /// Gives up what [`try_hold`](Self::try_hold) took. Closing the connection does so too, but only once Postgres notices.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn release(self, conn: &mut PgConnection) -> sqlx::Result<()> {
        sqlx::query_scalar!("select pg_advisory_unlock($1)", self as i64).fetch_one(conn).await?;
        Ok(())
    }
}
