//! The queries of `/readyz` and `/status`.

use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use crate::store::MIGRATOR;
use crate::store::actions::{self, ActionSummary, WantedStep};
use crate::store::desired_subscriptions::{self, DesiredRow};
use crate::store::followers::{self, FollowerState};
use crate::store::gaps::{self, Gap};
use crate::store::migrations::has_table;
use crate::store::reconciler;
use crate::store::rules::{self, StoredRule};
use crate::store::servers;
use crate::store::sessions::{self, SessionState};
use crate::store::sinks::{self, SinkState};
use crate::store::switches::{self, Switch};
use crate::store::tracking::posts::{self, PostSummary};
use crate::twitch::subscription_status::SubscriptionStatus;

/// What the database answered.
#[derive(Debug)]
pub struct Answer {
    /// How long its first answer took.
    pub took: Duration,
    /// The versions of the migrations that are missing.
    pub missing_migrations: Vec<i64>,
    /// What is in its tables; nothing while migrations are missing.
    pub records: Option<Records>,
}

/// What checks judge, and `/status` lists: of each kind at most the limit that was asked for.
#[derive(Debug, Default)]
pub struct Records {
    /// The time by the database's clock.
    pub now: Option<OffsetDateTime>,
    /// The subscriptions through which messages came, dead ones first.
    pub subscriptions: Vec<SubscriptionRow>,
    /// How many there are in all.
    pub subscriptions_total: i64,
    /// The desired subscriptions, those first that are not enabled.
    pub desired: Vec<DesiredRow>,
    /// How many there are in all.
    pub desired_count: DesiredCount,
    /// The number of different webhook secrets that the servers have that run.
    pub secrets: i64,
    /// Twitch's tokens, those first that need a new consent.
    pub tokens: Vec<TokenRow>,
    /// The newest event.
    pub last_event: Option<LastEvent>,
    /// The followers of the log.
    pub followers: Vec<FollowerState>,
    /// The channels that may be served over WebSocket, those without a session first.
    pub sessions: Vec<SessionState>,
    /// The gaps of the last day, newest first.
    pub gaps: Vec<Gap>,
    /// The sinks.
    pub sinks: Vec<SinkState>,
    /// The switches of transports that failed, and those under way.
    pub switches: Vec<Switch>,
    /// The actions on Twitch.
    pub actions: ActionSummary,
    /// The posts to Discord.
    pub posts: PostSummary,
    /// What accounts were to do lately.
    pub wanted: Vec<WantedStep>,
    /// The revision of the rules.
    pub rules_revision: i64,
    /// The rules.
    pub rules: Vec<StoredRule>,
}

/// Reads all that `/status` needs, with at most `limit` rows of each kind.
///
/// # Errors
/// When the database fails.
pub async fn ask(db: &mut PgConnection, limit: i64) -> sqlx::Result<Answer> {
    let asked = Instant::now();
    let missing_migrations = missing_migrations(&mut *db).await?;
    let took = asked.elapsed();
    let records = if missing_migrations.is_empty() { Some(records(db, limit).await?) } else { None };
    Ok(Answer { took, missing_migrations, records })
}

async fn records(db: &mut PgConnection, limit: i64) -> sqlx::Result<Records> {
    let now = Some(reconciler::now(&mut *db).await?);
    let (subscriptions, subscriptions_total) = subscriptions(&mut *db, limit).await?;
    let desired = desired_subscriptions::list(&mut *db, None, Some(limit)).await?;
    let desired_count = desired_count(&mut *db).await?;
    let secrets = servers::count_secrets(&mut *db).await?;
    let tokens = tokens(&mut *db, limit).await?;
    let last_event = last_event(&mut *db).await?;
    let followers = followers::states(&mut *db).await?;
    let sessions = sessions::states(&mut *db, limit).await?;
    let gaps = gaps::recent(&mut *db, limit).await?;
    let sinks = sinks::states(&mut *db).await?;
    let switches = switches::open_or_failed(&mut *db, limit).await?;
    let actions = actions::summary(&mut *db).await?;
    let posts = posts::summary(&mut *db).await?;
    let wanted = actions::wanted(&mut *db).await?;
    let rules_revision = rules::revision(&mut *db).await?;
    let rules = rules::all(db).await?;
    Ok(Records {
        now,
        subscriptions,
        subscriptions_total,
        desired,
        desired_count,
        secrets,
        tokens,
        last_event,
        followers,
        sessions,
        gaps,
        sinks,
        switches,
        actions,
        posts,
        wanted,
        rules_revision,
        rules,
    })
}

