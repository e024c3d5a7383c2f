//! Does one action at Twitch, and judges what came of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use time::OffsetDateTime;

use super::QUERY_TIMEOUT;
use super::attempt::{Again, Attempt};
use super::consent::{self, Authority};
use super::limits::Bucket;
use super::receivers::Receivers;
use super::step::{self, Pin, Step};
use super::target::{self, TargetError};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::credentials::application::Application;
use crate::http::RetryPolicy;
use crate::services::Services;
use crate::store::actions::ActionClass;
use crate::store::actions::execute::DueAction;
use crate::store::within;
use crate::twitch::helix::channel::{Category, ChannelChange};
use crate::twitch::helix::chat::{NewChatMessage, SentChatMessage};
use crate::twitch::helix::{Applied, Certainty, Helix, HelixError, RefusalKind};
use crate::twitch::id::UserId;

/// Time limit of a call.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls are repeated by the executor alone, which knows what may be, and does not hold up others while it waits.
const POLICY: RetryPolicy =
    RetryPolicy { timeout: CALL_TIMEOUT, retries: 0, backoff: BACKOFF, rate_limit_wait: Duration::ZERO };

/// Between two attempts.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) };

/// Twitch makes a clip [within this time, or not at all](https://dev.twitch.tv/docs/api/reference/#create-clip).
const CLIP_TIMEOUT: i64 = 15;

/// Pause between two looks for a clip.
const CLIP_PAUSE: Duration = Duration::from_secs(1);

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
enum ActError {
    #[error(transparent)]
    Helix(#[from] HelixError),
    #[error("{0}")]
    Refused(String),
    #[error("the tokens can't be read: {0}")]
    Database(#[from] sqlx::Error),
}

/// Calls Twitch in the names of those who act.
pub struct Actor {
    application: Application,
    pool: PgPool,
    clock: Clock,
    receivers: Receivers,
    /// By the user, or `None` for the application; messages have a rate limit of their own.
    clients: Mutex<HashMap<(Option<UserId>, bool), Helix>>,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").finish_non_exhaustive()
    }
}

impl Actor {
    /// Acts with the tokens of this application.
    #[must_use]
    pub fn new(services: &Services, application: &Application) -> Arc<Self> {
        Arc::new(Self {
            application: application.clone(),
            pool: services.pool.clone(),
            clock: services.clock.clone(),
            receivers: Receivers::new(services),
            clients: Mutex::default(),
        })
    }

    /// Does an action once.
    pub async fn attempt(&self, due: &DueAction) -> Attempt {
        let step = match Step::of(&due.kind, &due.params) {
            Ok(step) => step,
            Err(error) => return Attempt::Failed(format!("this version can't do it: {error}")),
        };
        match (&step, &due.result) {
            (Step::Webhook(webhook), _) => return self.receivers.send(webhook, due).await,
            (Step::Clip(_), Some(made)) => return self.look_for_clip(due, made).await,
            _ if due.target.is_none() && step.target().is_some() => return self.look_up_target(&step, due).await,
            _ => {}
        }
        match self.act(&step, due).await {
            Ok(attempt) => attempt,
            Err(error) => self.judge(&step, due, error).await,
        }
    }

    /// Calls Twitch, and once more if it is unavailable. The database is asked once: if it failed between the two calls, its error
    /// would hide that the first one may have happened.
    async fn act(&self, step: &Step, due: &DueAction) -> Result<Attempt, ActError> {
        let authorizing = within(QUERY_TIMEOUT, async {
            let mut connection = self.pool.acquire().await?;
            consent::authorize(&mut connection, step, &due.channel_id, &due.as_user).await
        });
        let authority = authorizing.await?.map_err(ActError::Refused)?;
        let helix = self.client(authority, &due.as_user, step.bucket() == Bucket::Chat);
        let outcome = self.call(&helix, step, due).await;
        if !is_unavailable(&outcome) {
            return outcome;
        }
        self.clock.sleep(BACKOFF.first).await;
        self.call(&helix, step, due).await
    }

