//! Where a message goes: into its channel, into a thread, or in a forum into a new thread.

use super::card;
use crate::discord::message::{MAX_THREAD_NAME, Message};
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::posts::DuePost;
use crate::tracking::settings::{ForumThread, TrackSettings};

/// The thread that a message is in, or is posted to; `None` for the channel, or a new thread of a forum.
pub(super) fn thread(post: &DuePost, settings: &TrackSettings) -> Option<Snowflake> {
    match post.posted_channel_id {
        Some(channel) => (channel != post.channel_id).then_some(channel),
        None => of(post.message_id, settings),
    }
}

/// The thread of this message, if it is where the settings say. The first message of a thread in a forum has the thread's id.
pub(super) fn of(message: Option<Snowflake>, settings: &TrackSettings) -> Option<Snowflake> {
    if settings.forum.is_some() { message } else { settings.thread_id }
}

/// The message, which begins a thread if it goes into a forum.
pub(super) fn begin(message: Message, post: &DuePost, forum: &ForumThread) -> Message {
    let name = forum.title.as_deref().and_then(|title| card::text(title, post));
    let name = name.map(|name| unescaped(&name));
    let name = name.unwrap_or_else(|| format!("{}: {}", post.display_name, post.title.as_deref().unwrap_or_default()));
    Message { thread_name: Some(thread_name(&name, &post.login)), applied_tags: forum.tags.clone(), ..message }
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
