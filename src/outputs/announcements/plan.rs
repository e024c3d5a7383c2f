//! What is done about a post that is due.

use time::{Duration, OffsetDateTime};

use super::place;
use crate::credentials::profile_images::ProfileImages;
use crate::discord::message::Message;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::outcomes::Outcome;
use crate::store::tracking::posts::{DuePost, PostKind, PostState};
use crate::tracking::broadcast::Broadcast;
use crate::tracking::filter::Filtered;
use crate::tracking::settings::{OnEnd, OnUncertain, OnUpdate, TrackSettings};
use crate::tracking::{card, forum};

/// The message about the end is not posted later than this after its time.
const END_LATENESS: Duration = Duration::HOUR;

/// A broadcast goes on if the next stream begins within this time after the end.
const GRACE: Duration = Duration::minutes(15);

/// After so many lost answers a message is not posted again: about an hour and a half.
const MAX_LOST: i32 = 100;

/// What to ask of Discord.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    /// The thread that the message is in, or goes to.
    pub(super) thread: Option<Snowflake>,
    pub(super) call: Call,
}

/// What to do at Discord.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    /// To post this message.
    Post(Message),
    /// To make this of a message.
    Edit(Snowflake, Message),
    /// To delete a message.
    Delete(Snowflake),
    /// To delete the message that was posted again, since the first one was found.
    Tidy(Snowflake),
}

/// What to do about a post: call Discord, or record what has come of it already.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Request(Box<Request>),
    Settle(Outcome),
}

/// What follows from what came of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequel {
    /// When the message is looked at again.
    pub(super) again_at: Option<OffsetDateTime>,
    /// When a message about the end of the broadcast is due.
    pub(super) end_at: Option<OffsetDateTime>,
}

/// Decides about a post that is due.
pub(super) fn plan(post: &DuePost, images: &ProfileImages, now: OffsetDateTime) -> Step {
    let is_new = post.state == PostState::Pending;
    match settings(post).filter(|_| !post.is_disabled) {
        Some(settings) if !is_new => plan_edit(post, &settings, images, now),
        Some(settings) if post.kind == PostKind::End => plan_end(post, &settings, images, now),
        Some(settings) => plan_start(post, &settings, images, now),
        None if is_new && post.is_disabled => ended(PostState::Skipped, "the bot is switched off"),
        None if is_new => ended(PostState::Skipped, "it is not tracked any more"),
        None => Step::Settle(Outcome::Kept(post.revision)),
    }
}

/// What follows from what came of a request: the message about the end comes when the first one says that it is over.
pub(super) fn sequel(post: &DuePost, outcome: &Outcome) -> Sequel {
    let Some((ended_at, settings)) = post.ended_at.zip(settings(post)) else { return Sequel::default() };
    match (post.kind, outcome) {
        (PostKind::Start, Outcome::Edited(_, true)) if settings.on_end == Some(OnEnd::Post) => {
            Sequel { end_at: Some(ended_at + GRACE), ..Sequel::default() }
        }
        (PostKind::End, Outcome::Posted(..) | Outcome::Edited(..)) => {
            Sequel { again_at: delete_end_at(ended_at, &settings), ..Sequel::default() }
        }
        _ => Sequel::default(),
    }
}

/// The settings of the track; `None` if it is not tracked any more. Those of a newer version count as none.
pub(super) fn settings(post: &DuePost) -> Option<TrackSettings> {
    post.settings.as_ref().map(|settings| serde_json::from_value(settings.clone()).unwrap_or_default())
}

fn ended(state: PostState, problem: &str) -> Step {
    Step::Settle(Outcome::Ended(state, Some(problem.to_owned())))
}

/// When a new message is due, as the track says.
pub(super) fn due_at(post: &DuePost) -> OffsetDateTime {
    let delay = settings(post).and_then(|settings| settings.delay).unwrap_or_default();
    post.wanted_at + Duration::seconds(delay.into())
}

fn plan_start(post: &DuePost, settings: &TrackSettings, images: &ProfileImages, now: OffsetDateTime) -> Step {
    if post.ended_at.is_some() {
        return Step::Settle(Outcome::Ended(PostState::Expired, None));
    }
    let due_at = post.wanted_at + Duration::seconds(settings.delay.unwrap_or_default().into());
    if due_at > now {
        return Step::Settle(Outcome::Later(due_at));
    }
    if let Some(uncertain) = uncertain(post, settings) {
        return uncertain;
    }
    let is_repeat = post.lost_answers > 0;
    if !is_repeat && settings.filter.as_ref().is_some_and(|filter| !filter.matches(filtered(post))) {
        return Step::Settle(Outcome::Ended(PostState::Filtered, None));
    }
    let last = post.last_posted_at.filter(|_| !is_repeat);
    if let Some((last, minutes)) =
        last.zip(settings.cooldown).filter(|(last, minutes)| now < *last + cooldown(*minutes))
    {
        let ago = (now - last).whole_minutes();
        let problem = format!("the last stream was announced {ago} min ago, and the cooldown is {minutes} min");
        return Step::Settle(Outcome::Ended(PostState::Skipped, Some(problem)));
    }
    let message = message(post, settings, images);
    let is_silent = is_repeat && settings.on_uncertain.unwrap_or_default() == OnUncertain::SilentRepost;
    let message = if is_silent || settings.silent == Some(true) { message.silent() } else { message };
    let thread = settings.thread_id;
    let message = match &settings.forum {
        Some(forum) if thread.is_none() => forum::begin(message, &Broadcast::from(post), forum),
        _ => message,
    };
    Step::Request(Box::new(Request { thread, call: Call::Post(message) }))
}

