//! What a message looks like before a stream begins: without posting it, or as a test that notifies no one.

use serde::Deserialize;
use utoipa::ToSchema;

use super::broadcast::{Broadcast, Segment};
use super::card;
use super::channels::known_track;
use super::error::TrackingError;
use super::forum;
use super::settings::{SettingProblem, TrackSettings};
use super::shared_budget::{MAX_TRIES, TRY_PAUSE, Taken};
use super::tracker::{StreamerName, Tracker};
use super::webhooks::{WebhookPlace, lost, require_usable};
use crate::discord::client::{Reply, WebhookKey};
use crate::discord::error::DiscordError;
use crate::discord::message::{Created, Message, Posted};
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::destinations::{Destination, Loss};
use crate::store::tracking::posts::{self, Release};
use crate::store::tracking::tracks::Track;
use crate::store::tracking::{spread, test_posts};

/// Between two tests in a Discord channel.
const TEST_INTERVAL: time::Duration = time::Duration::seconds(5);

/// How long a test keeps others from its webhook, if the server ends meanwhile.
const LEASE: time::Duration = time::Duration::seconds(30);

/// The broadcast of a preview. What is left out is that of an example; an empty text is one that is not known.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sample {
    /// Whether the broadcast has ended; false by default.
    pub is_ended: bool,
    /// The name of the streamer.
    pub name: Option<String>,
    /// The title.
    pub title: Option<String>,
    /// The name of the category.
    pub category: Option<String>,
    /// The language.
    pub language: Option<String>,
    /// How many watch it.
    pub viewers: Option<i64>,
}

impl From<Sample> for Broadcast {
    fn from(sample: Sample) -> Self {
        let Sample { is_ended, name, title, category, language, viewers } = sample;
        let example = Self::sample(is_ended);
        Self {
            display_name: name.unwrap_or(example.display_name),
            title: title.or(example.title),
            category_name: category.or(example.category_name),
            language: language.or(example.language),
            viewers: viewers.or(example.viewers),
            ..example
        }
    }
}

/// What a message looks like, and what is wrong with its settings.
#[derive(Clone, Debug)]
pub struct Preview {
    /// What would be posted; where a text is wrong, with the usual one.
    pub message: Message,
    /// What is wrong.
    pub errors: Vec<SettingProblem>,
}

/// A message that was posted as a test, or would be.
#[derive(Clone, Debug)]
pub struct Test {
    /// What was posted.
    pub message: Message,
    /// Where it is; `None` if it was not posted.
    pub posted: Option<Posted>,
}