    async fn call(&self, helix: &Helix, step: &Step, due: &DueAction) -> Result<Attempt, ActError> {
        match step {
            Step::Say(text) => Ok(sent(helix.send_chat_message(&message(due, text, None)).await?)),
            Step::Reply(reply) => Ok(sent(send_reply(helix, due, reply).await?)),
            Step::Pin(Pin { text: Some(text), .. }) => {
                let new = NewChatMessage { pin: Some(true), ..message(due, text, None) };
                Ok(sent(helix.send_chat_message(&new).await?))
            }
            _ if step.bucket() == Bucket::Moderation => moderate(helix, step, due).await,
            _ => change(helix, step, due, self.clock.now()).await,
        }
    }

    fn client(&self, authority: Authority, as_user: &UserId, is_chat: bool) -> Helix {
        let Application { helix, tokens, app_tokens, .. } = &self.application;
        let user = (authority == Authority::User).then(|| as_user.clone());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let token = match &user {
                Some(user) => tokens.shared_user(user.as_str()),
                None => app_tokens.clone(),
            };
            helix.as_user(token, POLICY)
        };
        clients.entry((user.clone(), is_chat)).or_insert_with(new).clone()
    }

    /// Looks up the user that a login names, before the limits are asked: some are for each user.
    async fn look_up_target(&self, step: &Step, due: &DueAction) -> Attempt {
        match target::resolve(&self.application.helix, step).await {
            Ok(Some(user)) => Attempt::Resolved(user),
            Ok(None) => Attempt::Failed("it names no user".to_owned()),
            Err(TargetError::Step(error)) => Attempt::Failed(error.to_string()),
            Err(TargetError::Twitch(error)) if error.certainty() == Certainty::Refused => {
                Attempt::Failed(words(&error))
            }
            Err(TargetError::Twitch(error)) => self.again(due, until(&error), error.to_string()),
        }
    }

    fn again(&self, due: &DueAction, not_before: Option<OffsetDateTime>, problem: String) -> Attempt {
        let failures = u32::try_from(due.attempts).unwrap_or(0) + 1;
        let at = self.clock.now() + BACKOFF.pause(failures);
        let at = not_before.map_or(at, |not_before| not_before.max(at));
        Attempt::Again(Again { at, problem: Some(problem), result: None })
    }

    async fn look_for_clip(&self, due: &DueAction, made: &Value) -> Attempt {
        let text = |field: &str| made.get(field).and_then(Value::as_str).unwrap_or_default();
        let again = |problem| Attempt::Again(Again { at: self.clock.now() + CLIP_PAUSE, problem, result: None });
        let made_at = made.get("made_at").and_then(Value::as_i64).unwrap_or_default();
        let is_over = || self.clock.now().unix_timestamp() > made_at + CLIP_TIMEOUT;
        match self.client(Authority::User, &due.as_user, false).clip(text("id")).await {
            Ok(Some(clip)) => Attempt::Done(json!({
                "id": clip.id,
                "url": clip.url,
                "embed_url": clip.embed_url,
                "edit_url": text("edit_url"),
            })),
            Ok(None) if is_over() => Attempt::Failed(format!("Twitch has not made the clip within {CLIP_TIMEOUT} s")),
            Ok(None) => again(None),
            Err(error) if is_over() => Attempt::Uncertain(format!("Twitch was asked for the clip, but: {error}")),
            Err(error) => again(Some(error.to_string())),
        }
    }