fn cooldown(minutes: u32) -> Duration {
    Duration::minutes(minutes.into())
}

/// The message about the end: once the broadcast can't go on any more. It never notifies, so it may be posted again as it is.
fn plan_end(post: &DuePost, settings: &TrackSettings, images: &ProfileImages, now: OffsetDateTime) -> Step {
    if settings.on_end != Some(OnEnd::Post) {
        return ended(PostState::Skipped, "the track wants no message about the end any more");
    }
    let expired = Step::Settle(Outcome::Ended(PostState::Expired, None));
    // It goes on: the next end makes the post due again.
    let Some(ended_at) = post.ended_at else { return expired };
    if ended_at + GRACE > now {
        return Step::Settle(Outcome::Later(ended_at + GRACE));
    }
    if ended_at + GRACE + END_LATENESS <= now || delete_end_at(ended_at, settings).is_some_and(|at| at <= now) {
        return expired;
    }
    uncertain(post, settings).unwrap_or_else(|| {
        let (thread, message) = (place::thread(post, settings), message(post, settings, images).silent());
        Step::Request(Box::new(Request { thread, call: Call::Post(message) }))
    })
}

/// That a message is not posted again, if so many answers were lost, or the track does not want it.
fn uncertain(post: &DuePost, settings: &TrackSettings) -> Option<Step> {
    let is_unwanted = post.lost_answers > 0 && settings.on_uncertain == Some(OnUncertain::Skip);
    (is_unwanted || post.lost_answers >= MAX_LOST)
        .then(|| ended(PostState::Uncertain, "Discord's answer was lost, so the message may be missing"))
}

/// When the message about the end is deleted.
fn delete_end_at(ended_at: OffsetDateTime, settings: &TrackSettings) -> Option<OffsetDateTime> {
    settings.delete_after.map(|minutes| ended_at + GRACE + Duration::minutes(minutes.into()))
}

/// When the message is deleted, if that is what becomes of it.
fn delete_at(post: &DuePost, settings: &TrackSettings) -> Option<OffsetDateTime> {
    match (post.kind, post.ended_at) {
        // It has said that it is over, and it goes on.
        (PostKind::End, None) => Some(OffsetDateTime::UNIX_EPOCH),
        (PostKind::End, Some(ended_at)) => delete_end_at(ended_at, settings),
        (PostKind::Start, Some(ended_at)) if settings.on_end == Some(OnEnd::Delete) => {
            let after = settings.delete_after.map(|minutes| Duration::minutes(minutes.into()));
            Some(ended_at + after.unwrap_or(GRACE).max(GRACE))
        }
        (PostKind::Start, _) => None,
    }
}

fn plan_edit(post: &DuePost, settings: &TrackSettings, images: &ProfileImages, now: OffsetDateTime) -> Step {
    let kept = Step::Settle(Outcome::Kept(post.revision));
    let Some(id) = post.message_id else { return kept };
    // The message that the bot has found is edited first, which shows that it is there.
    let is_found = post.have_revision > 0;
    match post.extra_message_id {
        Some(extra) if is_found => {
            return Step::Request(Box::new(Request {
                thread: place::of(Some(extra), settings),
                call: Call::Tidy(extra),
            }));
        }
        Some(_) => return edit(post, settings, images, id),
        None => {}
    }
    let is_current = post.have_revision >= post.revision;
    match delete_at(post, settings) {
        Some(at) if at <= now => {
            return Step::Request(Box::new(Request { thread: place::thread(post, settings), call: Call::Delete(id) }));
        }
        Some(at) if is_current || post.kind == PostKind::Start => return Step::Settle(Outcome::Later(at)),
        _ => {}
    }
    match post.ended_at {
        _ if is_current => kept,
        Some(_) if settings.on_end == Some(OnEnd::Leave) => kept,
        // What says that the stream has ended is edited if it goes on.
        None if settings.on_update == Some(OnUpdate::Ignore) && !post.is_end_shown => kept,
        _ => edit(post, settings, images, id),
    }
}

fn edit(post: &DuePost, settings: &TrackSettings, images: &ProfileImages, id: Snowflake) -> Step {
    let message = message(post, settings, images).edit();
    Step::Request(Box::new(Request { thread: place::thread(post, settings), call: Call::Edit(id, message) }))
}

/// The message, with its mentions unless it is one that was posted again, or is about the end.
fn message(post: &DuePost, settings: &TrackSettings, images: &ProfileImages) -> Message {
    let is_repeat = post.lost_answers > 0 && settings.on_uncertain != Some(OnUncertain::Repost);
    let is_plain = is_repeat || post.kind == PostKind::End;
    let mut broadcast = Broadcast::from(post);
    if settings.shows_avatar() {
        broadcast.avatar_url = Some(images.get(post.twitch_id.as_str())).filter(|url| !url.is_empty());
    }
    let message = card::message(&broadcast, settings);
    match &settings.mentions {
        Some(mentions) if !is_plain => card::mention(message, mentions),
        _ => message,
    }
}

fn filtered(post: &DuePost) -> Filtered<'_> {
    Filtered {
        category_id: post.category_id.as_deref().unwrap_or_default(),
        category_name: post.category_name.as_deref().unwrap_or_default(),
        title: post.title.as_deref().unwrap_or_default(),
    }
}
