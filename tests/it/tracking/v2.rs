//! The second version of the API: channels, webhooks, tracks.

use reqwest::Method;
use serde_json::{Value, json};
use showtime::mock::discord::{DiscordFault, DiscordFaults, Limits, Webhook};
use showtime::store::tracking::destinations;
use time::Duration;

use super::{LOGIN, Stage};
use crate::support::bots;
use crate::support::messages::CHANNEL;
use crate::support::until;

fn given(webhook: &Webhook) -> Value {
    json!({ "id": webhook.id, "token": webhook.token })
}

fn channel(webhook: &Webhook) -> String {
    format!("/v2/channels/{}", webhook.channel_id)
}

#[tokio::test]
async fn channel_gets_a_webhook_and_tracks_and_is_dropped() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    let path = channel(&webhook);
    stage.put(&format!("{path}/tracks/{LOGIN}"), &json!({})).await.problem(404, "not-found");
    let set = stage.put(&format!("{path}/webhook"), &given(&webhook)).await;
    assert_eq!(set.status, 200, "{set:?}");
    let shown = set.json();
    assert_eq!(
        (&shown["channel_id"], &shown["guild_id"], &shown["webhook_id"]),
        (&json!(webhook.channel_id), &json!(webhook.guild_id), &json!(webhook.id))
    );
    assert_eq!((&shown["state"], &shown["tracks"]), (&json!("ok"), &json!([])));
    assert!(shown["verified_at"].is_string() && !set.text.contains(&webhook.token), "{shown}");

    for (name, status) in [(LOGIN.to_uppercase().as_str(), 201), (LOGIN, 200), (CHANNEL, 200)] {
        let put = stage.put(&format!("{path}/tracks/{name}"), &json!({})).await;
        assert_eq!(put.status, status, "{put:?}");
        assert_eq!((&put.json()["twitch_id"], &put.json()["login"]), (&json!(CHANNEL), &json!(LOGIN)));
    }
    let shown = stage.send(Method::GET, &path).await.json();
    assert_eq!(shown["tracks"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(stage.discord.world.calls().len(), 1, "it was verified once");

    assert_eq!(stage.send(Method::DELETE, &format!("{path}/tracks/{CHANNEL}")).await.status, 204);
    stage.send(Method::DELETE, &format!("{path}/tracks/{CHANNEL}")).await.problem(404, "not-found");
    assert_eq!(stage.send(Method::DELETE, &path).await.status, 204);
    stage.send(Method::DELETE, &path).await.problem(404, "not-found");
    stage.send(Method::GET, &path).await.problem(404, "not-found");
    stage.stop().await;
}

#[tokio::test]
async fn webhook_is_replaced_by_one_that_posts_there() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (first, elsewhere) = (stage.webhook(), stage.new_webhook("elsewhere"));
    let second = stage.second_webhook(&first);
    assert_eq!(stage.track(&first, LOGIN).await.status, 201);
    let path = format!("{}/webhook", channel(&first));
    let replaced = stage.put(&path, &given(&second)).await.json();
    assert_eq!((&replaced["webhook_id"], &replaced["tracks"][0]["login"]), (&json!(second.id), &json!(LOGIN)));
    stage.put(&path, &given(&elsewhere)).await.problem(422, "webhook-elsewhere");
    let unknown = json!({ "id": "1130555666777888999", "token": second.token });
    stage.put(&path, &unknown).await.problem(422, "webhook-gone");
    assert_eq!(stage.send(Method::GET, &channel(&first)).await.json()["webhook_id"], json!(second.id));
    // Of another channel of the bot.
    assert_eq!(stage.track(&elsewhere, LOGIN).await.status, 201);
    let target = stage.discord.world.channel(&first.channel_id.to_string()).unwrap();
    let moved = stage.discord.world.move_webhook(&elsewhere.id.to_string(), &target.name).unwrap();
    stage.put(&path, &given(&moved)).await.problem(409, "webhook-in-use");
    stage.stop().await;
}

