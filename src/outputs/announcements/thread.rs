//! Where a message is: in its channel, or in a thread.

use crate::discord::snowflake::Snowflake;
use crate::store::tracking::posts::DuePost;
use crate::tracking::settings::TrackSettings;

/// The thread that a message is in, or is posted to; `None` for the channel, or a new thread of a forum.
pub(super) fn of_post(post: &DuePost, settings: &TrackSettings) -> Option<Snowflake> {
    match post.posted_channel_id {
        Some(channel) => (channel != post.channel_id).then_some(channel),
        None => of_message(post.message_id, settings),
    }
}

/// The thread of this message, if it is where the settings say. The first message of a thread in a forum has the thread's id.
pub(super) fn of_message(message: Option<Snowflake>, settings: &TrackSettings) -> Option<Snowflake> {
    if settings.forum.is_some() { message } else { settings.thread_id }
}
