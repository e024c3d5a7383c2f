//! `/rule-set`.

use actix_web::web::{Data, Json};
use actix_web::{get, patch};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Context;
use super::body::Body;
use super::error::Error;
use super::query::{Nothing, Query};
use super::responses::{BadBody, BadRequest, ServerErrors};
use super::rules::BY;
use crate::outputs::reactions::rules::rule::Rules;
use crate::outputs::reactions::rules::service;

/// The settings of all rules.
#[derive(Debug, Serialize, ToSchema)]
struct RuleSet {
    /// Increases with every change of a rule or of these settings.
    revision: i64,
    /// The login of the account that acts; `null` for the bot that is connected, or else each broadcaster's own.
    bot: Option<String>,
    /// Logins or ids of users that no rule reacts to.
    ignore_users: Vec<String>,
    /// Whether all rules only record what they would do.
    is_dry: bool,
    /// Why stored rules can't be used by this version of the program.
    unreadable: Vec<String>,
}

impl RuleSet {
    fn example() -> Self {
        let ignore_users = vec!["nightbot".into(), "streamelements".into()];
        Self { revision: 12, bot: Some("showbot".into()), ignore_users, is_dry: false, unreadable: Vec::new() }
    }
}

/// Changes to the settings of all rules; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeRuleSet {
    /// The login of the account that acts; an empty one for the bot that is connected, or else each broadcaster's own.
    #[schema(pattern = "^[A-Za-z0-9_]{0,25}$")]
    bot: Option<String>,
    /// Logins or ids of users that no rule reacts to.
    #[schema(max_items = 1000)]
    ignore_users: Option<Vec<String>>,
    /// Whether all rules only record what they would do.
    is_dry: Option<bool>,
}

/// Get the settings of all rules
///
/// The account that acts, who is ignored, and whether rules only record what they would do.
#[utoipa::path(
    tag = "rules",
    responses(
        (status = OK, description = "What all rules have in common", body = RuleSet, example = json!(RuleSet::example())),
        BadRequest,
        ServerErrors,
    ),
)]
#[get("/rule-set")]
pub(super) async fn get_rule_set(ctx: Data<Context>, _query: Query<Nothing>) -> Result<Json<RuleSet>, Error> {
    rule_set(&ctx).await.map(Json)
}

/// Change the settings of all rules
///
/// With `is_dry` the rules only record what they would do; `GET /actions` shows that.
#[utoipa::path(
    tag = "rules",
    request_body(content = ChangeRuleSet, example = json!({ "is_dry": true })),
    responses(
        (status = OK, description = "What all rules have in common", body = RuleSet, example = json!(RuleSet::example())),
        BadBody,
        ServerErrors,
    ),
)]
#[patch("/rule-set")]
pub(super) async fn change_rule_set(
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<ChangeRuleSet>,
) -> Result<Json<RuleSet>, Error> {
    let Body(ChangeRuleSet { bot, ignore_users, is_dry }) = body;
    let change = |rules: &mut Rules| {
        if let Some(bot) = bot {
            rules.bot = Some(bot).filter(|bot| !bot.is_empty());
        }
        rules.ignore_users = ignore_users.unwrap_or_else(|| rules.ignore_users.clone());
        rules.dry = is_dry.unwrap_or(rules.dry);
    };
    ctx.query(async |db| service::change_set(db, change, BY, ctx.clock.now()).await).await?;
    rule_set(&ctx).await.map(Json)
}

async fn rule_set(ctx: &Context) -> Result<RuleSet, Error> {
    let stored = ctx.query(async |db| service::read(db).await).await?;
    Ok(RuleSet {
        revision: stored.set.revision,
        bot: stored.rules.bot,
        ignore_users: stored.rules.ignore_users,
        is_dry: stored.rules.dry,
        unreadable: stored.unreadable,
    })
}
