//! What came of posts, in the table `post`.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::posts::PostState;
use crate::discord::message::Posted;

/// What came of a post that was due.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Discord has the message that it names, if its answer could be read, which shows this revision.
    Posted(Option<Posted>, i32),
    /// The message shows this revision, and whether that is one in which the broadcast has ended.
    Edited(i32, bool),
    /// The message stays as it is at this revision.
    Kept(i32),
    /// Discord refuses to show this revision.
    EditRefused(i32, String),
    /// It is due at this time, and nothing has failed.
    Later(OffsetDateTime),
    /// Nothing was done: it is due again at this time.
    Retry(OffsetDateTime, String),
    /// Nothing was done, because Discord refuses the name of a new message: it is due again at once, without the name.
    NameRefused,
    /// The answer to a new message was lost: it is due again at this time.
    Lost(OffsetDateTime, String),
    /// It has ended.
    Ended(PostState, Option<String>),
    /// The message of this post, which is about the broadcast before, is about this one now, and is to be edited.
    Continued(i64),
    /// The message that was posted again is not there any more.
    RepostDeleted,
    /// The message that the bot has named is not there: the one that was posted again is kept.
    NamedNotFound(String),
}

/// What changes of a post.
struct Change {
    state: PostState,
    message: Option<Posted>,
    revision: Option<i32>,
    next_at: Option<OffsetDateTime>,
    problem: Option<String>,
}

impl Change {
    fn of(outcome: &Outcome, now: OffsetDateTime) -> Self {
        let plain = |words: &String| Some(words.replace('\0', ""));
        let to = |state| Self { state, message: None, revision: None, next_at: None, problem: None };
        match outcome {
            Outcome::Posted(posted, shown) => {
                Self { message: *posted, revision: Some(*shown), ..to(PostState::Posted) }
            }
            Outcome::Edited(shown, _) | Outcome::Kept(shown) => {
                Self { revision: Some(*shown), ..to(PostState::Posted) }
            }
            Outcome::EditRefused(refused, words) => {
                Self { revision: Some(*refused), problem: plain(words), ..to(PostState::Posted) }
            }
            // Pending stands for the state that it has, or had before Discord was called.
            Outcome::Later(at) => Self { next_at: Some(*at), ..to(PostState::Pending) },
            Outcome::NameRefused => Self { next_at: Some(now), ..to(PostState::Pending) },
            Outcome::Retry(at, words) | Outcome::Lost(at, words) => {
                Self { next_at: Some(*at), problem: plain(words), ..to(PostState::Pending) }
            }
            Outcome::Ended(state, words) => Self { problem: words.as_ref().and_then(plain), ..to(*state) },
            Outcome::Continued(_) | Outcome::RepostDeleted | Outcome::NamedNotFound(_) => to(PostState::Posted),
        }
    }
}

/// Records what came of a post whose number of attempts is this one. If it shows all that is to be said, it is due again at
/// `again_at`. False if another server took it over since.
///
/// # Errors
/// If the database fails.
pub async fn settle(
    db: impl PgExecutor<'_>,
    (id, attempts): (i64, i32),
    outcome: &Outcome,
    again_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    match outcome {
        Outcome::Continued(earlier) => return go_on(db, (id, attempts), *earlier, now).await,
        Outcome::RepostDeleted => return delete_repost(db, (id, attempts), now).await,
        Outcome::NamedNotFound(words) => return restore(db, (id, attempts), &words.replace('\0', ""), now).await,
        _ => {}
    }
    let Change { state, message, revision, next_at, problem } = Change::of(outcome, now);
    let is_lost = matches!(outcome, Outcome::Lost(..));
    let is_name_refused = matches!(outcome, Outcome::NameRefused);
    let is_end_shown = if let Outcome::Edited(_, is_end) = outcome { Some(*is_end) } else { None };
    let settled = sqlx::query!(
        "update post set
            state = case when $3 = 'pending' and post.state = 'posted' then 'posted'
                when post.state = 'sending' and message_id is not null then 'posted' else $3 end,
            -- The bot may have named another one meanwhile.
            message_id = coalesce(message_id, $4),
            extra_message_id = case when message_id <> $4 then $4 else extra_message_id end,
            posted_channel_id = case when post.state = 'sending' and message_id is not null then posted_channel_id
                else coalesce($11, posted_channel_id) end,
            posted_at = case when $3 = 'posted' then coalesce(posted_at, $8) else posted_at end,
            edited_at = case when $10::boolean is not null then $8::timestamptz else edited_at end,
            is_end_shown = coalesce($10, is_end_shown),
            have_revision = case when post.state = 'sending' and message_id is not null then 0
                else coalesce($5, have_revision) end,
            lost_answers = lost_answers + case when $9 then 1 else 0 end,
            is_name_refused = is_name_refused or $13,
            failures = case when $7::text is null then 0 when $6::timestamptz is null then failures else failures + 1 end,
            problem = $7,
            next_at = case
                when post.state = 'sending' and message_id is not null then $8
                when $3 <> 'posted' then $6
                when a.revision <= $5 and extra_message_id is not null then $8
                when a.revision <= $5 then $12
                when a.ended_at is not null then $8
                else $8::timestamptz + interval '60 seconds'
            end
        from announcement a
        where post.id = $1 and post.attempts = $2 and a.stream_id = post.stream_id
            and post.state in ('pending', 'sending', 'posted')",
        id,
        attempts,
        state as PostState,
        message.map(|posted| posted.id.0),
        revision,
        next_at,
        problem,
        now,
        is_lost,
        is_end_shown,
        message.map(|posted| posted.channel_id.0),
        again_at,
        is_name_refused
    );
    Ok(settled.execute(db).await?.rows_affected() > 0)
}

