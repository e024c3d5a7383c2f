//! Threads of a forum: each stream begins one.

use super::broadcast::Broadcast;
use super::mentions::TrackMentions;
use super::settings::TrackSettings;
use super::template::{Template, TextOptions};
use crate::discord::message::{MAX_THREAD_NAME, Message};

/// The message with which a broadcast is announced: where the settings want it, it begins a thread of a forum.
#[must_use]
pub fn begin(message: Message, broadcast: &Broadcast, settings: &TrackSettings) -> Message {
    let Some(forum) = settings.forum.as_ref().filter(|_| settings.thread_id.is_none()) else { return message };
    let mentions = &TrackMentions::default();
    let options = TextOptions { mentions, language: settings.language.unwrap_or_default() };
    let name = forum.title.as_deref().and_then(|title| Template::compile(title).ok()?.render(broadcast, options).ok());
    let name = name.map(|name| unescaped(&name)).filter(|name| !name.trim().is_empty());
    let name =
        name.unwrap_or_else(|| format!("{}: {}", broadcast.name(), broadcast.title.as_deref().unwrap_or_default()));
    Message { thread_name: Some(thread_name(&name, &broadcast.login)), applied_tags: forum.tags.clone(), ..message }
}

/// A text without the backslashes that keep it from being formatted.
fn unescaped(text: &str) -> String {
    let mut chars = text.chars();
    std::iter::from_fn(|| match chars.next()? {
        '\\' => chars.next(),
        other => Some(other),
    })
    .collect()
}

/// A text as the name of a thread, which has no formatting.
fn thread_name(text: &str, login: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let name: String = text.trim().trim_end_matches(':').chars().take(MAX_THREAD_NAME).collect();
    if name.trim().is_empty() { login.to_owned() } else { name }
}
