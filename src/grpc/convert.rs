//! Between the messages of the interface and the types of tracking.

use prost_types::Timestamp;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tonic::Status;

use super::proto::tracking as proto;
use super::status::invalid;
use crate::discord::client::WebhookKey;
use crate::discord::shard::Shard;
use crate::discord::snowflake::Snowflake;
use crate::store::tracking::deliveries::Delivery;
use crate::store::tracking::destinations::DestinationState;
use crate::store::tracking::events::{BotEvent, BotNews, PostNews};
use crate::store::tracking::tracks::Track;
use crate::tracking::channels::{Checked, DiscordChannel};
use crate::tracking::preview::{Preview, Test};
use crate::tracking::settings::SettingProblem;
use crate::tracking::tracker::StreamerName;
use crate::tracking::webhooks;

/// An id of Discord.
pub(super) fn snowflake(field: &str, text: &str) -> Result<Snowflake, Status> {
    text.parse().map_err(|reason: &str| invalid(field, reason))
}

/// A login or id of Twitch.
pub(super) fn streamer(field: &str, text: &str) -> Result<StreamerName, Status> {
    text.parse().map_err(|reason: &str| invalid(field, reason))
}

/// A webhook.
pub(super) fn key(id: (&str, &str), token: (&str, &str)) -> Result<WebhookKey, Status> {
    let wrong = || invalid(token.0, "must be 1 to 128 letters, digits, hyphens and underscores");
    Ok(WebhookKey { id: snowflake(id.0, id.1)?, token: webhooks::token(token.1).ok_or_else(wrong)? })
}

/// The webhook of a message, which must have one.
pub(super) fn webhook(webhook: Option<&proto::Webhook>) -> Result<WebhookKey, Status> {
    let webhook = webhook.ok_or_else(|| invalid("webhook", "missing"))?;
    key(("webhook.id", &webhook.id), ("webhook.token", &webhook.token))
}

/// Settings, from their JSON.
pub(super) fn settings<T: DeserializeOwned>(json: &str) -> Result<T, Status> {
    parsed("settings_json", json)
}

/// What a field has as JSON; the default if it is empty.
pub(super) fn parsed_or_default<T: DeserializeOwned + Default>(field: &str, json: &str) -> Result<T, Status> {
    if json.is_empty() { Ok(T::default()) } else { parsed(field, json) }
}

/// What a field has as JSON.
pub(super) fn parsed<T: DeserializeOwned>(field: &str, json: &str) -> Result<T, Status> {
    let mut json = serde_json::Deserializer::from_str(json);
    let parsed =
        serde_path_to_error::deserialize(&mut json).map_err(|error| match error.path().to_string().as_str() {
            "." => invalid(field, error.inner()),
            path => invalid(&format!("{field}.{path}"), error.inner()),
        })?;
    json.end().map_err(|error| invalid(field, &error))?;
    Ok(parsed)
}

/// The number of items on a page, which may be left out.
pub(super) fn page_size(size: i32) -> Result<usize, Status> {
    match usize::try_from(size) {
        Ok(0) => Ok(50),
        Ok(size @ 1..=100) => Ok(size),
        _ => Err(invalid("page_size", "must be 0 to 100")),
    }
}

/// One more than is shown, to see whether there is more.
pub(super) fn rows(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(100) + 1
}

/// Cuts rows to a page. True if there are more.
pub(super) fn cut<T>(rows: &mut Vec<T>, size: usize) -> bool {
    let has_more = rows.len() > size;
    rows.truncate(size);
    has_more
}

/// The shard that both fields name together; `None` without them.
pub(super) fn shard(number: Option<u32>, count: Option<u32>) -> Result<Option<Shard>, Status> {
    match (number, count) {
        (None, None) => Ok(None),
        (Some(number), Some(count)) => match Shard::new(number, count) {
            Some(shard) => Ok(Some(shard)),
            None => Err(invalid("shard", "must be less than `shard_count`, which is at most 65536")),
        },
        _ => Err(invalid("shard_count", "required together with `shard`")),
    }
}

pub(super) fn timestamp(at: OffsetDateTime) -> Timestamp {
    Timestamp { seconds: at.unix_timestamp(), nanos: i32::try_from(at.nanosecond()).unwrap_or_default() }
}

