//! `/rules/test`.

use actix_web::post;
use actix_web::web::{Data, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Context;
use super::body::Body;
use super::error::Error;
use super::query::{Nothing, Query};
use super::responses::{BadBody, ServerErrors};
use crate::outputs::reactions::rules::role::Role;
use crate::outputs::reactions::rules::service;
use crate::outputs::reactions::rules::trial::{Trial, TrialResult};

/// What to test the rules with: a chat message, or the sample of a type of event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTrial {
    /// The text of a message in chat.
    chat: Option<String>,
    /// The role of its author: `everyone` (the default), `follower`, `subscriber`, `subscriber>=2`, `founder`, `vip`,
    /// `moderator`, `lead_moderator` or `broadcaster`.
    #[serde(rename = "as")]
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// A type of events, such as `channel.raid`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The variant of its sample, such as `anonymous`.
    variant: Option<String>,
}

/// The results of a test.
#[derive(Debug, Serialize, ToSchema)]
struct TrialReport {
    /// One for each rule, in their order.
    results: Vec<TrialResult>,
}

/// Test the rules
///
/// What each of the stored rules would do with a message in a live chat, or with the sample of a type of event: whether it fires,
/// or the first condition that fails, and the actions that would follow. Nothing is done.
#[utoipa::path(
    tag = "rules",
    request_body(content = NewTrial, example = json!({ "chat": "!title Speedrun", "as": "moderator" })),
    responses(
        (status = OK, description = "What the rules made of it", body = TrialReport, example = json!({ "results": [
            { "rule": "title", "fired": true, "outcome": "fired",
                "actions": [{ "kind": "title", "params": "Speedrun", "problem": null }] },
            { "rule": "clip", "fired": false, "outcome": "the message does not begin with !clip", "actions": [] },
        ] })),
        BadBody,
        ServerErrors,
    ),
)]
#[post("/rules/test")]
pub(super) async fn try_rules(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<NewTrial>,
) -> Result<Json<TrialReport>, Error> {
    let invalid = |name: &str, reason: &str| Error::InvalidField { name: name.to_owned(), reason: reason.to_owned() };
    let now = ctx.clock.now();
    let trial = match body.0 {
        NewTrial { chat: Some(text), role, kind: None, variant: None } => {
            Trial::chat(&text, role.unwrap_or(Role::Everyone), now)
        }
        NewTrial { chat: None, role: None, kind: Some(kind), variant } => Trial::sample(&kind, variant.as_deref(), now),
        _ => return Err(invalid("chat", "give either `chat`, perhaps with `as`, or `type`, perhaps with `variant`")),
    };
    let trial =
        trial.ok_or_else(|| invalid("type", "there is no sample of this type and variant that is about a channel"))?;
    let stored = ctx.query(async |db| service::read(db).await).await?;
    let compiled = stored.compile().map_err(Error::Broken)?;
    Ok(Json(TrialReport { results: trial.run(&compiled) }))
}
