//! In whose name rules act.

use sqlx::PgConnection;

use super::occurrence::Person;
use crate::store::actions::{self, Bot};
use crate::store::tokens;
use crate::twitch::id::UserId;

const NO_APPLICATION: &str = "no Twitch application is configured, so nothing is done: set TWITCH_CLIENT_ID and \
    TWITCH_CLIENT_SECRET";

/// In whose name rules act.
#[derive(Clone, Debug)]
pub enum Acting {
    /// This account, or the broadcaster where only the broadcaster can.
    Bot(UserId),
    /// The broadcaster.
    Broadcaster,
    /// An account that is not connected: why nothing can be done on Twitch.
    Unknown(String),
    /// Nothing can be done at all: why.
    Nothing(&'static str),
}

/// In whose name rules act, and the bot's account, if they do not act in the broadcasters' own.
///
/// # Errors
/// If the database fails.
pub async fn acting(
    db: &mut PgConnection,
    login: Option<&str>,
    has_application: bool,
) -> sqlx::Result<(Acting, Option<Person>)> {
    let connected = actions::bot(&mut *db).await?;
    let account = match (login, connected) {
        (None, connected) => connected,
        (Some(login), Some(bot)) if bot.login.eq_ignore_ascii_case(login) => Some(bot),
        (Some(login), _) => match tokens::holder(&mut *db, &login.to_lowercase()).await? {
            Some(user_id) => Some(Bot { user_id, login: login.to_owned() }),
            None => {
                let problem = format!("consent: the bot {login} is not connected: run `init --bot` for it");
                return Ok((Acting::Unknown(problem), None));
            }
        },
    };
    let person = account.as_ref().map(|bot| Person {
        id: Some(bot.user_id.to_string()),
        login: Some(bot.login.to_lowercase()),
        name: None,
    });
    let acting = match account {
        _ if !has_application => Acting::Nothing(NO_APPLICATION),
        Some(bot) => Acting::Bot(bot.user_id),
        None => Acting::Broadcaster,
    };
    Ok((acting, person))
}
