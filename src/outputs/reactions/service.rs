//! What the API does with actions.

use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::step::Step;
use super::validate::StepError;
use crate::credentials::application::Application;
use crate::store::actions::settle;
use crate::store::actions::{self, Action, ActionState, NewAction};
use crate::twitch::helix::{Helix, HelixError};
use crate::twitch::id::{ChannelId, UserId};

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
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
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
    if let Some(action) = actions::of_subject(pool, key).await? {
        return known(action);
    }
    let target = target(&application.helix, &step).await?;
    let bot = if step.is_broadcasters() { None } else { actions::bot(pool).await? };
    let as_user = bot.map_or_else(|| channel.user(), |bot| bot.user_id);
    let new = NewAction {
        subject: key,
        kind: step.kind(),
        params: &params,
        class: step.class(),
        channel_id: channel,
        as_user: &as_user,
        target: target.as_ref(),
        bucket: step.bucket().into(),
        priority: step.priority(),
        lane: &step.lane(target.as_ref()),
        created_at: now,
        expires_at: now + step.lifetime(),
    };
    let is_new = actions::insert(pool, &new).await?;
    let action = actions::of_subject(pool, key).await?.ok_or(sqlx::Error::RowNotFound)?;
    if is_new { Ok(Requested { action, is_new }) } else { known(action) }
}

/// The id of the user that a step is about. What could be an id is one.
async fn target(helix: &Helix, step: &Step) -> Result<Option<UserId>, ActionError> {
    let Some((field, name)) = step.target() else { return Ok(None) };
    let wrong = |reason: String| StepError { field: field.to_owned(), reason };
    let is_login = !name.is_empty() && name.len() <= 25 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !is_login {
        return Err(wrong("it must be the id or the login of a user".to_owned()).into());
    }
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return name.parse().map(Some).map_err(|error: &str| wrong(error.to_owned()).into());
    }
    let login = name.to_ascii_lowercase();
    let found = helix.users_by_login(&[&login]).await?.into_iter().next();
    match found {
        Some(user) => Ok(Some(user.id)),
        None => Err(wrong(format!("Twitch knows no user `{login}`")).into()),
    }
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
        let reason = "only one that is dropped, failed, uncertain or stale can be retried";
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