/// The text of an id, empty without one.
fn text(id: Option<Snowflake>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn state(state: DestinationState) -> proto::WebhookState {
    match state {
        DestinationState::Ok => proto::WebhookState::Ok,
        DestinationState::Moved => proto::WebhookState::Moved,
        DestinationState::Gone => proto::WebhookState::Gone,
    }
}

impl From<DiscordChannel> for proto::Destination {
    fn from(channel: DiscordChannel) -> Self {
        let DiscordChannel { destination: it, tracks } = channel;
        Self {
            channel_id: it.channel_id.to_string(),
            guild_id: text(it.guild_id),
            webhook_id: it.webhook_id.to_string(),
            state: state(it.state).into(),
            moved_to: text(it.moved_to),
            verified_at: it.verified_at.map(timestamp),
            tracks: tracks.into_iter().map(proto::Tracked::from).collect(),
            settings_json: it.settings.to_string(),
        }
    }
}

impl From<Track> for proto::Tracked {
    fn from(track: Track) -> Self {
        let settings_json = track.settings.to_string();
        Self { twitch_id: track.twitch_id.into(), login: track.login, settings_json }
    }
}

impl From<Preview> for proto::PreviewResponse {
    fn from(preview: Preview) -> Self {
        let number = |place: Option<usize>| place.and_then(|place| u32::try_from(place).ok()).unwrap_or_default();
        let problem = |SettingProblem { field, reason, line, column }| proto::SettingProblem {
            field,
            reason,
            line: number(line),
            column: number(column),
        };
        let payload_json = serde_json::to_string(&preview.message).unwrap_or_default();
        Self { payload_json, errors: preview.errors.into_iter().map(problem).collect() }
    }
}

impl From<Test> for proto::SendTestResponse {
    fn from(test: Test) -> Self {
        let payload_json = serde_json::to_string(&test.message).unwrap_or_default();
        Self { payload_json, message_id: text(test.posted.map(|posted| posted.id)) }
    }
}

impl From<Delivery> for proto::Delivery {
    fn from(it: Delivery) -> Self {
        Self {
            id: it.id,
            channel_id: it.channel_id.to_string(),
            twitch_id: it.twitch_id.into(),
            login: it.login,
            stream_id: it.stream_id.into(),
            state: <&str>::from(it.state).to_owned(),
            message_id: text(it.message_id),
            lost_answers: it.lost_answers,
            attempt_at: it.attempt_at.map(timestamp),
            problem: it.problem.unwrap_or_default(),
            kind: <&str>::from(it.kind).to_owned(),
        }
    }
}

impl From<Checked> for proto::CheckWebhookResponse {
    fn from(checked: Checked) -> Self {
        let (state, moved_to) = match checked {
            Checked::Ok => (proto::WebhookState::Ok, None),
            Checked::Moved(to) => (proto::WebhookState::Moved, Some(to)),
            Checked::Gone => (proto::WebhookState::Gone, None),
        };
        Self { state: state.into(), moved_to: text(moved_to) }
    }
}

impl From<&BotEvent> for proto::WatchEventsResponse {
    fn from(event: &BotEvent) -> Self {
        Self {
            cursor: event.id.0,
            at: Some(timestamp(event.at)),
            guild_id: text(event.guild_id),
            event: event.news().map(news),
        }
    }
}

fn news(news: BotNews) -> proto::watch_events_response::Event {
    use proto::watch_events_response::Event;
    match news {
        BotNews::WebhookGone(it) => Event::WebhookGone(proto::WebhookGone {
            channel_id: it.channel_id.to_string(),
            webhook_id: it.webhook_id.to_string(),
            reason: it.reason,
            logins: it.logins,
            is_dropped: it.is_dropped,
        }),
        BotNews::WebhookMoved(it) => Event::WebhookMoved(proto::WebhookMoved {
            channel_id: it.channel_id.to_string(),
            webhook_id: it.webhook_id.to_string(),
            moved_to: it.moved_to.to_string(),
        }),
        BotNews::PostCreated(it) => Event::PostCreated(post(it)),
        BotNews::PostUpdated(it) => Event::PostUpdated(post(it)),
        BotNews::PostEnded(it) => Event::PostEnded(post(it)),
        BotNews::DeliveryUncertain(it) => Event::DeliveryUncertain(post(it)),
        BotNews::DeliveryFailed(it) => Event::DeliveryFailed(post(it)),
        BotNews::MentionIneffective(it) => Event::MentionIneffective(proto::MentionIneffective {
            delivery_id: it.delivery_id,
            channel_id: it.channel_id.to_string(),
            twitch_id: it.twitch_id,
            login: it.login,
            message_id: text(it.message_id),
            roles: it.roles.iter().map(ToString::to_string).collect(),
            everyone: it.everyone,
        }),
        BotNews::ChannelRenamed(it) => Event::ChannelRenamed(proto::ChannelRenamed {
            twitch_id: it.twitch_id,
            old_login: it.old_login,
            login: it.login,
        }),
        BotNews::ChannelVanished(it) => {
            Event::ChannelVanished(proto::ChannelVanished { twitch_id: it.twitch_id, login: it.login })
        }
    }
}

fn post(it: PostNews) -> proto::Post {
    proto::Post {
        delivery_id: it.delivery_id,
        channel_id: it.channel_id.to_string(),
        twitch_id: it.twitch_id,
        login: it.login,
        stream_id: it.stream_id,
        message_id: text(it.message_id),
        posted_channel_id: text(it.posted_channel_id),
        problem: it.problem.unwrap_or_default(),
        kind: <&str>::from(it.kind).to_owned(),
        crosspost_requested: it.crosspost_requested,
    }
}
