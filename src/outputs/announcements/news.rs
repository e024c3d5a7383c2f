//! The events of bots about their posts.

use super::attempt::Attempt;
use super::plan;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::events::{BotNews, MentionIneffective, NewBotEvent, PostNews};
use crate::store::tracking::outcomes::Outcome;
use crate::store::tracking::posts::{DuePost, LostPost, PostKind, PostState};

/// The events about what came of a request.
pub(super) fn bot_events(post: &DuePost, attempt: &Attempt) -> impl Iterator<Item = NewBotEvent> {
    delivery_event(post, &attempt.outcome).into_iter().chain(mention_event(post, attempt))
}

/// The event that Discord has not made all mentions of a new message.
fn mention_event(post: &DuePost, attempt: &Attempt) -> Option<NewBotEvent> {
    let (Outcome::Posted(posted, _), Some(unmentioned)) = (&attempt.outcome, &attempt.unmentioned) else { return None };
    let news = BotNews::MentionIneffective(MentionIneffective {
        delivery_id: post.id,
        channel_id: post.channel_id,
        twitch_id: post.twitch_id.to_string(),
        login: post.login.clone(),
        message_id: posted.map(|posted| posted.id),
        roles: unmentioned.roles.clone(),
        everyone: unmentioned.everyone,
    });
    Some(NewBotEvent { bot_id: post.bot_id, guild_id: post.guild_id, news })
}

/// The event about what became of a message, if there is one.
fn delivery_event(post: &DuePost, outcome: &Outcome) -> Option<NewBotEvent> {
    Some(match outcome {
        Outcome::Posted(posted, _) => {
            let created = posted.map_or_else(
                || post.clone(),
                |posted| DuePost {
                    message_id: Some(posted.id),
                    posted_channel_id: Some(posted.channel_id),
                    ..post.clone()
                },
            );
            let crosspost_requested = post.kind == PostKind::Start
                && plan::settings(post).is_some_and(|settings| settings.crosspost == Some(true));
            post_event(&created, created.message_id, None, |news| {
                BotNews::PostCreated(PostNews { crosspost_requested, ..news })
            })
        }
        Outcome::Edited(_, true) if !post.is_end_shown => post_event(post, post.message_id, None, BotNews::PostEnded),
        Outcome::Edited(..) => post_event(post, post.message_id, None, BotNews::PostUpdated),
        // The message was deleted because the stream has ended; else there would be a reason.
        Outcome::Ended(PostState::Dismissed, None) => post_event(post, post.message_id, None, BotNews::PostEnded),
        Outcome::Lost(_, problem) => post_event(post, None, Some(problem), BotNews::DeliveryUncertain),
        Outcome::Ended(PostState::Failed, problem) => post_event(post, None, problem.as_ref(), BotNews::DeliveryFailed),
        _ => return None,
    })
}

/// The event about a post whose server ended while it called Discord.
pub(super) fn lost_event(post: &LostPost) -> NewBotEvent {
    let news = BotNews::DeliveryUncertain(PostNews {
        delivery_id: post.id,
        channel_id: post.channel_id,
        twitch_id: post.twitch_id.to_string(),
        login: post.login.clone(),
        stream_id: post.stream_id.to_string(),
        kind: post.kind,
        message_id: post.message_id,
        posted_channel_id: post.posted_channel_id,
        crosspost_requested: false,
        problem: None,
    });
    NewBotEvent { bot_id: post.bot_id, guild_id: post.guild_id, news }
}

/// An event about a post.
fn post_event(
    post: &DuePost,
    message_id: Option<Snowflake>,
    problem: Option<&String>,
    kind: impl FnOnce(PostNews) -> BotNews,
) -> NewBotEvent {
    let news = kind(PostNews {
        delivery_id: post.id,
        channel_id: post.channel_id,
        twitch_id: post.twitch_id.to_string(),
        login: post.login.clone(),
        stream_id: post.stream_id.to_string(),
        kind: post.kind,
        message_id,
        posted_channel_id: post.posted_channel_id,
        crosspost_requested: false,
        problem: problem.map(|problem| problem.replace('\0', "")),
    });
    NewBotEvent { bot_id: post.bot_id, guild_id: post.guild_id, news }
}
