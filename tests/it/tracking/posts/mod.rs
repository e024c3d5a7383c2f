//! What is posted to Discord.

mod appearance;
mod deliveries;
mod ends;
mod faults;
mod flow;
mod grace;
mod histories;
mod levels;
mod limits;
mod look_ups;
mod pictures;
mod settings;
mod threads;
mod timing;

use serde_json::{Value, json};
use showtime::mock::discord::{DiscordFault, DiscordFaults, DiscordMessage, Webhook};
use showtime::twitch::eventsub::outgoing::{Outgoing, Stamp};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};

use super::{Stage, payloads};
use crate::support::messages::{subscription, text, with_person};
use crate::support::until;

/// The flag of a message without a notification.
const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;

/// Whether all is done by now: events are followed, announcements spread, posts made or failed.
const IS_SETTLED: &str = "select
    coalesce((select cursor from follower where name = 'announcements') >= (select max(id) from event), false)
    and not exists (select from announcement where spread_at <= $1)
    and not exists (select from post where state = 'sending')
    and not exists (select from destination where leased_until > $1)
    and not exists (select from post join destination d on d.id = destination_id where post.next_at <= $1 and d.state = 'ok')";

pub(super) async fn until_settled(pool: &PgPool, now: impl Fn() -> OffsetDateTime) {
    // What has become due since the time was taken, too.
    let soon = || now() + Duration::milliseconds(300);
    until("all is posted", async || sqlx::query_scalar(IS_SETTLED).bind(soon()).fetch_one(pool).await.unwrap()).await;
}

/// A message about any channel.
fn about(channel: &str, kind: &str, at: OffsetDateTime, event: Value) -> Outgoing {
    let event = with_person("broadcaster_user_", channel, event);
    Outgoing::notification(Stamp::new(text(at)), &subscription(kind, &event), &event)
}

pub(super) fn online(channel: &str, stream: &str, at: OffsetDateTime) -> Outgoing {
    about(channel, "stream.online", at, json!({ "id": stream, "type": "live", "started_at": text(at) }))
}

pub(super) fn offline(channel: &str, stream: &str, at: OffsetDateTime) -> Outgoing {
    about(channel, "stream.offline", at, json!({ "id": stream }))
}

pub(super) fn update(channel: &str, title: &str, category: &str, at: OffsetDateTime) -> Outgoing {
    let event = json!({ "title": title, "language": "en", "category_id": "7", "category_name": category });
    about(channel, "channel.update", at, event)
}

pub(super) fn is_notifying(message: &DiscordMessage) -> bool {
    message.flags & SUPPRESS_NOTIFICATIONS == 0
}

impl Stage {
    /// Of a stream of an hour, ten seconds after its end, with these settings and mentions.
    async fn ended(mut settings: Value) -> Self {
        let stage = Self::tracking().await;
        settings["mentions"] = json!({ "everyone": true });
        stage.set(&settings).await;
        stage.online("5001").await;
        stage.settled().await;
        stage.clock.advance(Duration::hours(1));
        stage.offline("5001").await;
        stage.after(Duration::seconds(11)).await;
        stage
    }

    /// A stream that begins, changes its title and ends.
    pub(super) async fn broadcast(&self) {
        self.online("5001").await;
        self.settled().await;
        self.update("Second run", "Chess").await;
        self.after(Duration::seconds(11)).await;
        self.offline("5001").await;
        self.after(Duration::seconds(11)).await;
    }

    fn texts(&self) -> Vec<String> {
        self.messages().into_iter().map(|message| message.content).collect()
    }

    /// The channel of the tests is known and tracked over the first webhook.
    async fn tracking() -> Self {
        let stage = Self::start().await;
        stage.know_streamer().await;
        assert_eq!(stage.track(&stage.webhook(), super::LOGIN).await.status, 201);
        stage
    }

    /// Like Twitch, sends again what a server could not store, for example since a disk stalls.
    async fn deliver(&self, message: Outgoing) {
        until("the message is acknowledged", async || {
            let status = self.server.deliver(&message).await.status;
            assert!(status == 204 || status == 503, "{status}");
            status == 204
        })
        .await;
    }

    async fn online(&self, stream: &str) {
        self.deliver(online(crate::support::messages::CHANNEL, stream, self.clock.now())).await;
    }

    async fn offline(&self, stream: &str) {
        self.deliver(offline(crate::support::messages::CHANNEL, stream, self.clock.now())).await;
    }

    async fn update(&self, title: &str, category: &str) {
        self.deliver(update(crate::support::messages::CHANNEL, title, category, self.clock.now())).await;
    }

    /// Sets the settings of all tracks.
    async fn set(&self, settings: &Value) {
        sqlx::query("update track set settings = $1").bind(settings).execute(&self.server.pool).await.unwrap();
    }

    pub(super) async fn settled(&self) {
        until_settled(&self.server.pool, || self.clock.now()).await;
    }

    /// Waits until all is done, lets the time pass, and waits again.
    async fn after(&self, time: Duration) {
        self.settled().await;
        self.clock.advance(time);
        self.settled().await;
    }

    pub(super) fn messages(&self) -> Vec<DiscordMessage> {
        self.discord.world.messages()
    }

    /// The only message, which an independent judge of Discord's limits accepts.
    fn message(&self) -> DiscordMessage {
        let mut messages = self.messages();
        assert_eq!(messages.len(), 1, "{messages:?}");
        let message = messages.remove(0);
        payloads::accept(&message);
        message
    }

    fn next(&self, fault: DiscordFault, count: u32) {
        self.discord.world.set_faults(DiscordFaults::next(fault, count)).unwrap();
    }

    /// How often each call got each status, but for the verification of webhooks.
    fn count(&self, call: &str) -> u64 {
        self.discord.world.counts().get(call).copied().unwrap_or_default()
    }

    /// The states of all posts.
    async fn states(&self) -> Vec<String> {
        sqlx::query_scalar("select state from post order by id").fetch_all(&self.server.pool).await.unwrap()
    }

    /// Stops, after a look at what holds in each test: Discord found no fault in a message, nor does an independent judge.
    async fn end(self) {
        self.messages().iter().for_each(payloads::accept);
        let refused: Vec<_> = self.discord.world.calls().into_iter().filter(|it| it.status == 400).collect();
        assert!(refused.is_empty(), "{refused:?}");
        self.stop().await;
    }

    /// A new webhook in a channel of its own, over which the channel of the tests is tracked.
    async fn track_anew(&self, name: &str) -> Webhook {
        let webhook = self.new_webhook(name);
        assert_eq!(self.track(&webhook, super::LOGIN).await.status, 201);
        webhook
    }
}
