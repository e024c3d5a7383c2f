//! What Discord does wrong, webhooks and messages that are gone, and servers that share the work.

use showtime::mock::discord::{DiscordFault, DiscordFaults};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::super::{LOGIN, Stage};
use super::is_notifying;
use crate::support::server::Server;
use crate::support::until;

#[tokio::test]
async fn faults_without_an_effect_lose_and_repeat_nothing() {
    use DiscordFault as F;
    // Those of which it is certain that there was no effect notify once; for the others that is not known.
    let certain =
        [F::RateLimited, F::RateLimitedGlobally, F::ChannelWriteLimit, F::RateLimitedWithoutJson, F::BlockedByEdge];
    let uncertain = [F::ResetBefore, F::ErrorBefore, F::BadGateway, F::Overloaded];
    let all = certain.into_iter().map(|it| (it, 1)).chain(uncertain.into_iter().map(|it| (it, 0)));
    let stage = Stage::tracking().await;
    for (number, (fault, notifying)) in all.enumerate() {
        let stream = format!("50{number:02}");
        stage.next(fault, 1);
        stage.online(&stream).await;
        stage.after(Duration::minutes(6)).await;
        let posted = stage.messages();
        assert_eq!(posted.len(), number + 1, "{fault}");
        assert_eq!(usize::from(is_notifying(posted.last().unwrap())), notifying, "{fault}");
        stage.offline(&stream).await;
        stage.after(Duration::minutes(20)).await;
    }
    stage.end().await;
}

#[tokio::test]
async fn answer_that_is_lost_after_the_effect_makes_one_silent_message_more() {
    use DiscordFault as F;
    let stage = Stage::tracking().await;
    let mut expected = Vec::new();
    for (number, fault) in [F::ResetAfter, F::ErrorAfter, F::Truncated].into_iter().enumerate() {
        let stream = format!("50{number:02}");
        stage.next(fault, 1);
        stage.online(&stream).await;
        stage.after(Duration::seconds(2)).await;
        expected.extend([true, false]);
        assert_eq!(stage.messages().iter().map(is_notifying).collect::<Vec<_>>(), expected, "{fault}");
        // The end edit may be lost, too: it is repeated.
        stage.next(fault, 1);
        stage.offline(&stream).await;
        stage.after(Duration::seconds(11)).await;
        stage.after(Duration::minutes(20)).await;
        assert!(stage.messages().last().unwrap().content.contains("was live"), "{fault}");
    }
    let metrics = stage.server.get("/metrics").await.text;
    assert!(metrics.contains("showtime_discord_posts_total{outcome=\"unanswered\"} 3"), "{metrics}");
    stage.end().await;
}

#[tokio::test]
async fn refused_message_fails_and_is_shown() {
    let stage = Stage::tracking().await;
    stage.next(DiscordFault::HarmfulLink, 1);
    stage.online("5001").await;
    stage.after(Duration::minutes(2)).await;
    assert_eq!((stage.states().await, stage.messages().len()), (vec!["failed".to_owned()], 0));
    let status = stage.server.get("/status").await.text;
    assert!(status.contains("1 posts failed in the last hour") && status.contains("harmful links"), "{status}");
    stage.stop().await;
}

#[tokio::test]
async fn discord_that_was_away_for_an_hour_gets_what_is_still_live() {
    let stage = Stage::tracking().await;
    let chances = [(DiscordFault::BadGateway, 1.0)].into();
    stage.discord.world.set_faults(DiscordFaults { chances, ..DiscordFaults::default() }).unwrap();
    stage.online("5001").await;
    for _ in 0..30 {
        stage.after(Duration::minutes(1)).await;
    }
    stage.offline("5001").await;
    stage.after(Duration::minutes(20)).await;
    stage.online("5002").await;
    for _ in 0..10 {
        stage.after(Duration::minutes(1)).await;
    }
    assert!(stage.messages().is_empty());
    stage.discord.world.set_faults(DiscordFaults::default()).unwrap();
    stage.after(Duration::minutes(2)).await;
    stage.message();
    assert_eq!(stage.states().await, ["expired", "posted"]);
    stage.end().await;
}

