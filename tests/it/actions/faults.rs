//! Faults before and after the effect: what may be repeated is, and what must not be never is.

use serde_json::{Value, json};
use showtime::mock::Faults;

use super::{Place, VIEWER, done, get, post, request, say, settled, until_state};
use crate::support::server::Server;
use crate::support::until;

fn one(fault: &str) -> Faults {
    serde_json::from_value(json!({ fault: 1 })).unwrap()
}

/// A step of each class, and the name of its call.
fn steps() -> [(&'static str, Value); 2] {
    [("ban", json!({ "ban": { "user": VIEWER, "reason": "spam" } })), ("say", say("only once"))]
}

#[tokio::test]
async fn failure_before_the_effect_is_repeated_in_every_class() {
    let place = Place::new().await;
    let server = place.serve().await;
    for (call, step) in steps() {
        place.faults(one("fail_next_action_before"));
        done(&server, step).await;
        assert_eq!(place.performed(call).len(), 1);
    }
    server.stop().await;
}

#[tokio::test]
async fn lost_answer_is_repeated_if_that_does_no_harm() {
    for fault in ["fail_next_action_after", "reset_next_action_after"] {
        let place = Place::new().await;
        let server = place.serve().await;
        place.faults(one(fault));
        let action = done(&server, json!({ "ban": { "user": VIEWER, "reason": null } })).await;
        assert_eq!((&action["result"]["was_so"], &action["attempts"]), (&json!(true), &json!(2)), "{fault}");
        assert_eq!(place.performed("ban").len(), 1, "{fault}");
        place.faults(one(fault));
        done(&server, json!({ "title": "again" })).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn lost_answer_makes_a_message_uncertain_until_a_person_decides() {
    for fault in ["fail_next_action_after", "reset_next_action_after"] {
        let place = Place::new().await;
        let server = place.serve().await;
        let mut ids = Vec::new();
        for text in ["it arrived", "it may have", "say it again"] {
            place.faults(one(fault));
            let id = request(&server, &say(text)).await;
            let action = settled(&server, id).await;
            assert_eq!(action["state"], "uncertain", "{fault} {action}");
            assert!(action["problem"].is_string());
            ids.push(id);
        }
        server.clock.advance(time::Duration::hours(2));
        for id in &ids {
            assert_eq!(get(&server, *id).await["state"], "uncertain");
        }
        assert_eq!(place.performed("say").len(), 3, "none was sent again");
        let (_, message) = server.check("actions").await;
        assert!(message.contains("3 actions may or may not have happened"), "{message}");

        let path = |index: usize, verb: &str| format!("/actions/{}/{verb}", ids[index]);
        for (index, has_happened, state) in [(0, true, "done"), (1, false, "failed")] {
            let body = json!({ "has_happened": has_happened });
            let settled = server.post_json(&path(index, "settle"), &body).await;
            assert_eq!(settled.json()["state"], state, "{settled:?}");
            server.post_json(&path(index, "settle"), &body).await.problem(409, "wrong-state");
        }
        server.send(reqwest::Method::POST, &path(0, "retry")).await.problem(409, "wrong-state");
        let retried = server.send(reqwest::Method::POST, &path(2, "retry")).await;
        assert_eq!((retried.status.as_u16(), &retried.json()["problem"]), (200, &Value::Null), "{retried:?}");
        settled(&server, ids[2]).await;
        assert_eq!(place.performed("say").len(), 4);
        server.stop().await;
    }
}

#[tokio::test]
async fn second_503_makes_a_message_uncertain() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.faults(serde_json::from_value(json!({ "fail_next_action_before": 2 })).unwrap());
    let id = request(&server, &say("unlucky")).await;
    assert_eq!(settled(&server, id).await["state"], "uncertain");
    assert_eq!(place.performed("say").len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn dropped_message_has_twitchs_reason() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.faults(one("drop_next_message"));
    let id = request(&server, &say("held back")).await;
    let action = settled(&server, id).await;
    assert_eq!((&action["state"], &action["result"]["code"]), (&json!("dropped"), &json!("msg_rejected")));
    assert!(action["problem"].as_str().unwrap().contains("checked by mods"), "{action}");
    server.stop().await;
}

#[tokio::test]
async fn withdrawn_consent_is_told() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.twitch.mock.world.end_user_tokens();
    let id = request(&server, &say("without consent")).await;
    let action = settled(&server, id).await;
    assert_eq!(action["state"], "failed");
    let remedy =
        "consent: user:write:chat of maplearcade is missing: run `init --channel maplearcade --scope user:write:chat`";
    assert!(action["problem"].as_str().unwrap().starts_with(remedy), "{action}");
    server.stop().await;
}

#[tokio::test]
async fn rate_limit_is_waited_for() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.twitch.mock.world.use_up_rate_limit(30);
    let id = request(&server, &json!({ "title": "later" })).await;
    until("it waits", async || get(&server, id).await["problem"].is_string()).await;
    server.clock.advance(time::Duration::seconds(31));
    settled(&server, id).await;
    until_state(&server, id, "done").await;
    server.stop().await;
}

#[tokio::test]
async fn message_that_waited_for_too_long_is_stale() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.twitch.mock.world.use_up_rate_limit(600);
    let said = request(&server, &say("too late")).await;
    let banned = request(&server, &json!({ "ban": { "user": &place.viewer_id, "reason": null } })).await;
    until("both wait", async || {
        get(&server, said).await["problem"].is_string() && get(&server, banned).await["problem"].is_string()
    })
    .await;
    server.clock.advance(time::Duration::seconds(61));
    until_state(&server, said, "stale").await;
    server.clock.advance(time::Duration::minutes(10));
    assert_eq!(settled(&server, banned).await["state"], "done");
    assert_eq!((place.performed("say").len(), place.performed("ban").len()), (0, 1));
    server.stop().await;
}

