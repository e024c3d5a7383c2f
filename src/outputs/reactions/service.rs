//! What the API does with actions.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor, PgPool};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::receivers;
use super::step::Step;
use super::target::{self, TargetError};
use super::validate::StepError;
use crate::credentials::application::Application;
use crate::store::actions::settle;
use crate::store::actions::{self, Action, ActionState};
use crate::store::answered;
use crate::twitch::helix::HelixError;
use crate::twitch::id::{ChannelId, UserId};

/// How long a client waits for the look-up of a user.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(10);

/// Why an action can't be added or changed.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// A field of the step is wrong.
    #[error(transparent)]
    Step(#[from] StepError),
    /// There is another action of this key.
    #[error("the key `{0}` was used for another action: choose a new key for each action")]
    KeyReused(String),
    /// There is no such action.
    #[error("there is no action {0}")]
    NotFound(i64),
    /// It is in a state in which that can't be done.
    #[error("the action is {state}: {reason}", state = <&str>::from(.state))]
    WrongState {
        /// Its state.
        state: ActionState,
        /// What can't be done, and when it could.
        reason: &'static str,
    },
    /// The user that it names can't be looked up.
    #[error("the user can't be looked up: {0}")]
    Twitch(#[from] HelixError),
    /// Twitch does not say which user that is in time.
    #[error("the user can't be looked up: Twitch does not answer")]
    TwitchSilent,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<TargetError> for ActionError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Step(error) => Self::Step(error),
            TargetError::Twitch(error) => Self::Twitch(error),
        }
    }
}

/// An action that was requested.
#[derive(Debug)]
pub struct Requested {
    /// The action, as it is now.
    pub action: Action,
    /// Whether this request made it.
    pub is_new: bool,
}

/// Adds an action; one of this key that says the same is the same action.
///
/// # Errors
/// [`ActionError`]
pub async fn request(
    pool: &PgPool,
    application: &Application,
    channel: &ChannelId,
    key: &str,
    mut step: Step,
    now: OffsetDateTime,
) -> Result<Requested, ActionError> {
    step.check()?;
    let params = step.params();
    let is_same =
        |action: &Action| action.channel_id == *channel && action.kind == step.kind() && action.params == params;
    let known = |action: Action| match is_same(&action) {
        true => Ok(Requested { action, is_new: false }),
        false => Err(ActionError::KeyReused(key.to_owned())),
    };
    if let Some(action) = answered(actions::of_key(pool, key)).await? {
        return known(action);
    }
    if let Step::Webhook(webhook) = &step
        && let Some(reason) = answered(receivers::check(pool, &webhook.sink)).await?
    {
        return Err(StepError { field: "webhook.sink".to_owned(), reason }.into());
    }
    let target = timeout(LOOK_UP_TIMEOUT, target::resolve(&application.helix, &step)).await;
    let target = target.map_err(|_| ActionError::TwitchSilent)??;
    let as_user = answered(author(pool, &step, channel)).await?;
    let new = step.new_action(key, &params, (channel, &as_user), target.as_ref(), now);
    let is_new = answered(actions::insert(pool, &new)).await?;
    let action = answered(actions::of_key(pool, key)).await?.ok_or(sqlx::Error::RowNotFound)?;
    if is_new { Ok(Requested { action, is_new }) } else { known(action) }
}

/// In whose name a step is done: the bot's, if there is one, unless only the broadcaster can do it.
///
/// # Errors
/// If the database fails.
pub async fn author(db: impl PgExecutor<'_>, step: &Step, channel: &ChannelId) -> sqlx::Result<UserId> {
    let bot = if step.is_broadcasters() { None } else { actions::bot(db).await? };
    Ok(bot.map_or_else(|| channel.user(), |bot| bot.user_id))
}

/// Does an action again that has not happened, or of which that is not known.
///
/// # Errors
/// [`ActionError`]
pub async fn retry(conn: &mut PgConnection, id: i64, now: OffsetDateTime) -> Result<Action, ActionError> {
    let action = get(conn, id).await?;
    let lifetime = action.expires_at - action.created_at;
    let lifetime = Step::of(&action.kind, &action.params).map_or(lifetime, |step| step.lifetime());
    if !settle::retry(&mut *conn, id, now, now + lifetime).await? {
        let reason = "only one that is dropped, failed, uncertain, stale or off can be retried, unless its rule decided that already";
        return Err(ActionError::WrongState { state: get(conn, id).await?.state, reason });
    }
    get(conn, id).await
}

/// Records whether an action happened of which that was not known.
///
/// # Errors
/// [`ActionError`]
pub async fn settle(
    conn: &mut PgConnection,
    id: i64,
    has_happened: bool,
    now: OffsetDateTime,
) -> Result<Action, ActionError> {
    get(conn, id).await?;
    let state = if has_happened { ActionState::Done } else { ActionState::Failed };
    if !settle::settle(&mut *conn, id, state, now).await? {
        let reason = "only one that is uncertain can be settled";
        return Err(ActionError::WrongState { state: get(conn, id).await?.state, reason });
    }
    get(conn, id).await
}

/// The action with this id.
///
/// # Errors
/// [`ActionError`]
pub async fn get(conn: &mut PgConnection, id: i64) -> Result<Action, ActionError> {
    actions::get(conn, id).await?.ok_or(ActionError::NotFound(id))
}