#[tokio::test]
async fn deleted_webhook_gets_two_requests_and_no_more() {
    let stage = Stage::tracking().await;
    let webhook = stage.webhook();
    stage.discord.world.delete_webhook(&webhook.id.to_string()).unwrap();
    let before = stage.discord.world.calls().len();
    stage.online("5001").await;
    until("Discord is asked", async || stage.discord.world.calls().len() > before).await;
    stage.clock.advance(Duration::seconds(5));
    stage.settled().await;
    stage.update("Second run", "Go").await;
    stage.after(Duration::minutes(1)).await;
    stage.offline("5001").await;
    stage.after(Duration::minutes(20)).await;
    stage.online("5002").await;
    stage.after(Duration::minutes(2)).await;
    let calls = stage.discord.world.calls().split_off(before);
    let confirmed_at = calls.last().unwrap().at;
    let calls: Vec<_> = calls.iter().map(|call| (call.call, call.status, call.code)).collect();
    assert_eq!(calls, [("execute", 404, Some(10_015)), ("show_webhook", 404, Some(10_015))]);
    let shown = stage.send(reqwest::Method::GET, &format!("/v1/api/webhooks/{}", webhook.channel_id)).await.json();
    let events = stage.send(reqwest::Method::GET, "/v2/events?after=0").await.json();
    assert_eq!(events["data"][0]["type"], "webhook_gone", "{events}");
    let told_at = OffsetDateTime::parse(events["data"][0]["at"].as_str().unwrap(), &Rfc3339).unwrap();
    assert!(told_at - confirmed_at <= Duration::SECOND, "{events}");
    assert_eq!((&shown["webhook"], &shown["status"]), (&serde_json::Value::Null, &"gone".into()), "{shown}");

    // With another webhook, the next stream is announced.
    let channel = stage.discord.world.channel(&webhook.channel_id.to_string()).unwrap();
    let new = showtime::mock::discord::NewWebhook { channel: channel.name, ..Default::default() };
    let second = stage.discord.world.add_webhook(&new).unwrap();
    assert_eq!(stage.track(&second, LOGIN).await.status, 200);
    stage.offline("5002").await;
    stage.after(Duration::minutes(20)).await;
    stage.online("5003").await;
    stage.settled().await;
    assert_eq!(stage.message().webhook_id, second.id);
    stage.end().await;
}

#[tokio::test]
async fn webhook_is_not_confirmed_to_be_gone_while_discord_wants_no_request() {
    let stage = Stage::tracking().await;
    stage.discord.world.delete_webhook(&stage.webhook().id.to_string()).unwrap();
    let before = stage.discord.world.calls().len();
    stage.online("5001").await;
    until("it is posted in vain", async || stage.discord.world.calls().len() > before).await;
    let stop = "update egress set not_before = $1";
    sqlx::query(stop).bind(stage.clock.now() + Duration::HOUR).execute(&stage.server.pool).await.unwrap();
    stage.clock.advance(Duration::seconds(5));
    let waits = "select not exists (select from post where state = 'sending')";
    until("it waits", async || sqlx::query_scalar(waits).fetch_one(&stage.server.pool).await.unwrap()).await;
    assert_eq!((stage.discord.world.calls().len(), stage.states().await), (before + 1, vec!["pending".to_owned()]));
    stage.stop().await;
}

#[tokio::test]
async fn moved_webhook_posts_nothing_after_the_first_answer() {
    let stage = Stage::tracking().await;
    let (webhook, elsewhere) = (stage.webhook(), stage.new_channel("elsewhere"));
    stage.discord.world.move_webhook(&webhook.id.to_string(), &elsewhere.name).unwrap();
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.message().channel_id, elsewhere.id);
    stage.offline("5001").await;
    stage.after(Duration::minutes(20)).await;
    stage.online("5002").await;
    stage.after(Duration::minutes(2)).await;
    assert_eq!(stage.messages().len(), 1, "posts are held");
    let home = stage.discord.world.channel(&webhook.channel_id.to_string()).unwrap();
    stage.discord.world.move_webhook(&webhook.id.to_string(), &home.name).unwrap();
    assert_eq!(stage.track(&webhook, LOGIN).await.status, 200);
    stage.after(Duration::minutes(1)).await;
    assert_eq!(stage.messages().last().unwrap().channel_id, home.id, "what was held is posted");
    stage.end().await;
}

#[tokio::test]
async fn deleted_message_is_not_posted_again() {
    let stage = Stage::tracking().await;
    stage.online("5001").await;
    stage.settled().await;
    stage.discord.world.delete_message(&stage.message().id.to_string()).unwrap();
    stage.update("Second run", "Go").await;
    stage.after(Duration::seconds(11)).await;
    stage.update("Third run", "Go").await;
    stage.after(Duration::minutes(6)).await;
    assert_eq!((stage.states().await, stage.messages().len()), (vec!["dismissed".to_owned()], 0));
    assert_eq!(stage.count("edit_message 404"), 1);
    stage.end().await;
}

#[tokio::test]
async fn two_servers_share_the_work() {
    let key = showtime::config::EncryptionKey::generate();
    let given = key.clone();
    let stage = Stage::with(showtime::mock::discord::Limits::NONE, |config| {
        config.tracking.discord_rate = 0;
        config.encryption_key = Some(given);
    });
    let stage = stage.await;
    stage.know_streamer().await;
    for number in 0..200 {
        stage.track_anew(&format!("channel-{number}")).await;
    }
    let url = stage.discord.api_url();
    let other = Server::at(stage.clock.clone(), stage.database.clone(), |config| {
        config.tracking.discord_url = url;
        config.tracking.discord_rate = 0;
        config.encryption_key = Some(key);
    });
    let other = other.await;
    let faults =
        DiscordFaults { delay_ms: 20, chances: [(DiscordFault::Delay, 1.0)].into(), ..DiscordFaults::default() };
    stage.discord.world.set_faults(faults).unwrap();
    stage.online("5001").await;
    stage.settled().await;
    assert_eq!(stage.messages().len(), 200);
    stage.offline("5001").await;
    stage.after(Duration::seconds(11)).await;
    assert!(stage.messages().iter().all(|message| message.content.contains("was live")));
    let posted = async |server: &Server| server.get("/metrics").await.text.contains("{outcome=\"posted\"}");
    assert!(posted(&stage.server).await && posted(&other).await, "one of the servers did nothing");
    other.stop().await;
    stage.end().await;
}

