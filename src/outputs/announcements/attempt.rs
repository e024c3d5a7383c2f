//! Makes one request, and judges what came of it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::plan::{Call, Request};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::config::Config;
use crate::credentials::vault::Vault;
use crate::discord::client::{Discord, Reply, WebhookKey};
use crate::discord::error::{DiscordError, Refusal};
use crate::discord::message::{Created, Posted, Unmentioned};
use crate::services::Services;
use crate::store::tracking::destinations::Loss;
use crate::store::tracking::outcomes::Outcome;
use crate::store::tracking::posts::{DuePost, PostKind, PostState};
use crate::tracking::shared_budget::SharedBudget;
use crate::tracking::webhooks;

/// Time limit of a request.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two attempts.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(60) };

/// A request that is not sent within this time after it was claimed is given up, as another server may take it over.
const SEND_LIMIT: time::Duration = time::Duration::seconds(20);

/// How long after Discord said that a webhook is gone it is asked again.
const CONFIRM_PAUSE: Duration = Duration::from_secs(5);

/// After so many failures in a row, an answer that says nothing about a message is believed.
const MAX_FAILURES: i32 = 100;

/// What came of a request.
#[derive(Debug)]
pub(super) struct Attempt {
    /// What to record.
    pub(super) outcome: Outcome,
    /// How long Discord wants no request of this webhook.
    pub(super) pause: Option<Duration>,
    /// Discord's answers that were errors.
    pub(super) errors: Vec<DiscordError>,
    /// Whether the webhook can't be used any more, and why.
    pub(super) lost: Option<(Loss, String)>,
    /// What the new message should mention, and does not.
    pub(super) unmentioned: Option<Unmentioned>,
}

impl Attempt {
    fn new(outcome: Outcome) -> Self {
        Self { outcome, pause: None, errors: Vec::new(), lost: None, unmentioned: None }
    }

    /// The same, with an answer that led to it.
    fn after(mut self, error: DiscordError) -> Self {
        self.pause = self.pause.max(error.pause());
        self.errors.push(error);
        self
    }
}

