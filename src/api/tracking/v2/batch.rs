//! `POST /v2/tracks/batch`.

use actix_web::post;
use actix_web::web::{Data, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Context;
use crate::api::body::Body;
use crate::api::error::Error;
use crate::api::problem::Problem;
use crate::api::query::{Nothing, Parsed, Query};
use crate::api::responses::{BadBody, ServerErrors};
use crate::api::tracking::caller::Caller;
use crate::api::tracking::in_time;
use crate::api::tracking::webhook::GivenWebhook;
use crate::discord::snowflake::Snowflake;
use crate::object::{object, optional_object};
use crate::tracking::batch::{MAX_BATCH, NewTrack};
use crate::tracking::error::TrackingError;
use crate::tracking::settings::TrackSettings;
use crate::tracking::tracker::StreamerName;

/// A track to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BatchTrack {
    /// The id of the Discord channel.
    #[schema(value_type = String, pattern = "^[0-8]?[0-9]{17,18}$")]
    channel_id: Snowflake,
    /// Its server. Discord's answer replaces it when the webhook is verified.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[0-8]?[0-9]{17,18}$")]
    guild_id: Option<Snowflake>,
    /// The channel's webhook.
    #[serde(deserialize_with = "object")]
    webhook: GivenWebhook,
    /// The login or id of the Twitch channel.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_]{1,25}$")]
    name: Parsed<StreamerName>,
    /// How it is announced. Without it a new track has the defaults, and one that is there keeps its settings.
    #[serde(default, deserialize_with = "optional_object")]
    settings: Option<TrackSettings>,
}

impl From<BatchTrack> for NewTrack {
    fn from(track: BatchTrack) -> Self {
        let BatchTrack { channel_id, guild_id, webhook, name, settings } = track;
        Self { channel: channel_id, guild: guild_id, key: webhook.into(), name: name.0, settings }
    }
}

/// Tracks to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TrackBatch {
    /// At most 1,000.
    #[schema(max_items = 1000)]
    tracks: Vec<BatchTrack>,
}

/// The result of a track of a batch.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum BatchOutcome {
    /// It is tracked from now on.
    Created,
    /// It was tracked already.
    Unchanged,
    /// It is not tracked; `problem` says why.
    Refused,
}

/// A track of a batch, and its result.
#[derive(Debug, Serialize, ToSchema)]
struct BatchResult {
    /// The Discord channel.
    #[schema(value_type = String)]
    channel_id: Snowflake,
    /// The Twitch channel, as the request has it.
    name: String,
    /// The result.
    result: BatchOutcome,
    /// Why it is not tracked.
    problem: Option<Problem>,
}

/// The result of each track of a batch.
#[derive(Debug, Serialize, ToSchema)]
struct BatchResults {
    /// In the order of the request.
    results: Vec<BatchResult>,
}

impl BatchResults {
    fn example() -> Self {
        let channel_id = Snowflake(146_404_426_746_167_296);
        let stored = Snowflake(1_130_882_143_562_211_418);
        let refused = Error::Tracking(TrackingError::WebhookMismatch { channel: channel_id, stored }).problem();
        let result = |result, problem| BatchResult { channel_id, name: "maplearcade".to_owned(), result, problem };
        Self { results: vec![result(BatchOutcome::Created, None), result(BatchOutcome::Refused, Some(refused))] }
    }
}

/// Add many tracks
///
/// For a bot that migrates: up to 1,000 tracks, each with a result of its own. New webhooks are stored without asking Discord, which
/// would take hours for a large bot: their channels have no `verified_at` until
/// `POST /v2/channels/{channel}/webhook/check`.
#[utoipa::path(
    tag = "tracking",
    request_body(content = TrackBatch, example = json!({ "tracks": [{
        "channel_id": "146404426746167296",
        "guild_id": "146404426746167000",
        "webhook": { "id": "1130882143562211418", "token": "aToken-thatDiscord_made" },
        "name": "maplearcade",
        "settings": { "message": "{{ streamer.name }} is live: {{ stream.title }}" },
    }] })),
    responses(
        (status = OK, description = "What became of each", body = BatchResults, example = json!(BatchResults::example())),
        BadBody,
        ServerErrors,
    ),
)]
#[post("/v2/tracks/batch")]
pub(in crate::api) async fn add_tracks(
    caller: Caller,
    ctx: Data<Context>,
    _query: Query<Nothing>,
    body: Body<TrackBatch>,
) -> Result<Json<BatchResults>, Error> {
    let given = body.0.tracks.len();
    if given > MAX_BATCH {
        let reason = format!("it has {given} tracks, but may have {MAX_BATCH}");
        return Err(Error::InvalidField { name: "tracks".to_owned(), reason });
    }
    let tracks: Vec<_> = body.0.tracks.into_iter().map(NewTrack::from).collect();
    let results = in_time(ctx.tracking.tracker.track_all(caller.0.bot_id, &tracks)).await?;
    let result = |(track, result): (NewTrack, Result<bool, TrackingError>)| {
        let (result, problem) = match result {
            Ok(true) => (BatchOutcome::Created, None),
            Ok(false) => (BatchOutcome::Unchanged, None),
            Err(error) => (BatchOutcome::Refused, Some(Error::from(error).problem())),
        };
        BatchResult { channel_id: track.channel, name: track.name.as_str().to_owned(), result, problem }
    };
    Ok(Json(BatchResults { results: tracks.into_iter().zip(results).map(result).collect() }))
}