#[tokio::test]
async fn check_says_what_became_of_a_webhook() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    let (path, check) = (channel(&webhook), format!("{}/webhook/check", channel(&webhook)));
    stage.send(Method::POST, &check).await.problem(404, "not-found");
    assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
    let checked = async || stage.send(Method::POST, &check).await.json();
    assert_eq!(checked().await, json!({ "state": "ok", "moved_to": null }));

    let other = stage.new_channel("other");
    stage.discord.world.move_webhook(&webhook.id.to_string(), &other.name).unwrap();
    assert_eq!(checked().await, json!({ "state": "moved", "moved_to": other.id }));
    let shown = stage.send(Method::GET, &path).await.json();
    assert_eq!((&shown["state"], &shown["moved_to"]), (&json!("moved"), &json!(other.id)));
    let home = stage.discord.world.channel(&webhook.channel_id.to_string()).unwrap();
    stage.discord.world.move_webhook(&webhook.id.to_string(), &home.name).unwrap();
    assert_eq!(checked().await["state"], "ok", "it came back");
    assert_eq!(stage.send(Method::GET, &path).await.json()["moved_to"], Value::Null);

    stage.discord.world.delete_webhook(&webhook.id.to_string()).unwrap();
    assert_eq!(checked().await["state"], "gone");
    let calls = stage.discord.world.calls().len();
    assert_eq!(checked().await["state"], "gone");
    assert_eq!(stage.discord.world.calls().len(), calls, "a deleted webhook is not asked about again");
    let shown = stage.send(Method::GET, &path).await.json();
    assert_eq!((&shown["state"], &shown["tracks"][0]["login"]), (&json!("gone"), &json!(LOGIN)), "tracks are kept");
    let info = stage.send(Method::GET, &format!("/v1/api/webhooks/{}", webhook.channel_id)).await.json();
    assert_eq!(info, json!({ "names": [LOGIN], "webhook": null, "status": "gone" }));
    let untrack = format!("/v1/api/webhooks/{}/{LOGIN}/{}", webhook.channel_id, webhook.id);
    assert_eq!(stage.send(Method::DELETE, &untrack).await.status, 200, "a bot of the first version can stop it");
    stage.stop().await;
}

#[tokio::test]
async fn lost_webhook_drops_its_channel_if_the_bot_wants_that() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (kept, dropped) = (stage.webhook(), stage.new_webhook("second"));
    for webhook in [&kept, &dropped] {
        assert_eq!(stage.track(webhook, LOGIN).await.status, 201);
    }
    assert_eq!(
        stage.send(Method::GET, "/v2/settings").await.json(),
        json!({ "on_webhook_gone": "keep", "keep_gone_days": 30, "defaults": {} })
    );
    assert_eq!(stage.send(Method::DELETE, &format!("{}/webhook", channel(&kept))).await.status, 204);
    assert_eq!(stage.send(Method::DELETE, &format!("{}/webhook", channel(&kept))).await.status, 204, "again");
    let set = stage.put("/v2/settings", &json!({ "on_webhook_gone": "drop" })).await;
    let dropping = json!({ "on_webhook_gone": "drop", "keep_gone_days": 30, "defaults": {} });
    assert_eq!((set.status.as_u16(), set.json()), (200, dropping));
    assert_eq!(stage.send(Method::GET, "/v2/settings").await.json(), set.json());
    assert_eq!(stage.send(Method::DELETE, &format!("{}/webhook", channel(&dropped))).await.status, 204);
    assert_eq!(stage.send(Method::GET, &channel(&kept)).await.json()["state"], "gone");
    stage.send(Method::GET, &channel(&dropped)).await.problem(404, "not-found");
    assert!(stage.discord.world.calls().len() == 2, "Discord was asked when they were tracked, and not since");
    for (wrong, field) in [
        (json!({ "on_webhook_gone": "burn" }), "on_webhook_gone"),
        (json!({ "keep_gone_days": 0 }), "keep_gone_days"),
        (json!({ "keep_gone_days": 366 }), "keep_gone_days"),
    ] {
        let problem = stage.put("/v2/settings", &wrong).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{problem}");
    }
    assert_eq!(
        stage.put("/v2/settings", &json!({})).await.json(),
        json!({ "on_webhook_gone": "keep", "keep_gone_days": 30, "defaults": {} })
    );
    stage.stop().await;
}

