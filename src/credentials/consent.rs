//! Consents: of which account, to what, and what becomes of the code that one brings.

use std::collections::BTreeSet;

use oauth2::RedirectUrl;
use secrecy::SecretString;
use sqlx::PgConnection;

use super::tokens::{Tokens, TokensError};
use crate::program::Program;
use crate::store::actions::{self, Bot};
use crate::store::{answered, served_channels, tokens};
use crate::twitch::id::ChannelId;
use crate::twitch::oauth::{OAuth, OAuthError, TokenUser, UserToken};

/// What every bot needs: to write, to read, and to be one
/// (<https://dev.twitch.tv/docs/chat/authenticating/#authentication-for-chatbots>).
pub const BOT_SCOPES: [&str; 4] = ["chat:read", "user:bot", "user:read:chat", "user:write:chat"];

/// The account that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// The broadcaster of a channel.
    Broadcaster {
        /// The channel.
        id: ChannelId,
        /// Its login.
        login: String,
    },
    /// The bot; without one, the account that consents becomes it.
    Bot(Option<Bot>),
}

/// Why there is no consent, although Twitch was asked.
#[derive(Debug, thiserror::Error)]
pub enum ConsentFailure {
    /// Another account consented.
    #[error("it was {user} who consented; sign in as {asked}")]
    OtherAccount {
        /// Its login.
        user: String,
        /// The login of the one that was asked.
        asked: String,
    },
    /// The account can't be the bot.
    #[error(
        "{login} is a served channel, which acts for itself: run `{} --channel {login} --scope user:write:chat`, or sign in \
        with another account",
        Program::Init
    )]
    Served {
        /// Its login.
        login: String,
    },
    /// Twitch's answer names no user.
    #[error("Twitch issued a token without a user")]
    NoUser,
    /// Twitch does not make a token of the code.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// The token can't be kept.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Turns the code of a consent into a token, and says who consented.
///
/// # Errors
/// [`ConsentFailure`]
pub async fn redeem(
    oauth: &OAuth,
    code: &SecretString,
    redirect_url: &RedirectUrl,
) -> Result<(TokenUser, UserToken), ConsentFailure> {
    let token = oauth.exchange(code, redirect_url).await?;
    let user = oauth.validate(&token.access_token).await?.user;
    Ok((user.ok_or(ConsentFailure::NoUser)?, token))
}

impl Account {
    /// The broadcaster of a channel; `None` if that is not served.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn broadcaster(conn: &mut PgConnection, id: &ChannelId) -> sqlx::Result<Option<Self>> {
        let served = served_channels::all(conn).await?.into_iter().find(|channel| channel.id == *id);
        Ok(served.map(|channel| Self::Broadcaster { id: channel.id, login: channel.login }))
    }

    /// The bot, as far as it is known.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn bot(conn: &mut PgConnection) -> sqlx::Result<Self> {
        Ok(Self::Bot(actions::bot(conn).await?))
    }

    /// The login to sign in with; `None` if any will do.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::Broadcaster { login, .. } | Self::Bot(Some(Bot { login, .. })) => Some(login),
            Self::Bot(None) => None,
        }
    }

    /// The user's id, if it is known.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::Broadcaster { id, .. } => Some(id.as_str()),
            Self::Bot(bot) => bot.as_ref().map(|bot| bot.user_id.as_str()),
        }
    }

    /// The arguments of `init` with which it asks for these scopes.
    #[must_use]
    pub fn arguments<'a>(&self, scopes: impl IntoIterator<Item = &'a str>) -> String {
        let account = match self {
            Self::Broadcaster { login, .. } => format!("--channel {login}"),
            Self::Bot(_) => "--bot".to_owned(),
        };
        scopes.into_iter().fold(account, |arguments, scope| format!("{arguments} --scope {scope}"))
    }

    /// The scopes that it has granted; none if it has to consent again.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn granted(&self, conn: &mut PgConnection) -> sqlx::Result<BTreeSet<String>> {
        let row = match self.user_id() {
            Some(user_id) => tokens::get(conn, user_id).await?,
            None => None,
        };
        Ok(row
            .filter(|row| row.needs_consent.is_none())
            .map(|row| row.scopes.into_iter().collect())
            .unwrap_or_default())
    }

    /// Keeps the token of the account that was asked. That of another one is revoked.
    ///
    /// # Errors
    /// [`ConsentFailure`]
    pub async fn keep(
        &self,
        (oauth, kept): (&OAuth, &Tokens),
        conn: &mut PgConnection,
        (user, token): (&TokenUser, &UserToken),
    ) -> Result<(), ConsentFailure> {
        if let Err(failure) = self.check(conn, user).await {
            oauth.revoke(&token.access_token).await?;
            return Err(failure);
        }
        kept.keep_user(user, token).await?;
        if let Self::Bot(_) = self {
            let bot = Bot { user_id: user.id.clone(), login: user.login.clone() };
            answered(actions::set_bot(conn, &bot)).await?;
        }
        Ok(())
    }

    async fn check(&self, conn: &mut PgConnection, user: &TokenUser) -> Result<(), ConsentFailure> {
        if let (Some(id), Some(login)) = (self.user_id(), self.login())
            && id != user.id.as_str()
        {
            return Err(ConsentFailure::OtherAccount { user: user.login.clone(), asked: login.to_owned() });
        }
        if matches!(self, Self::Bot(_)) {
            let served = answered(served_channels::all(conn)).await?;
            if served.iter().any(|channel| channel.id == user.id.channel()) {
                return Err(ConsentFailure::Served { login: user.login.clone() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_account_and_scopes() {
        let login = "maplearcade".to_owned();
        let broadcaster = Account::Broadcaster { id: "7".parse().unwrap(), login };
        assert_eq!(
            broadcaster.arguments(["clips:edit", "a:b"]),
            "--channel maplearcade --scope clips:edit --scope a:b"
        );
        assert_eq!(Account::Bot(None).arguments([]), "--bot");
    }
}
