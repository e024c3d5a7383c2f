//! What rules need and is not there yet: said when they are applied, since their actions would fail.

use sqlx::PgConnection;

use super::rule::Rules;
use super::rule_step::RuleAction;
use super::scopes::scopes_of;
use crate::credentials::consent::Account;
use crate::store::sinks::{self, SinkKind};
use crate::store::{actions, served_channels, tokens};

/// What is missing, and what to do; a sentence for each thing.
///
/// # Errors
/// If the database fails.
pub async fn missing(db: &mut PgConnection, rules: &Rules) -> sqlx::Result<Vec<String>> {
    let mut missing = Vec::new();
    if let Some(bot) = &rules.bot {
        let connected = actions::bot(&mut *db).await?.filter(|known| known.login.eq_ignore_ascii_case(bot));
        if connected.is_none() && tokens::holder(&mut *db, &bot.to_lowercase()).await?.is_none() {
            missing.push(format!("the bot {bot} is not connected: run `init --bot` for it"));
        }
    }
    let sinks = sinks::definitions(&mut *db).await?;
    let is_webhook = |name: &str| sinks.iter().any(|sink| sink.name == name && sink.kind == SinkKind::Webhook);
    for rule in &rules.rules {
        for step in &rule.steps {
            if let RuleAction::Webhook(webhook) = &step.action
                && !is_webhook(&webhook.sink)
            {
                let (rule, sink) = (&rule.name, &webhook.sink);
                missing
                    .push(format!("rule `{rule}`: there is no webhook `{sink}`: run `sinks add {sink} --webhook URL`"));
            }
        }
    }
    missing.dedup();
    missing.extend(consents(db, rules).await?);
    Ok(missing)
}

/// The scopes that the bot and the broadcasters have not granted.
async fn consents(db: &mut PgConnection, rules: &Rules) -> sqlx::Result<Vec<String>> {
    let bot = actions::bot(&mut *db).await?;
    let has_bot = bot.is_some();
    let mut accounts: Vec<_> = bot.map(|bot| Account::Bot(Some(bot))).into_iter().collect();
    let served = served_channels::all(&mut *db).await?;
    accounts.extend(served.into_iter().map(|it| Account::Broadcaster { id: it.id, login: it.login }));
    let mut missing = Vec::new();
    for account in accounts {
        let granted = account.granted(&mut *db).await?;
        let mut lacks: Vec<_> = scopes_of(rules, has_bot, &account).into_iter().collect();
        lacks.retain(|scope| !granted.contains(*scope));
        if !lacks.is_empty() {
            let (login, arguments) = (account.login().unwrap_or_default(), account.arguments([]));
            missing.push(format!("{login} has not consented to {}: run `init {arguments}`", lacks.join(", ")));
        }
    }
    Ok(missing)
}