/// Takes the message over from the post about the broadcast before, which is told of no more.
async fn go_on(
    db: impl PgExecutor<'_>,
    (id, attempts): (i64, i32),
    earlier: i64,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let gone_on = sqlx::query!(
        "with earlier as (select * from post where id = $3 and state = 'posted' for no key update),
        given as (
            update post set state = 'skipped', extra_message_id = null, lost_answers = 0, next_at = null,
                problem = 'the message goes on with the next stream'
            from earlier where post.id = earlier.id
        )
        update post set state = 'posted', message_id = earlier.message_id, extra_message_id = earlier.extra_message_id,
            posted_channel_id = earlier.posted_channel_id, posted_at = earlier.posted_at, edited_at = earlier.edited_at,
            is_end_shown = earlier.is_end_shown, lost_answers = earlier.lost_answers,
            began_at = coalesce(earlier.began_at, a.started_at), have_revision = 0, next_at = $4
        from earlier join announcement a on a.stream_id = earlier.stream_id
        where post.id = $1 and post.attempts = $2 and post.state = 'pending'",
        id,
        attempts,
        earlier,
        now
    );
    Ok(gone_on.execute(db).await?.rows_affected() > 0)
}

/// The message that was posted again is not there any more: what is to be done about the first one is looked at again.
async fn delete_repost(db: impl PgExecutor<'_>, (id, attempts): (i64, i32), now: OffsetDateTime) -> sqlx::Result<bool> {
    let deleted = sqlx::query!(
        "update post set extra_message_id = null, failures = 0, next_at = $3
        where id = $1 and attempts = $2 and state = 'posted'",
        id,
        attempts,
        now
    );
    Ok(deleted.execute(db).await?.rows_affected() > 0)
}

/// Goes back to the message that was posted again.
async fn restore(
    db: impl PgExecutor<'_>,
    (id, attempts): (i64, i32),
    problem: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    let restored = sqlx::query!(
        "update post set message_id = extra_message_id, extra_message_id = null, lost_answers = 1,
            failures = 0, problem = $3, next_at = $4
        where id = $1 and attempts = $2 and state = 'posted'",
        id,
        attempts,
        problem,
        now
    );
    Ok(restored.execute(db).await?.rows_affected() > 0)
}

/// Adds the message about the end of the broadcast that this post is about, unless there is one: it is due at this time. The lease
/// of the destination has to be given up afterwards.
///
/// # Errors
/// If the database fails.
pub async fn add_end(db: impl PgExecutor<'_>, id: i64, at: OffsetDateTime) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into post (stream_id, destination_id, kind, posted_channel_id, began_at, wanted_at, next_at)
        select stream_id, destination_id, 'end', posted_channel_id, began_at, $2, $2 from post where id = $1
        on conflict (stream_id, destination_id, kind) do update set state = 'pending', wanted_at = excluded.wanted_at,
            posted_channel_id = excluded.posted_channel_id, began_at = excluded.began_at,
            next_at = excluded.next_at, message_id = null, have_revision = 0, lost_answers = 0, failures = 0, problem = null
        where post.state in ('pending', 'expired')",
        id,
        at
    )
    .execute(db)
    .await?;
    Ok(())
}