/// Calls Discord.
pub(super) struct Sender {
    discord: Discord,
    clock: Clock,
    config: Arc<Config>,
    vault: OnceLock<Vault>,
    budget: SharedBudget,
    stopping: CancellationToken,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl Sender {
    pub(super) fn new(services: &Services, stopping: CancellationToken) -> Self {
        Self {
            discord: Discord::new(&services.http, services.config.tracking.discord_url.clone(), CALL_TIMEOUT),
            clock: services.clock.clone(),
            config: Arc::clone(&services.config),
            vault: OnceLock::new(),
            // Requests of the API have connections of their own.
            budget: SharedBudget::new(services, services.follower_pool.clone()),
            stopping,
        }
    }

    /// Makes a request about a post that was claimed at this time: one, and a second one to ask whether the webhook is gone.
    pub(super) async fn attempt(&self, post: &DuePost, request: &Request, claimed_at: OffsetDateTime) -> Attempt {
        let key = match self.open(post) {
            Ok(key) => key,
            Err(problem) => return Attempt::new(self.retry(post, problem)),
        };
        if self.clock.now() - claimed_at > SEND_LIMIT {
            return Attempt::new(self.retry(post, "the server was too slow to send it".to_owned()));
        }
        let thread = request.thread;
        let error = match &request.call {
            Call::Post(message) => match self.discord.post(&key, thread, message).await {
                Ok(reply) => {
                    let unmentioned = reply.value.as_ref().and_then(|created| created.unmentioned(message));
                    return Attempt { unmentioned, ..self.posted(post, request, &reply) };
                }
                Err(error) => error,
            },
            Call::Edit(id, message) => match self.discord.edit(&key, (*id, thread), message).await {
                Ok(reply) => return self.edited(post, &reply),
                Err(error) => error,
            },
            Call::Delete(id) => match self.discord.delete(&key, (*id, thread)).await {
                Ok(reply) => return Attempt { pause: reply.pause, ..Attempt::new(deleted(post)) },
                Err(error) => error,
            },
            Call::DeleteRepost(id) => match self.discord.delete(&key, (*id, thread)).await {
                Ok(reply) => return Attempt { pause: reply.pause, ..Attempt::new(Outcome::RepostDeleted) },
                Err(error) => error,
            },
        };
        self.judge(post, request, &key, error).await
    }

    fn open(&self, post: &DuePost) -> Result<WebhookKey, String> {
        let vault = match self.vault.get() {
            Some(vault) => vault,
            None => {
                let opened = Vault::open_for(&self.config).map_err(|error| error.to_string())?;
                self.vault.get_or_init(|| opened)
            }
        };
        webhooks::open(vault, post.webhook_id, &post.token_sealed).map_err(|error| error.to_string())
    }

    fn posted(&self, post: &DuePost, request: &Request, reply: &Reply<Created>) -> Attempt {
        let posted = reply.value.as_ref().map(Created::posted);
        Attempt {
            pause: reply.pause,
            lost: posted.and_then(|posted| moved(post, request, posted)),
            ..Attempt::new(Outcome::Posted(posted, post.revision))
        }
    }

    fn edited(&self, post: &DuePost, reply: &Reply<Posted>) -> Attempt {
        let outcome = Outcome::Edited(post.revision, post.ended_at.is_some());
        Attempt { pause: reply.pause, ..Attempt::new(outcome) }
    }

    fn retry(&self, post: &DuePost, problem: String) -> Outcome {
        Outcome::Retry(self.clock.now() + self.backoff(post), problem)
    }

    fn backoff(&self, post: &DuePost) -> Duration {
        BACKOFF.pause(u32::try_from(post.failures).unwrap_or(0) + 1)
    }

    async fn judge(&self, post: &DuePost, request: &Request, key: &WebhookKey, error: DiscordError) -> Attempt {
        let words = error.to_string();
        let attempt = match &error {
            DiscordError::NotSent(_) => Attempt::new(self.retry(post, words)),
            DiscordError::Lost(_) if matches!(request.call, Call::Post(_)) => {
                Attempt::new(Outcome::Lost(self.clock.now() + self.backoff(post), words))
            }
            DiscordError::Lost(_) => Attempt::new(self.retry_or_give_up(post, request, words)),
            DiscordError::Limited(limited) => Attempt::new(Outcome::Retry(self.clock.now() + limited.wait, words)),
            DiscordError::Refused(refusal) if refusal.is_webhook_gone() => {
                self.confirm_loss(post, request, key, words).await
            }
            DiscordError::Refused(refusal) => Attempt::new(self.refused(post, request, refusal)),
        };
        attempt.after(error)
    }

    fn refused(&self, post: &DuePost, request: &Request, refusal: &Refusal) -> Outcome {
        let (is_named, words) = (post.extra_message_id.is_some(), refusal.explained());
        match &request.call {
            Call::Post(message) if refusal.is_of_name && message.username.is_some() => Outcome::NameRefused,
            Call::Edit(..) if refusal.is_message_gone() && is_named => Outcome::NamedNotFound(words),
            Call::Edit(..) | Call::Delete(_) if refusal.is_message_gone() => {
                Outcome::Ended(PostState::Dismissed, Some("the message was deleted".to_owned()))
            }
            // It is not tried again at each change.
            Call::Edit(..) | Call::Delete(_) if refusal.is_thread_closed() => {
                Outcome::Ended(PostState::Failed, Some(words))
            }
            _ if refusal.is_passing() => self.retry_or_give_up(post, request, words),
            _ => given_up(post, request, words),
        }
    }

    /// Tries again, but not for ever.
    fn retry_or_give_up(&self, post: &DuePost, request: &Request, words: String) -> Outcome {
        if post.failures < MAX_FAILURES { self.retry(post, words) } else { given_up(post, request, words) }
    }

    /// Asks once more whether a webhook is gone, since it is never used again if it is.
    async fn confirm_loss(&self, post: &DuePost, request: &Request, key: &WebhookKey, words: String) -> Attempt {
        let turn = async {
            self.clock.sleep(CONFIRM_PAUSE).await;
            self.budget.take().await
        };
        match self.stopping.run_until_cancelled(turn).await {
            Some(Ok(())) => {}
            // It may not be asked now, and each attempt is one more answer that Discord counts as invalid.
            Some(Err(_)) => return Attempt::new(self.retry_or_give_up(post, request, words)),
            // A server that stops asks no more, so that all requests end in time.
            None => return Attempt::new(self.retry(post, words)),
        }
        let Err(error) = self.discord.webhook(key).await else {
            return Attempt::new(self.retry_or_give_up(post, request, words));
        };
        let attempt = match &error {
            DiscordError::Refused(refusal) if refusal.is_webhook_gone() => {
                let outcome = match post.state {
                    PostState::Posted => Outcome::EditRefused(post.revision, words.clone()),
                    _ => Outcome::Ended(PostState::Skipped, Some(words.clone())),
                };
                Attempt { lost: Some((Loss::Gone, words)), ..Attempt::new(outcome) }
            }
            DiscordError::Limited(limited) => Attempt::new(Outcome::Retry(self.clock.now() + limited.wait, words)),
            _ => Attempt::new(self.retry_or_give_up(post, request, words)),
        };
        attempt.after(error)
    }
}

/// What it means that a message was deleted as planned: one about an end that was none may come again.
fn deleted(post: &DuePost) -> Outcome {
    let is_wrong = post.kind == PostKind::End && post.ended_at.is_none();
    Outcome::Ended(if is_wrong { PostState::Expired } else { PostState::Dismissed }, None)
}

/// What comes of a request that is not tried again.
fn given_up(post: &DuePost, request: &Request, words: String) -> Outcome {
    match request.call {
        Call::Post(_) => Outcome::Ended(PostState::Failed, Some(words)),
        Call::Edit(..) | Call::Delete(_) => Outcome::EditRefused(post.revision, words),
        Call::DeleteRepost(_) => Outcome::RepostDeleted,
    }
}

/// Whether a message went into another channel than the one that is meant. A thread is in its channel, and the id of a new thread
/// of a forum is not known before.
fn moved(post: &DuePost, request: &Request, posted: Posted) -> Option<(Loss, String)> {
    let is_in_thread = request.thread.is_some() || matches!(&request.call, Call::Post(it) if it.thread_name.is_some());
    let channel = posted.channel_id;
    (channel != post.channel_id && !is_in_thread)
        .then(|| (Loss::Moved(channel), format!("the webhook posts into the channel {channel} of Discord")))
}