/// The migrations of this program that the database lacks, or has in another wording, by version. Those of a newer
/// program are ignored.
///
/// # Errors
/// When the database fails.
pub async fn missing_migrations(db: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let all = MIGRATOR.iter().filter(|it| it.migration_type.is_up_migration());
    if !has_table(db).await? {
        return Ok(all.map(|it| it.version).collect());
    }
    let applied = sqlx::query!("select version, checksum from _sqlx_migrations where success").fetch_all(db).await?;
    let is_applied =
        |version, checksum: &[u8]| applied.iter().any(|it| it.version == version && it.checksum == checksum);
    Ok(all.filter(|it| !is_applied(it.version, &it.checksum)).map(|it| it.version).collect())
}

/// An EventSub subscription through which messages came.
#[derive(Debug)]
pub struct SubscriptionRow {
    /// Twitch's id.
    pub id: String,
    /// For example `channel.follow`.
    pub kind: String,
    /// For example `2`.
    pub version: String,
    /// As Twitch sent it.
    pub condition: Json<Box<RawValue>>,
    /// `enabled`, or the reason why Twitch ended it.
    pub status: SubscriptionStatus,
    /// Since when it has had this status.
    pub since: OffsetDateTime,
}

/// The subscriptions that we know of, dead ones first, and how many there are in all.
async fn subscriptions(db: &mut PgConnection, limit: i64) -> sqlx::Result<(Vec<SubscriptionRow>, i64)> {
    let total = sqlx::query_scalar!(r#"select count(*) as "count!" from subscription"#).fetch_one(&mut *db).await?;
    let first = sqlx::query_as!(
        SubscriptionRow,
        r#"select id, type as kind, version, condition as "condition: Json<Box<RawValue>>", status,
            status_at as since
        from subscription
        order by status = 'enabled', type, version, id
        limit $1"#,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok((first, total))
}

/// Whether messages came through this subscription, or the server created it.
///
/// # Errors
/// When the database fails.
pub async fn knows_subscription(db: &mut PgConnection, id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from subscription where id = $1)
            or exists (select from desired_subscription where subscription_id = $1) as "is_known!""#,
        id
    )
    .fetch_one(db)
    .await
}

/// When the newest event of the log occurred that was no test, and when it was received.
#[derive(Clone, Copy, Debug)]
pub struct LastEvent {
    /// By Twitch's clock.
    pub occurred_at: OffsetDateTime,
    /// By ours.
    pub received_at: OffsetDateTime,
}

/// The newest event of the log that was no test.
async fn last_event(db: impl PgExecutor<'_>) -> sqlx::Result<Option<LastEvent>> {
    sqlx::query_as!(LastEvent, "select occurred_at, received_at from event where not is_test order by id desc limit 1")
        .fetch_optional(db)
        .await
}

/// How many subscriptions are desired, and how many of these deliver.
#[derive(Clone, Copy, Debug, Default)]
pub struct DesiredCount {
    /// All of them.
    pub total: i64,
    /// Those through which messages arrive that are accepted.
    pub enabled: i64,
}

async fn desired_count(db: &mut PgConnection) -> sqlx::Result<DesiredCount> {
    sqlx::query_as!(
        DesiredCount,
        r#"select count(*) as "total!", count(*) filter (where status = 'enabled' and not has_other_secret) as "enabled!"
        from desired_subscription_state"#
    )
    .fetch_one(db)
    .await
}

/// A token that is kept, without its text.
#[derive(Debug)]
pub struct TokenRow {
    /// A user id, or `app`.
    pub holder: String,
    /// The user's login.
    pub login: Option<String>,
    /// When the access token expires by itself.
    pub expires_at: Option<OffsetDateTime>,
    /// When Twitch last confirmed it.
    pub validated_at: Option<OffsetDateTime>,
    /// Why the user has to consent again.
    pub needs_consent: Option<String>,
}

/// The tokens, those first that need a new consent.
async fn tokens(db: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<TokenRow>> {
    sqlx::query_as!(
        TokenRow,
        "select holder, login, expires_at, validated_at, needs_consent
        from token order by needs_consent is null, holder limit $1",
        limit
    )
    .fetch_all(db)
    .await
}