/// What came of a request is kept until the database takes it. What is lost with a connection is a claim at most.
#[tokio::test]
async fn connections_to_the_database_that_break_lose_and_repeat_nothing() {
    let stage = Stage::tracking().await;
    for number in 0..60 {
        stage.track_anew(&format!("channel-{number}")).await;
    }
    let chances = [(DiscordFault::Delay, 1.0)].into();
    stage.discord.world.set_faults(DiscordFaults { delay_ms: 30, chances, ..DiscordFaults::default() }).unwrap();
    stage.online("5001").await;
    let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and application_name = 'showtime followers'";
    for round in 1..=6 {
        let is_further = async || stage.messages().len() >= round * 8;
        until("more is posted", is_further).await;
        sqlx::query(cut).execute(&stage.server.pool).await.unwrap();
    }
    until("the outcomes are recorded", async || {
        let open = "select count(*) from post where state <> 'posted'";
        let open: i64 = sqlx::query_scalar(open).fetch_one(&stage.server.pool).await.unwrap();
        // The lease of a claim whose commit was not answered has to run out.
        if open > 0 {
            stage.clock.advance(Duration::seconds(5));
        }
        open == 0
    })
    .await;
    let mut by_webhook = std::collections::BTreeMap::<_, Vec<bool>>::new();
    stage.messages().iter().for_each(|it| by_webhook.entry(it.webhook_id).or_default().push(is_notifying(it)));
    assert_eq!(by_webhook.len(), 61);
    let is_kept = |messages: &Vec<bool>| messages.iter().filter(|is_notifying| **is_notifying).count() <= 1;
    assert!(by_webhook.values().all(is_kept), "{by_webhook:?}");
    stage.end().await;
}

#[tokio::test]
async fn bot_is_told_of_a_post_whose_server_was_killed_also_if_another_one_is_due_first() {
    let stage = Stage::tracking().await;
    // As a server leaves it that was killed while it posted about the first stream.
    stage
        .server
        .sql(
            "insert into announcement (stream_id, twitch_id, login, display_name, started_at, created_at, is_expanded)
        select stream, '90210441', 'user90210441', 'User90210441', now(), now(), true
            from unnest(array['5001', '5002']) as stream;
        insert into post (stream_id, destination_id, state, attempts, next_at)
        select '5001', id, 'sending', 1, now() - interval '2 minutes' from destination;
        insert into post (stream_id, destination_id, next_at)
        select '5002', id, now() - interval '1 minute' from destination;
        update destination set leased_by = 1, leased_until = now() - interval '1 minute',
            next_at = now() - interval '1 minute'",
        )
        .await;
    stage.settled().await;
    let events = stage.send(reqwest::Method::GET, "/v2/events?after=0").await.json();
    let events = events["data"].as_array().unwrap();
    let is_uncertain = |event: &&serde_json::Value| event["type"] == "delivery_uncertain";
    let uncertain: Vec<_> = events.iter().filter(is_uncertain).collect();
    assert_eq!(uncertain.len(), 1, "{events:?}");
    let news = &uncertain[0]["data"];
    assert_eq!((&news["stream_id"], &news["login"]), (&"5001".into(), &LOGIN.into()), "{events:?}");
    let notifying: Vec<_> = stage.messages().iter().map(is_notifying).collect();
    assert_eq!(notifying, [true, false], "the other one is posted first");
    stage.end().await;
}

/// A stop of the server waits for the answer.
#[tokio::test]
async fn request_under_way_is_recorded_before_the_server_stops() {
    let stage = Stage::tracking().await;
    let before = stage.discord.world.calls().len();
    let faults = DiscordFaults { delay_ms: 500, ..DiscordFaults::next(DiscordFault::Delay, 1) };
    stage.discord.world.set_faults(faults).unwrap();
    stage.online("5001").await;
    let sending = "select exists (select from post where state = 'sending')";
    until("it is sent", async || sqlx::query_scalar(sending).fetch_one(&stage.server.pool).await.unwrap()).await;
    let pool = stage.server.pool.clone();
    stage.server.stop().await;
    let state: String = sqlx::query_scalar("select state from post").fetch_one(&pool).await.unwrap();
    assert_eq!((state.as_str(), stage.discord.world.calls().len() - before), ("posted", 1));
    stage.discord.stop().await.unwrap();
}
