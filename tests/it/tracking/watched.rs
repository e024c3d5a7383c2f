//! Channels that bots track and that are not served: Twitch sends their streams, as far as its limit of cost allows.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use showtime::mock::discord::Limits;
use showtime::mock::{Faults, MockConfig, Notify};
use showtime::twitch::subscription_status::SubscriptionStatus;

use super::Stage;
use crate::reconcile::{CREATE, configure, own_callback};
use crate::secret_drift::let_leases_end;
use crate::support::server::{Server, secret};
use crate::support::twitch::Twitch;
use crate::support::{Unused, until};

const STREAMER: &str = "copperkite";

/// An attempt to delete a subscription.
const DELETE: &str = "DELETE /helix/eventsub/subscriptions";

/// A server that Twitch delivers to, and that serves no channel.
async fn watching(twitch: &Twitch) -> Stage {
    let place = Unused::new();
    Stage::with(Limits::NONE, |config| {
        configure(config, twitch, &own_callback(place.addr()));
        (config.twitch.channel_name, config.tracking.discord_rate) = (None, 0);
        config.listen_port = place.addr().port();
        drop(place);
    })
    .await
}

/// Twitch, with this limit of the cost of all subscriptions.
async fn twitch(max_total_cost: u32) -> Twitch {
    let twitch = Twitch::with(MockConfig { max_total_cost, ..MockConfig::default() }).await;
    for streamer in [STREAMER, "mintcomet"] {
        twitch.mock.world.add_channel(streamer).unwrap();
    }
    twitch
}

/// The types that Twitch sends of a channel.
fn sent(twitch: &Twitch, login: &str) -> BTreeSet<String> {
    let accounts = twitch.mock.world.accounts();
    let id = &accounts.iter().find(|account| account.login == login).unwrap().id;
    let held = twitch.mock.world.subscriptions();
    let of_channel =
        held.iter().filter(|it| it.condition.get("broadcaster_user_id").and_then(Value::as_str) == Some(id));
    of_channel.filter(|it| it.status == SubscriptionStatus::Enabled).map(|it| it.kind.clone()).collect()
}

async fn untrack(stage: &Stage, login: &str) {
    let webhook = stage.webhook();
    let path = format!("/v1/api/webhooks/{}/{login}/{}", webhook.channel_id, webhook.id);
    assert_eq!(stage.send(Method::DELETE, &path).await.status, 200);
}

#[tokio::test]
async fn stream_of_a_watched_channel_is_announced_at_once_and_not_looked_up() {
    let twitch = twitch(10_000).await;
    let stage = watching(&twitch).await;
    assert_eq!(stage.track(&stage.webhook(), STREAMER).await.status, 201);
    stage.server.advance_until("Twitch sends it", async || sent(&twitch, STREAMER).len() == 3).await;
    let types = ["channel.update", "stream.offline", "stream.online"].map(str::to_owned);
    assert_eq!(sent(&twitch, STREAMER), types.into());
    stage.server.advance_until("it is not looked up", async || stage.polled().await == 0).await;

    twitch.mock.world.go_live(STREAMER, Notify::Yes).unwrap();
    until("it is announced", async || !stage.discord.world.messages().is_empty()).await;
    let events = stage.server.json(&format!("/events?channel={STREAMER}&type=stream.online")).await;
    assert_eq!(events["data"][0]["message_type"], "notification");

    untrack(&stage, STREAMER).await;
    stage.server.advance_until("Twitch sends it no more", async || sent(&twitch, STREAMER).is_empty()).await;
    let watched = async || sqlx::query("select from watched_channel").fetch_all(&stage.server.pool).await.unwrap();
    until("no channel is watched", async || watched().await.is_empty()).await;
    stage.stop().await;
}

#[tokio::test]
async fn channel_that_more_want_is_watched_where_cost_allows_one() {
    let twitch = twitch(500 + 3 + 2).await;
    let stage = watching(&twitch).await;
    assert_eq!(stage.track(&stage.webhook(), STREAMER).await.status, 201);
    stage.server.advance_until("it is watched", async || sent(&twitch, STREAMER).len() == 3).await;
    for number in 0..2 {
        assert_eq!(stage.track(&stage.new_webhook(&format!("channel-{number}")), "mintcomet").await.status, 201);
    }
    stage.server.advance_until("the other is looked up", async || stage.polled().await == 1).await;
    assert_eq!(sent(&twitch, "mintcomet").len(), 0, "two Discord channels are too few more");

    assert_eq!(stage.track(&stage.new_webhook("channel-3"), "mintcomet").await.status, 201);
    stage.server.advance_until("the other is watched", async || sent(&twitch, "mintcomet").len() == 3).await;
    stage
        .server
        .advance_until("the first is looked up", async || {
            sent(&twitch, STREAMER).is_empty() && stage.polled().await == 1
        })
        .await;
    stage.stop().await;
}

#[tokio::test]
async fn channels_are_looked_up_again_without_a_callback() {
    let twitch = twitch(10_000).await;
    let stage = watching(&twitch).await;
    assert_eq!(stage.track(&stage.webhook(), STREAMER).await.status, 201);
    stage
        .server
        .advance_until("it is not looked up", async || sent(&twitch, STREAMER).len() == 3 && stage.polled().await == 0)
        .await;
    let Stage { clock, database, server, discord, .. } = stage;
    server.stop().await;
    let server = Server::at(clock, database, |config| twitch.configure(config)).await;
    twitch.mock.world.go_live(STREAMER, Notify::No).unwrap();
    let found = format!("/events?channel={STREAMER}&type=stream.online");
    let is_found = async || !server.json(&found).await["data"].as_array().unwrap().is_empty();
    server.advance_until("the start is found", is_found).await;
    server.stop().await;
    discord.stop().await.unwrap();
}

/// Advances the clocks of the server and of Twitch until the condition holds: a message must not be too old when it arrives.
async fn advance_both_until(stage: &Stage, twitch: &Twitch, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    stage
        .server
        .advance_until(what, async || {
            twitch.clock.advance(time::Duration::seconds(20));
            holds().await
        })
        .await;
}

/// What can't be deleted goes on with the secret that it was created with.
#[tokio::test]
async fn subscriptions_that_could_not_be_deleted_are_created_again_with_the_new_secret() {
    let twitch = twitch(10_000).await;
    let stage = watching(&twitch).await;
    let is_watched = async || sent(&twitch, STREAMER).len() == 3 && stage.polled().await == 0;
    assert_eq!(stage.track(&stage.webhook(), STREAMER).await.status, 201);
    advance_both_until(&stage, &twitch, "it is watched", async || is_watched().await).await;

    let world = &twitch.mock.world;
    let (created, deleted) = (world.calls(CREATE), world.calls(DELETE));
    let_leases_end(&stage.server.pool, &secret()).await;
    world.set_faults(Faults { fail_next_unsubscribe: u32::MAX, ..Faults::default() }).unwrap();
    // As if the server had another one since.
    stage.server.sql("update watched_channel set secret_fingerprint = 'of another secret'").await;
    // Each of the three is tried four times.
    let have_failed = async || world.calls(DELETE) >= deleted + 12;
    advance_both_until(&stage, &twitch, "none can be deleted", have_failed).await;
    assert_eq!(world.calls(CREATE), created);

    world.set_faults(Faults::default()).unwrap();
    let are_created = async || world.calls(CREATE) >= created + 3;
    advance_both_until(&stage, &twitch, "they are created again", are_created).await;
    advance_both_until(&stage, &twitch, "it is watched again", async || is_watched().await).await;
    stage.stop().await;
}
