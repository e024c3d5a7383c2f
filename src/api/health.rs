//! `/livez`, `/readyz` and `/status`.

use std::time::{Duration, Instant};

use actix_web::web::{Data, Json, ReqData};
use actix_web::{HttpResponse, get};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::Context;
use super::problem::{BadRequest, Error, NotReady};
use super::query::{Nothing, Query};
use crate::access::Grant;
use crate::status::{Found, Status, Summary, Verdict, waiting_migrations};
use crate::store::read::health as store;

/// Who asks how the server is wants to know soon.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How many of a kind `/status` shows.
const MAX_SHOWN: i64 = 1_000;

/// What there is to say if all is well.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Always `pass`.
    status: Verdict,
}

impl Health {
    const PASS: Self = Self { status: Verdict::Pass };
}

/// Is the process alive?
///
/// Asks nothing else; if this does not answer, restart it.
#[utoipa::path(
    tag = "health",
    responses((status = OK, description = "It is", body = Health, example = json!(Health::PASS)), BadRequest),
)]
#[get("/livez")]
pub(super) async fn livez(_query: Query<Nothing>) -> Json<Health> {
    Json(Health::PASS)
}

/// May the server take traffic?
///
/// It may if the database answers and has all migrations.
#[utoipa::path(
    tag = "health",
    responses((status = OK, description = "It may", body = Health, example = json!(Health::PASS)), BadRequest, NotReady),
)]
#[get("/readyz")]
pub(super) async fn readyz(ctx: Data<Context>, _query: Query<Nothing>) -> Result<Json<Health>, Error> {
    let missing = tokio::time::timeout(TIMEOUT, ctx.read(async |db| store::missing_migrations(db).await))
        .await
        .unwrap_or(Err(Error::Unavailable(None)))?;
    if missing.is_empty() { Ok(Json(Health::PASS)) } else { Err(Error::NotReady(waiting_migrations(&missing))) }
}

/// How is the server?
///
/// Everything that was checked, with a verdict and a message that says what to do. A `warn` is no
/// failure: Twitch has to be able to reach the server before any subscription can exist. Without a
/// token, or while tokens can't be looked up, only `verdict`, `is_ready` and `message` are there.
#[utoipa::path(
    tag = "health",
    responses(
        (status = OK, description = "It works", body = Status, example = json!(Status::example())),
        (status = SERVICE_UNAVAILABLE, description = "It does not work: the verdict is `fail`", body = Status,
            example = json!(Status::failing_example())),
        BadRequest,
    ),
)]
#[get("/status")]
pub(super) async fn status(ctx: Data<Context>, grant: Option<ReqData<Grant>>, _query: Query<Nothing>) -> HttpResponse {
    let found = match tokio::time::timeout(TIMEOUT, ctx.read(find)).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database can't tell how it is");
            None
        }
        Err(_) => None,
    };
    let trouble = ctx.troubles.borrow().clone();
    let status = Status::new(ctx.setup, trouble.as_deref(), found);
    let mut response = match status.verdict {
        Verdict::Fail => HttpResponse::ServiceUnavailable(),
        Verdict::Pass | Verdict::Warn => HttpResponse::Ok(),
    };
    // Every scope may read.
    if grant.is_some() { response.json(status) } else { response.json(Summary::from(&status)) }
}

/// What there is to ask of a database whose migrations are missing is only which.
async fn find(db: &mut PgConnection) -> sqlx::Result<Found> {
    let asked = Instant::now();
    let missing_migrations = store::missing_migrations(&mut *db).await?;
    let took = asked.elapsed();
    let nothing = Found { took, missing_migrations, ..Found::default() };
    if !nothing.missing_migrations.is_empty() {
        return Ok(nothing);
    }
    let (subscriptions, subscriptions_total) = store::subscriptions(&mut *db, MAX_SHOWN).await?;
    let (wanted, wanted_count) = store::wanted(&mut *db, MAX_SHOWN).await?;
    let tokens = store::tokens(&mut *db, MAX_SHOWN).await?;
    let last_event = store::last_event(db).await?;
    Ok(Found { subscriptions, subscriptions_total, wanted, wanted_count, tokens, last_event, ..nothing })
}
