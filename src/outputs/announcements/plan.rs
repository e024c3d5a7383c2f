//! What is done about a post that is due.

use time::{Duration, OffsetDateTime};

use super::thread;
use crate::credentials::profile_images::ProfileImages;
use crate::discord::message::Message;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::outcomes::Outcome;
use crate::store::tracking::posts::{DuePost, PostKind, PostState};
use crate::tracking::appearance::Picture;
use crate::tracking::broadcast::Broadcast;
use crate::tracking::filter::Filtered;
use crate::tracking::settings::{OnEnd, OnUncertain, OnUpdate, TrackSettings};
use crate::tracking::{card, forum};

/// The message about the end is not posted later than this after its time.
const END_LATENESS: Duration = Duration::HOUR;

/// A broadcast goes on if the next stream begins within this time after the end.
const GRACE: Duration = Duration::minutes(15);

/// The picture of a stream is made so long after its begin, and that of its video so long after its end.
pub(super) const PICTURE_DELAY: Duration = Duration::minutes(3);

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
    DeleteRepost(Snowflake),
}

/// What to do about a post: call Discord, or record what has come of it already.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Request(Box<Request>),
    Settle(Outcome),
}

/// What follows from what came of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FollowUp {
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

/// What follows from what came of a request: the message about the end comes when the first one says that it is over, and a message
/// whose picture is not made yet is edited once more.
pub(super) fn follow_up(post: &DuePost, outcome: &Outcome, now: OffsetDateTime) -> FollowUp {
    let Some(settings) = settings(post) else { return FollowUp::default() };
    let is_shown = matches!(outcome, Outcome::Posted(..) | Outcome::Edited(..));
    let end_at = post.ended_at.filter(|_| {
        let is_end = matches!(outcome, Outcome::Edited(_, true));
        post.kind == PostKind::Start && is_end && settings.on_end == Some(OnEnd::Post)
    });
    let again_at = match post.kind {
        PostKind::Start => picture_at(post, &settings).filter(|at| *at > now),
        PostKind::End => post.ended_at.and_then(|ended_at| delete_end_at(ended_at, &settings)),
    };
    FollowUp { again_at: again_at.filter(|_| is_shown), end_at: end_at.map(|ended_at| ended_at + grace(&settings)) }
}

/// How long after its end a broadcast may go on in the same message.
fn grace(settings: &TrackSettings) -> Duration {
    settings.offline_grace.map_or(GRACE, |minutes| Duration::minutes(minutes.into()))
}

/// The post whose message goes on with this broadcast, since the one before ended shortly before it.
fn continued(post: &DuePost, settings: &TrackSettings) -> Option<i64> {
    let (earlier, ended_at) = post.earlier_post_id.zip(post.earlier_ended_at)?;
    let is_soon = settings.offline_grace.is_some() && post.started_at - ended_at <= grace(settings);
    (is_soon && post.lost_answers == 0).then_some(earlier)
}

