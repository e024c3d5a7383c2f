//! Cooldowns, timers, changes of the rules, and rules beside each other.

use futures_util::future::join_all;
use serde_json::json;
use time::Duration;

use super::super::Place;
use super::{apply, count, deliver, judged, line, quiet, said, says, serve};
use crate::support::messages::{follow, notification, text};
use crate::support::server::Server;
use crate::support::twitch::CHANNEL_ID;
use crate::support::until;

#[tokio::test]
async fn cooldown_is_not_raced() {
    let place = Place::new().await;
    let server = serve(&place).await;
    apply(&server, "[[rule]]\nname = \"go\"\ncommand = \"!go\"\ncooldown = \"30s\"\ndo = [{ say = \"gone\" }]").await;
    let lines: Vec<_> = (0..40).map(|index| line(&server, &format!("m{index}"), "!go", "")).collect();
    for answer in join_all(lines.iter().map(|line| server.deliver(line))).await {
        assert_eq!(answer.status, 204);
    }
    quiet(&server).await;
    assert_eq!(said(&place).len(), 1);
    let rule = server.json("/rules/go").await;
    assert!(rule["refusal"].as_str().unwrap().starts_with("cooldown until "), "{rule}");
    assert!(rule["fired_at"].is_string());
    server.stop().await;
}

#[tokio::test]
async fn timer_runs_once_by_the_clock() {
    let place = Place::new().await;
    let server = serve(&place).await;
    let rules = "[[rule]]\nname = \"socials\"\ntimer = { every = \"20m\", lines = 1 }\ndo = [{ say = \"news\" }]";
    apply(&server, rules).await;
    until("the timer has started", async || {
        sqlx::query_scalar("select exists (select from rule_timer)").fetch_one(&server.pool).await.unwrap()
    })
    .await;
    says(&server, "m1", "a line", "").await;
    server.clock.advance(Duration::minutes(21));
    until("the timer has run", async || !said(&place).is_empty()).await;
    quiet(&server).await;
    assert_eq!(said(&place), ["news"]);
    let again: i64 = sqlx::query_scalar("select lines::bigint from rule_timer").fetch_one(&server.pool).await.unwrap();
    assert_eq!(again, 0);
    server.stop().await;
}

#[tokio::test]
async fn condition_sees_how_many_watch() {
    let place = Place::new().await;
    let server = serve(&place).await;
    let rule = "[[rule]]\nname = \"big\"\ncommand = \"!big\"\nwhen = \"channel.viewers >= 40\"\n\
        do = [{ say = \"{{ channel.viewers }} watch\" }]";
    apply(&server, rule).await;
    let watch = async |viewers: i64| {
        sqlx::query(
            "insert into activity select (jsonb_populate_record(null::activity, $1)).*
            on conflict (channel_id, minute) do update set viewers = excluded.viewers, viewer_samples = excluded.viewer_samples",
        )
        .bind(json!({
            "channel_id": CHANNEL_ID, "minute": text(server.clock.now()), "subscriptions": 0, "resubscriptions": 0,
            "gifts": 0, "bits": 0, "raids": 0, "raid_viewers": 0, "redemptions": 0, "messages": 0,
            "viewers": 2 * viewers, "viewer_samples": 2, "viewers_peak": viewers,
        }))
        .execute(&server.pool)
        .await
        .unwrap();
    };
    watch(39).await;
    assert_eq!(says(&server, "m1", "!big", "").await, [""; 0]);
    server.clock.advance(Duration::minutes(2));
    watch(42).await;
    assert_eq!(says(&server, "m2", "!big", "").await, ["say: done"]);
    assert_eq!(said(&place), ["42 watch"]);
    server.stop().await;
}

#[tokio::test]
async fn batch_of_events_without_a_user_is_reacted_to() {
    let place = Place::new().await;
    let server = serve(&place).await;
    let rule = "[[rule]]\nname = \"cheers\"\non = \"channel.cheer\"\nbatch = \"10s\"\ndo = [{ say = \"Thank you!\" }]";
    apply(&server, rule).await;
    for bits in [50, 60] {
        let mut cheer = json!({ "is_anonymous": true, "user_id": null, "user_login": null, "user_name": null });
        cheer["message"] = json!("hi");
        cheer["bits"] = json!(bits);
        deliver(&server, &notification("channel.cheer", server.clock.now(), cheer)).await;
    }
    judged(&server).await;
    assert!(said(&place).is_empty(), "the batch has not ended");
    server.clock.advance(Duration::seconds(11));
    until("the batch has ended", async || !said(&place).is_empty()).await;
    quiet(&server).await;
    assert_eq!(said(&place), ["Thank you!"]);
    server.stop().await;
}

