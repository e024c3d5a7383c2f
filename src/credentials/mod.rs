//! Twitch's tokens: kept encrypted, renewed before they expire, validated as Twitch demands.

pub mod application;
pub mod chat_pictures;
pub mod check;
pub mod consent;
pub mod consent_page;
pub mod profile_images;
pub mod tokens;
pub mod vault;

use self::application::Application;
use crate::services::{Services, Tasks};

/// Starts the validation of tokens, if an application is configured, and registers the check `tokens`.
pub fn spawn(services: &Services, application: Option<&Application>, tasks: &mut Tasks) {
    services.checks.add_on_records(check::tokens);
    if let Some(Application { tokens, app_tokens, .. }) = application.cloned() {
        tasks.spawn("validation of tokens", tokens.run(app_tokens));
    }
}