#[tokio::test]
async fn channel_whose_webhook_was_deleted_is_dropped_after_the_days_that_the_bot_sets() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (gone, kept) = (stage.webhook(), stage.new_webhook("kept"));
    for webhook in [&gone, &kept] {
        assert_eq!(stage.track(webhook, LOGIN).await.status, 201);
    }
    assert_eq!(stage.put("/v2/settings", &json!({ "keep_gone_days": 2 })).await.status, 200);
    assert_eq!(stage.send(Method::DELETE, &format!("{}/webhook", channel(&gone))).await.status, 204);
    let drop_gone = async || {
        let mut connection = stage.server.pool.acquire().await.unwrap();
        destinations::drop_gone(&mut connection, stage.clock.now()).await.unwrap()
    };
    stage.clock.advance(Duration::hours(47));
    assert!(!drop_gone().await, "it waits for another webhook");
    stage.clock.advance(Duration::hours(2));
    // By the server itself, which looks each hour, or here.
    drop_gone().await;
    until("it is dropped", async || stage.send(Method::GET, &channel(&gone)).await.status == 404).await;
    assert!(!drop_gone().await, "what has its webhook stays");
    assert_eq!(stage.send(Method::GET, &channel(&kept)).await.json()["state"], "ok");
    let events = stage.send(Method::GET, "/v2/events").await.json();
    let told: Vec<_> = events["data"].as_array().unwrap().iter().map(|it| it["data"]["is_dropped"].clone()).collect();
    assert_eq!(told, [false, true], "it is not dropped silently: {events}");
    let last = &events["data"][1]["data"];
    assert_eq!((&last["logins"], &last["channel_id"]), (&json!([LOGIN]), &json!(gone.channel_id)), "{events}");
    stage.stop().await;
}

#[tokio::test]
async fn nothing_new_is_tracked_over_a_webhook_that_was_lost() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    stage.server.sql("insert into channel (id, anonymous_bits, anonymous_gifts) values ('500001', 0, 0)").await;
    let (gone, moved) = (stage.webhook(), stage.new_webhook("second"));
    for webhook in [&gone, &moved] {
        assert_eq!(stage.track(webhook, LOGIN).await.status, 201);
    }
    stage.discord.world.delete_webhook(&gone.id.to_string()).unwrap();
    let other = stage.new_channel("other");
    stage.discord.world.move_webhook(&moved.id.to_string(), &other.name).unwrap();
    for (webhook, problem) in [(&gone, "webhook-gone"), (&moved, "webhook-elsewhere")] {
        // The same webhook again: what Discord says of it is recorded, so that it is not called for the next stream.
        stage.put(&format!("{}/webhook", channel(webhook)), &given(webhook)).await.problem(422, problem);
        let calls = stage.discord.world.calls().len();
        stage.put(&format!("{}/tracks/500001", channel(webhook)), &json!({})).await.problem(422, problem);
        let known = stage.put(&format!("{}/tracks/{LOGIN}", channel(webhook)), &json!({ "silent": true })).await;
        assert_eq!(known.status, 200, "settings can be changed meanwhile: {known:?}");
        assert_eq!(stage.discord.world.calls().len(), calls);
    }
    for (webhook, state) in [(&gone, "gone"), (&moved, "moved")] {
        assert_eq!(stage.send(Method::GET, &channel(webhook)).await.json()["state"], state);
    }
    let events = stage.send(Method::GET, "/v2/events").await.json();
    let types: Vec<_> = events["data"].as_array().unwrap().iter().map(|it| it["type"].clone()).collect();
    assert_eq!(types, ["webhook_gone", "webhook_moved"]);
    // Another token says nothing of the webhook that is known.
    let third = stage.new_webhook("third");
    assert_eq!(stage.track(&third, LOGIN).await.status, 201);
    let wrong = json!({ "id": third.id, "token": "wrong" });
    stage.put(&format!("{}/webhook", channel(&third)), &wrong).await.problem(422, "webhook-gone");
    assert_eq!(stage.send(Method::GET, &channel(&third)).await.json()["state"], "ok");
    stage.stop().await;
}

