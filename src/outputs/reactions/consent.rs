//! Whose token an action is made with, and what to do if its consent is missing.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::rules::scopes::scopes as of_rules;
use super::step::Step;
use crate::config::Config;
use crate::credentials::consent::{Account, BOT_SCOPES};
use crate::store::actions::{self, Bot, WantedStep};
use crate::store::served_channels;
use crate::store::tokens;
use crate::subscriptions::desired;
use crate::twitch::id::{ChannelId, UserId};

/// Whose token a call is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authority {
    /// That of the user who acts.
    User,
    /// The application's, in the name of its bot: then Twitch shows the bot's badge
    /// (<https://dev.twitch.tv/docs/api/reference/#send-chat-message>).
    Application,
}

/// The token for a step, or in words which consent is missing.
///
/// # Errors
/// If the database fails.
pub(super) async fn authorize(
    conn: &mut PgConnection,
    step: &Step,
    channel: &ChannelId,
    as_user: &UserId,
) -> sqlx::Result<Result<Authority, String>> {
    let own = scopes(conn, as_user.as_str()).await?;
    let has = |scopes: &[String], scope: &str| scopes.iter().any(|granted| granted == scope);
    if matches!(step, Step::Say(_) | Step::Reply(_)) && *as_user != channel.user() {
        let broadcasters = scopes(conn, channel.as_str()).await?;
        if ["user:write:chat", "user:bot"].iter().all(|scope| has(&own, scope)) && has(&broadcasters, "channel:bot") {
            return Ok(Ok(Authority::Application));
        }
    }
    match step.scopes().iter().find(|scope| !has(&own, scope)) {
        None => Ok(Ok(Authority::User)),
        Some(scope) => Ok(Err(missing(conn, scope, as_user).await?)),
    }
}

/// A consent that the actions of the last days needed.
#[derive(Clone, Debug)]
pub struct MissingConsent {
    /// Whose.
    pub account: Account,
    /// To what.
    pub scopes: BTreeSet<&'static str>,
    /// The steps that need it, by name.
    pub steps: BTreeSet<String>,
}

/// What is missing of what these steps need, by account.
#[must_use]
pub fn missing_of(wanted: &[WantedStep]) -> Vec<MissingConsent> {
    let mut missing = BTreeMap::new();
    for step in wanted {
        let scopes = Step::of(&step.kind, &step.params).map(|step| step.scopes()).unwrap_or_default();
        for scope in scopes.iter().copied().filter(|scope| !step.granted.iter().any(|granted| granted == scope)) {
            let of = missing.entry(&step.user_id).or_insert_with(|| MissingConsent {
                account: account(step),
                scopes: BTreeSet::new(),
                steps: BTreeSet::new(),
            });
            of.scopes.insert(scope);
            of.steps.insert(step.kind.clone());
        }
    }
    missing.into_values().collect()
}

fn account(step: &WantedStep) -> Account {
    let login = step.login.clone().unwrap_or_else(|| step.user_id.to_string());
    match step.is_bot {
        true => Account::Bot(Some(Bot { user_id: step.user_id.clone(), login })),
        false => Account::Broadcaster { id: step.user_id.channel(), login },
    }
}

/// The scopes that a user has granted; none if the user has to consent again.
async fn scopes(conn: &mut PgConnection, user: &str) -> sqlx::Result<Vec<String>> {
    let row = tokens::get(conn, user).await?;
    Ok(row.filter(|row| row.needs_consent.is_none()).map(|row| row.scopes).unwrap_or_default())
}

/// Says what is missing, and what to do.
pub(super) async fn missing(conn: &mut PgConnection, scope: &str, user: &UserId) -> sqlx::Result<String> {
    if let Some(bot) = actions::bot(&mut *conn).await?.filter(|bot| bot.user_id == *user) {
        let login = bot.login;
        return Ok(format!("consent: {scope} of the bot {login} is missing: run `init --bot --scope {scope}`"));
    }
    let login = tokens::get(conn, user.as_str()).await?.and_then(|row| row.login);
    let login = login.unwrap_or_else(|| user.to_string());
    Ok(format!("consent: {scope} of {login} is missing: run `init --channel {login} --scope {scope}`"))
}

/// The scopes to ask an account for. A token has only the scopes that were requested with it, so those that it has granted are
/// among them.
///
/// # Errors
/// If the database fails.
pub async fn scopes_to_ask(
    conn: &mut PgConnection,
    config: &Config,
    account: &Account,
    further: &[String],
) -> sqlx::Result<BTreeSet<String>> {
    let mut scopes = account.granted(&mut *conn).await?;
    match account {
        Account::Bot(_) => scopes.extend(BOT_SCOPES.map(str::to_owned)),
        Account::Broadcaster { id, .. } => {
            let served = served_channels::all(&mut *conn).await?;
            let transport = served.into_iter().find(|channel| channel.id == *id).and_then(|channel| channel.transport);
            let granted: Vec<_> = scopes.iter().cloned().collect();
            let of_all = desired::types(&config.twitch.extra_types);
            let types = desired::types_to_ask(&mut *conn, &of_all, id).await?;
            let needed = desired::scopes(&types, &granted, transport.unwrap_or(config.twitch.transport()));
            scopes.extend(needed.into_iter().map(str::to_owned));
        }
    }
    scopes.extend(of_rules(conn, account).await?.into_iter().map(str::to_owned));
    scopes.extend(further.iter().cloned());
    Ok(scopes)
}