    /// What an error means for this action.
    async fn judge(&self, step: &Step, due: &DueAction, error: ActError) -> Attempt {
        let error = match error {
            ActError::Refused(problem) => return Attempt::Failed(problem),
            ActError::Database(error) => return self.again(due, None, error.to_string()),
            ActError::Helix(error) => error,
        };
        let problem = words(&error);
        match (error.certainty(), due.class) {
            (Certainty::NotDone, _) => self.again(due, until(&error), problem),
            (Certainty::Unavailable | Certainty::Unknown, ActionClass::Once) => Attempt::Uncertain(problem),
            (Certainty::Unavailable | Certainty::Unknown, _) => self.again(due, None, problem),
            (Certainty::Refused, _) if is_about_consent(&error) => {
                let scope = step.scopes().last().copied().unwrap_or_default();
                let missing = within(QUERY_TIMEOUT, async {
                    consent::missing(&mut *self.pool.acquire().await?, scope, &due.as_user).await
                });
                let missing = missing.await.unwrap_or_else(|_| "consent: it is missing".to_owned());
                Attempt::Failed(format!("{missing} ({problem})"))
            }
            (Certainty::Refused, _) => Attempt::Failed(problem),
        }
    }
}

/// Whether Twitch advises to try again at once.
fn is_unavailable(outcome: &Result<Attempt, ActError>) -> bool {
    matches!(outcome, Err(ActError::Helix(error)) if error.certainty() == Certainty::Unavailable)
}

fn is_about_consent(error: &HelixError) -> bool {
    matches!(error, HelixError::Token { .. }) || error.refusal() == Some(RefusalKind::TokenRefused)
}

fn until(error: &HelixError) -> Option<OffsetDateTime> {
    match error {
        HelixError::RateLimited { until, .. } => Some(*until),
        _ => None,
    }
}

/// An error without advice that is about subscriptions.
fn words(error: &HelixError) -> String {
    match error {
        HelixError::Refused(refusal) => {
            format!("Twitch refused to {}: {} ({})", refusal.call, refusal.message, refusal.status)
        }
        error => error.to_string(),
    }
}

fn message<'a>(due: &'a DueAction, text: &'a str, reply_to: Option<&'a str>) -> NewChatMessage<'a> {
    NewChatMessage {
        broadcaster_id: &due.channel_id,
        sender_id: &due.as_user,
        message: text,
        reply_parent_message_id: reply_to,
        pin: None,
    }
}

/// If the message is gone that a reply is for, its text is still worth saying.
async fn send_reply(helix: &Helix, due: &DueAction, reply: &step::Reply) -> Result<SentChatMessage, HelixError> {
    let replied = helix.send_chat_message(&message(due, &reply.text, Some(&reply.message_id))).await;
    match replied {
        Err(HelixError::Refused(refusal)) if refusal.message.contains("cannot be replied to") => {
            helix.send_chat_message(&message(due, &reply.text, None)).await
        }
        replied => replied,
    }
}

fn sent(sent: SentChatMessage) -> Attempt {
    if sent.is_sent {
        return Attempt::Done(json!({ "message_id": sent.message_id }));
    }
    let reason = sent.drop_reason.unwrap_or_default();
    let words = reason.message.unwrap_or_else(|| "Twitch gave no reason".to_owned());
    Attempt::Dropped(reason.code, words)
}

fn applied(applied: Applied) -> Attempt {
    Attempt::Done(json!({ "was_so": applied == Applied::Already }))
}

fn target(due: &DueAction) -> Result<&UserId, ActError> {
    due.target.as_ref().ok_or_else(|| ActError::Refused("it names no user".to_owned()))
}

