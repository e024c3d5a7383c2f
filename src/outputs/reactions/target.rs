//! The user that a step is about.

use super::step::Step;
use super::validate::StepError;
use crate::twitch::helix::{Helix, HelixError};
use crate::twitch::id::UserId;

/// Why it is unknown which user that is.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There is none.
    #[error(transparent)]
    Step(#[from] StepError),
    /// Twitch does not say.
    #[error("the user can't be looked up: {0}")]
    Twitch(#[from] HelixError),
}

/// The user that a step is about. What could be an id is one; a login is looked up.
///
/// # Errors
/// [`TargetError`]
pub async fn resolve(helix: &Helix, step: &Step) -> Result<Option<UserId>, TargetError> {
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
