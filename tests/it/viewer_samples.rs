//! How many viewers a stream has is sampled each minute.

use serde_json::{Value, json};
use showtime::mock::{Faults, Notify};

use crate::support::postgres::{fresh_database, pool};
use crate::support::server::Server;
use crate::support::twitch::{CHANNEL, CHANNEL_ID, Twitch, serve_channel};
use crate::support::until;

const SAMPLES: &str = "/events?type=showtime.stream.viewers";

async fn samples(server: &Server) -> Vec<Value> {
    server.json(SAMPLES).await["data"].as_array().unwrap().clone()
}

async fn is_live(server: &Server) -> bool {
    let live = server.json("/channels?live=true").await;
    live["data"].as_array().unwrap().iter().any(|channel| channel["id"] == CHANNEL_ID)
}

/// Advances the clock to the next minute, and waits for so many samples in all.
async fn until_samples(server: &Server, count: usize) -> Vec<Value> {
    server.advance_until("there is a sample", async || samples(server).await.len() >= count).await;
    samples(server).await
}

#[tokio::test]
async fn live_channel_that_is_served_is_sampled_each_minute() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    world.add_channel("copperkite").unwrap();
    let database = fresh_database().await;
    serve_channel(&pool(&database), CHANNEL_ID, CHANNEL).await;
    let stream = world.go_live(CHANNEL, Notify::No).unwrap();
    world.go_live("copperkite", Notify::No).unwrap();
    world.set_viewers(CHANNEL, 40).unwrap();
    let server = Server::with(database, |config| twitch.configure(config)).await;
    until("it is live", async || is_live(&server).await).await;

    let first = until_samples(&server, 1).await.remove(0);
    assert_eq!((&first["channel_id"], &first["message_type"]), (&json!(CHANNEL_ID), &json!("inferred")));
    assert_eq!(first["payload"]["event"]["viewers"], 40);
    assert_eq!(first["text"], "maplearcade has 40 viewers");
    let id = first["message_id"].as_str().unwrap();
    assert!(id.starts_with(&format!("inferred:showtime.stream.viewers:{stream}:")), "{id}");

    world.set_viewers(CHANNEL, 61).unwrap();
    let taken = samples(&server).await.len();
    let all = until_samples(&server, taken + 1).await;
    assert!(all.iter().all(|sample| sample["channel_id"] == CHANNEL_ID), "no other channel is served: {all:?}");
    let numbers: Vec<_> = all.iter().map(|sample| sample["payload"]["event"]["viewers"].as_i64().unwrap()).collect();
    let average = numbers.iter().sum::<i64>() as f64 / numbers.len() as f64;
    let totals = &server.json(&format!("/channels/{CHANNEL}")).await["broadcast"]["totals"];
    assert_eq!(totals["viewers_peak"], 61);
    assert_eq!(totals["viewers_average"], average.round() as i64, "{numbers:?}");
    let since = all[0]["occurred_at"].as_str().unwrap();
    let series = format!("/channels/{CHANNEL}/series?metric=viewers&bucket=minute&since={since}");
    let now = server.clock.now().format(&time::format_description::well_known::Rfc3339).unwrap();
    let points = &server.json(&format!("{series}&until={now}")).await["points"];
    assert_eq!(points.as_array().unwrap().len(), numbers.len(), "a point for each minute: {points}");

    world.go_offline(CHANNEL, Notify::No).unwrap();
    let before = samples(&server).await.len();
    server.advance_until("it is offline", async || !is_live(&server).await).await;
    assert!(samples(&server).await.len() <= before + 1, "what Helix does not show has no viewers");
}

#[tokio::test]
async fn helix_that_does_not_answer_leaves_a_gap() {
    let twitch = Twitch::start().await;
    let world = &twitch.mock.world;
    let database = fresh_database().await;
    serve_channel(&pool(&database), CHANNEL_ID, CHANNEL).await;
    world.go_live(CHANNEL, Notify::No).unwrap();
    let server = Server::with(database, |config| twitch.configure(config)).await;
    until_samples(&server, 1).await;
    world.set_faults(Faults { helix_error: 1.0, ..Faults::default() }).unwrap();
    let asked = world.calls("GET /helix/streams");
    server.advance_until("Helix is asked", async || world.calls("GET /helix/streams") > asked).await;
    let before = samples(&server).await.len();
    world.set_faults(Faults::default()).unwrap();
    until_samples(&server, before + 1).await;
}