/// Requests a clip that takes Twitch ten seconds, and waits until Twitch has begun to make it.
async fn begin_clip(place: &Place, server: &Server) -> i64 {
    place.faults(Faults { clip_s: Some(10), ..Faults::default() });
    let step = json!({ "clip": { "title": null, "seconds": null, "say": "Look: {{ clip.url }}" } });
    let id = request(server, &step).await;
    until("Twitch makes the clip", async || get(server, id).await["result"]["id"].is_string()).await;
    id
}

#[tokio::test]
async fn clip_that_twitch_has_made_is_announced_though_it_is_found_late() {
    let place = Place::new().await;
    let server = place.serve().await;
    let id = begin_clip(&place, &server).await;
    server.clock.advance(time::Duration::seconds(61));
    let clip = settled(&server, id).await;
    assert_eq!(clip["state"], "done", "{clip}");
    until("it is announced", async || place.performed("say").len() == 1).await;
    let address = clip["result"]["url"].as_str().unwrap();
    assert_eq!(place.performed("say")[0].effect["text"], format!("Look: {address}"));
    assert_eq!(place.performed("clip").len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn clip_that_cannot_be_looked_up_is_uncertain() {
    let place = Place::new().await;
    let server = place.serve().await;
    let id = begin_clip(&place, &server).await;
    place.faults(Faults { clip_s: Some(10), helix_error: 1.0, ..Faults::default() });
    server.clock.advance(time::Duration::seconds(16));
    let clip = settled(&server, id).await;
    assert_eq!((&clip["state"], clip["result"]["edit_url"].is_string()), (&json!("uncertain"), true), "{clip}");
    assert!(clip["problem"].as_str().unwrap().starts_with("Twitch was asked for the clip, but: "), "{clip}");
    assert_eq!(place.performed("clip").len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn server_that_stops_lets_its_calls_end() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.faults(Faults { action_delay: 1.0, delay_ms: 1_000, ..Faults::default() });
    let id = request(&server, &say("in time")).await;
    until_state(&server, id, "sending").await;
    let pool = server.pool.clone();
    server.stop().await;
    let state: String = sqlx::query_scalar("select state from action").fetch_one(&pool).await.unwrap();
    assert_eq!((state.as_str(), place.performed("say").len()), ("done", 1));
}

#[tokio::test]
async fn server_that_stops_after_the_lease_was_lost_lets_its_calls_end() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.faults(Faults { action_delay: 1.0, delay_ms: 3_000, ..Faults::default() });
    let id = request(&server, &say("in time")).await;
    until_state(&server, id, "sending").await;
    // As another server does that takes over.
    server.sql("update action_lease set epoch = epoch + 1, leased_until = now() + interval '1 hour'").await;
    server
        .sql(
            "create table statement (query text);
            create function keep_statement() returns trigger language plpgsql as $$
                begin insert into statement values (current_query()); return null; end $$;
            create trigger keep_statement after update on action_lease for each statement execute function keep_statement()",
        )
        .await;
    let tries = "select exists (select from statement where query like '%where leased_until <= clock_timestamp() returning epoch%')";
    until("the server tries to take the lease again", async || {
        sqlx::query_scalar(tries).fetch_one(&server.pool).await.unwrap()
    })
    .await;
    let pool = server.pool.clone();
    server.stop().await;
    let state: String = sqlx::query_scalar("select state from action").fetch_one(&pool).await.unwrap();
    assert_eq!((state.as_str(), place.performed("say").len()), ("done", 1));
}

#[tokio::test]
async fn token_that_ends_in_the_middle_is_renewed_and_the_action_done_once() {
    let place = Place::new().await;
    let server = place.serve().await;
    for (call, step) in steps() {
        let refreshes = || place.twitch.mock.world.calls("POST /oauth2/token refresh_token");
        let before = refreshes();
        place.faults(one("end_token_of_next_action"));
        let action = done(&server, step).await;
        assert_eq!((&action["attempts"], place.performed(call).len()), (&json!(1), 1), "{action}");
        assert_eq!(refreshes(), before + 1, "{call}");
    }
    server.stop().await;
}

#[tokio::test]
async fn renamed_user_is_still_the_one_who_was_named() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.faults(serde_json::from_value(json!({ "fail_next_action_before": 2 })).unwrap());
    let ban = json!({ "ban": { "user": VIEWER, "reason": null } });
    let id = request(&server, &ban).await;
    until("it is to be tried again", async || get(&server, id).await["problem"].is_string()).await;
    place.twitch.mock.world.rename(VIEWER, "LoudOtter").unwrap();
    assert_eq!(settled(&server, id).await["state"], "done");
    assert_eq!(place.performed("ban")[0].effect["user_id"], json!(place.viewer_id));
    post(&server, &ban).await.problem(400, "invalid-field");
    done(&server, json!({ "unban": { "user": "loudotter" } })).await;
    server.stop().await;
}

#[tokio::test]
async fn two_servers_do_each_action_once() {
    let place = Place::new().await;
    let (one, two) = (place.serve().await, place.serve().await);
    let mut ids = Vec::new();
    for index in 0..20 {
        let server = if index % 2 == 0 { &one } else { &two };
        ids.push(request(server, &say(&format!("line {index}"))).await);
    }
    one.stop().await;
    for id in ids {
        assert_eq!(settled(&two, id).await["state"], "done");
    }
    let texts: Vec<_> = place.performed("say").iter().map(|call| call.effect["text"].clone()).collect();
    let expected: Vec<_> = (0..20).map(|index| json!(format!("line {index}"))).collect();
    assert_eq!(texts, expected, "in order, and each once");
    two.stop().await;
}
