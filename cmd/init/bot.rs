//! Requests the consent of the account that is the bot.

use std::collections::BTreeSet;

use anyhow::Result;
use showtime::cli::{print, printable};
use showtime::credentials::consent::{Account, BOT_SCOPES};
use showtime::outputs::reactions::rules::scopes::scopes;
use showtime::store::actions;

use crate::consent::{self, Browser};
use crate::session::Session;

/// Requests the consent to what every bot needs, to what the rules do, to these further scopes, and to those that are granted;
/// asks nothing if all are.
pub(crate) async fn obtain(session: &Session, further: &[String], browser: Browser) -> Result<bool> {
    let mut connection = session.pool.acquire().await?;
    let bot = actions::bot(&mut *connection).await?;
    let account = Account::Bot(bot.clone());
    let granted = account.granted(&mut connection).await?;
    let of_rules = scopes(&mut connection, &account).await?;
    let wanted: BTreeSet<_> =
        BOT_SCOPES.into_iter().chain(of_rules).chain(further.iter().map(String::as_str)).collect();
    if let Some(bot) = bot.as_ref().filter(|_| wanted.iter().all(|scope| granted.contains(*scope))) {
        print(format_args!("the bot {} has consented to everything that is needed", printable(&bot.login)));
        return Ok(true);
    }
    let scopes: BTreeSet<&str> = wanted.into_iter().chain(granted.iter().map(String::as_str)).collect();
    let name = bot.as_ref().map(|bot| bot.login.as_str());
    let (user, token) = consent::request(session, ("the bot", name), &scopes, browser).await?;
    // Another account takes the place of the one that is the bot.
    Account::Bot(None).keep((&session.oauth, &session.tokens), &mut connection, (&user, &token)).await?;
    print(format_args!("{} is the bot", printable(&user.login)));
    Ok(true)
}
