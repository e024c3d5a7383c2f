//! The account that reads the chats: the bot, or an anonymous one.

use secrecy::SecretString;
use sqlx::PgPool;

use crate::credentials::application::Application;
use crate::credentials::tokens::TokensError;
use crate::program::Program;
use crate::store::{actions, answered};
use crate::twitch::id::UserId;
use crate::twitch::irc::Credentials;

/// What a token needs to read.
const SCOPE: &str = "chat:read";

/// An account to log in with.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// `None` to read anonymously.
    pub(super) credentials: Option<Credentials>,
    user: Option<UserId>,
    /// Why it reads anonymously although there is a bot.
    pub(super) problem: Option<String>,
}

/// Knows the account. Its token is asked for each time.
#[derive(Debug)]
pub(super) struct Accounts {
    pub(super) application: Application,
    pub(super) pool: PgPool,
}

impl Accounts {
    /// The account to log in with now.
    pub(super) async fn get(&self) -> Result<Account, TokensError> {
        let Some(bot) = answered(actions::bot(&self.pool)).await? else { return Ok(Account::default()) };
        let consent = || format!("run `{}` and log in as {}", Program::Init.with("--bot"), bot.login);
        let problem = match self.application.tokens.user(bot.user_id.as_str()).await {
            Ok(token) if token.scopes.iter().any(|scope| scope == SCOPE) => {
                let credentials = Credentials { login: bot.login.clone(), token: token.access_token };
                return Ok(Account { credentials: Some(credentials), user: Some(bot.user_id), problem: None });
            }
            Ok(_) => {
                format!("chats are read anonymously, since {} has not consented to {SCOPE}: {}", bot.login, consent())
            }
            Err(TokensError::NeedsConsent { reason, .. }) => {
                format!(
                    "chats are read anonymously, since {} has to consent again ({reason}): {}",
                    bot.login,
                    consent()
                )
            }
            Err(error) => return Err(error),
        };
        Ok(Account { problem: Some(problem), ..Account::default() })
    }

    /// Gets another token for an account whose token Twitch refused. Why that fails, the next login tells.
    pub(super) async fn replace(&self, account: &Account) {
        let (Some(user), Some(Credentials { token, .. })) = (&account.user, &account.credentials) else { return };
        let token: &SecretString = token;
        if let Err(error) = self.application.tokens.refresh(user.as_str(), token).await {
            tracing::debug!(%error, "the bot's token can't be replaced");
        }
    }
}