#[tokio::test]
async fn failing_template_stops_neither_other_rules_nor_the_log() {
    let place = Place::new().await;
    let server = serve(&place).await;
    let rules = r#"
        [[rule]]
        name = "fails"
        command = "!go"
        do = [{ say = "{{ args[0] }}" }, { say = "never" }]
        [[rule]]
        name = "works"
        command = "!go"
        do = [{ say = "works" }]
    "#;
    apply(&server, rules).await;
    assert_eq!(says(&server, "m1", "!go", "").await, ["say: failed", "say: off", "say: done"]);
    assert_eq!(said(&place), ["works"]);
    let statement = "select problem from action where state = 'failed'";
    let problem: String = sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap();
    assert!(problem.contains("undefined"), "{problem}");
    server.stop().await;
}

#[tokio::test]
async fn failed_action_turns_the_steps_after_it_off() {
    let place = Place::with(&["user:write:chat"]).await;
    let server = serve(&place).await;
    let rules = r#"
        [[rule]]
        name = "stops"
        command = "!stop"
        do = [{ title = "not allowed" }, { say = "never" }]
        [[rule]]
        name = "goes on"
        command = "!go"
        do = [{ title = "not allowed", continue = true }, { delay = "5s" }, { say = "done" }]
    "#;
    apply(&server, rules).await;
    assert_eq!(says(&server, "m1", "!stop", "").await, ["title: failed", "say: off"]);
    assert_eq!(says(&server, "m2", "!go", "").await, ["title: failed", "say: done"]);
    assert_eq!(said(&place), ["done"]);
    server.stop().await;
}

#[tokio::test]
async fn dry_run_of_all_rules_does_nothing() {
    let place = Place::new().await;
    let server = serve(&place).await;
    apply(&server, "[[rule]]\nname = \"go\"\ncommand = \"!go\"\ndo = [{ say = \"gone\" }]").await;
    let set = server.patch_json("/rule-set", &json!({ "is_dry": true })).await;
    assert_eq!((set.status.as_u16(), &set.json()["is_dry"]), (200, &json!(true)));
    assert_eq!(says(&server, "m1", "!go", "").await, ["say: dry"]);
    server.patch_json("/rule-set", &json!({ "is_dry": false })).await;
    assert_eq!(says(&server, "m2", "!go", "").await, ["say: done"]);
    assert_eq!(said(&place).len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn change_of_the_rules_is_seen_at_once_by_every_server() {
    let place = Place::new().await;
    let servers = [serve(&place).await, serve(&place).await, serve(&place).await];
    for (round, server) in servers.iter().cycle().take(6).enumerate() {
        let rule = format!("[[rule]]\nname = \"go\"\ncommand = \"!go\"\ndo = [{{ say = \"round {round}\" }}]");
        apply(server, &rule).await;
        for server in &servers {
            let shown = server.json("/rules/go").await;
            assert_eq!(shown["rule"]["do"][0]["say"], format!("round {round}"), "no server keeps the old rules");
        }
        // Whichever of them reacts, it uses the new rules.
        assert_eq!(says(server, &format!("m{round}"), "!go", "").await, ["say: done"]);
        assert_eq!(said(&place).last().unwrap(), &json!(format!("round {round}")));
    }
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test]
async fn server_without_an_application_reads_on_and_says_why_nothing_is_done() {
    let server = Server::start().await;
    apply(&server, "[[rule]]\nname = \"thanks\"\non = \"channel.follow\"\ndo = [{ say = \"hi\" }, { count = \"n\" }]")
        .await;
    let follow = follow("1", server.clock.now());
    deliver(&server, &follow).await;
    judged(&server).await;
    assert_eq!(count(&server, "failed").await, 1);
    let statement = "select problem from action where state = 'failed'";
    let problem: String = sqlx::query_scalar(statement).fetch_one(&server.pool).await.unwrap();
    assert!(problem.contains("TWITCH_CLIENT_ID"), "{problem}");
    server.stop().await;
}

#[tokio::test]
async fn time_from_an_event_to_its_outcome_is_measured() {
    let place = Place::with(&["user:write:chat"]).await;
    let server = serve(&place).await;
    apply(
        &server,
        "[[rule]]\nname = \"go\"\ncommand = \"!go\"\ndo = [{ say = \"gone\" }, { title = \"not allowed\" }]",
    )
    .await;
    let sum = async || {
        let metrics = server.get("/metrics").await.text;
        let value = |name: &str| -> f64 {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or("0");
            line.parse().unwrap()
        };
        (value("showtime_reaction_seconds_count"), value("showtime_reaction_seconds_sum"))
    };
    assert_eq!(sum().await.0, 0.0);
    let message = line(&server, "m1", "!go", "");
    server.clock.advance(Duration::seconds(7));
    deliver(&server, &message).await;
    quiet(&server).await;
    let (count, seconds) = sum().await;
    assert_eq!(count, 1.0, "what failed has no outcome to measure");
    assert!((7.0..30.0).contains(&seconds), "from when the event happened, not only from when it came: {seconds}");
    server.stop().await;
}