#[tokio::test]
async fn track_is_added_with_its_settings_or_not_at_all() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (webhook, path) = (stage.webhook(), format!("{}/tracks/{LOGIN}", channel(&stage.webhook())));
    assert_eq!(stage.put(&format!("{}/webhook", channel(&webhook)), &given(&webhook)).await.status, 200);
    // A failure between the track and its settings.
    stage.server.sql("alter table track add constraint no_settings check (settings = '{}')").await;
    stage.put(&path, &json!({ "silent": true })).await.problem(500, "internal");
    assert_eq!(stage.send(Method::GET, &channel(&webhook)).await.json()["tracks"], json!([]));
    stage.server.sql("alter table track drop constraint no_settings").await;
    let added = stage.put(&path, &json!({ "silent": true })).await;
    assert_eq!((added.status.as_u16(), &added.json()["settings"]), (201, &json!({ "silent": true })), "{added:?}");
    stage.stop().await;
}

#[tokio::test]
async fn track_that_is_put_many_times_at_once_is_new_once() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let (webhook, path) = (stage.webhook(), format!("{}/tracks/{LOGIN}", channel(&stage.webhook())));
    assert_eq!(stage.put(&format!("{}/webhook", channel(&webhook)), &given(&webhook)).await.status, 200);
    let body = json!({ "silent": true });
    let all = futures_util::future::join_all((0..16).map(|_| stage.put(&path, &body))).await;
    let mut statuses: Vec<_> = all.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[200; 15].as_slice(), &[201]].concat(), "{all:?}");
    stage.stop().await;
}

#[tokio::test]
async fn webhooks_are_verified_within_the_limits_of_the_address() {
    let stage = Stage::with(Limits::NONE, |_| {}).await;
    stage.know_streamer().await;
    let (webhook, path) = (stage.webhook(), format!("{}/webhook", channel(&stage.webhook())));
    let wrong = json!({ "id": webhook.id, "token": "wrong" });
    stage.put(&path, &wrong).await.problem(422, "webhook-gone");
    let counted = "select invalid_count from egress";
    let counted = async || sqlx::query_scalar::<_, i32>(counted).fetch_one(&stage.server.pool).await.unwrap();
    assert_eq!(counted().await, 1, "Discord counts a wrong token towards a ban");

    let faults = DiscordFaults { retry_after_ms: 30_000, ..DiscordFaults::next(DiscordFault::RateLimitedGlobally, 1) };
    stage.discord.world.set_faults(faults).unwrap();
    stage.put(&path, &given(&webhook)).await.problem(503, "discord-unavailable");
    let calls = stage.discord.world.calls().len();
    stage.put(&path, &given(&webhook)).await.problem(503, "discord-unavailable");
    assert_eq!((stage.discord.world.calls().len(), counted().await), (calls, 2), "it is not called in vain");
    stage.clock.advance(Duration::seconds(30));
    assert_eq!(stage.put(&path, &given(&webhook)).await.status, 200);

    // After thousands of invalid requests Discord is left alone.
    let many = "update egress set invalid_count = 5000, invalid_since = $1";
    sqlx::query(many).bind(stage.clock.now()).execute(&stage.server.pool).await.unwrap();
    let calls = stage.discord.world.calls().len();
    stage.send(Method::POST, &format!("{path}/check")).await.problem(503, "discord-unavailable");
    assert_eq!(stage.discord.world.calls().len(), calls);
    stage.stop().await;
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let stage = Stage::start().await;
    let webhook = stage.webhook();
    let path = channel(&webhook);
    for (query, parameter) in [
        ("shard=1", "shard_count"),
        ("shard_count=4", "shard"),
        ("shard=4&shard_count=4", "shard"),
        ("shard=-1&shard_count=4", "shard"),
        ("shard=0&shard_count=0", "shard_count"),
        ("shard=0&shard_count=65537", "shard_count"),
        ("limit=0", "limit"),
        ("after=x", "after"),
    ] {
        for list in ["channels", "events"] {
            let problem = stage.send(Method::GET, &format!("/v2/{list}?{query}")).await;
            assert_eq!(problem.problem(400, "invalid-parameter")["parameters"], json!([parameter]), "{list}?{query}");
        }
    }
    for wrong in ["/v2/channels/5", "/v2/channels/x"] {
        stage.send(Method::GET, wrong).await.problem(400, "invalid-path");
        stage.send(Method::DELETE, wrong).await.problem(400, "invalid-path");
    }
    stage.send(Method::DELETE, "/v2/guilds/5").await.problem(400, "invalid-path");
    stage.send(Method::DELETE, "/v2/guilds/146404426746167000").await.problem(404, "not-found");
    for body in [json!({}), json!({ "id": webhook.id }), json!({ "id": "5", "token": "a" })] {
        stage.put(&format!("{path}/webhook"), &body).await.problem(400, "invalid-field");
    }
    assert_eq!(stage.put(&format!("{path}/webhook"), &given(&webhook)).await.status, 200);
    stage.put(&format!("{path}/tracks/no-login"), &json!({})).await.problem(400, "invalid-path");
    stage.put(&format!("{path}/tracks/{LOGIN}"), &json!({ "colour": 1 })).await.problem(400, "invalid-field");
    let text = json!({ "message": "{% if stream.title %}\n{{ stream.titel }}{% endif %}" });
    let problem = stage.put(&format!("{path}/tracks/{LOGIN}"), &text).await.problem(400, "invalid-field");
    assert!(
        problem["field"] == "message" && problem["detail"].as_str().unwrap().contains("(line 2, column 4)"),
        "{problem}"
    );
    stage.put(&format!("{path}/tracks/{LOGIN}"), &json!({})).await.problem(422, "twitch-not-configured");
    stage.send(Method::DELETE, &format!("{path}/tracks/{LOGIN}")).await.problem(404, "not-found");
    stage.send(Method::PATCH, &path).await.problem(405, "method-not-allowed");
    stage.stop().await;
}

