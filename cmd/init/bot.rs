//! Requests the consent of the account that is the bot.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use showtime::cli::{print, printable};
use showtime::program::Program;
use showtime::store::actions::{self, Bot};
use showtime::store::tokens;

use crate::consent::{self, Browser};
use crate::session::Session;

/// What every bot needs: to write, to read, and to be one
/// (<https://dev.twitch.tv/docs/chat/authenticating/#authentication-for-chatbots>).
const SCOPES: [&str; 3] = ["user:bot", "user:read:chat", "user:write:chat"];

/// Requests the consent to what every bot needs, to these further scopes, and to those that are granted; asks nothing if
/// all are.
pub(crate) async fn obtain(session: &Session, further: &[String], browser: Browser) -> Result<bool> {
    let bot = actions::bot(&session.pool).await?;
    let granted = match &bot {
        Some(bot) => granted(session, bot).await?,
        None => Vec::new(),
    };
    let wanted: BTreeSet<_> = SCOPES.into_iter().chain(further.iter().map(String::as_str)).collect();
    if let Some(bot) = bot.as_ref().filter(|_| wanted.iter().all(|scope| granted.iter().any(|it| it == scope))) {
        print(format_args!("the bot {} has consented to everything that is needed", printable(&bot.login)));
        return Ok(true);
    }
    let scopes: BTreeSet<&str> = wanted.into_iter().chain(granted.iter().map(String::as_str)).collect();
    let name = bot.as_ref().map(|bot| bot.login.as_str());
    let (user, token) = consent::request(session, ("the bot", name), &scopes, browser).await?;
    let login = printable(&user.login);
    if session.served().await?.iter().any(|channel| channel.id == user.id.channel()) {
        session.oauth.revoke(&token.access_token).await?;
        bail!(
            "{login} is a served channel, which acts for itself: run `{} --channel {login} --scope user:write:chat`, or sign in \
            with another account",
            Program::Init
        );
    }
    session.tokens.keep_user(&user, &token).await?;
    actions::set_bot(&session.pool, &Bot { user_id: user.id, login: user.login }).await?;
    print(format_args!("{login} is the bot"));
    Ok(true)
}

async fn granted(session: &Session, bot: &Bot) -> Result<Vec<String>> {
    let row = tokens::get(&mut *session.pool.acquire().await?, bot.user_id.as_str()).await?;
    Ok(row.filter(|row| row.needs_consent.is_none()).map(|row| row.scopes).unwrap_or_default())
}
