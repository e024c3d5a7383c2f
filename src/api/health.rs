//! `/livez`, `/readyz` and `/status`.

use std::time::Duration;

use actix_web::web::{Data, Json, ReqData};
use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::Context;
use super::error::Error;
use super::gaps::Gap;
use super::query::{Nothing, Query};
use super::responses::{BadRequest, NotReady};
use crate::access::grant::Grant;
use crate::credentials::check::TokenReport;
use crate::sources::check::LastEventReport;
use crate::status::{Check, Report, Verdict, missing_migrations};
use crate::store::read::health as store;
use crate::subscriptions::check::{DesiredReport, SubscriptionReport};

/// Time limit of the health endpoints.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How many of a kind `/status` shows.
const MAX_SHOWN: i64 = 1_000;

/// A passed check.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// Always `pass`.
    status: Verdict,
}

impl Health {
    const PASS: Self = Self { status: Verdict::Pass };
}

/// The state of the server. Requests without a token get only `verdict`, `is_ready`, and as `message` why it is not ready.
#[derive(Debug, Serialize, ToSchema)]
struct Status {
    /// The worst of the checks.
    verdict: Verdict,
    /// Whether the server can take traffic, as `/readyz` says.
    is_ready: bool,
    /// What to do, if anything.
    message: String,
    /// How far it is set up.
    #[schema(required = false)]
    setup: Setup,
    /// The checks of all components.
    #[schema(required = false)]
    checks: Vec<Check>,
    /// The EventSub subscriptions that messages came through, dead ones first; at most 1000.
    #[schema(required = false)]
    subscriptions: Vec<SubscriptionReport>,
    /// The desired subscriptions of the served channels, first those that are not enabled; at most
    /// 1000.
    #[schema(required = false)]
    wanted: Vec<DesiredReport>,
    /// The application's and users' tokens for Twitch's API, first those that need a new consent; at most 1000.
    #[schema(required = false)]
    tokens: Vec<TokenReport>,
    /// The newest event.
    #[schema(required = false)]
    last_event: Option<LastEventReport>,
    /// The periods of the last day in which messages may have been lost, newest first; at most 1000.
    #[schema(required = false)]
    gaps: Vec<Gap>,
}

/// How far the server is set up, which says what to do next.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Setup {
    /// No Twitch application is configured.
    Unconfigured,
    /// The application is configured, and no channel has consented: run `init`.
    Configured,
    /// A channel is connected.
    Consented,
}

impl Setup {
    fn new(has_application: bool, records: &store::Records) -> Self {
        match (has_application, records.desired.is_empty()) {
            (false, _) => Self::Unconfigured,
            (true, true) => Self::Configured,
            (true, false) => Self::Consented,
        }
    }
}

/// The part of [`Status`] that is shown without a token. It names no channel, user or subscription.
#[derive(Debug, Serialize)]
struct Summary {
    verdict: Verdict,
    is_ready: bool,
    /// Why it is not ready.
    message: String,
}

impl From<&Report> for Summary {
    fn from(report: &Report) -> Self {
        Self { verdict: report.verdict, is_ready: report.is_ready, message: report.public_message() }
    }
}

impl Status {
    fn new(report: Report, records: store::Records, has_application: bool) -> Self {
        Self {
            setup: Setup::new(has_application, &records),
            verdict: report.verdict,
            is_ready: report.is_ready,
            message: report.message,
            checks: report.checks,
            subscriptions: records.subscriptions.into_iter().map(Into::into).collect(),
            wanted: records.desired.into_iter().map(Into::into).collect(),
            tokens: records.tokens.into_iter().map(Into::into).collect(),
            last_event: records.last_event.map(Into::into),
            gaps: records.gaps.into_iter().map(Into::into).collect(),
        }
    }

    /// A server just set up, for the documentation.
    fn example() -> Self {
        let [twitch, webhook_secret] = Self::unconfigured();
        let checks = vec![
            Check::pass("database", "the database answered in 2 ms"),
            Check::pass("migrations", "all migrations are applied"),
            twitch,
            webhook_secret,
            Check::pass("messages", "no message that Twitch signed was refused"),
            Check::pass("payloads", "all payloads were understood"),
            Check::pass("tokens", "no token needs a new consent"),
            Check::warn("subscriptions", "no message came through any subscription yet"),
            Check::pass("events", "no event was received yet"),
        ];
        Self::new(Report::new(checks, true), store::Records::default(), false)
    }

    /// A server that has lost its database, for the documentation.
    fn failing_example() -> Self {
        let [twitch, webhook_secret] = Self::unconfigured();
        let database = "the database can't be reached: check that it runs and what the log says";
        let payloads = Check::pass("payloads", "all payloads were understood");
        let checks = vec![Check::fail("database", database), twitch, webhook_secret, payloads];
        Self::new(Report::new(checks, false), store::Records::default(), false)
    }

    fn unconfigured() -> [Check; 2] {
        let twitch = "Twitch is not configured: set TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET, or try things out with \
            `simulate`";
        let secret = "the webhook secret is one that this server made in its data directory";
        [Check::warn("twitch", twitch), Check::pass("webhook_secret", secret)]
    }
}

/// Check that the process is alive
///
/// It checks nothing else. If there is no answer, restart the server.
#[utoipa::path(
    tag = "health",
    responses((status = OK, description = "The process is alive", body = Health, example = json!(Health::PASS)), BadRequest),
)]
#[get("/livez")]
pub(super) async fn livez(_query: Query<Nothing>) -> Json<Health> {
    Json(Health::PASS)
}

/// Check that the server can take traffic
///
/// It can if the database answers, has all migrations and can be written to.
#[utoipa::path(
    tag = "health",
    responses((status = OK, description = "It can take traffic", body = Health, example = json!(Health::PASS)), BadRequest, NotReady),
)]
#[get("/readyz")]
pub(super) async fn readyz(ctx: Data<Context>, _query: Query<Nothing>) -> Result<Json<Health>, Error> {
    let missing = tokio::time::timeout(TIMEOUT, ctx.query(async |db| store::missing_migrations(db).await))
        .await
        .unwrap_or(Err(Error::Unavailable(None)))?;
    match ctx.ingest.write_error() {
        _ if !missing.is_empty() => Err(Error::NotReady(missing_migrations(&missing))),
        Some(error) => Err(Error::NotReady(error.to_string())),
        None => Ok(Json(Health::PASS)),
    }
}

/// Get the status of the server
///
/// All checks, each with a status and a message that says what to do. `warn` is no failure: Twitch must
/// be able to reach the server before any subscription can exist. Without a token, or while tokens
/// can't be looked up, the answer has only `verdict`, `is_ready` and `message`, which says why the server is not ready.
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
    let answer = match tokio::time::timeout(TIMEOUT, ctx.query(async |db| store::ask(db, MAX_SHOWN).await)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the status can't be read from the database");
            None
        }
        Err(_) => None,
    };
    let report = ctx.checks.report(answer.as_ref(), ctx.ingest.write_error());
    let mut response = match report.verdict {
        Verdict::Fail => HttpResponse::ServiceUnavailable(),
        Verdict::Pass | Verdict::Warn => HttpResponse::Ok(),
    };
    // Every scope may read.
    if grant.is_none() {
        return response.json(Summary::from(&report));
    }
    let records = answer.and_then(|answer| answer.records).unwrap_or_default();
    response.json(Status::new(report, records, ctx.config.twitch.client.is_some()))
}