#[tokio::test]
async fn bots_see_and_change_only_what_is_their_own() {
    let stage = Stage::start().await;
    stage.know_streamer().await;
    let webhook = stage.webhook();
    assert_eq!(stage.track(&webhook, LOGIN).await.status, 201);
    let other = bots::token(&stage.server, "other").await;
    let path = channel(&webhook);
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::DELETE, format!("{path}/webhook")),
        (Method::POST, format!("{path}/webhook/check")),
        (Method::DELETE, format!("{path}/tracks/{LOGIN}")),
        (Method::POST, format!("{path}/tracks/{LOGIN}/test")),
        (Method::DELETE, format!("/v2/guilds/{}", webhook.guild_id)),
    ] {
        stage.server.send_as(&other, method, &path).await.problem(404, "not-found");
    }
    for (method, path) in [
        (Method::PUT, format!("{path}/tracks/{LOGIN}")),
        (Method::PATCH, format!("{path}/tracks/{LOGIN}")),
        (Method::PUT, format!("{path}/settings")),
        (Method::PATCH, format!("{path}/settings")),
    ] {
        stage.server.send_json_as(&other, method, &path, &json!({})).await.problem(404, "not-found");
    }
    let shown = json!({ "channel_id": webhook.channel_id });
    stage.server.send_json_as(&other, Method::POST, "/v2/render", &shown).await.problem(404, "not-found");
    let settings = json!({ "on_webhook_gone": "drop" });
    stage.server.send_json_as(&other, Method::PUT, "/v2/settings", &settings).await;
    assert_eq!(
        stage.send(Method::GET, "/v2/settings").await.json(),
        json!({ "on_webhook_gone": "keep", "keep_gone_days": 30, "defaults": {} })
    );
    let list = stage.server.send_as(&other, Method::GET, "/v2/channels").await.json();
    assert_eq!(list, json!({ "data": [], "next": null }));
    assert_eq!(stage.send(Method::GET, &path).await.json()["tracks"][0]["login"], LOGIN);
    assert_eq!(stage.send(Method::DELETE, &format!("/v2/guilds/{}", webhook.guild_id)).await.status, 204);
    stage.send(Method::GET, &path).await.problem(404, "not-found");
    stage.stop().await;
}