async fn moderate(helix: &Helix, step: &Step, due: &DueAction) -> Result<Attempt, ActError> {
    let place = (&due.channel_id, &due.as_user);
    let done = match step {
        Step::Delete(message) => helix.delete_chat_messages(place, Some(&message.message_id)).await?,
        Step::Clear(_) => helix.delete_chat_messages(place, None).await?,
        Step::Timeout(it) => helix.ban(place, target(due)?, Some(it.seconds), it.reason.as_deref()).await?,
        Step::Ban(it) => helix.ban(place, target(due)?, None, it.reason.as_deref()).await?,
        Step::Unban(_) => helix.unban(place, target(due)?).await?,
        Step::Pin(it) => helix.pin(place, it.message_id.as_deref().unwrap_or_default(), it.seconds).await?,
        Step::Unpin(it) => helix.unpin(place, &it.message_id).await?,
        Step::Warn(it) => helix.warn(place, target(due)?, &it.reason).await.map(|()| Applied::Now)?,
        Step::Settings(it) => helix.change_chat_settings(place, it).await.map(|()| Applied::Now)?,
        Step::Shield(is_active) => helix.set_shield_mode(place, *is_active).await.map(|()| Applied::Now)?,
        _ => return Err(ActError::Refused("it is no moderation".to_owned())),
    };
    Ok(applied(done))
}

async fn change(helix: &Helix, step: &Step, due: &DueAction, now: OffsetDateTime) -> Result<Attempt, ActError> {
    let (channel, place) = (&due.channel_id, (&due.channel_id, &due.as_user));
    let nothing = |()| Attempt::Done(json!({}));
    Ok(match step {
        Step::Announce(it) => helix.announce(place, &it.text, it.color).await.map(nothing)?,
        Step::Whisper(it) => helix.whisper(&due.as_user, target(due)?, &it.text).await.map(nothing)?,
        Step::Shoutout(_) => helix.shout_out(place, target(due)?).await.map(nothing)?,
        Step::Title(title) => {
            let change = ChannelChange { title: Some(title), ..ChannelChange::default() };
            helix.change_channel(channel, &change).await.map(nothing)?
        }
        Step::Tags(tags) => {
            let change = ChannelChange { tags: Some(tags), ..ChannelChange::default() };
            helix.change_channel(channel, &change).await.map(nothing)?
        }
        Step::Game(name) => {
            let Category { id, name } = category(helix, name).await?;
            let change = ChannelChange { game_id: Some(&id), ..ChannelChange::default() };
            helix.change_channel(channel, &change).await?;
            Attempt::Done(json!({ "game_id": id, "game_name": name }))
        }
        Step::Clip(it) => {
            let made = helix.create_clip(channel, it.title.as_deref(), it.seconds).await?;
            let result = json!({ "id": made.id, "edit_url": made.edit_url, "made_at": now.unix_timestamp() });
            Attempt::Again(Again { at: now + CLIP_PAUSE, problem: None, result: Some(result) })
        }
        Step::Marker(it) => {
            let marker = helix.create_marker(channel, it.description.as_deref()).await?;
            Attempt::Done(json!({ "id": marker.id, "position_seconds": marker.position_seconds }))
        }
        Step::Ad(it) => {
            let started = helix.start_commercial(channel, it.seconds).await?;
            Attempt::Done(json!({ "seconds": started.length, "retry_after": started.retry_after }))
        }
        Step::Vip(_) => applied(helix.add_vip(channel, target(due)?).await?),
        Step::Unvip(_) => applied(helix.remove_vip(channel, target(due)?).await?),
        _ => return Err(ActError::Refused("it changes nothing".to_owned())),
    })
}

/// The category of this name, in any case; or else which names are like it.
async fn category(helix: &Helix, name: &str) -> Result<Category, ActError> {
    if name.is_empty() {
        return Ok(Category { id: String::new(), name: String::new() });
    }
    if let Some(category) = helix.category(name).await? {
        return Ok(category);
    }
    let mut found = helix.search_categories(name).await?;
    let lower = name.to_lowercase();
    if let Some(place) = found.iter().position(|category| category.name.to_lowercase() == lower) {
        return Ok(found.swap_remove(place));
    }
    let names: Vec<_> = found.iter().take(3).map(|category| format!("`{}`", category.name)).collect();
    let proposal = if names.is_empty() { String::new() } else { format!("; there is {}", names.join(", ")) };
    Err(ActError::Refused(format!("Twitch knows no category `{name}`{proposal}")))
}