impl Tracker {
    /// What a message with these settings looks like, with the bot's defaults and the settings of a Discord channel where they leave
    /// something out.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn preview(
        &self,
        bot_id: i64,
        channel: Option<Snowflake>,
        settings: &TrackSettings,
        sample: Sample,
    ) -> Result<Preview, TrackingError> {
        let destination = match channel {
            Some(channel) => Some(self.get(bot_id, channel).await?),
            None => None,
        };
        let errors = settings.problems();
        let given = serde_json::to_value(settings).unwrap_or_default();
        let settings = self.effective(bot_id, destination.as_ref(), &given).await?;
        let (is_ended, broadcast) = (sample.is_ended, Broadcast::from(sample));
        let message = card::message(&broadcast, &settings, settings.mentions.as_ref());
        let message = if settings.silent == Some(true) { message.silent() } else { message };
        let message = if is_ended { message.edit() } else { forum::begin(message, &broadcast, &settings) };
        Ok(Preview { message, errors })
    }

    /// Posts what would be said now of a Twitch channel, without mentions and without a sound; with `is_dry` it is only made.
    ///
    /// # Errors
    /// [`TrackingError`]
    pub async fn test(
        &self,
        bot_id: i64,
        channel: Snowflake,
        name: &StreamerName,
        is_dry: bool,
    ) -> Result<Test, TrackingError> {
        let destination = self.get(bot_id, channel).await?;
        let track = known_track(&mut *self.pool.acquire().await?, &destination, name).await?;
        let settings = self.effective(bot_id, Some(&destination), &track.settings).await?;
        let (broadcast, thread) = (self.now(&track).await?, settings.thread_id);
        let mut message = forum::begin(card::message(&broadcast, &settings, None).silent(), &broadcast, &settings);
        if is_dry {
            return Ok(Test { message, posted: None });
        }
        require_usable(&destination)?;
        let key = self.open(&destination)?;
        let server = self.take_turn(&destination).await?;
        let mut posted = self.discord.post(&key, thread, &message).await;
        let is_name_refused = message.username.is_some() && posted.as_ref().is_err_and(DiscordError::is_of_name);
        if is_name_refused && self.budget.take().await.is_ok() {
            message = message.unnamed();
            posted = self.discord.post(&key, thread, &message).await;
        }
        self.end_turn(&destination, server, &posted).await?;
        // A thread is in its channel, and the id of a new one is not known before.
        let is_in_thread = thread.is_some() || message.thread_name.is_some();
        let posted = self.judge(&destination, &key, is_in_thread, posted).await?;
        Ok(Test { message, posted })
    }

    /// What is known of a Twitch channel now; of a stream that is not live, as if it began.
    async fn now(&self, track: &Track) -> Result<Broadcast, TrackingError> {
        let now = self.clock.now();
        let known = test_posts::stream(&self.pool, &track.twitch_id, now).await?;
        let login = known.login.unwrap_or_else(|| track.login.clone());
        let started_at = known.started_at.unwrap_or(now);
        let (title, category) = (known.title.clone(), known.category_name.clone());
        let segments = known.segments.and_then(|told| Vec::<Segment>::deserialize(told).ok());
        let segment = Segment { title, category, at: started_at };
        Ok(Broadcast {
            stream_id: known.stream_id.map_or_else(|| now.unix_timestamp().to_string(), String::from),
            twitch_id: track.twitch_id.to_string(),
            display_name: known.display_name.unwrap_or_else(|| login.clone()),
            login,
            title: known.title,
            category_id: known.category_id,
            category_name: known.category_name,
            language: known.language,
            tags: known.tags.unwrap_or_default(),
            labels: known.labels.unwrap_or_default(),
            segments: segments.unwrap_or_else(|| vec![segment]),
            viewers: known.viewers,
            avatar_url: Some(self.images.get(track.twitch_id.as_str())).filter(|url| !url.is_empty()),
            offline_picture_url: None,
            video_id: known.video_id,
            video_picture_url: None,
            started_at,
            stream_started_at: started_at,
            ended_at: None,
            revision: 1,
            minute: (now - started_at).whole_minutes(),
        })
    }

    /// Keeps others from the webhook, and takes a request of those that may be made. Returns the number that holds the lease.
    async fn take_turn(&self, destination: &Destination) -> Result<i64, TrackingError> {
        for _ in 0..MAX_TRIES {
            let now = self.clock.now();
            let mut transaction = self.pool.begin().await?;
            let turn = test_posts::lock(&mut transaction, destination.id).await?;
            let turn = turn.ok_or(TrackingError::WebhookGone(destination.webhook_id))?;
            let next_at = turn.tested_at.map(|at| at + TEST_INTERVAL).filter(|at| *at > now);
            if let Some(next_at) = next_at {
                return Err(TrackingError::TooManyTests((next_at - now).unsigned_abs()));
            }
            let is_free = turn.busy_until.is_none_or(|until| until <= now);
            if is_free && self.budget.try_take(&mut transaction).await? == Taken::One {
                let server = rand::random();
                test_posts::begin(&mut transaction, destination.id, server, (now, now + LEASE)).await?;
                transaction.commit().await?;
                return Ok(server);
            }
            drop(transaction);
            self.clock.sleep(TRY_PAUSE).await;
        }
        Err(TrackingError::Busy)
    }

    /// Lets others use the webhook again, and records what Discord's answer says of its limits.
    async fn end_turn(
        &self,
        destination: &Destination,
        server: i64,
        posted: &Result<Reply<Created>, DiscordError>,
    ) -> Result<(), TrackingError> {
        if let Err(error) = posted {
            self.budget.record(error).await?;
        }
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        spread::lock(&mut transaction, &[destination.id]).await?;
        let pause = posted.as_ref().map_or_else(DiscordError::pause, |reply| reply.pause);
        let release = Release { id: destination.id, not_before: pause.map(|pause| now + pause) };
        posts::release(&mut *transaction, server, &[release]).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// What Discord's answer says of the message, and of the webhook.
    async fn judge(
        &self,
        destination: &Destination,
        key: &WebhookKey,
        is_in_thread: bool,
        posted: Result<Reply<Created>, DiscordError>,
    ) -> Result<Option<Posted>, TrackingError> {
        let loss = match posted {
            Ok(Reply { value: Some(posted), .. }) if posted.channel_id != destination.channel_id && !is_in_thread => {
                Loss::Moved(posted.channel_id)
            }
            Ok(reply) => return Ok(reply.value.as_ref().map(Created::posted)),
            Err(DiscordError::Refused(refusal)) if refusal.is_webhook_gone() => {
                // It is never used again if it is gone, so it is asked for once more.
                match self.verify_webhook(key, destination.channel_id).await? {
                    WebhookPlace::Gone => Loss::Gone,
                    _ => return Err(TrackingError::Refused(refusal)),
                }
            }
            Err(DiscordError::Refused(refusal)) if !refusal.is_passing() => {
                return Err(TrackingError::Refused(refusal));
            }
            Err(error) => return Err(TrackingError::Discord(error)),
        };
        self.record_loss(destination, loss).await?;
        Err(lost(destination.webhook_id, loss))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_replaces_parts_of_the_example() {
        let sample: Sample = serde_json::from_str(r#"{"title":"","viewers":7}"#).unwrap();
        let broadcast = Broadcast::from(sample);
        assert_eq!((broadcast.title.as_deref(), broadcast.viewers), (Some(""), Some(7)));
        assert_eq!(broadcast.category_name.as_deref(), Some("Minecraft"));
        assert!(serde_json::from_str::<Sample>(r#"{"colour":1}"#).is_err());
    }
}