/// When the picture of a message about the start is made, if it shows one that is not made at once.
fn picture_at(post: &DuePost, settings: &TrackSettings) -> Option<OffsetDateTime> {
    let is_kept = match post.ended_at {
        None => settings.on_update == Some(OnUpdate::Ignore),
        Some(_) => settings.on_end == Some(OnEnd::Leave),
    };
    let is_shown = settings.embed != Some(false) && settings.picture == Some(Picture::Preview);
    (is_shown && !is_kept && post.kind == PostKind::Start)
        .then_some(post.ended_at.unwrap_or(post.started_at) + PICTURE_DELAY)
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
    if let Some(earlier) = continued(post, settings) {
        return Step::Settle(Outcome::Continued(earlier));
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
    let message = message(post, settings, images, now);
    let is_silent = is_repeat && settings.on_uncertain.unwrap_or_default() == OnUncertain::SilentRepost;
    let message = if is_silent || settings.silent == Some(true) { message.silent() } else { message };
    let message = forum::begin(message, &Broadcast::from(post), settings);
    Step::Request(Box::new(Request { thread: settings.thread_id, call: Call::Post(message) }))
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
    let due_at = ended_at + grace(settings);
    if due_at > now {
        return Step::Settle(Outcome::Later(due_at));
    }
    if due_at + END_LATENESS <= now || delete_end_at(ended_at, settings).is_some_and(|at| at <= now) {
        return expired;
    }
    uncertain(post, settings).unwrap_or_else(|| {
        let (thread, message) = (thread::of_post(post, settings), message(post, settings, images, now).silent());
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
    settings.delete_after.map(|minutes| ended_at + grace(settings) + Duration::minutes(minutes.into()))
}

/// When the message is deleted, if that is what becomes of it.
fn delete_at(post: &DuePost, settings: &TrackSettings) -> Option<OffsetDateTime> {
    match (post.kind, post.ended_at) {
        // It has said that it is over, and it goes on.
        (PostKind::End, None) => Some(OffsetDateTime::UNIX_EPOCH),
        (PostKind::End, Some(ended_at)) => delete_end_at(ended_at, settings),
        (PostKind::Start, Some(ended_at)) if settings.on_end == Some(OnEnd::Delete) => {
            let after = settings.delete_after.map(|minutes| Duration::minutes(minutes.into()));
            Some(ended_at + after.unwrap_or_default().max(grace(settings)))
        }
        (PostKind::Start, _) => None,
    }
}

/// Whether a message shows a picture from before there was one.
fn is_picture_stale(post: &DuePost, settings: &TrackSettings, images: &ProfileImages, now: OffsetDateTime) -> bool {
    let shown_at = post.edited_at.max(post.posted_at);
    picture_at(post, settings).zip(shown_at).is_some_and(|(at, shown_at)| shown_at < at && at <= now)
        && broadcast(post, settings, images, now).thumbnail_url().is_some()
}

fn plan_edit(post: &DuePost, settings: &TrackSettings, images: &ProfileImages, now: OffsetDateTime) -> Step {
    let kept = Step::Settle(Outcome::Kept(post.revision));
    let Some(id) = post.message_id else { return kept };
    // The message that the bot has found is edited first, which shows that it is there.
    let is_found = post.have_revision > 0;
    match post.extra_message_id {
        Some(extra) if is_found => {
            return Step::Request(Box::new(Request {
                thread: thread::of_message(Some(extra), settings),
                call: Call::DeleteRepost(extra),
            }));
        }
        Some(_) => return edit(post, settings, (images, now), id),
        None => {}
    }
    let is_current = post.have_revision >= post.revision;
    match delete_at(post, settings) {
        Some(at) if at <= now => {
            return Step::Request(Box::new(Request {
                thread: thread::of_post(post, settings),
                call: Call::Delete(id),
            }));
        }
        Some(at) if is_current || post.kind == PostKind::Start => return Step::Settle(Outcome::Later(at)),
        _ => {}
    }
    let told_at = post.ended_at.filter(|_| settings.offline_grace.is_some()).map(|ended_at| ended_at + grace(settings));
    if let Some(told_at) = told_at.filter(|at| *at > now && !is_current) {
        return Step::Settle(Outcome::Later(told_at));
    }
    match post.ended_at {
        _ if is_current && is_picture_stale(post, settings, images, now) => edit(post, settings, (images, now), id),
        // It was looked at for another reason.
        _ if is_current => match picture_at(post, settings).filter(|at| *at > now) {
            Some(at) => Step::Settle(Outcome::Later(at)),
            None => kept,
        },
        Some(_) if settings.on_end == Some(OnEnd::Leave) => kept,
        // What says that the stream has ended is edited if it goes on.
        None if settings.on_update == Some(OnUpdate::Ignore) && !post.is_end_shown => kept,
        _ => edit(post, settings, (images, now), id),
    }
}

fn edit(
    post: &DuePost,
    settings: &TrackSettings,
    (images, now): (&ProfileImages, OffsetDateTime),
    id: Snowflake,
) -> Step {
    let message = message(post, settings, images, now).edit();
    Step::Request(Box::new(Request { thread: thread::of_post(post, settings), call: Call::Edit(id, message) }))
}

/// The message, with its mentions unless it is one that was posted again, or is about the end.
fn message(post: &DuePost, settings: &TrackSettings, images: &ProfileImages, now: OffsetDateTime) -> Message {
    let is_repeat = post.lost_answers > 0 && settings.on_uncertain != Some(OnUncertain::Repost);
    let is_plain = is_repeat || post.kind == PostKind::End;
    let mentions = settings.mentions.as_ref().filter(|_| !is_plain);
    let message = card::message(&broadcast(post, settings, images, now), settings, mentions);
    if post.is_name_refused { message.unnamed() } else { message }
}

/// What is known of the broadcast now, with the pictures of its channel that the track shows.
fn broadcast(post: &DuePost, settings: &TrackSettings, images: &ProfileImages, now: OffsetDateTime) -> Broadcast {
    let id = post.twitch_id.as_str();
    let known = |url: String| Some(url).filter(|url| !url.is_empty());
    let avatar_url = settings.shows_avatar().then(|| images.get(id)).and_then(known);
    let is_offline_shown = settings.picture == Some(Picture::Preview) && post.ended_at.is_some();
    let offline_picture_url = is_offline_shown.then(|| images.offline(id)).and_then(known);
    let minute = (now - post.started_at).whole_minutes();
    Broadcast { avatar_url, offline_picture_url, minute, ..Broadcast::from(post) }
}

fn filtered(post: &DuePost) -> Filtered<'_> {
    Filtered {
        category_id: post.category_id.as_deref().unwrap_or_default(),
        category_name: post.category_name.as_deref().unwrap_or_default(),
        title: post.title.as_deref().unwrap_or_default(),
    }
}
