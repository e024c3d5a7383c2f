//! The service `twitch.Twitch`, as clients of the first version know it.

use tonic::{Request, Response, Status, async_trait};

use super::api::GrpcApi;
use super::convert::{key, snowflake, streamer};
use super::proto::twitch::twitch_server::Twitch;
use super::proto::twitch::{
    DeleteWebhookRequest, DeleteWebhookResponse, GetChannelsRequest, GetChannelsResponse, NewWebhookRequest,
    NewWebhookResponse,
};
use super::status::refused;

#[async_trait]
impl Twitch for GrpcApi {
    async fn get_channels(
        &self,
        request: Request<GetChannelsRequest>,
    ) -> Result<Response<GetChannelsResponse>, Status> {
        let bot = self.admit(request.metadata()).await?;
        let channel = snowflake("id", &request.get_ref().id)?;
        let found = self.tracking.tracker.channel(bot.bot_id, channel).await.map_err(refused)?;
        let name = found.tracks.into_iter().map(|track| track.login).collect();
        Ok(Response::new(GetChannelsResponse { name }))
    }

    async fn new_webhook(&self, request: Request<NewWebhookRequest>) -> Result<Response<NewWebhookResponse>, Status> {
        let bot = self.admit(request.metadata()).await?.bot_id;
        let NewWebhookRequest { channel, twitchname, webhook_id, webhook_token } = request.get_ref();
        let (channel, name) = (snowflake("channel", channel)?, streamer("twitchname", twitchname)?);
        let tracker = &self.tracking.tracker;
        if webhook_id.is_empty() && webhook_token.is_empty() {
            tracker.keep_track(bot, channel, &name).await.map_err(refused)?;
        } else {
            let key = key(("webhook_id", webhook_id), ("webhook_token", webhook_token))?;
            tracker.track(bot, channel, &name, &key, None).await.map_err(refused)?;
        }
        Ok(Response::new(NewWebhookResponse {}))
    }

    async fn delete_webhook(
        &self,
        request: Request<DeleteWebhookRequest>,
    ) -> Result<Response<DeleteWebhookResponse>, Status> {
        let bot = self.admit(request.metadata()).await?;
        let DeleteWebhookRequest { channel, twitchname } = request.get_ref();
        let (channel, name) = (snowflake("channel", channel)?, streamer("twitchname", twitchname)?);
        self.tracking.tracker.remove_track(bot.bot_id, channel, &name).await.map_err(refused)?;
        Ok(Response::new(DeleteWebhookResponse {}))
    }
}
