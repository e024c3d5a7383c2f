//! The service `showtime.tracking.v1.TrackingService`.

use tonic::{Request, Response, Status, async_trait};

use super::api::GrpcApi;
use super::convert::{self, cut, key, parsed, parsed_or_default, rows, settings, shard, snowflake, streamer, webhook};
use super::proto::tracking as proto;
use super::proto::tracking::tracking_service_server::TrackingService;
use super::status::{ended, invalid, problem, refused, refused_token};
use super::watch::{self, EventStream};
use crate::store::LogId;
use crate::store::tracking::deliveries::DeliveryFilter;
use crate::tracking::authority::AuthError;
use crate::tracking::batch::{MAX_BATCH, NewTrack};
use crate::tracking::error::TrackingError;
use crate::tracking::settings::TrackSettings;

/// The answer of a call.
type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl TrackingService for GrpcApi {
    type WatchEventsStream = EventStream;

    async fn issue_token(&self, request: Request<proto::IssueTokenRequest>) -> Answer<proto::IssueTokenResponse> {
        let proto::IssueTokenRequest { name, shard, secret } = request.get_ref();
        let shard = u16::try_from(*shard).map_err(|_| invalid("shard", "must be at most 65535"))?;
        let token = self.issue(&request, name, shard, secret).await?;
        Ok(Response::new(proto::IssueTokenResponse { token }))
    }

    async fn track(&self, request: Request<proto::TrackRequest>) -> Answer<proto::TrackResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::TrackRequest { channel_id, name, webhook: given, settings_json } = request.get_ref();
        let (channel, name) = (snowflake("channel_id", channel_id)?, streamer("name", name)?);
        let given = given.as_ref().map(|given| webhook(Some(given))).transpose()?;
        let settings = if settings_json.is_empty() { None } else { Some(settings::<TrackSettings>(settings_json)?) };
        let tracker = &self.tracking.tracker;
        let tracked = match (&given, &settings) {
            (Some(key), settings) => tracker.track(bot, channel, &name, key, settings.as_ref()).await,
            (None, Some(settings)) => tracker.put_track(bot, channel, &name, settings).await.map(|(_, is_new)| is_new),
            (None, None) => tracker.keep_track(bot, channel, &name).await,
        };
        Ok(Response::new(proto::TrackResponse { is_new: tracked.map_err(refused)? }))
    }

    async fn update_track(&self, request: Request<proto::UpdateTrackRequest>) -> Answer<proto::UpdateTrackResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::UpdateTrackRequest { channel_id, name, settings_json } = request.get_ref();
        let (channel, name) = (snowflake("channel_id", channel_id)?, streamer("name", name)?);
        let change = settings(settings_json)?;
        let track = self.tracking.tracker.change_track(bot, channel, &name, change).await.map_err(refused)?;
        Ok(Response::new(proto::UpdateTrackResponse { track: Some(track.into()) }))
    }

    async fn batch_track(&self, request: Request<proto::BatchTrackRequest>) -> Answer<proto::BatchTrackResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let given = &request.get_ref().tracks;
        if given.len() > MAX_BATCH {
            return Err(invalid("tracks", format!("it has {} tracks, but may have {MAX_BATCH}", given.len())));
        }
        let tracks = given.iter().enumerate().map(new_track).collect::<Result<Vec<_>, _>>()?;
        let results = self.tracking.tracker.track_all(bot, &tracks).await.map_err(refused)?;
        let results = results.into_iter().map(batch_result).collect();
        Ok(Response::new(proto::BatchTrackResponse { results }))
    }

    async fn preview(&self, request: Request<proto::PreviewRequest>) -> Answer<proto::PreviewResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::PreviewRequest { channel_id, settings_json, sample_json } = request.get_ref();
        let channel = if channel_id.is_empty() { None } else { Some(snowflake("channel_id", channel_id)?) };
        let settings = parsed_or_default("settings_json", settings_json)?;
        let sample = parsed_or_default("sample_json", sample_json)?;
        let preview = self.tracking.tracker.preview(bot, channel, &settings, sample).await.map_err(refused)?;
        Ok(Response::new(preview.into()))
    }

    async fn send_test(&self, request: Request<proto::SendTestRequest>) -> Answer<proto::SendTestResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::SendTestRequest { channel_id, name, dry_run } = request.get_ref();
        let (channel, name) = (snowflake("channel_id", channel_id)?, streamer("name", name)?);
        let test = self.tracking.tracker.test(bot, channel, &name, *dry_run).await.map_err(refused)?;
        Ok(Response::new(test.into()))
    }

    async fn get_settings(&self, request: Request<proto::GetSettingsRequest>) -> Answer<proto::GetSettingsResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let found = self.tracking.tracker.bot_settings(bot).await.map_err(refused)?;
        let found = found.ok_or_else(|| refused_token(AuthError::WrongToken))?;
        let settings_json = serde_json::to_string(&found).unwrap_or_default();
        Ok(Response::new(proto::GetSettingsResponse { settings_json }))
    }

    async fn set_settings(&self, request: Request<proto::SetSettingsRequest>) -> Answer<proto::SetSettingsResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let settings = settings(&request.get_ref().settings_json)?;
        self.tracking.tracker.set_bot_settings(bot, &settings).await.map_err(refused)?;
        Ok(Response::new(proto::SetSettingsResponse {}))
    }

    async fn update_destination(
        &self,
        request: Request<proto::UpdateDestinationRequest>,
    ) -> Answer<proto::UpdateDestinationResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::UpdateDestinationRequest { channel_id, settings_json } = request.get_ref();
        let (channel, change) = (snowflake("channel_id", channel_id)?, settings(settings_json)?);
        let found = self.tracking.tracker.change_channel(bot, channel, change).await.map_err(refused)?;
        Ok(Response::new(proto::UpdateDestinationResponse { destination: Some(found.into()) }))
    }

    async fn untrack(&self, request: Request<proto::UntrackRequest>) -> Answer<proto::UntrackResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::UntrackRequest { channel_id, name } = request.get_ref();
        let (channel, name) = (snowflake("channel_id", channel_id)?, streamer("name", name)?);
        self.tracking.tracker.remove_track(bot, channel, &name).await.map_err(refused)?;
        Ok(Response::new(proto::UntrackResponse {}))
    }

    async fn get_destination(
        &self,
        request: Request<proto::GetDestinationRequest>,
    ) -> Answer<proto::GetDestinationResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let channel = snowflake("channel_id", &request.get_ref().channel_id)?;
        let found = self.tracking.tracker.channel(bot, channel).await.map_err(refused)?;
        Ok(Response::new(proto::GetDestinationResponse { destination: Some(found.into()) }))
    }

    async fn list_destinations(
        &self,
        request: Request<proto::ListDestinationsRequest>,
    ) -> Answer<proto::ListDestinationsResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::ListDestinationsRequest { page_size, page_token, shard: number, shard_count } = request.get_ref();
        let size = convert::page_size(*page_size)?;
        let after = if page_token.is_empty() { None } else { Some(snowflake("page_token", page_token)?) };
        let shard = shard(*number, *shard_count)?;
        let found = self.tracking.tracker.channels(bot, shard, after, rows(size)).await;
        let mut found = found.map_err(refused)?;
        let has_more = cut(&mut found, size);
        let last = found.last().filter(|_| has_more).map(|last| last.destination.channel_id.to_string());
        let destinations = found.into_iter().map(proto::Destination::from).collect();
        let next_page_token = last.unwrap_or_default();
        Ok(Response::new(proto::ListDestinationsResponse { destinations, next_page_token }))
    }

    async fn delete_destination(
        &self,
        request: Request<proto::DeleteDestinationRequest>,
    ) -> Answer<proto::DeleteDestinationResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let channel = snowflake("channel_id", &request.get_ref().channel_id)?;
        self.tracking.tracker.remove_channel(bot, channel).await.map_err(refused)?;
        Ok(Response::new(proto::DeleteDestinationResponse {}))
    }

    async fn delete_guild(&self, request: Request<proto::DeleteGuildRequest>) -> Answer<proto::DeleteGuildResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let guild = snowflake("guild_id", &request.get_ref().guild_id)?;
        self.tracking.tracker.remove_guild(bot, guild).await.map_err(refused)?;
        Ok(Response::new(proto::DeleteGuildResponse {}))
    }

    async fn replace_webhook(
        &self,
        request: Request<proto::ReplaceWebhookRequest>,
    ) -> Answer<proto::ReplaceWebhookResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::ReplaceWebhookRequest { channel_id, webhook: given } = request.get_ref();
        let (channel, key) = (snowflake("channel_id", channel_id)?, webhook(given.as_ref())?);
        let found = self.tracking.tracker.replace_webhook(bot, channel, &key).await.map_err(refused)?;
        Ok(Response::new(proto::ReplaceWebhookResponse { destination: Some(found.into()) }))
    }

    async fn check_webhook(&self, request: Request<proto::CheckWebhookRequest>) -> Answer<proto::CheckWebhookResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let channel = snowflake("channel_id", &request.get_ref().channel_id)?;
        let checked = self.tracking.tracker.check_webhook(bot, channel).await.map_err(refused)?;
        Ok(Response::new(checked.into()))
    }

    async fn report_webhook_gone(
        &self,
        request: Request<proto::ReportWebhookGoneRequest>,
    ) -> Answer<proto::ReportWebhookGoneResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let channel = snowflake("channel_id", &request.get_ref().channel_id)?;
        self.tracking.tracker.report_webhook_gone(bot, channel).await.map_err(refused)?;
        Ok(Response::new(proto::ReportWebhookGoneResponse {}))
    }

    async fn list_deliveries(
        &self,
        request: Request<proto::ListDeliveriesRequest>,
    ) -> Answer<proto::ListDeliveriesResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::ListDeliveriesRequest { state, channel_id, page_size, after } = request.get_ref();
        let size = convert::page_size(*page_size)?;
        let filter = DeliveryFilter {
            state: match state.as_str() {
                "" => None,
                state => Some(state.parse().map_err(|_| invalid("state", "is not a state of a delivery"))?),
            },
            channel_id: if channel_id.is_empty() { None } else { Some(snowflake("channel_id", channel_id)?) },
        };
        let found = self.tracking.tracker.deliveries(bot, filter, *after, rows(size)).await;
        let mut found = found.map_err(refused)?;
        let has_more = cut(&mut found, size);
        let next_after = found.last().filter(|_| has_more).map_or(0, |last| last.id);
        let deliveries = found.into_iter().map(proto::Delivery::from).collect();
        Ok(Response::new(proto::ListDeliveriesResponse { deliveries, next_after }))
    }

    async fn resolve_delivery(
        &self,
        request: Request<proto::ResolveDeliveryRequest>,
    ) -> Answer<proto::ResolveDeliveryResponse> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let proto::ResolveDeliveryRequest { id, message_id } = request.get_ref();
        let message = message_id.as_ref().map(|id| snowflake("message_id", id)).transpose()?;
        self.tracking.tracker.resolve(bot, *id, message).await.map_err(refused)?;
        Ok(Response::new(proto::ResolveDeliveryResponse {}))
    }

    async fn watch_events(&self, request: Request<proto::WatchEventsRequest>) -> Answer<EventStream> {
        let bot = self.admit(request.metadata()).await?;
        let proto::WatchEventsRequest { after, shard: number, shard_count } = *request.get_ref();
        if after.is_some_and(|after| after < 0) {
            return Err(invalid("after", "must not be negative"));
        }
        let shard = shard(number, shard_count)?;
        let following = self.tracking.follow(bot, shard, after.map(LogId)).await.map_err(ended)?;
        Ok(Response::new(watch::events(following)))
    }
}

fn new_track((place, item): (usize, &proto::BatchTrackItem)) -> Result<NewTrack, Status> {
    let field = |name: &str| format!("tracks[{place}].{name}");
    let guild = match item.guild_id.as_str() {
        "" => None,
        id => Some(snowflake(&field("guild_id"), id)?),
    };
    let webhook = item.webhook.as_ref().ok_or_else(|| invalid(&field("webhook"), "missing"))?;
    Ok(NewTrack {
        channel: snowflake(&field("channel_id"), &item.channel_id)?,
        guild,
        key: key((&field("webhook.id"), &webhook.id), (&field("webhook.token"), &webhook.token))?,
        name: streamer(&field("name"), &item.name)?,
        settings: match item.settings_json.as_str() {
            "" => None,
            json => Some(parsed(&field("settings_json"), json)?),
        },
    })
}

fn batch_result(result: Result<bool, TrackingError>) -> proto::BatchTrackResult {
    match result {
        Ok(is_new) => proto::BatchTrackResult { is_new, ..Default::default() },
        Err(error) => {
            let (problem_type, problem) = problem(error);
            proto::BatchTrackResult { is_new: false, problem_type, problem }
        }
    }
}
