//! Counts of rows for `/metrics`.

use sqlx::PgConnection;

use crate::access::grant::Scope;
use crate::store::actions;
use crate::store::followers::{self, FollowerState};
use crate::store::rules::outcomes;
use crate::store::sinks::{self, SinkState};
use crate::store::tracking::posts;

/// A status or scope, and the number of rows that have it.
pub type Count = (String, i64);

/// Numbers of rows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Desired subscriptions by status.
    pub subscriptions: Vec<Count>,
    /// Twitch's tokens, as `good` and `needs_consent`.
    pub twitch_tokens: Vec<Count>,
    /// API tokens by scope.
    pub access_tokens: Vec<Count>,
    /// The followers of the log.
    pub followers: Vec<FollowerState>,
    /// The sinks.
    pub sinks: Vec<SinkState>,
    /// The actions that wait, by bucket.
    pub actions: Vec<Count>,
    /// The rules that rest on a channel.
    pub rules_resting: i64,
    /// The messages to Discord that wait, by kind.
    pub posts: Vec<Count>,
}

/// Counts what `/metrics` shows.
///
/// # Errors
/// If the database fails.
pub async fn counts(db: &mut PgConnection) -> sqlx::Result<Counts> {
    let subscriptions = sqlx::query!(
        r#"select status, count(*) as "count!" from desired_subscription group by status order by status"#
    )
    .fetch_all(&mut *db)
    .await?;
    let twitch = sqlx::query!(
        r#"select count(*) filter (where needs_consent is null) as "good!",
            count(*) filter (where needs_consent is not null) as "needs_consent!"
        from token"#
    )
    .fetch_one(&mut *db)
    .await?;
    let access = sqlx::query!(
        r#"select scope as "scope: Scope", count(*) as "count!" from access_token group by scope order by scope"#
    )
    .fetch_all(&mut *db)
    .await?;
    Ok(Counts {
        followers: followers::states(&mut *db).await?,
        sinks: sinks::states(&mut *db).await?,
        rules_resting: outcomes::resting(&mut *db).await?,
        actions: actions::waiting(&mut *db).await?,
        posts: posts::waiting(db).await?,
        subscriptions: subscriptions.into_iter().map(|row| (row.status, row.count)).collect(),
        twitch_tokens: vec![("good".to_owned(), twitch.good), ("needs_consent".to_owned(), twitch.needs_consent)],
        access_tokens: access.into_iter().map(|row| (row.scope.as_str().to_owned(), row.count)).collect(),
    })
}
