//! What is done about a post that is due.

use time::{Duration, OffsetDateTime};

use super::card;
use crate::discord::message::{AllowedMentions, Message};
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::posts::{DuePost, Outcome, PostState};
use crate::tracking::filter::Filtered;
use crate::tracking::settings::{OnEnd, OnUncertain, OnUpdate, TrackSettings};

/// A broadcast goes on if the next stream begins within this time after the end.
const GRACE: Duration = Duration::minutes(15);

/// After so many lost answers a message is not posted again: about an hour and a half.
const MAX_LOST: i32 = 100;

/// What to ask of Discord.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// To post this message.
    Post(Message),
    /// To make this of a message.
    Edit(Snowflake, Message),
    /// To delete a message.
    Delete(Snowflake),
}

/// What to do about a post: call Discord, or record what has come of it already.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Request(Request),
    Settle(Outcome),
}

/// Decides about a post that is due.
pub(super) fn plan(post: &DuePost, now: OffsetDateTime) -> Step {
    let settings = post.settings.as_ref().filter(|_| !post.is_disabled);
    let is_new = post.state == PostState::Pending;
    match settings {
        // Settings of a newer version count as none.
        Some(settings) => {
            let settings = serde_json::from_value(settings.clone()).unwrap_or_default();
            if is_new { plan_post(post, &settings) } else { plan_edit(post, &settings, now) }
        }
        None if is_new => {
            let problem = if post.is_disabled { "the bot is switched off" } else { "it is not tracked any more" };
            Step::Settle(Outcome::Ended(PostState::Skipped, Some(problem.to_owned())))
        }
        None => Step::Settle(Outcome::Kept(post.revision)),
    }
}

fn plan_post(post: &DuePost, settings: &TrackSettings) -> Step {
    if post.ended_at.is_some() {
        return Step::Settle(Outcome::Ended(PostState::Expired, None));
    }
    let is_repeat = post.lost_answers > 0;
    let on_uncertain = settings.on_uncertain.unwrap_or_default();
    if is_repeat && on_uncertain == OnUncertain::Skip || post.lost_answers >= MAX_LOST {
        let problem = "Discord's answer was lost, so the message may be missing".to_owned();
        return Step::Settle(Outcome::Ended(PostState::Uncertain, Some(problem)));
    }
    if !is_repeat && settings.filter.as_ref().is_some_and(|filter| !filter.matches(filtered(post))) {
        return Step::Settle(Outcome::Ended(PostState::Filtered, None));
    }
    let message = message(post, settings);
    let is_silent = is_repeat && on_uncertain == OnUncertain::SilentRepost;
    let message = if is_silent || settings.silent == Some(true) { message.silent() } else { message };
    Step::Request(Request::Post(message))
}

fn plan_edit(post: &DuePost, settings: &TrackSettings, now: OffsetDateTime) -> Step {
    let kept = Step::Settle(Outcome::Kept(post.revision));
    let Some(id) = post.message_id else { return kept };
    match (post.ended_at, settings.on_end.unwrap_or_default()) {
        (Some(_), OnEnd::Leave) => return kept,
        (Some(ended_at), OnEnd::Delete) if ended_at + GRACE > now => {
            return Step::Settle(Outcome::Later(ended_at + GRACE));
        }
        (Some(_), OnEnd::Delete) => return Step::Request(Request::Delete(id)),
        // What says that the stream has ended is edited if it goes on.
        (None, _) if settings.on_update == Some(OnUpdate::Ignore) && !post.is_end_shown => return kept,
        _ => {}
    }
    // An edit notifies no one, and must not: it shows the same text.
    let message = Message { allowed_mentions: AllowedMentions::default(), ..message(post, settings) };
    Step::Request(Request::Edit(id, message))
}

/// The message, with its mentions unless it is one that was posted again.
fn message(post: &DuePost, settings: &TrackSettings) -> Message {
    let is_plain = post.lost_answers > 0 && settings.on_uncertain != Some(OnUncertain::Repost);
    match &settings.mentions {
        Some(mentions) if !is_plain => card::mention(card::message(post, settings), mentions),
        _ => card::message(post, settings),
    }
}

fn filtered(post: &DuePost) -> Filtered<'_> {
    Filtered {
        category_id: post.category_id.as_deref().unwrap_or_default(),
        category_name: post.category_name.as_deref().unwrap_or_default(),
        title: post.title.as_deref().unwrap_or_default(),
    }
}
